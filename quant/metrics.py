"""``SQNR = 10 log10(sum float**2 / sum error**2)`` over all images and elements, in dB."""

from __future__ import annotations

import math

import numpy as np

from .arithmetic import FloatArray

__all__ = ["sqnr_db", "sqnr_from_sums"]


def sqnr_from_sums(signal: float, noise: float) -> float:
    """SQNR of the two sums of squares; infinite without noise, -infinite for noise without signal."""
    if noise == 0.0:
        return math.inf
    if signal == 0.0:
        return -math.inf
    return 10.0 * math.log10(signal / noise)


def sqnr_db(real: FloatArray, approximation: FloatArray) -> float:
    """SQNR of two arrays of one shape; raises ValueError where the shapes differ."""
    if real.shape != approximation.shape:
        raise ValueError(f"both arrays must have one shape, not {real.shape} and {approximation.shape}")
    signal = real.astype(np.float64)
    error = approximation.astype(np.float64) - signal
    return sqnr_from_sums(float(np.sum(signal * signal)), float(np.sum(error * error)))
