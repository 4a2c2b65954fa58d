"""Corrections of one layer inside the data phase: its input codes are known, its output is what must stay.

``bias = mean(t - q x)``        empirical bias correction (Nagel et al., ICCV 2019, section 4.2)
``bias = b - (q - w) E[x]``     the same without images, see ``analytic_bias``
``q, fl = argmin |t - q x|**2`` learned rounding, see ``rounding``; the fl that leaves the least error

x are the quantized inputs under sampled output pixels, t what the float network sums there, its own
residual operand included, less the quantized residual: the errors of earlier layers are corrected too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add

import numpy as np

from .arithmetic import FloatArray, IntArray
from .channel_bits import limits
from .formats import QFormat
from .protocol import RealLayer
from .ranges import FL_LIMIT, overflow_free_fl
from .real_layer import PlainLayer, changed
from .rounding import Moments, first_codes, least_squares, loss, round_codes
from .samples import gather, kernel_rows, pixels, windows

__all__ = ["Maps", "Refinement"]

Maps = tuple[int, Sequence[FloatArray], Sequence[FloatArray]]
"""(number of the first image, float inputs, input codes) of one batch."""

_ROWS = 24576
_ROWS_PER_INPUT = 32


@dataclass(frozen=True, kw_only=True)
class Refinement:
    """What to correct: the bias alone, or the weight codes and their fl too."""

    rounding: bool = False
    bias: bool = True
    """whether the bias is fitted; False: it stays, or takes the correction of ``means``."""
    means: Mapping[str, FloatArray] = field(default_factory=dict)
    """expected inputs [C] by tensor (``analytic_bias``), for a correction that looks at no image."""
    wgt_bits: Mapping[str, IntArray] = field(default_factory=dict)
    """by layer, the bits [K] that the codes of each channel keep to; none: the layer's width."""
    per_channel: bool = False
    offsets: tuple[int, ...] = (0, 1, 2)
    """fl tried, from the overflow-free one; none: keep the fl given."""
    damping: float = 0.1
    fit_width: int = 5
    """up to this many bits the codes follow least-squares weights w*; above, the trained weights themselves:
    there the fit costs more (weights shrink towards the noise of their inputs) than it gains."""

    def apply(
        self,
        layer: RealLayer,
        *,
        wgt_fl: IntArray,
        wgt_width: int,
        formats: Mapping[str, QFormat],
        size: tuple[int, int],
        images: int,
        visit: Callable[[Callable[[Maps], Moments]], list[Moments]],
    ) -> tuple[PlainLayer, IntArray]:
        """The layer with weights that its codes hold exactly and the bias that fits them, and the fl [K].

        ``size`` is (height, width) of its output, ``visit`` maps a function over the batches of its inputs.
        """
        if layer.weight is None:
            raise ValueError(f"layer {layer.name!r} needs weights, not None")
        bits = self.wgt_bits.get(layer.name, np.full(len(wgt_fl), wgt_width, np.int64))
        if not self.rounding and not self.bias:
            return self._without_images(layer, layer.weight, wgt_fl, bits), wgt_fl
        weight = kernel_rows(layer.weight, layer.groups)
        groups, outputs, inputs = weight.shape
        bias = np.zeros(groups * outputs) if layer.bias is None else np.asarray(layer.bias, np.float64)
        wanted = max(_ROWS, _ROWS_PER_INPUT * inputs)
        each = -(-wanted // max(images, 1))
        steps = [formats[name].step for name in layer.inputs]

        def sample(maps: Maps) -> Moments:
            first, real, codes = maps
            at = pixels(first, real[0].shape[0], size[0] * size[1], each)
            target = windows(real[0], layer, at, size[1]) @ np.swapaxes(weight, 1, 2).astype(np.float32)
            target += bias.astype(np.float32).reshape(groups, 1, outputs)
            if len(real) > 1:
                residual = gather(real[1], at) - gather(codes[1], at) * np.float32(steps[1])
                target += residual.reshape(-1, groups, outputs).transpose(1, 0, 2)
            return Moments.of(windows(codes[0], layer, at, size[1]) * np.float32(steps[0]), target)

        moments = reduce(add, visit(sample))
        if self.rounding:
            rows, fl = self._round(weight, moments, wgt_fl, bits)
        else:
            rows, fl = _nearest(weight, wgt_fl, bits), wgt_fl
        count = max(moments.count, 1)
        fitted = moments.t / count - (rows @ (moments.x / count)[..., None])[..., 0]
        k, c, r, s = layer.weight.shape
        made = rows.reshape(k, r, s, c).transpose(0, 3, 1, 2)
        return changed(layer, weight=made, bias=fitted.reshape(k)), fl

    def _without_images(
        self, layer: RealLayer, weight: FloatArray, wgt_fl: IntArray, bits: IntArray
    ) -> PlainLayer:
        rows = kernel_rows(weight, layer.groups)
        made = _nearest(rows, wgt_fl, bits)
        k, c, r, s = weight.shape
        bias = np.zeros(k) if layer.bias is None else np.asarray(layer.bias, np.float64)
        if layer.inputs[0] in self.means:
            expected = np.tile(self.means[layer.inputs[0]].reshape(layer.groups, 1, c), (1, 1, r * s))
            bias = bias - np.sum((made - rows) * expected, axis=-1).reshape(k)
        return changed(layer, weight=made.reshape(k, r, s, c).transpose(0, 3, 1, 2), bias=bias)

    def _round(
        self, weight: FloatArray, moments: Moments, wgt_fl: IntArray, bits: IntArray
    ) -> tuple[FloatArray, IntArray]:
        gram, cross = moments.centred()
        metric, best = least_squares(gram, cross, weight, self.damping)
        if int(bits.max()) > self.fit_width:
            best = weight
        free = weight != 0.0
        low, high = _limits(bits, weight)
        candidates = [wgt_fl]
        if self.offsets:
            flat = weight.reshape(len(wgt_fl), -1)
            rows = flat if self.per_channel else flat.reshape(1, -1)
            start = np.array(
                [
                    overflow_free_fl(float(r.min()), float(r.max()), int(b))
                    for r, b in zip(rows, bits, strict=False)
                ],
                np.int64,
            )
            start = np.broadcast_to(start, wgt_fl.shape)
            used = np.any(flat != 0.0, axis=1)
            start = np.where(used if self.per_channel else np.any(used), start, wgt_fl)
            candidates = [np.clip(start + offset, -FL_LIMIT, FL_LIMIT) for offset in self.offsets]
        losses = []
        for fl in candidates:
            scale = _scale(fl, weight)
            first = first_codes(best * scale, metric, low, high, free)
            losses.append(loss(first / scale, best, metric).ravel())
        table = np.stack(losses)
        if not self.per_channel:
            table = np.broadcast_to(table.sum(axis=1, keepdims=True), table.shape)
        chosen = np.stack(candidates)[np.argmin(table, axis=0), np.arange(len(wgt_fl))]
        scale = _scale(chosen, weight)
        return round_codes(best * scale, metric, low, high, free) / scale, chosen


def _scale(fl: IntArray, weight: FloatArray) -> FloatArray:
    """2**fl [K] for rows [G, K/G, n]."""
    return np.ldexp(1.0, fl.astype(np.int32)).reshape(*weight.shape[:2], 1)


def _limits(bits: IntArray, weight: FloatArray) -> tuple[IntArray, IntArray]:
    """Smallest and largest code of rows [G, K/G, n]."""
    low, high = (limit.reshape(*weight.shape[:2], 1) for limit in limits(bits))
    return low, high


def _nearest(weight: FloatArray, fl: IntArray, bits: IntArray) -> FloatArray:
    scale = _scale(fl, weight)
    return np.asarray(np.clip(np.rint(weight * scale), *_limits(bits, weight)) / scale)
