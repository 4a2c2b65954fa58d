"""The integer network: what the quantizer leaves behind and every model of the chain computes.

A tensor is integer codes with a fractional length: ``real = code * 2**-fl``. Inside the project
tensors are N H W C, kernels K C R S (out channel, in channel, kernel row, kernel column).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from .arithmetic import FloatArray, IntArray, quantize_real
from .formats import QFormat

__all__ = ["COPIES", "IntArray", "Kind", "Layer", "QuantizedNetwork", "Stem", "Tensor"]

Kind = Literal["conv", "maxpool", "avgpool", "add", "concat", "upsample", "table", "product"]
COPIES: frozenset[Kind] = frozenset({"maxpool", "concat", "upsample"})
"""Kinds that only pass codes on: their tensors share one format."""


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """An activation: its name in the ONNX file, its map ``(height, width, channels)``, its format.

    ``trained network's value = code * 2**-fl / scale[channel]``: equalization moves factors between layers.
    """

    name: str
    shape: tuple[int, int, int]
    format: QFormat
    scale: FloatArray | None = None
    """[C] positive; None: 1."""

    def real(self, codes: npt.ArrayLike) -> FloatArray:
        """The trained network's values, float64, of codes [..., C]."""
        values = np.asarray(codes, np.float64) * self.format.step
        return values if self.scale is None else values / self.scale


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One requantization: everything between two tensors that exist as codes.

    ``conv``     acc[k] = bias[k] + sum_{c,r,s} act[y*sy + r*dy - pt, x*sx + s*dx - pl, c] * wgt[k,c,r,s]
                 (+ residual << res_shift[k]), out = clamp(round_half_even(acc >> shift[k]), lo, hi).
                 Codes outside of the map are 0. With ``groups`` G > 1, out channel k sees the C/G input
                 channels from (k // (K/G)) * (C/G) on (depthwise: G = C).
                 A fully connected layer is a conv whose kernel covers the map.
    ``avgpool``  the same with acc[c] = sum over the window of act[.., c] * wgt, ``wgt`` one code of shape (1,1,1,1), or
                 (1,1,OH,OW): one for each output pixel, as windows at the border divide by fewer pixels; each is a
                 code of ``wgt_width`` bits times a power of two.
    ``maxpool``  out = max over the window of the codes inside the map; ``shift`` is 0, lo and hi the format's.
    ``concat``   out = the inputs' codes, one after the other along the channels; all share one format;
                 ``shift``, lo and hi as with maxpool.
    ``upsample`` out[y, x] = act[y // factor[0], x // factor[1]]; shift, lo and hi as with maxpool.
    ``add``      acc = (act0 << in_shift) + (act1 << res_shift), out as above. Either shift is 0.
    ``product``  acc[y, x, c] = act0[y, x, c] * act1[0, 0, c], out as above. act1 is a map of one pixel; its codes fit
                 a signed weight of the engine.
    ``table``    out[y, x, c] = table[c][act[y, x, c] mod 2**n]: an activation function of any shape. ``shift`` is 0,
                 lo and hi the format's.

    The last output channel's, row's and column's windows may reach outside of the map (pads, ceil_mode).
    """

    name: str
    kind: Kind
    inputs: tuple[str, ...]
    """conv: (act,) or (act, residual); add, product: (act0, act1); concat: one or more; the others: (act,)."""
    output: str
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    """top, left, bottom, right."""
    groups: int = 1
    """conv only."""
    wgt: IntArray | None = None
    """[K, C/groups, R, S] signed codes (avgpool: [1, 1, 1, 1] or [1, 1, OH, OW]); None for the others."""
    wgt_width: int = 8
    """bits of a weight code, 2..8 or 16."""
    wgt_fl: IntArray | None = None
    """[K] fractional length of the weights, all equal unless per-channel."""
    bias: IntArray | None = None
    """[K] integers at fl_acc; None means 0."""
    shift: IntArray = field(default_factory=lambda: np.zeros(1, np.int64))
    """[K] s = fl_acc - fl_out, may be negative."""
    res_shift: IntArray | None = None
    """[K] fl_acc - fl_residual >= 0; conv with a residual and add only."""
    in_shift: int = 0
    """add only: fl_acc - fl_act0 >= 0."""
    factor: tuple[int, int] = (1, 1)
    """upsample only: rows and columns an input pixel becomes."""
    table: IntArray | None = None
    """table only: [1 or C, 2**n] codes of the output; n is the width of the input's codes."""
    lo: int = -128
    hi: int = 127
    """saturation bounds of the output codes; ReLU, ReLU6 and Clip live here."""
    macs: int = 0
    """useful MACs for one image: the products of the ONNX file's Conv, Gemm, MatMul; 0 for others."""


@dataclass(frozen=True, kw_only=True)
class Stem:
    """How the trained network's input becomes codes, where that is more than one scale.

    ``code = clamp(round_half_even((pad(real * gain) + offset) * 2**fl))``, pad: zeros around the map

    Chosen so that the codes are the image's own pixels: the normalization moves into the first layer's
    weights and bias, its padding into the image, and the input's codes are exact.
    """

    gain: FloatArray
    """[C] positive."""
    offset: FloatArray
    """[C]."""
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    """top, left, bottom, right."""

    def apply(self, real: FloatArray) -> FloatArray:
        """Real inputs of the integer network, float32 [N, H', W', C], from those of the trained one.

        Computed in float32, one operation after the other: ONNX Runtime gets the same bits.
        """
        top, left, bottom, right = self.pads
        scaled = np.asarray(real, np.float32) * self.gain.astype(np.float32)
        padded = np.pad(scaled, ((0, 0), (top, bottom), (left, right), (0, 0)))
        result: FloatArray = padded + self.offset.astype(np.float32)
        return result


@dataclass(frozen=True, kw_only=True)
class QuantizedNetwork:
    """Layers in topological order over named tensors; one input, one output or more."""

    name: str
    input: str
    outputs: tuple[str, ...]
    tensors: dict[str, Tensor]
    layers: tuple[Layer, ...]
    stem: Stem | None = None
    """None: the input's codes are those of the trained network's input."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the trained network's input, before the stem's padding."""
        height, width, channels = self.tensors[self.input].shape
        top, left, bottom, right = (0, 0, 0, 0) if self.stem is None else self.stem.pads
        return height - top - bottom, width - left - right, channels

    def input_codes(self, real: FloatArray) -> IntArray:
        """The codes [N, H', W', C] of real inputs [N, H, W, C] of the trained network."""
        staged = real if self.stem is None else self.stem.apply(real)
        return quantize_real(staged, self.tensors[self.input].format)
