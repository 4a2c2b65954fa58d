"""Learned rounding of weight codes: a layer's outputs, not its weights, are what must stay.

``q = argmin sum over samples |t - q x|**2 = argmin (q - w*) H (q - w*)', H = X'X + lam I, w* = (T'X + lam w) H**-1``

X [M, n] are the quantized inputs of the layer at M sampled output pixels, T [M, K] what the float network
has there (less the quantized residual), both centred: the bias takes the mean. The codes come from one
sweep of optimal brain quantization (Frantar et al., GPTQ, ICLR 2023, algorithm 1) or from rounding to
nearest, whichever ends better after coordinate descent until no single code helps; the aim is that of
AdaRound (Nagel et al., ICML 2020, equation 10). Where w* costs more than it gains, w takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arithmetic import FloatArray, IntArray

__all__ = ["Moments", "descend", "first_codes", "least_squares", "loss", "round_codes"]

_SWEEPS = 12


@dataclass
class Moments:
    """Sums over samples: X'X, T'X, of x and of t, and the number of samples; batches add up."""

    gram: FloatArray
    cross: FloatArray
    x: FloatArray
    t: FloatArray
    count: int

    @classmethod
    def of(cls, inputs: FloatArray, targets: FloatArray) -> Moments:
        """The sums of one batch: ``inputs`` [M, n], ``targets`` [M, K]; products in float32."""
        inputs, targets = inputs.astype(np.float32, copy=False), targets.astype(np.float32, copy=False)
        return cls(
            gram=(inputs.T @ inputs).astype(np.float64), cross=(targets.T @ inputs).astype(np.float64),
            x=inputs.sum(axis=0, dtype=np.float64), t=targets.sum(axis=0, dtype=np.float64),
            count=inputs.shape[0],
        )  # fmt: skip

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.gram + other.gram, self.cross + other.cross, self.x + other.x, self.t + other.t,
            self.count + other.count,
        )  # fmt: skip

    def centred(self) -> tuple[FloatArray, FloatArray]:
        """(covariance [n, n], cross covariance [K, n]) of one sample."""
        n = max(self.count, 1)
        gram = self.gram / n - np.outer(self.x / n, self.x / n)
        return gram, self.cross / n - np.outer(self.t / n, self.x / n)


def least_squares(
    gram: FloatArray, cross: FloatArray, weight: FloatArray, damping: float
) -> tuple[FloatArray, FloatArray]:
    """(H, w*) of the module's equation: the weights [K, n] that fit best, pulled towards ``weight``.

    ``damping`` is lam in units of the mean of the diagonal. Inputs that are all 0 keep their weights.
    """
    lam = damping * float(np.mean(np.diag(gram)))
    if lam <= 0.0:
        lam = 1.0
    damped = gram + lam * np.eye(gram.shape[0])
    return damped, weight + np.linalg.solve(damped, (cross - weight @ gram).T).T


def round_codes(
    target: FloatArray, gram: FloatArray, low: int, high: int, free: FloatArray | None = None
) -> IntArray:
    """Codes [K, n] in low..high near ``target`` (in units of one code) under the metric ``gram`` [n, n].

    Where ``free`` is False a code is 0 and stays 0: pruned weights, other groups of a grouped convolution.
    """
    starts = [first_codes(target, gram, low, high, free)]
    if free is None or bool(np.all(free)):
        starts.append(np.clip(np.rint(target), low, high))
        free = None
    ends = np.stack([descend(codes, target, gram, low, high, free) for codes in starts])
    better = np.argmin(np.stack([loss(codes, target, gram) for codes in ends]), axis=0)
    return np.asarray(ends[better, np.arange(len(target))]).astype(np.int64)


def first_codes(
    target: FloatArray, gram: FloatArray, low: int, high: int, free: FloatArray | None = None
) -> FloatArray:
    """Where ``round_codes`` starts, in a tenth of its time: enough to compare one fl with another."""
    if free is None or bool(np.all(free)):
        return _propagate(target, gram, low, high)
    return np.where(free, np.clip(np.rint(target), low, high), 0.0)


def _propagate(target: FloatArray, gram: FloatArray, low: int, high: int) -> FloatArray:
    """GPTQ: round column by column, the largest diagonal first; later columns absorb each error."""
    order = np.argsort(-np.diag(gram), kind="stable")
    upper = np.linalg.cholesky(np.linalg.inv(gram[np.ix_(order, order)])).T
    left = target[:, order].copy()
    codes = np.empty_like(left)
    for j in range(left.shape[1]):
        codes[:, j] = np.clip(np.rint(left[:, j]), low, high)
        error = (left[:, j] - codes[:, j]) / upper[j, j]
        left[:, j + 1 :] -= np.outer(error, upper[j, j + 1 :])
    result = np.empty_like(codes)
    result[:, order] = codes
    return result


def descend(
    codes: FloatArray,
    target: FloatArray,
    gram: FloatArray,
    low: int,
    high: int,
    free: FloatArray | None = None,
) -> FloatArray:
    """Coordinate descent over single codes, at most ``_SWEEPS`` sweeps; the loss never rises."""
    codes = codes.astype(np.float64)
    diagonal = np.diag(gram)
    for _ in range(_SWEEPS):
        slope = (codes - target) @ gram
        moved = False
        for j in range(codes.shape[1]):
            if diagonal[j] <= 0.0:
                continue
            step = np.clip(codes[:, j] - np.rint(slope[:, j] / diagonal[j]), low, high) - codes[:, j]
            if free is not None:
                step = np.where(free[:, j], step, 0.0)
            rows = np.flatnonzero(step)
            if rows.size:
                codes[rows, j] += step[rows]
                slope[rows] += np.outer(step[rows], gram[j])
                moved = True
        if not moved:
            break
    return codes


def loss(codes: FloatArray, target: FloatArray, gram: FloatArray) -> FloatArray:
    """``(q - w*) H (q - w*)'`` of each row [K]."""
    error = codes - target
    return np.asarray(np.einsum("kn,kn->k", error @ gram, error))
