"""One real layer becomes one integer layer, all but its output's format.

``conv``     wgt = quantize(W, fl_w), fl_acc = fl_act + fl_w, bias = round(b * 2**fl_acc), fl_res <= fl_acc
``avgpool``  wgt = one code of 1 / window at its own fl: 1 where the window is a power of two; one for each output
             where windows divide by different counts, at the largest of their fl
``add``      fl_acc = max(fl_0, fl_1), both operands shifted there
``maxpool``, ``concat``, ``upsample``   codes as they are
``product``  fl_acc = fl_0 + fl_1
``table``    the fine table (``tables``) at its fl
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .arithmetic import FloatArray, IntArray
from .formats import QFormat
from .network import COPIES, Layer
from .overflow import AccumulatorOverflow, layer_bound
from .protocol import RealLayer
from .ranges import FL_LIMIT
from .tables import fine_table, table_values

__all__ = ["Prepared", "TooFine", "average_weight", "average_weights", "code_bounds", "prepare"]


class TooFine(Exception):
    """A tensor's fl must not exceed ``fl``, or a later layer cannot add it: quantize again with that cap."""

    def __init__(self, layer: str, tensor: str, fl: int) -> None:
        super().__init__(f"layer {layer!r} needs tensor {tensor!r} at fl {fl} at most")
        self.layer, self.tensor, self.fl = layer, tensor, fl


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A layer whose accumulator is known: ``layer`` without shift and bounds, ``fl_acc`` [C], ``bound``."""

    layer: Layer
    fl_acc: IntArray
    bound: int
    values: FloatArray | None = None
    """table only: f of every code of the input; the layer's table is fine (``tables``)."""


def code_bounds(lo: float, hi: float, fmt: QFormat) -> tuple[int, int]:
    """The saturation bounds of a format under real bounds lo..hi (either may be infinite)."""
    low = fmt.min if lo == -math.inf else min(max(round(math.ldexp(lo, fmt.fl)), fmt.min), fmt.max)
    high = fmt.max if hi == math.inf else max(min(round(math.ldexp(hi, fmt.fl)), fmt.max), fmt.min)
    return low, max(low, high)


def average_weight(window: int, width: int) -> tuple[int, int]:
    """(code, fl) nearest to 1 / window with a positive code of ``width`` bits, the smallest code on a tie."""
    if window < 1:
        raise ValueError(f"window must be a positive integer, not {window!r}")
    best = (1, 0)
    error = math.inf
    for fl in range(FL_LIMIT):
        code = round(2**fl / window)
        if code > QFormat(width, 0).max:
            break
        candidate = abs(code / 2**fl - 1 / window)
        if code >= 1 and candidate < error:
            best, error = (code, fl), candidate
    return best


def average_weights(counts: IntArray, width: int) -> tuple[IntArray, int]:
    """(codes, fl) nearest to 1 / counts, in their shape: each a code of ``width`` bits times a power of two."""
    each = {int(count): average_weight(int(count), width) for count in np.unique(counts)}
    fl = max(own for _, own in each.values())
    lifted = {count: code << fl - own for count, (code, own) in each.items()}
    codes: IntArray = np.vectorize(lifted.__getitem__, otypes=[np.int64])(counts)
    return codes, fl


def prepare(
    real: RealLayer,
    *,
    formats: Mapping[str, QFormat],
    magnitude: Mapping[str, int],
    channels: int,
    wgt_fl: IntArray | None,
    wgt_width: int,
    acc_width: int,
    per_channel: bool,
) -> Prepared:
    """The integer layer of ``real`` on inputs of ``formats`` and largest codes ``magnitude``.

    Lowers fl_w while a sum could leave ``acc_width`` bits. Raises TooFine where an input tensor must be
    coarser, AccumulatorOverflow where nothing helps.
    """
    if real.kind == "conv":
        if real.weight is None or wgt_fl is None:
            raise ValueError(f"layer {real.name!r} needs weights, not None")
        return _conv(real, real.weight, formats, magnitude, wgt_fl, wgt_width, acc_width, per_channel)
    if real.kind == "add":
        return _add(real, formats, magnitude, channels, acc_width)
    if real.kind == "table":
        return _table(real, formats, magnitude, channels)
    if real.kind == "product":
        return _product(real, formats, magnitude, channels, acc_width)
    if real.kind in COPIES:
        fl = np.full(channels, formats[real.inputs[0]].fl, np.int64)
        return Prepared(layer=_layer(real), fl_acc=fl, bound=max(magnitude[name] for name in real.inputs))
    return _average(real, formats, magnitude, channels, wgt_width, acc_width)


def _layer(
    real: RealLayer,
    *,
    wgt: IntArray | None = None,
    wgt_width: int = 8,
    wgt_fl: IntArray | None = None,
    bias: IntArray | None = None,
    res_shift: IntArray | None = None,
    in_shift: int = 0,
    table: IntArray | None = None,
) -> Layer:
    return Layer(
        name=real.name, kind=real.kind, inputs=real.inputs, output=real.output, kernel=real.kernel,
        stride=real.stride, dilation=real.dilation, pads=real.pads, groups=real.groups, factor=real.factor,
        macs=real.macs, wgt=wgt, wgt_width=wgt_width, wgt_fl=wgt_fl, bias=bias, res_shift=res_shift, in_shift=in_shift,
        table=table,
    )  # fmt: skip


def _conv(
    real: RealLayer,
    weight: FloatArray,
    formats: Mapping[str, QFormat],
    magnitude: Mapping[str, int],
    wgt_fl: IntArray,
    wgt_width: int,
    acc_width: int,
    per_channel: bool,
) -> Prepared:
    fl_w = wgt_fl.copy()
    limit = 2 ** (acc_width - 1) - 1
    fl_act = formats[real.inputs[0]].fl
    limits = QFormat(wgt_width, 0)
    while True:
        scaled = np.rint(np.ldexp(np.asarray(weight, np.float64), fl_w.astype(np.int32)[:, None, None, None]))
        wgt = np.clip(scaled, limits.min, limits.max).astype(np.int64)
        fl_acc = fl_w + fl_act
        bias = None
        too_large = np.zeros(len(fl_w), bool)
        if real.bias is not None:
            at_acc = np.rint(np.ldexp(np.asarray(real.bias, np.float64), fl_acc.astype(np.int32)))
            too_large = np.abs(at_acc) > limit
            bias = np.clip(at_acc, -limit, limit).astype(np.int64)
        res_shift = None
        if len(real.inputs) > 1:
            res_shift = np.asarray(fl_acc - formats[real.inputs[1]].fl, np.int64)
        layer = _layer(
            real, wgt=wgt, wgt_width=wgt_width, wgt_fl=fl_w, bias=bias,
            res_shift=None if res_shift is None else np.maximum(res_shift, 0),
        )  # fmt: skip
        bound = layer_bound(layer, magnitude)
        too_large |= np.array([value > limit for value in bound])
        if not too_large.any():
            break
        fl_w = fl_w - (too_large if per_channel else 1)
        if int(fl_w.min()) < -FL_LIMIT:
            _check(real.name, limit + 1, acc_width)
    if res_shift is not None and int(res_shift.min()) < 0:
        raise TooFine(real.name, real.inputs[1], int(fl_acc.min()))
    return Prepared(layer=layer, fl_acc=fl_acc, bound=max(bound))


def _average(
    real: RealLayer,
    formats: Mapping[str, QFormat],
    magnitude: Mapping[str, int],
    channels: int,
    wgt_width: int,
    acc_width: int,
) -> Prepared:
    for bits in range(wgt_width, 1, -1):  # a code of fewer bits where the sum would leave the accumulator
        counts = np.array([[real.kernel[0] * real.kernel[1]]]) if real.counts is None else real.counts
        codes, fl_w = average_weights(counts, bits)
        wgt = codes[None, None]
        layer = _layer(real, wgt=wgt, wgt_width=wgt_width, wgt_fl=np.array([fl_w], np.int64))
        bound = max(layer_bound(layer, magnitude))
        if bound <= 2 ** (acc_width - 1) - 1:
            break
    _check(real.name, bound, acc_width)
    fl_acc = np.full(channels, formats[real.inputs[0]].fl + fl_w, np.int64)
    return Prepared(layer=layer, fl_acc=fl_acc, bound=bound)


def _add(
    real: RealLayer,
    formats: Mapping[str, QFormat],
    magnitude: Mapping[str, int],
    channels: int,
    acc_width: int,
) -> Prepared:
    fl = [formats[name].fl for name in real.inputs]
    fl_acc = max(fl)
    layer = _layer(real, in_shift=fl_acc - fl[0], res_shift=np.full(channels, fl_acc - fl[1], np.int64))
    bound = max(layer_bound(layer, magnitude))
    if bound > 2 ** (acc_width - 1) - 1:
        if fl[0] == fl[1]:
            _check(real.name, bound, acc_width)
        raise TooFine(real.name, real.inputs[fl.index(fl_acc)], fl_acc - 1)
    return Prepared(layer=layer, fl_acc=np.full(channels, fl_acc, np.int64), bound=bound)


def _table(
    real: RealLayer, formats: Mapping[str, QFormat], magnitude: Mapping[str, int], channels: int
) -> Prepared:
    if real.function is None:
        raise ValueError(f"layer {real.name!r} of kind table needs a function, not None")
    values = table_values(real.function, formats[real.inputs[0]])
    fine, fl = fine_table(values)
    layer = _layer(real, table=fine)
    bound = max(layer_bound(layer, magnitude))
    return Prepared(layer=layer, fl_acc=np.full(channels, fl, np.int64), bound=bound, values=values)


def _product(
    real: RealLayer,
    formats: Mapping[str, QFormat],
    magnitude: Mapping[str, int],
    channels: int,
    acc_width: int,
) -> Prepared:
    layer = _layer(real)
    bound = max(layer_bound(layer, magnitude))
    _check(real.name, bound, acc_width)
    fl = sum(formats[name].fl for name in real.inputs)
    return Prepared(layer=layer, fl_acc=np.full(channels, fl, np.int64), bound=bound)


def _check(name: str, bound: int, acc_width: int) -> None:
    if bound > 2 ** (acc_width - 1) - 1:
        raise AccumulatorOverflow(
            f"layer {name!r} cannot fit an accumulator of {acc_width} bits: "
            "quantize with fewer weight or activation bits, or widen acc_width"
        )
