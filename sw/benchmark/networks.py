"""The networks of the benchmark that need no training: published shapes, weights from a seed.

An engine's cycles depend on shapes alone, so random weights measure the same as trained ones; that every integer
is right is compared all the same.

    model = NETWORKS["vgg16"]();  network_hash(model)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

import onnx

from .layers import Layers

__all__ = ["NETWORKS", "layer", "network_hash", "nngen", "resnet50", "vgg16"]

_SEED = 2016

_HALF = 0.5
"""Gain of the last convolution of a residual block: activations grow by a quarter a block, not to twice."""


def nngen() -> onnx.ModelProto:
    """The network that NNgen's authors measured: 32x32x3 images, 6,341,248 MACs.

    conv3x3 3 -> 16, conv3x3 16 -> 32 stride 2, conv3x3 32 -> 64, each with ReLU; average over 16x16; 10 outputs.
    """
    net = Layers("nngen", (3, 32, 32), _SEED)
    last = net.conv("conv1", "image", 16, 3)
    last = net.conv("conv2", last, 32, 3, stride=2)
    last = net.conv("conv3", last, 64, 3)
    return net.model(net.dense("fc", net.average_pool("pool", last), 10))


def vgg16() -> onnx.ModelProto:
    """The 13 convolutions and 5 maximum pools of VGG-16 (Simonyan and Zisserman 2014, configuration D), 224x224."""
    net = Layers("vgg16", (3, 224, 224), _SEED)
    last = "image"
    for stage, (channels, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 1):
        for number in range(1, count + 1):
            last = net.conv(f"conv{stage}_{number}", last, channels, 3)
        last = net.max_pool(f"pool{stage}", last, 2, 2)
    return net.model(last)


def resnet50() -> onnx.ModelProto:
    """The 53 convolutions of ResNet-50 v1.5 (He et al. 2015, figure 5; the stride in the 3x3), 224x224.

    With the maximum pool and the additions, without the average and the 1000 outputs.
    """
    net = Layers("resnet50", (3, 224, 224), _SEED)
    last = net.max_pool("pool1", net.conv("conv1", "image", 64, 7, stride=2), 3, 2, 1)
    for stage, (channels, count) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), 2):
        for number in range(1, count + 1):
            name, stride = f"conv{stage}_{number}", 2 if stage > 2 and number == 1 else 1
            shortcut = last
            if number == 1:
                shortcut = net.conv(f"{name}.shortcut", last, 4 * channels, 1, stride=stride, relu=False)
            inner = net.conv(f"{name}.a", last, channels, 1)
            inner = net.conv(f"{name}.b", inner, channels, 3, stride=stride)
            last = net.conv(f"{name}.c", inner, 4 * channels, 1, add=shortcut, gain=_HALF)
    return net.model(last)


def layer(size: int, ins: int, outs: int, kernel: int, stride: int = 1) -> onnx.ModelProto:
    """One convolution with ReLU over a square map of ``size``."""
    name = f"conv{kernel}x{kernel}{f's{stride}' if stride > 1 else ''}_{ins}_{outs}_{size}"
    net = Layers(name, (ins, size, size), _SEED)
    return net.model(net.conv("conv", "image", outs, kernel, stride=stride))


NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    "nngen": nngen,
    "vgg16": vgg16,
    "resnet50": resnet50,
    "conv3x3_64_64_32": partial(layer, 32, 64, 64, 3),
    "conv3x3_64_64_56": partial(layer, 56, 64, 64, 3),
    "conv1x1_256_64_28": partial(layer, 28, 256, 64, 1),
    "conv3x3s2_64_128_56": partial(layer, 56, 64, 128, 3, 2),
    "vgg16_conv1_1": partial(layer, 224, 3, 64, 3),
    "vgg16_conv1_2": partial(layer, 224, 64, 64, 3),
    "vgg16_conv3_2": partial(layer, 56, 256, 256, 3),
    "vgg16_conv5_3": partial(layer, 14, 512, 512, 3),
    "resnet50_conv1": partial(layer, 224, 3, 64, 7, 2),
    "resnet50_conv3_1.b": partial(layer, 56, 128, 128, 3, 2),
    "resnet50_conv5_3.b": partial(layer, 7, 512, 512, 3),
}
"""By name; names that begin with another network's are single layers of it."""


def network_hash(model: onnx.ModelProto) -> str:
    """The first 12 hexadecimal digits of the file's SHA-256."""
    return hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()[:12]
