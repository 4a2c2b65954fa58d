"""One tensor's format: the losses of its candidates, and what the frozen one costs.

``fl = argmin over candidates of sum |x_float - x(width, fl)|**p``; SQNR and saturation of the one chosen
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from .arithmetic import FloatArray, IntArray, requantize_exact
from .formats import QFormat
from .layers import code_bounds
from .metrics import sqnr_from_sums
from .range_rules import Histogram, rule_losses
from .ranges import FL_LIMIT, check_finite, overflow_free_fl
from .search import Method, best_fl

__all__ = ["Batch", "Batches", "choose_format", "measure"]

Batch = tuple[FloatArray, FloatArray]
"""(float values, exact accumulators) of some images."""


class Batches:
    """The batches of one tensor; ``map`` visits them in threads and returns the results in order."""

    def __init__(self, pool: ThreadPoolExecutor, count: int, batch: Callable[[int], Batch]) -> None:
        self._pool, self._count, self._batch = pool, count, batch

    def map(self, visit: Callable[[FloatArray, FloatArray], Any]) -> list[Any]:
        """``[visit(float values, accumulators) for each batch]``."""
        return list(self._pool.map(lambda b: visit(*self._batch(b)), range(self._count)))


def choose_format(
    name: str,
    pairs: Batches,
    fl_acc: IntArray,
    kind: QFormat,
    lo: float,
    hi: float,
    method: Method,
    cap: int | None,
    fixed: int | None = None,
) -> QFormat:
    """The format of a tensor: start at the overflow-free fl of the float values, take the smallest loss.

    ``cap`` bounds its fl; ``fixed`` is the fl itself, chosen elsewhere.
    """

    def extremes(real: FloatArray, acc: FloatArray) -> tuple[float, float]:
        low, high = float(real.min()), float(real.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            check_finite(name, real, "the network overflows on these images; check scale, mean and std")
        return low, high

    ends = pairs.map(extremes)
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    start = overflow_free_fl(low, high, kind.width, kind.signed)
    top = FL_LIMIT if cap is None else min(cap, FL_LIMIT)
    if fixed is not None:
        return replace(kind, fl=min(fixed, top))
    candidates = list(dict.fromkeys(max(-FL_LIMIT, min(start + offset, top)) for offset in method.offsets))
    if len(candidates) == 1:
        return replace(kind, fl=candidates[0])

    if method.rule:
        end = kind.width - int(kind.signed)
        parts = pairs.map(lambda real, acc: Histogram.of(np.clip(real, lo, hi), end - start))
        by_rule = rule_losses(method.rule, reduce(add, parts), [fl - start for fl in candidates], 1 << end)
        return replace(kind, fl=best_fl(candidates, by_rule))

    def losses(real: FloatArray, acc: FloatArray) -> list[float]:
        result = []
        real = np.ldexp(real, start)  # in units of the overflow-free format: squares stay in range
        for fl in candidates:
            error = requantize_exact(acc, fl_acc - fl, *code_bounds(lo, hi, replace(kind, fl=fl)))
            error = np.ldexp(error, start - fl, out=error)
            error -= real
            result.append(float(method.loss(error)))
        return result

    total = np.sum(pairs.map(losses), axis=0)
    return replace(kind, fl=best_fl(candidates, total.tolist()))


def measure(pairs: Batches, shift: IntArray, fmt: QFormat, lo: float, hi: float) -> tuple[float, float]:
    """(SQNR in dB, percent of codes the format cuts off) of the frozen format."""
    bounds = code_bounds(lo, hi, fmt)

    def visit(real: FloatArray, acc: FloatArray) -> tuple[float, float, int, int]:
        code = requantize_exact(acc, shift, -(2**62), 2**62)
        cut = 0
        if hi * 2.0**fmt.fl > fmt.max:
            cut += int(np.count_nonzero(code > fmt.max))
        if lo * 2.0**fmt.fl < fmt.min:
            cut += int(np.count_nonzero(code < fmt.min))
        error = np.clip(code, *bounds, out=code)
        real = np.ldexp(real, fmt.fl)  # in units of one code: squares stay in range
        error -= real
        noise = float(np.sum(error * error, dtype=np.float64))
        return float(np.sum(real * real, dtype=np.float64)), noise, cut, code.size

    signal, noise, cut, count = (sum(column) for column in zip(*pairs.map(visit), strict=True))
    return sqnr_from_sums(signal, noise), 100.0 * cut / max(count, 1)
