"""How far the logits of a fixed-point network are from the float network's.

``error = sum |float - fixed|**2 / sum |float|**2``   ``kl = mean over images of sum p log(p / q)``, in nats,
p and q the softmax of the float and the fixed logits   ``agreement`` percent of images with the same largest one
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .arithmetic import FloatArray
from .metrics import sqnr_from_sums

__all__ = ["Score", "score", "spread"]


@dataclass(frozen=True, kw_only=True)
class Score:
    """The module's three figures; ``agreement`` in percent."""

    error: float
    kl: float
    agreement: float

    @property
    def sqnr_db(self) -> float:
        """-10 log10(error); infinite without error."""
        return sqnr_from_sums(1.0, self.error)


def score(real: FloatArray, fixed: FloatArray) -> Score:
    """The score of logits [N, ...] against float ones; raises ValueError where the shapes differ."""
    if real.shape != fixed.shape or len(real) < 1:
        raise ValueError(f"both arrays must have one shape with N >= 1, not {real.shape} and {fixed.shape}")
    p, q = (np.asarray(values, np.float64).reshape(len(real), -1) for values in (real, fixed))
    signal, noise = float(np.sum(p * p)), float(np.sum((p - q) ** 2))
    error = 0.0 if noise == 0.0 else noise / signal if signal > 0.0 else math.inf
    log_p, log_q = _log_softmax(p), _log_softmax(q)
    kl = float(np.mean(np.sum(np.exp(log_p) * (log_p - log_q), axis=1)))
    same = np.count_nonzero(p.argmax(axis=1) == q.argmax(axis=1))
    return Score(error=error, kl=max(kl, 0.0), agreement=100.0 * int(same) / len(p))


def spread(images: FloatArray, count: int) -> FloatArray:
    """At most ``count`` images, taken at equal distances."""
    return images[:: max(1, len(images) // count)][:count]


def _log_softmax(values: FloatArray) -> FloatArray:
    shifted = values - values.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True)))
