"""Tables: an activation function for every code its input can have.

``table[c][code mod 2**n] = clamp(round_half_even(f(code * 2**-fl_in) * 2**fl_out), lo, hi)``

Before the output's fl is known the table is *fine*: integers of at most 52 bits at an fl of its own, which are
to the search for that fl what accumulators are of other layers. The final table is rounded from f itself.
"""

from __future__ import annotations

import math

import numpy as np

from .arithmetic import FloatArray, IntArray, round_half_even
from .formats import QFormat
from .functions import Function

__all__ = ["TABLE_WIDTH", "code_values", "fine_table", "rounded_table", "table_values"]

TABLE_WIDTH = 8
"""Bits of the codes that a table is read with, and of a signed weight, at most."""

_BITS = 52
_SPREAD = 30
"""Octaves above the middle of the values that a fine table holds: what is larger saturates there."""


def code_values(fmt: QFormat) -> FloatArray:
    """The real values [2**n] of a format's codes, in the order of ``code mod 2**n``."""
    codes = np.arange(1 << fmt.width)
    signed = np.where(codes > fmt.max, codes - (1 << fmt.width), codes)
    return np.ldexp(signed.astype(np.float64), -fmt.fl)


def table_values(function: Function, act: QFormat) -> FloatArray:
    """f of every code of ``act``, float64 [1 or C, 2**n]; where f is no number, 0."""
    codes = np.repeat(code_values(act)[:, None], function.channels, axis=1)
    return np.nan_to_num(function(codes).T, nan=0.0, posinf=np.inf, neginf=-np.inf)


def rounded_table(values: FloatArray, fl: int, lo: int, hi: int) -> IntArray:
    """``clamp(round_half_even(values * 2**fl), lo, hi)``: the final table."""
    with np.errstate(over="ignore"):
        return np.clip(round_half_even(np.ldexp(values, fl)), lo, hi).astype(np.int64)


def fine_table(values: FloatArray) -> tuple[IntArray, int]:
    """(``values`` as integers, their fl): |integer| < 2**52, so doubles hold them; infinite ones take the largest."""
    size = np.abs(values[np.isfinite(values) & (values != 0.0)])
    if size.size == 0:
        return np.zeros(values.shape, np.int64), 0
    largest, middle = (math.frexp(float(v))[1] for v in (size.max(), np.median(size)))
    fl = _BITS - min(largest, middle + _SPREAD)
    top = float((1 << _BITS) - 1)
    with np.errstate(over="ignore"):
        return np.clip(round_half_even(np.ldexp(values, fl)), -top, top).astype(np.int64), fl
