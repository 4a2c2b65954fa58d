"""Corrections of one layer inside the data phase: its input codes are known, its output is what must stay.

``bias = mean(t - q x)``        empirical bias correction (Nagel et al., ICCV 2019, section 4.2)
``q, fl = argmin |t - q x|**2`` learned rounding, see ``rounding``; the fl that leaves the least error

x are the quantized inputs under sampled output pixels, t what the float network sums there, its own
residual operand included, less the quantized residual: the errors of earlier layers are corrected too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from .arithmetic import FloatArray, IntArray
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
            rows, fl = self._round(weight, moments, wgt_fl, wgt_width)
        else:
            rows, fl = _nearest(weight, wgt_fl, wgt_width), wgt_fl
        count = max(moments.count, 1)
        fitted = moments.t / count - (rows @ (moments.x / count)[..., None])[..., 0]
        k, c, r, s = layer.weight.shape
        made = rows.reshape(k, r, s, c).transpose(0, 3, 1, 2)
        return changed(layer, weight=made, bias=fitted.reshape(k)), fl

    def _round(
        self, weight: FloatArray, moments: Moments, wgt_fl: IntArray, width: int
    ) -> tuple[FloatArray, IntArray]:
        gram, cross = moments.centred()
        metric, best = least_squares(gram, cross, weight, self.damping)
        if width > self.fit_width:
            best = weight
        free = weight != 0.0
        limits = QFormat(width, 0)
        candidates = [wgt_fl]
        if self.offsets:
            flat = weight.reshape(len(wgt_fl), -1)
            rows = flat if self.per_channel else flat.reshape(1, -1)
            start = np.array(
                [overflow_free_fl(float(r.min()), float(r.max()), width) for r in rows], np.int64
            )
            start = np.broadcast_to(start, wgt_fl.shape)
            start = np.where(np.any(flat != 0.0, axis=1), start, wgt_fl)
            candidates = [np.clip(start + offset, -FL_LIMIT, FL_LIMIT) for offset in self.offsets]
        losses = []
        for fl in candidates:
            scale = _scale(fl, weight)
            first = first_codes(best * scale, metric, limits.min, limits.max, free)
            losses.append(loss(first / scale, best, metric).ravel())
        table = np.stack(losses)
        if not self.per_channel:
            table = np.broadcast_to(table.sum(axis=1, keepdims=True), table.shape)
        chosen = np.stack(candidates)[np.argmin(table, axis=0), np.arange(len(wgt_fl))]
        scale = _scale(chosen, weight)
        return round_codes(best * scale, metric, limits.min, limits.max, free) / scale, chosen


def _scale(fl: IntArray, weight: FloatArray) -> FloatArray:
    """2**fl [K] for rows [G, K/G, n]."""
    return np.ldexp(1.0, fl.astype(np.int32)).reshape(*weight.shape[:2], 1)


def _nearest(weight: FloatArray, fl: IntArray, width: int) -> FloatArray:
    limits, scale = QFormat(width, 0), _scale(fl, weight)
    return np.asarray(np.clip(np.rint(weight * scale), limits.min, limits.max) / scale)
