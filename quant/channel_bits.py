"""Bits of their own for the channels of a layer's weights, by their range: ACIQ's allocation.

``M[k] = floor(log2(B * alpha[k]**(2/3) / sum_j alpha[j]**(2/3)))``, B = K * 2**width, alpha[k] = max |w[k]|

least squared error where channel k has 2**M[k] levels over -alpha[k]..alpha[k] and all of them together B
(Banner, Nahshan and Soudry, NeurIPS 2019, section 4). M is held to 2..8.

The engine stores a layer's codes with one width. Here the codes of channel k keep to M[k] bits, at an fl of
their own, and the layer's width is the largest M (decision 0017).
"""

from __future__ import annotations

import numpy as np

from .arithmetic import FloatArray, IntArray

__all__ = ["allocate", "limits"]

_LEAST, _MOST = 2, 8


def allocate(weight: FloatArray, width: int) -> IntArray:
    """The bits [K] of each output channel of ``weight`` [K, ...] that may spend ``width`` bits on average.

    Channels of zeros take the least; 16 bits are not shared out (beyond 8 there is no width but 16).
    """
    alpha = np.abs(np.asarray(weight, np.float64)).reshape(len(weight), -1).max(axis=1)
    if width > _MOST or not alpha.any():
        return np.full(len(alpha), width, np.int64)
    share = np.cbrt(np.square(alpha / alpha.max()))
    levels = len(alpha) * 2.0**width * share / share.sum()
    bits = np.floor(np.log2(np.maximum(levels, 1.0))).astype(np.int64)
    return np.asarray(np.clip(bits, _LEAST, _MOST), np.int64)


def limits(bits: IntArray) -> tuple[IntArray, IntArray]:
    """The smallest and the largest code [K] of signed codes of these bits."""
    half = np.left_shift(np.int64(1), bits.astype(np.int64) - 1)
    return -half, half - 1
