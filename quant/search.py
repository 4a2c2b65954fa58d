"""The greedy searches: one tensor, one fractional length (Qiu et al., FPGA 2016, and its descendants).

``fl = argmin over candidates of sum |x - x(width, fl)|**p``, p = 1 (the paper) or 2 (the descendant)

Candidates lie on both sides of the overflow-free fl: saturating a few outliers may pay. Among equal losses
the one nearest to the overflow-free fl wins, the finer one first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .arithmetic import FloatArray, IntArray, round_half_even
from .formats import QFormat
from .range_rules import RULES, Histogram, rule_losses
from .ranges import FL_LIMIT, overflow_free_fl

__all__ = ["DEFAULT_METHOD", "METHODS", "Method", "best_fl", "method_named", "search_weights"]


@dataclass(frozen=True)
class Method:
    """A way to choose fl: the exponent of the loss and the offsets from the overflow-free fl it tries."""

    name: str
    power: int
    offsets: tuple[int, ...]
    rule: str = ""
    """one of ``range_rules.RULES`` where the values' histogram decides instead of the error."""
    by_output: bool = False
    """where this is only the start of a search by the network's output (``output_search``)."""

    def loss(self, error: FloatArray, axis: int | tuple[int, ...] | None = None) -> FloatArray:
        """``sum |error|**power``, over all elements or over ``axis``."""
        magnitude = np.abs(error) if self.power == 1 else error * error
        return np.asarray(np.sum(magnitude, axis=axis, dtype=np.float64))


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("non-overflow", 1, (0,)),
        Method("qiu-l1", 1, (0, 1, -1, 2, -2, 3, 4, 5, 6)),
        Method("qiu-l2", 2, (0, 1, -1, 2, 3)),
        *(Method(rule, 2, (0, 1, 2, 3), rule=rule) for rule in RULES),
        Method("output", 2, (0, 1, -1, 2, 3), by_output=True),
    )
}
DEFAULT_METHOD = "qiu-l2"


def method_named(name: str) -> Method:
    """The method of that name; raises ValueError listing the names there are."""
    if name not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {name!r}")
    return METHODS[name]


def best_fl(offsets: Sequence[int], losses: Sequence[float]) -> int:
    """The offset of the smallest loss; the first in the order of ``offsets`` wins a tie."""
    return offsets[int(np.argmin(np.asarray(losses)))]


def search_weights(weight: FloatArray, width: int, method: Method, per_channel: bool) -> IntArray:
    """``fl_w = argmin sum |W - W(width, fl)|**p`` for a layer, or for each output channel: [K].

    ``weight`` is [K, ...] real; all entries of the result are equal unless ``per_channel``. A channel of
    zeros takes the fl of the whole layer.
    """
    rows = np.asarray(weight, np.float64).reshape(weight.shape[0], -1)
    whole = _search_row(rows.reshape(1, -1), width, method)
    if not per_channel:
        return np.full(rows.shape[0], whole[0], np.int64)
    each = _search_row(rows, width, method)
    return np.where(np.any(rows != 0.0, axis=1), each, whole[0]).astype(np.int64)


def _search_row(rows: FloatArray, width: int, method: Method) -> IntArray:
    start = np.array([overflow_free_fl(float(row.min()), float(row.max()), width) for row in rows], np.int64)
    if method.rule:
        return np.array(
            [_by_rule(row, int(fl), width, method) for row, fl in zip(rows, start, strict=True)], np.int64
        )
    losses = []
    limits = QFormat(width, 0)
    for offset in method.offsets:
        fl = np.clip(start + offset, -FL_LIMIT, FL_LIMIT).astype(np.int32)[:, None]
        code = np.clip(round_half_even(np.ldexp(rows, fl)), limits.min, limits.max)
        losses.append(method.loss(np.ldexp(code, -fl) - rows, axis=1))
    choice = np.argmin(np.stack(losses), axis=0)
    best: IntArray = start + np.asarray(method.offsets, np.int64)[choice]
    return np.clip(best, -FL_LIMIT, FL_LIMIT)


def _by_rule(row: FloatArray, start: int, width: int, method: Method) -> int:
    seen = Histogram.of(row, width - 1 - start)
    losses = rule_losses(method.rule, seen, method.offsets, 1 << width - 1)
    return max(-FL_LIMIT, min(FL_LIMIT, start + best_fl(method.offsets, losses)))
