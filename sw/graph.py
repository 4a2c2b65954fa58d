"""The real network between the ONNX file and the quantizer: fused layers over N H W C tensors.

Inside the reader a node may also be ``affine`` (out = in * scale + offset, per channel) or ``clip``
(out = min(max(in, lo), hi)), or ``apply``, a function of several maps; the passes fuse these away, so a finished
``Graph`` holds only the kinds of ``quant.network.Layer``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..quant.formats import QFormat
from ..quant.functions import Function
from ..quant.network import IntArray, Kind, Layer
from ..quant.protocol import RealLayer as RealLayerProtocol
from . import integer_reference
from .windows import conv_sum, window_max, window_sum

__all__ = ["Graph", "HostOp", "Node", "NodeKind", "RealLayer"]

Array = npt.NDArray[Any]
NodeKind = Literal[
    "conv", "maxpool", "avgpool", "add", "concat", "upsample", "table", "product", "affine",
    "clip", "apply",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Node:
    """One operation of the small graph; fields mean what they mean in ``quant.network.Layer``.

    ``conv``: weight [K, C/groups, R, S], bias [K] or None. ``affine``: scale, offset [C]. Every kind clamps its
    output to lo..hi (real, infinite by default).
    """

    name: str
    kind: NodeKind
    inputs: tuple[str, ...]
    output: str
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1
    factor: tuple[int, int] = (1, 1)
    counts: IntArray | None = None
    """avgpool: [OH, OW] what each window's sum is divided by; None: the pixels of the kernel."""
    weight: Array | None = None
    bias: Array | None = None
    scale: Array | None = None
    offset: Array | None = None
    function: Function | None = None
    """table, apply: what it computes, before lo and hi; of apply its leaves are ``quant.functions.OPERANDS``."""
    lo: float = -math.inf
    hi: float = math.inf
    macs: int = 0
    pre_mean: Array | None = None
    """[K] mean of the sums, before residual and bounds, over the training images: BatchNormalization's beta."""
    pre_std: Array | None = None
    """[K] their standard deviation: |gamma|. None where the file has no BatchNormalization."""
    format: QFormat | None = None
    """of the output's codes, where a quantized file has them: nothing fuses across."""
    wgt_fl: IntArray | None = None
    """[K] of the weights' codes, where a quantized file has them."""


@dataclass(frozen=True, kw_only=True)
class RealLayer:
    """A finished layer: what ``quant.protocol.RealLayer`` asks for."""

    name: str
    kind: Kind
    inputs: tuple[str, ...]
    output: str
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1
    factor: tuple[int, int] = (1, 1)
    counts: IntArray | None = None
    """avgpool: [OH, OW] what each window's sum is divided by; None: the pixels of the kernel."""
    weight: Array | None = None
    bias: Array | None = None
    lo: float = -math.inf
    hi: float = math.inf
    macs: int = 0
    pre_mean: Array | None = None
    """[K] mean of the sums, before residual and bounds, over the training images: BatchNormalization's beta."""
    pre_std: Array | None = None
    """[K] their standard deviation: |gamma|. None where the file has no BatchNormalization."""
    function: Function | None = None
    """table only: what it computes, before lo and hi."""


@dataclass(frozen=True, kw_only=True)
class HostOp:
    """An operation at the network's end that the host computes on the real outputs: Softmax, ArgMax."""

    op: str
    input: str
    output: str


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A trained network as fused layers; implements ``quant.protocol.Network``."""

    name: str
    input: str
    outputs: tuple[str, ...]
    shapes: Mapping[str, tuple[int, int, int]]
    """(height, width, channels) of every tensor that is left."""
    layers: tuple[RealLayer, ...]
    host: tuple[HostOp, ...] = ()
    flat: frozenset[str] = frozenset()
    """outputs that the ONNX file sees as [N, features]."""
    input_axes: tuple[str, ...] = ("C", "H", "W")
    """the axes behind the batch that the ONNX file takes its input with: one letter each, or several joined."""
    output_axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """likewise those of outputs that the file does not order as C, H, W."""

    formats: Mapping[str, QFormat] = field(default_factory=dict)
    """by tensor, where the file is quantized by powers of two."""
    wgt_fl: Mapping[str, IntArray] = field(default_factory=dict)
    """by layer, likewise."""

    codes: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    """(scale, zero point) by tensor, where the ONNX file has codes under this name."""

    @property
    def input_layout(self) -> str:
        """NCHW or NHWC, or what else the file's axes join to."""
        return "N" + "".join(self.input_axes)

    @property
    def macs(self) -> int:
        """Useful MACs for one image: the products of the file's Conv, Gemm and MatMul."""
        return sum(layer.macs for layer in self.layers)

    def forward(self, layer: RealLayerProtocol, inputs: Sequence[Array]) -> Array:
        """The real output of one layer on real inputs [N, H, W, C], in their type; may overflow to infinity."""
        with np.errstate(over="ignore", invalid="ignore"):
            return _forward(layer, inputs)

    def accumulate(self, layer: Layer, inputs: Sequence[Array], bound: int) -> Array:
        """``integer_reference.accumulate``."""
        return integer_reference.accumulate(layer, inputs, bound)


def _forward(layer: RealLayerProtocol, inputs: Sequence[Array]) -> Array:
    act = np.asarray(inputs[0])
    if layer.kind == "maxpool":
        out = window_max(act, layer.kernel, layer.stride, layer.dilation, layer.pads)
    elif layer.kind == "avgpool":
        out = window_sum(act, layer.kernel, layer.stride, layer.dilation, layer.pads)
        divisor = np.array([[layer.kernel[0] * layer.kernel[1]]]) if layer.counts is None else layer.counts
        out /= divisor[:, :, None].astype(act.dtype)
    elif layer.kind == "upsample":
        out = act.repeat(layer.factor[0], axis=1).repeat(layer.factor[1], axis=2)
    elif layer.kind == "add":
        out = act + inputs[1]
    elif layer.kind == "concat":
        out = np.concatenate(inputs, axis=3)
    elif layer.kind == "product":
        out = act * inputs[1]
    elif layer.function is not None:
        out = layer.function(act)
    else:
        if layer.weight is None:
            raise ValueError(f"layer {layer.name!r} needs weights, not None")
        weight = layer.weight.astype(act.dtype)
        out = conv_sum(act, weight, layer.stride, layer.dilation, layer.pads, layer.groups)
        if layer.bias is not None:
            out += layer.bias.astype(act.dtype)
        if len(inputs) > 1:
            out += inputs[1]
    if layer.lo > -math.inf or layer.hi < math.inf:
        np.clip(out, layer.lo, layer.hi, out=out)
    return out
