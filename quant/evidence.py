"""What a person may ask about a choice of fl: the values it was made for, and what the others would have cost.

``errors[fl] = sum |x_float - x(width, fl)|**power / sum |x_float|**power``

A histogram has ``BINS`` bins between the smallest and the largest value, whatever the tensor: memory is
bounded. Where the method did not compute the errors itself (it had one candidate, decides by another rule, or
the fl was set elsewhere), they are squared errors of a sample: every image, evenly spaced pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from .arithmetic import FloatArray, IntArray, round_half_even
from .formats import QFormat
from .ranges import FL_LIMIT, overflow_free_fl

__all__ = ["BINS", "Evidence", "Why", "histogram", "nearby", "relative", "spaced", "weight_evidence"]

BINS = 96
_NEAR = (-1, 0, 1, 2, 3)
_SAMPLE = 1024  # values of one image

Why = Literal["loss", "rule", "only", "fixed", "shared"]
"""``loss`` the smallest error; ``rule`` a rule over the histogram; ``only`` no other candidate; ``fixed`` set
elsewhere (by the search on the network's output, or by a correction); ``shared`` it is that of its input."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One tensor: activations, or the weights of a layer."""

    name: str
    """tensor, or layer of the weights."""
    weights: bool = False
    low: float
    high: float
    """the smallest and the largest float value."""
    counts: tuple[int, ...] = ()
    """values in ``BINS`` equal bins between them; one bin where they are equal."""
    free_fl: int
    """the largest fl at which no float value saturates."""
    why: Why
    power: int = 2
    errors: tuple[tuple[int, float], ...] = ()
    """(fl, relative error), fl ascending; empty where all values are 0."""
    criterion: tuple[tuple[int, float], ...] = ()
    """(fl, the rule's own loss) where ``why`` is ``rule``."""
    error: float | None = None
    """weights: the relative error at the fl of the channels."""
    capped: bool = False
    """whether a finer fl was ruled out: a residual addition could not take it."""
    sampled: bool = False
    """whether ``errors`` are those of a sample."""

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {
            key: [list(item) if isinstance(item, tuple) else item for item in value]
            if isinstance(value, tuple)
            else value
            for key, value in vars(self).items()
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evidence:
        """The inverse of ``to_json``."""
        pairs = {
            key: tuple((int(fl), float(value)) for fl, value in data[key]) for key in ("errors", "criterion")
        }
        return cls(**{**data, "counts": tuple(data["counts"]), **pairs})

    def counted(self, counts: IntArray) -> Evidence:
        """The same with its histogram."""
        return replace(self, counts=tuple(counts.tolist()))


def histogram(values: FloatArray, low: float, high: float) -> IntArray:
    """How many ``values`` lie in each of ``BINS`` equal bins of low..high; batches add up."""
    if high <= low:
        return np.array([values.size], np.int64)
    kind = values.dtype.type
    place = np.subtract(values, kind(low)).ravel()
    place /= kind(high) - kind(low)
    place *= BINS
    counts = np.bincount(place.astype(np.intp), minlength=BINS + 1)
    counts[BINS - 1] += counts[BINS]  # the largest value closes the last bin
    return counts[:BINS]


def nearby(free_fl: int, *chosen: int, top: int = FL_LIMIT) -> list[int]:
    """The fl worth showing, ascending: those around the overflow-free one, and the chosen ones."""
    around = {max(-FL_LIMIT, min(free_fl + offset, top)) for offset in _NEAR}
    return sorted(around | set(chosen))


def relative(fls: Sequence[int], sums: Sequence[float]) -> tuple[tuple[int, float], ...]:
    """``errors`` of the sums [signal, error at each fl]; empty without signal."""
    signal, *noise = (float(value) for value in sums)
    if signal == 0.0:
        return ()
    return tuple(sorted((int(fl), value / signal) for fl, value in zip(fls, noise, strict=True)))


def spaced(values: FloatArray) -> FloatArray:
    """The sample of a batch [N, H, W, C]: whole pixels [N, P, C] of every image, evenly spaced."""
    pixels = values.reshape(values.shape[0], -1, values.shape[-1])
    step = max(1, pixels.shape[1] * pixels.shape[2] // _SAMPLE)
    return pixels[:, : pixels.shape[1] : step]


def weight_evidence(name: str, weight: FloatArray, width: int, fl: IntArray, why: Why) -> Evidence:
    """``weight`` [K, ...] real, rounded one by one to ``width`` bits; ``fl`` [K] chosen.

    ``errors`` are those of one fl for the whole layer, ``error`` that of the channels' own.
    """
    rows = np.asarray(weight, np.float64).reshape(weight.shape[0], -1)
    low, high = float(rows.min()), float(rows.max())
    free = overflow_free_fl(low, high, width)
    signal = float(np.sum(rows * rows))
    same = [int(fl[0])] if fl.min() == fl.max() else []
    fls = nearby(free, *same)
    sums = [signal, *(_squares(rows, width, np.full(len(rows), one)) for one in fls)]
    result = Evidence(
        name=name, weights=True, low=low, high=high, free_fl=free, why=why, errors=relative(fls, sums),
        error=None if signal == 0.0 else _squares(rows, width, fl) / signal,
    )  # fmt: skip
    return result.counted(histogram(rows, low, high))


def _squares(rows: FloatArray, width: int, fl: IntArray) -> float:
    limits = QFormat(width, 0)
    scaled = np.ldexp(rows, fl.astype(np.int32)[:, None])
    error = np.clip(round_half_even(scaled), limits.min, limits.max) - scaled
    return float(np.sum(np.square(np.ldexp(error, -fl.astype(np.int32)[:, None]))))
