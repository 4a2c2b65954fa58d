"""The integer arithmetic of the whole Python side: rounding and saturation, written once.

``requantize(acc, s, lo, hi) = clamp(round_half_even(acc * 2**-s), lo, hi)``

Every model of the chain (quantizer, integer reference, instruction-set simulator, compiler) takes its
rounding from here; the RTL and ONNX Runtime's QuantizeLinear compute the same. Round half to even was
chosen because QuantizeLinear does it (design, section 1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .formats import QFormat

__all__ = [
    "FloatArray",
    "IntArray",
    "accumulator_bits",
    "quantize_real",
    "requantize",
    "requantize_exact",
    "round_half_even",
    "saturate",
    "shift_round_half_even",
]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[Any]

_INT64_MAX = np.int64(2**63 - 1)
_INT64_MIN = np.int64(-(2**63))


def _as_int64(values: npt.ArrayLike, what: str) -> IntArray:
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{what} must be an integer array, not {array.dtype}; cast it first")
    return array.astype(np.int64, copy=False)


def shift_round_half_even(acc: npt.ArrayLike, s: npt.ArrayLike) -> IntArray:
    """``round_half_even(acc * 2**-s)`` in integers only.

    For s > 0, with arithmetic shift: ``q = acc >> s``, ``g`` = bit s-1 of acc, ``t`` = OR of the bits
    below it, ``out = q + (g AND (t OR bit 0 of q))``. For s <= 0 shifts left, saturating at the limits of
    int64 instead of wrapping. An s of the accumulator's width or more gives 0 for every accumulator of
    that width, by the same formula.

    Parameters: ``acc`` int64 of any shape; ``s`` any integer, or an array that broadcasts against ``acc``
    (per channel: [K] against [..., K]). Raises TypeError for values that are no integers.
    """
    value = _as_int64(acc, "acc")
    shift = _as_int64(s, "s")
    value, shift = np.broadcast_arrays(value, shift)
    right = np.clip(shift, 0, 63)
    quotient = value >> right
    below = np.maximum(right - 1, 0)
    guard = (value >> below) & np.where(right > 0, 1, 0)
    sticky = (value & ((np.int64(1) << below) - 1)) != 0
    rounded = quotient + (guard & (sticky | (quotient & 1)))
    rounded = np.where(shift > 63, 0, rounded)
    left = np.clip(-shift, 0, 63)
    largest = _INT64_MAX >> left
    shifted = np.where(value > largest, _INT64_MAX, np.where(value < -largest - 1, _INT64_MIN, value << left))
    return np.where(shift > 0, rounded, shifted).astype(np.int64, copy=False)


def saturate(code: npt.ArrayLike, lo: int, hi: int) -> IntArray:
    """``min(max(code, lo), hi)``; raises ValueError where lo > hi."""
    if lo > hi:
        raise ValueError(f"lo must not exceed hi, not {lo} > {hi}")
    return np.clip(_as_int64(code, "code"), lo, hi)


def requantize(acc: npt.ArrayLike, shift: npt.ArrayLike, lo: int, hi: int) -> IntArray:
    """``clamp(round_half_even(acc * 2**-shift), lo, hi)``: an accumulator becomes an output code.

    ``shift`` = fl_acc - fl_out, scalar or [K] against the last axis; may be negative.
    """
    return saturate(shift_round_half_even(acc, shift), lo, hi)


def round_half_even(value: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The nearest integer, ties to the even one, of floating-point values (kept in their type)."""
    return np.rint(value, out=out)


def requantize_exact(acc: FloatArray, shift: npt.ArrayLike, lo: int, hi: int) -> FloatArray:
    """``requantize`` of accumulators held as floating-point integers, in their type; the BLAS path.

    Equal to ``requantize`` to the bit while every |acc| is below 2**24 (float32) or 2**53 (float64):
    scaling by a power of two is exact, and what underflows rounds to 0 either way. Shifts outside of
    -60..60 are clipped to that range, which changes no result at these magnitudes.
    """
    exponent = -np.clip(_as_int64(shift, "shift"), -60, 60)
    scaled: FloatArray = np.multiply(
        acc, np.ldexp(acc.dtype.type(1), exponent.astype(np.int32)), dtype=acc.dtype
    )
    round_half_even(scaled, out=scaled)
    return np.clip(scaled, lo, hi, out=scaled)


def quantize_real(real: npt.ArrayLike, fmt: QFormat) -> IntArray:
    """``code = clamp(round_half_even(real * 2**fl), min, max)`` as int64.

    Exact for float32 and float64 input alike (a power of two scales without rounding). Raises ValueError
    where a value is NaN; infinities saturate.
    """
    value = np.asarray(real)
    if value.dtype.kind != "f":
        value = value.astype(np.float64)
    if np.isnan(value).any():
        index = tuple(int(i) for i in np.argwhere(np.isnan(value))[0])
        raise ValueError(f"real values must be numbers, not NaN (at index {index})")
    scaled = round_half_even(np.ldexp(value.astype(np.float64, copy=False), fmt.fl))
    return np.clip(scaled, fmt.min, fmt.max).astype(np.int64)


def accumulator_bits(bound: int) -> int:
    """The width of a two's complement word that holds -bound..bound: ``bit_length(bound) + 1``."""
    if bound < 0:
        raise ValueError(f"bound must not be negative, not {bound}")
    return int(bound).bit_length() + 1
