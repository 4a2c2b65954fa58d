"""Methods that look at a tensor's values alone: percentile, KL divergence, ACIQ's analytic clipping.

Each judges a clipping threshold ``alpha = 2**(width - sign - fl)`` by its own loss over a histogram:

``percentile``   the finest fl whose threshold holds 99.99 % of the values (Migacz, GTC 2017, calls it naive)
``kl``           sum P log(P / Q), P the clipped histogram, Q its quantization (Migacz, TensorRT, GTC 2017)
``aciq-gauss``   (alpha^2 + sigma^2) erfc(alpha / sqrt(2) sigma)
                 - sqrt(2 / pi) alpha sigma exp(-alpha^2 / 2 sigma^2) + step^2 / 12
``aciq-laplace`` 2 b^2 exp(-alpha / b) + step^2 / 12     (Banner et al., NeurIPS 2019, section 3, equations 4 to 6)

The prior's width (b, sigma) is that of the values that are not 0: for ReLU's half of a distribution too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .arithmetic import FloatArray, IntArray

__all__ = ["BINS", "RULES", "Histogram", "rule_losses"]

BINS = 2048
_PERCENTILE = 0.9999


@dataclass(frozen=True)
class Histogram:
    """|x| in units of the overflow-free threshold: ``counts`` over [0, 1], and sums over what is not 0.

    Zeros are counted nowhere; batches add up.
    """

    counts: IntArray
    total: float
    """sum |x|"""
    square: float
    """sum x**2"""

    @classmethod
    def of(cls, real: FloatArray, threshold_log2: int) -> Histogram:
        """The histogram of real values whose overflow-free threshold is ``2**threshold_log2``."""
        scaled = np.ldexp(np.abs(np.asarray(real, np.float64)), -threshold_log2).ravel()
        scaled = scaled[scaled > 0.0]
        counts = np.bincount(np.minimum((scaled * BINS).astype(np.int64), BINS - 1), minlength=BINS)
        return cls(counts, float(scaled.sum()), float(np.square(scaled).sum()))

    def __add__(self, other: Histogram) -> Histogram:
        return Histogram(self.counts + other.counts, self.total + other.total, self.square + other.square)

    @property
    def size(self) -> int:
        """How many values are not 0."""
        return int(self.counts.sum())


def _percentile(seen: Histogram, alpha: float, levels: int) -> float:
    inside = int(seen.counts[: max(1, round(alpha * BINS))].sum()) if alpha < 1.0 else seen.size
    return alpha if inside >= _PERCENTILE * seen.size else 2.0 / alpha


def _divergence(seen: Histogram, alpha: float, levels: int) -> float:
    bins = max(1, min(BINS, round(alpha * BINS)))
    part = seen.counts[:bins].astype(np.float64)
    clipped = part.copy()
    clipped[-1] += seen.size - part.sum()
    group = np.arange(bins) * min(levels, bins) // bins
    mass = np.bincount(group, weights=part)
    used = np.bincount(group, weights=clipped > 0.0)
    spread = np.where(clipped > 0.0, (mass / np.maximum(used, 1.0))[group], 0.0)
    if spread.sum() == 0.0:
        return math.inf
    p, q = clipped / clipped.sum(), spread / spread.sum()
    both = p > 0.0
    return float(np.sum(p[both] * np.log(p[both] / np.maximum(q[both], 1e-12))))


def _gauss(seen: Histogram, alpha: float, levels: int) -> float:
    sigma = math.sqrt(seen.square / max(seen.size, 1))
    tail = (alpha**2 + sigma**2) * math.erfc(alpha / (math.sqrt(2.0) * sigma))
    tail -= math.sqrt(2.0 / math.pi) * alpha * sigma * math.exp(-(alpha**2) / (2.0 * sigma**2))
    return tail + (alpha / levels) ** 2 / 12.0


def _laplace(seen: Histogram, alpha: float, levels: int) -> float:
    scale = seen.total / max(seen.size, 1)
    return 2.0 * scale**2 * math.exp(-alpha / scale) + (alpha / levels) ** 2 / 12.0


_LOSSES: dict[str, Callable[[Histogram, float, int], float]] = {
    "percentile": _percentile,
    "kl": _divergence,
    "aciq-gauss": _gauss,
    "aciq-laplace": _laplace,
}
RULES = tuple(_LOSSES)


def rule_losses(rule: str, seen: Histogram, offsets: Sequence[int], levels: int) -> list[float]:
    """The loss of each offset from the overflow-free fl; ``levels`` codes lie between 0 and the threshold.

    Equal for all offsets where every value is 0.
    """
    if seen.size == 0:
        return [0.0] * len(offsets)
    return [_LOSSES[rule](seen, 2.0**-offset, levels) for offset in offsets]
