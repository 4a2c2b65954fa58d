"""Ranges of tensors: from real extremes to the largest fractional length that saturates nothing.

``overflow_free_fl(lo, hi) = max { fl : min <= round(lo * 2**fl) and round(hi * 2**fl) <= max }``
"""

from __future__ import annotations

import math

import numpy as np

from .arithmetic import FloatArray
from .formats import QFormat

__all__ = ["FL_LIMIT", "check_finite", "overflow_free_fl"]

FL_LIMIT = 60
"""No search leaves -FL_LIMIT..FL_LIMIT: tensors smaller than that are noise of the training."""


def check_finite(name: str, values: FloatArray, cure: str) -> None:
    """Raise ValueError naming the tensor and the first index that is NaN or infinite."""
    bad = ~np.isfinite(values)
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        word = "NaN" if np.isnan(values[index]) else "infinite"
        raise ValueError(f"tensor {name!r} is {word} at index {list(index)}: {cure}")


def overflow_free_fl(lo: float, hi: float, width: int, signed: bool = True) -> int:
    """The largest fl at which no value in lo..hi saturates.

    ``lo``, ``hi`` are real extremes (lo <= hi); an unsigned format ignores what lies below 0. A tensor of
    zeros alone gets ``width - 1`` (``width`` unsigned), the format of values below 1. The result lies in
    -FL_LIMIT..FL_LIMIT. Raises ValueError for extremes that are no numbers.
    """
    if not (math.isfinite(lo) and math.isfinite(hi)) or lo > hi:
        raise ValueError(f"lo and hi must be finite with lo <= hi, not {lo!r} and {hi!r}")
    low = min(lo, 0.0) if signed else 0.0
    high = max(hi, 0.0)
    largest = max(-low, high)
    if largest == 0.0:
        return width - int(signed)
    # largest lies in [2**(e-1), 2**e): start one above what can fit, go down until it does.
    exponent = math.frexp(largest)[1]
    fl = width - int(signed) - exponent + 1
    fl = max(-FL_LIMIT, min(FL_LIMIT, fl))
    while fl > -FL_LIMIT:
        fmt = QFormat(width, fl, signed)
        if fmt.min <= round(math.ldexp(low, fl)) and round(math.ldexp(high, fl)) <= fmt.max:
            break
        fl -= 1
    return fl
