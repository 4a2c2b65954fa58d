"""Learned rounding of weight codes: a layer's outputs, not its weights, are what must stay.

``q = argmin sum over samples |t - q x|**2 = argmin (q - w*) H (q - w*)', H = X'X + lam I, w* = (T'X + lam w) H**-1``

X [M, n] are the quantized inputs of the layer at M sampled output pixels, T [M, K] what the float network
has there (less the quantized residual), both centred: the bias takes the mean. The codes come from one
sweep of optimal brain quantization (Frantar et al., GPTQ, ICLR 2023, algorithm 1) or from rounding to
nearest, whichever ends better after coordinate descent until no single code helps; the aim is that of
AdaRound (Nagel et al., ICML 2020, equation 10). Where w* costs more than it gains, w takes its place.

Arrays may have leading axes: the groups of a grouped convolution, each with inputs and outputs of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arithmetic import FloatArray, IntArray

__all__ = ["Moments", "descend", "first_codes", "least_squares", "loss", "round_codes"]

_SWEEPS = 12

Limit = int | IntArray
"""The smallest or largest code: of all, or of each row [.., K, 1]."""


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
        """The sums of one batch: ``inputs`` [.., M, n], ``targets`` [.., M, K]; products in float32."""
        inputs, targets = inputs.astype(np.float32, copy=False), targets.astype(np.float32, copy=False)
        return cls(
            gram=(np.swapaxes(inputs, -1, -2) @ inputs).astype(np.float64),
            cross=(np.swapaxes(targets, -1, -2) @ inputs).astype(np.float64),
            x=inputs.sum(axis=-2, dtype=np.float64), t=targets.sum(axis=-2, dtype=np.float64),
            count=inputs.shape[-2],
        )  # fmt: skip

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.gram + other.gram, self.cross + other.cross, self.x + other.x, self.t + other.t,
            self.count + other.count,
        )  # fmt: skip

    def centred(self) -> tuple[FloatArray, FloatArray]:
        """(covariance [.., n, n], cross covariance [.., K, n]) of one sample."""
        n = max(self.count, 1)
        x, t = self.x / n, self.t / n
        gram = self.gram / n - x[..., :, None] * x[..., None, :]
        return gram, self.cross / n - t[..., :, None] * x[..., None, :]


def least_squares(
    gram: FloatArray, cross: FloatArray, weight: FloatArray, damping: float
) -> tuple[FloatArray, FloatArray]:
    """(H, w*) of the module's equation: the weights [.., K, n] that fit best, pulled towards ``weight``.

    ``damping`` is lam in units of the mean of the diagonal. Inputs that are all 0 keep their weights.
    """
    lam = damping * np.mean(np.diagonal(gram, axis1=-2, axis2=-1), axis=-1)
    lam = np.where(lam <= 0.0, 1.0, lam)
    damped = gram + lam[..., None, None] * np.eye(gram.shape[-1])
    change = np.linalg.solve(damped, np.swapaxes(cross - weight @ gram, -1, -2))
    return damped, weight + np.swapaxes(change, -1, -2)


def round_codes(
    target: FloatArray, gram: FloatArray, low: Limit, high: Limit, free: FloatArray | None = None
) -> IntArray:
    """Codes [.., K, n] in low..high near ``target`` (in units of one code) under the metric ``gram`` [.., n, n].

    Where ``free`` is False a code is 0 and stays 0: pruned weights.
    """
    starts = [first_codes(target, gram, low, high, free)]
    if free is None or bool(np.all(free)):
        starts.append(np.clip(np.rint(target), low, high))
        free = None
    ends = np.stack([descend(codes, target, gram, low, high, free) for codes in starts])
    better = np.argmin(np.stack([loss(codes, target, gram) for codes in ends]), axis=0)
    best = np.take_along_axis(ends, better[None, ..., None], axis=0)[0]
    return np.asarray(best).astype(np.int64)


def first_codes(
    target: FloatArray, gram: FloatArray, low: Limit, high: Limit, free: FloatArray | None = None
) -> FloatArray:
    """Where ``round_codes`` starts, in a tenth of its time: enough to compare one fl with another."""
    if free is None or bool(np.all(free)):
        return _propagate(target, gram, low, high)
    return np.where(free, np.clip(np.rint(target), low, high), 0.0)


def _propagate(target: FloatArray, gram: FloatArray, low: Limit, high: Limit) -> FloatArray:
    """GPTQ: round column by column, the largest diagonal first; later columns absorb each error."""
    order = np.argsort(-np.diagonal(gram, axis1=-2, axis2=-1), axis=-1, kind="stable")
    sorted_gram = np.take_along_axis(gram, order[..., :, None], axis=-2)
    sorted_gram = np.take_along_axis(sorted_gram, order[..., None, :], axis=-1)
    upper = np.swapaxes(np.linalg.cholesky(np.linalg.inv(sorted_gram)), -1, -2)
    left = np.take_along_axis(target, order[..., None, :], axis=-1)
    codes = np.empty_like(left)
    for j in range(left.shape[-1]):
        codes[..., j : j + 1] = np.clip(np.rint(left[..., j : j + 1]), low, high)
        error = (left[..., j] - codes[..., j]) / upper[..., None, j, j]
        left[..., j + 1 :] -= error[..., None] * upper[..., None, j, j + 1 :]
    result = np.empty_like(codes)
    np.put_along_axis(result, np.broadcast_to(order[..., None, :], codes.shape), codes, axis=-1)
    return result


def descend(
    codes: FloatArray,
    target: FloatArray,
    gram: FloatArray,
    low: Limit,
    high: Limit,
    free: FloatArray | None = None,
) -> FloatArray:
    """Coordinate descent over single codes, at most ``_SWEEPS`` sweeps; the loss never rises."""
    n = gram.shape[-1]
    shape, grams = codes.shape, gram.reshape(-1, n, n)
    outputs = codes.size // (n * len(grams))
    codes = codes.astype(np.float64).reshape(len(grams), outputs, n)
    target = np.broadcast_to(target, shape).reshape(codes.shape)
    low, high = (_rows(limit, codes.shape) for limit in (low, high))
    may = None if free is None else np.broadcast_to(free, shape).reshape(codes.shape)
    diagonal = np.diagonal(grams, axis1=1, axis2=2)
    divisor = np.where(diagonal <= 0.0, np.inf, diagonal)
    for _ in range(_SWEEPS):
        slope = (codes - target) @ grams
        moved = False
        for j in range(n):
            step = codes[..., j : j + 1] - np.rint(slope[..., j : j + 1] / divisor[:, None, j : j + 1])
            step = (np.clip(step, low, high) - codes[..., j : j + 1])[..., 0]
            if may is not None:
                step = np.where(may[..., j], step, 0.0)
            group, row = np.nonzero(step)
            if row.size:
                codes[group, row, j] += step[group, row]
                slope[group, row] += step[group, row, None] * grams[group, j]
                moved = True
        if not moved:
            break
    return codes.reshape(shape)


def _rows(limit: Limit, shape: tuple[int, ...]) -> Limit:
    return limit if isinstance(limit, int) else np.asarray(limit).reshape(*shape[:-1], 1)


def loss(codes: FloatArray, target: FloatArray, gram: FloatArray) -> FloatArray:
    """``(q - w*) H (q - w*)'`` of each row [.., K]."""
    error = codes - target
    return np.asarray(np.sum((error @ gram) * error, axis=-1))
