"""The fast reference against a slow one in plain int64, and its errors."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from systolith.quant.arithmetic import quantize_real, requantize
from systolith.quant.formats import QFormat
from systolith.quant.network import IntArray, Layer, QuantizedNetwork, Tensor
from systolith.quant.quantizer import Options, quantize
from systolith.sim.naive import evaluate
from systolith.sw import integer_reference
from systolith.sw.onnx_reader import read
from systolith.sw.random_model import random_model


def slow_layer(layer: Layer, inputs: list[IntArray]) -> IntArray:
    """The equations of ``quant.network.Layer``, one output pixel at a time."""
    act = inputs[0]
    if layer.kind == "add":
        acc = (inputs[0] << layer.in_shift) + (inputs[1] << layer.res_shift)
        return requantize(acc, layer.shift, layer.lo, layer.hi)
    if layer.kind == "concat":
        return np.concatenate(inputs, axis=3)
    (kr, ks), (sy, sx), (dy, dx), (top, left, bottom, right) = (
        layer.kernel,
        layer.stride,
        layer.dilation,
        layer.pads,
    )
    n, h, w, c = act.shape
    oh = (h + top + bottom - dy * (kr - 1) - 1) // sy + 1
    ow = (w + left + right - dx * (ks - 1) - 1) // sx + 1
    channels = c if layer.kind != "conv" else layer.wgt.shape[0]  # type: ignore[union-attr]
    acc = np.full((n, oh, ow, channels), -(2**40) if layer.kind == "maxpool" else 0, np.int64)
    for y in range(oh):
        for x in range(ow):
            for r in range(kr):
                for s in range(ks):
                    row, col = y * sy + r * dy - top, x * sx + s * dx - left
                    if not (0 <= row < h and 0 <= col < w):
                        continue
                    if layer.kind == "maxpool":
                        acc[:, y, x] = np.maximum(acc[:, y, x], act[:, row, col])
                    elif layer.kind == "avgpool":
                        each = layer.wgt[0, 0]  # type: ignore[index]
                        acc[:, y, x] += act[:, row, col] * each[y % len(each), x % each.shape[1]]
                    else:
                        inside, group = layer.wgt.shape[1], channels // layer.groups  # type: ignore[union-attr]
                        for k in range(channels):
                            first = k // group * inside
                            seen = act[:, row, col, first : first + inside]
                            acc[:, y, x, k] += seen @ layer.wgt[k, :, r, s]  # type: ignore[index]
    if layer.kind == "maxpool":
        return acc
    if layer.bias is not None:
        acc += layer.bias
    if len(inputs) > 1:
        acc += inputs[1] << layer.res_shift
    return requantize(acc, layer.shift, layer.lo, layer.hi)


def quantized(seed: int, **options: object) -> tuple[QuantizedNetwork, IntArray]:
    graph = read(random_model(seed, branches=bool(seed % 2)))
    real = np.random.default_rng(seed).normal(size=(5, *graph.shapes[graph.input])).astype(np.float32)
    network = quantize(graph, real, Options(**options)).network  # type: ignore[arg-type]
    return network, quantize_real(real * 1.5, network.tensors[network.input].format)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from([2, 3, 5, 8, 16]), st.sampled_from([2, 4, 8, 16]), st.booleans()
)
def test_equals_the_slow_reference(seed: int, act_width: int, wgt_width: int, per_channel: bool) -> None:
    network, codes = quantized(
        seed, act_width=act_width, wgt_width=wgt_width, per_channel=per_channel, acc_width=48
    )
    fast = integer_reference.run(network, codes, "all", batch=2)
    slow = {network.input: codes}
    for layer in network.layers:
        slow[layer.output] = slow_layer(layer, [slow[name] for name in layer.inputs])
    assert set(fast) == set(slow)
    for name, expected in slow.items():
        assert fast[name].shape[1:] == network.tensors[name].shape
        assert np.array_equal(fast[name], expected), name


def test_kinds_without_a_generator_equal_the_slow_reference() -> None:
    """Copies by rows and columns, tables, products with a vector, averages that divide by fewer at the border."""
    rng = np.random.default_rng(5)
    each, one = QFormat(8, 5, True), QFormat(6, 4, True)
    shapes = {
        "x": (5, 4, 3),
        "v": (1, 1, 3),
        "t": (5, 4, 3),
        "p": (5, 4, 3),
        "u": (10, 12, 3),
        "a": (10, 12, 3),
    }
    kernel = {"kernel": (3, 3), "pads": (1, 1, 1, 1)}
    codes = np.array([rng.integers(-2, 60) for _ in range(120)]).reshape(1, 1, 10, 12)
    layers = (
        Layer(name="v", kind="avgpool", inputs=("x",), output="v", kernel=(5, 4), wgt=np.full((1, 1, 1, 1), 13),
              wgt_width=8, shift=np.full(3, 8), lo=-32, hi=31),
        Layer(name="t", kind="table", inputs=("x",), output="t", table=rng.integers(-128, 128, (3, 256))),
        Layer(name="p", kind="product", inputs=("t", "v"), output="p", shift=np.array([3, 4, 5])),
        Layer(name="u", kind="upsample", inputs=("p",), output="u", factor=(2, 3)),
        Layer(name="a", kind="avgpool", inputs=("u",), output="a", wgt=codes, shift=np.full(3, 9), **kernel),
    )  # fmt: skip
    network = QuantizedNetwork(
        name="kinds", input="x", outputs=("a",), layers=layers,
        tensors={n: Tensor(name=n, shape=s, format=one if n == "v" else each) for n, s in shapes.items()},
    )  # fmt: skip
    images = rng.integers(-128, 128, (2, 5, 4, 3))
    found = integer_reference.run(network, images, "all")
    for image in range(2):
        for name, expected in evaluate(network, images[image]).items():
            assert np.array_equal(found[name][image], expected), name


def test_float64_where_the_sum_leaves_float32() -> None:
    rng = np.random.default_rng(0)
    wgt = rng.integers(-128, 128, (8, 64, 3, 3))
    layer = Layer(
        name="c", kind="conv", inputs=("x",), output="y", kernel=(3, 3), wgt=wgt, shift=np.zeros(8, int)
    )
    act = rng.integers(200, 256, (2, 5, 5, 64))
    assert integer_reference.accumulate(layer, [act], (1 << 24) - 1).dtype == np.float32
    acc = integer_reference.accumulate(layer, [act], 1 << 24)
    assert acc.dtype == np.float64
    assert np.array_equal(acc.astype(np.int64), slow_layer(replace(layer, lo=-(2**40), hi=2**40), [act]))


def test_keep() -> None:
    network, codes = quantized(3)
    every = integer_reference.run(network, codes, "all")
    assert list(every) == list(network.tensors)
    outputs = integer_reference.run(network, codes)
    assert list(outputs) == list(network.outputs)
    name = network.layers[0].output
    assert np.array_equal(integer_reference.run(network, codes, [name])[name], every[name])
    assert every[network.input].dtype == np.int8


def test_errors() -> None:
    network, codes = quantized(3)
    with pytest.raises(ValueError, match=r"input codes must be \[N"):
        integer_reference.run(network, codes[0])
    with pytest.raises(ValueError, match="input codes must lie in -128..127"):
        integer_reference.run(network, codes + 300)
    with pytest.raises(ValueError, match="has no tensor 'nothing'"):
        integer_reference.run(network, codes, ["nothing"])
    layer = network.layers[0]
    with pytest.raises(ValueError, match="not below 2\\*\\*53"):
        integer_reference.accumulate(layer, [codes], 1 << 53)
    conv = Layer(name="c", kind="conv", inputs=("x",), output="y")
    with pytest.raises(ValueError, match="layer 'c' of kind conv needs weight codes"):
        integer_reference.accumulate(conv, [codes], 1)
