"""Writes tests/sw/models/tf_*.onnx: small Keras networks by tf2onnx, with NHWC and with NCHW input.

    python tests/sw/exporters/export_tensorflow.py       # needs tensorflow 2.18, tf2onnx 1.16 or later

The tests need only the files.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

MODELS = Path(__file__).parent.parent / "models"
L = tf.keras.layers


def chain(shape: tuple[int, ...], *layers: Any) -> Any:
    """A network of one layer behind the other."""
    source = value = L.Input(shape)
    for layer in layers:
        value = layer(value)
    return tf.keras.Model(source, value)


def residual() -> Any:
    """A block with stride, BatchNormalization, Softmax."""
    source = L.Input((8, 8, 3))
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(4, 3, padding="same", use_bias=False)(source)))
    y = L.ReLU()(L.BatchNormalization()(L.Conv2D(6, 3, strides=2, padding="same")(x)))
    y = L.BatchNormalization()(L.Conv2D(6, 3, padding="same")(y))
    x = L.ReLU()(L.Add()([y, L.Conv2D(6, 1, strides=2, padding="same")(x)]))
    return tf.keras.Model(source, L.Dense(5, activation="softmax")(L.GlobalAveragePooling2D()(x)))


def mobile() -> Any:
    """MobileNet's head and tail: Rescaling in the graph, explicit padding, ReLU6, depthwise, Conv as classifier."""
    source = L.Input((9, 9, 3))
    x = L.ZeroPadding2D(((0, 1), (0, 1)))(L.Rescaling(1 / 127.5, offset=-1)(source))
    x = L.ReLU(6.0)(L.BatchNormalization()(L.Conv2D(4, 3, strides=2, use_bias=False)(x)))
    x = L.ReLU(6.0)(L.BatchNormalization()(L.DepthwiseConv2D(3, padding="same", use_bias=False)(x)))
    x = L.GlobalAveragePooling2D(keepdims=True)(L.Conv2D(6, 1)(x))
    x = L.Reshape((5,))(L.Conv2D(5, 1)(L.Dropout(0.1)(x)))
    return tf.keras.Model(source, L.Activation("softmax")(x))


def several() -> Any:
    """Three outputs, two of them maps; Concat, dilation, pools."""
    source = L.Input((8, 8, 3))
    x = L.Conv2D(4, 3, padding="same", activation="relu")(source)
    both = L.Concatenate()([L.Conv2D(3, 1)(x), L.MaxPooling2D(3, 1, padding="same")(x)])
    last = L.Conv2D(2, 3, dilation_rate=2, padding="same")(both)
    dense = L.Dense(4)(L.Flatten()(L.AveragePooling2D(4)(x)))
    return tf.keras.Model(source, [dense, L.Conv2D(2, 1)(x), last])


NETWORKS: dict[str, Callable[[], Any]] = {
    "digits": lambda: chain(
        (12, 12, 1), L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(), L.Flatten(), L.Dropout(0.5),
        L.Dense(6, activation="relu"), L.Dense(5, activation="softmax"),
    ),
    "no_channels": lambda: chain(
        (10, 10), L.Reshape((10, 10, 1)), L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(2), L.Flatten(), L.Dense(5)
    ),
    "residual": residual,
    "mobile": mobile,
    "several": several,
    "segments": lambda: chain(
        (8, 8, 3), L.Conv2D(4, 3, padding="same", strides=2, activation="relu"), L.Conv2D(2, 3, padding="same"),
        L.Activation("sigmoid"),
    ),
    "perceptron": lambda: chain((36,), L.Dense(8, activation="relu"), L.BatchNormalization(), L.Dense(5)),
    "flat_norm": lambda: chain(
        (6, 6, 3), L.Conv2D(4, 3, activation="relu"), L.Flatten(), L.BatchNormalization(), L.Dense(5)
    ),
}  # fmt: skip


def export(name: str, opset: int, static: bool, channels_first: bool) -> None:
    """One file."""
    tf.keras.utils.set_random_seed(1)
    random, network = np.random.default_rng(0), NETWORKS[name]()
    for layer in network.layers:
        if isinstance(layer, L.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, values.shape) for values in layer.get_weights()])
    spec = tf.TensorSpec((1 if static else None, *network.input_shape[1:]), tf.float32, name="image")
    path = (
        MODELS
        / f"tf_{name}_{'static' if static else 'symbolic'}_{'nchw' if channels_first else 'nhwc'}_{opset}.onnx"
    )
    model, _ = tf2onnx.convert.from_function(
        tf.function(lambda x: network(x, training=False)), input_signature=(spec,), opset=opset,
        inputs_as_nchw=["image"] if channels_first else None,
    )  # fmt: skip
    del model.metadata_props[:]
    onnx.save(model, path)


if __name__ == "__main__":
    MODELS.mkdir(exist_ok=True)
    for each in NETWORKS:
        export(each, 13, False, False)
        export(each, 9, True, False)
        if len(NETWORKS[each]().input_shape) == 4:
            export(each, 17, False, True)
