"""One tensor's format: the losses of its candidates, and what the frozen one costs.

``fl = argmin over candidates of sum |x_float - x(width, fl)|**p``; SQNR and saturation of the one chosen
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from .arithmetic import FloatArray, IntArray, requantize_exact
from .evidence import Evidence, histogram, nearby, relative, spaced
from .formats import QFormat
from .layers import code_bounds
from .metrics import sqnr_from_sums
from .range_rules import Histogram, rule_losses
from .ranges import FL_LIMIT, check_finite, overflow_free_fl
from .search import Method, best_fl, majority_fl

__all__ = ["Batch", "Batches", "choose_format", "inherited", "measure"]

Batch = tuple[FloatArray, FloatArray]
"""(float values, exact accumulators) of some images."""

_SQUARES = Method("squares", 2, ())


class Batches:
    """The batches of one tensor; ``map`` visits them in threads and returns the results in order."""

    def __init__(self, pool: ThreadPoolExecutor, count: int, batch: Callable[[int], Batch]) -> None:
        self._pool, self.count, self._batch = pool, count, batch

    def of(self, count: int, batch: Callable[[int], Batch]) -> Batches:
        """Others, by the same threads."""
        return Batches(self._pool, count, batch)

    def each(self, visit: Callable[[int, FloatArray, FloatArray], Any]) -> list[Any]:
        """As ``map``, with the number of the batch."""
        return list(self._pool.map(lambda b: visit(b, *self._batch(b)), range(self.count)))

    def map(self, visit: Callable[[FloatArray, FloatArray], Any]) -> list[Any]:
        """``[visit(float values, accumulators) for each batch]``."""
        return self.each(lambda b, real, acc: visit(real, acc))


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
) -> tuple[QFormat, Evidence]:
    """The format of a tensor: start at the overflow-free fl of the float values, take the smallest loss.

    ``cap`` bounds its fl; ``fixed`` is the fl itself, chosen elsewhere. With it what the others would have cost.
    """
    low, high = _extremes(name, pairs)
    start = overflow_free_fl(low, high, kind.width, kind.signed)
    top = FL_LIMIT if cap is None else min(cap, FL_LIMIT)
    wanted = [max(-FL_LIMIT, start + offset) for offset in method.offsets]
    candidates = list(dict.fromkeys(min(fl, top) for fl in wanted))
    seen = Evidence(name=name, low=low, high=high, free_fl=start, why="loss", capped=max(wanted) > top)

    def errors(fls: Sequence[int], how: Method, sample: bool) -> list[float]:
        def visit(real: FloatArray, acc: FloatArray) -> list[float]:
            if sample:
                real, acc = spaced(real), spaced(acc)
            real = np.ldexp(real, start)  # in units of the overflow-free format: squares stay in range
            result = [float(how.loss(real))]
            for fl in fls:
                error = requantize_exact(acc, fl_acc - fl, *code_bounds(lo, hi, replace(kind, fl=fl)))
                error = np.ldexp(error, start - fl, out=error)
                error -= real
                result.append(float(how.loss(error)))
            return result

        return [float(total) for total in np.sum(pairs.map(visit), axis=0)]

    def ballots(fls: Sequence[int]) -> FloatArray:
        def visit(real: FloatArray, acc: FloatArray) -> FloatArray:
            real, result = np.ldexp(real, start), []
            for fl in fls:
                error = requantize_exact(acc, fl_acc - fl, *code_bounds(lo, hi, replace(kind, fl=fl)))
                error = np.ldexp(error, start - fl, out=error) - real
                result.append(method.loss(error, axis=(1, 2, 3)))
            return np.stack(result, axis=1)

        return np.concatenate(pairs.map(visit))

    if not method.rule and fixed is None and len(candidates) > 1:
        sums = errors(candidates, method, sample=False)
        if method.votes:
            fmt = replace(kind, fl=majority_fl(candidates, ballots(candidates)))
        else:
            fmt = replace(kind, fl=best_fl(candidates, sums[1:]))
        return fmt, replace(seen, power=method.power, errors=relative(candidates, sums))
    if fixed is not None:
        fmt, seen = replace(kind, fl=min(fixed, top)), replace(seen, why="fixed", capped=fixed > top)
    elif len(candidates) == 1:
        fmt, seen = replace(kind, fl=candidates[0]), replace(seen, why="only")
    else:
        end = kind.width - int(kind.signed)
        parts = pairs.map(lambda real, acc: Histogram.of(np.clip(real, lo, hi), end - start))
        by_rule = rule_losses(method.rule, reduce(add, parts), [fl - start for fl in candidates], 1 << end)
        fmt = replace(kind, fl=best_fl(candidates, by_rule))
        judged = sorted(pair for pair in zip(candidates, by_rule, strict=True) if math.isfinite(pair[1]))
        seen = replace(seen, why="rule", criterion=tuple(judged))
    fls = nearby(start, fmt.fl, top=top)
    return fmt, replace(seen, sampled=True, errors=relative(fls, errors(fls, _SQUARES, sample=True)))


def inherited(name: str, pairs: Batches, fmt: QFormat) -> Evidence:
    """What is seen of a tensor whose format is that of its input."""
    low, high = _extremes(name, pairs)
    free = overflow_free_fl(low, high, fmt.width, fmt.signed)
    return Evidence(name=name, low=low, high=high, free_fl=free, why="shared")


def measure(
    pairs: Batches,
    shift: IntArray,
    fmt: QFormat,
    lo: float,
    hi: float,
    seen: Evidence,
    scale: FloatArray | None = None,
) -> tuple[float, float, Evidence]:
    """(SQNR in dB, percent of codes the format cuts off) of the frozen format, and the values' histogram.

    ``scale`` [C]: the tensor is the trained network's times this; the SQNR is over the trained one's values.
    """
    bounds = code_bounds(lo, hi, fmt)
    unit = None if scale is None else (1.0 / scale).astype(np.float32)

    def visit(real: FloatArray, acc: FloatArray) -> tuple[float, float, int, int, IntArray]:
        code = requantize_exact(acc, shift, -(2**62), 2**62)
        cut = 0
        if hi * 2.0**fmt.fl > fmt.max:
            cut += int(np.count_nonzero(code > fmt.max))
        if lo * 2.0**fmt.fl < fmt.min:
            cut += int(np.count_nonzero(code < fmt.min))
        error = np.clip(code, *bounds, out=code)
        counts = histogram(real, seen.low, seen.high)
        real = np.ldexp(real, fmt.fl)  # in units of one code: squares stay in range
        error -= real
        if unit is not None:
            real = real * unit
            error *= unit
        noise = float(np.sum(error * error, dtype=np.float64))
        return float(np.sum(real * real, dtype=np.float64)), noise, cut, code.size, counts

    *sums, counts = (sum(column) for column in zip(*pairs.map(visit), strict=True))
    signal, noise, cut, count = sums
    return sqnr_from_sums(signal, noise), 100.0 * cut / max(count, 1), seen.counted(counts)


def _extremes(name: str, pairs: Batches) -> tuple[float, float]:
    """The smallest and the largest float value; raises ValueError where one is no number."""

    def visit(real: FloatArray, acc: FloatArray) -> tuple[float, float]:
        low, high = float(real.min()), float(real.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            check_finite(name, real, "the network overflows on these images; check scale, mean and std")
        return low, high

    ends = pairs.map(visit)
    return min(end[0] for end in ends), max(end[1] for end in ends)
