"""Rounding and saturation against Python's exact fractions, exhaustively for small widths."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from systolith.quant.arithmetic import (
    accumulator_bits,
    quantize_real,
    requantize,
    requantize_exact,
    saturate,
    shift_round_half_even,
)
from systolith.quant.formats import QFormat

INT64 = (-(2**63), 2**63 - 1)


def exact(acc: int, s: int) -> int:
    """``round_half_even(acc * 2**-s)`` by Python's own rounding, limited to int64."""
    value = round(Fraction(acc) / Fraction(2) ** s)
    return max(INT64[0], min(INT64[1], value))


def test_every_accumulator_of_12_bits_at_every_shift() -> None:
    acc = np.arange(-2048, 2048)
    for s in range(-6, 15):
        expected = np.array([exact(int(a), s) for a in acc])
        assert np.array_equal(shift_round_half_even(acc, s), expected), s


def test_shift_of_the_accumulator_width_or_more_gives_zero() -> None:
    acc = np.arange(-2048, 2048)
    for s in (12, 13, 40, 63, 64, 1000):
        assert not shift_round_half_even(acc, s).any()
    extremes = np.array([-(2**31), 2**31 - 1])
    assert not shift_round_half_even(extremes, 32).any()


@given(st.integers(*INT64), st.integers(-80, 80))
def test_any_int64(acc: int, s: int) -> None:
    assert int(shift_round_half_even(np.array(acc), s)) == exact(acc, s)


def test_shift_per_channel_broadcasts_over_the_last_axis() -> None:
    rng = np.random.default_rng(1)
    acc = rng.integers(-(2**30), 2**30, (3, 4, 5, 6))
    s = np.array([-3, 0, 1, 7, 31, 40])
    out = shift_round_half_even(acc, s)
    for k in range(6):
        assert np.array_equal(out[..., k], shift_round_half_even(acc[..., k], int(s[k])))


def test_left_shift_saturates_instead_of_wrapping() -> None:
    acc = np.array([2**31 - 1, -(2**31), 1, 0, -1])
    assert requantize(acc, -40, -128, 127).tolist() == [127, -128, 127, 0, -128]
    assert requantize(acc, -100, 0, 255).tolist() == [255, 0, 255, 0, 0]


def test_half_goes_to_even() -> None:
    assert shift_round_half_even(np.array([1, 3, 5, -1, -3, -5]), 1).tolist() == [0, 2, 2, 0, -2, -2]


def test_requantize_exact_equals_requantize() -> None:
    rng = np.random.default_rng(2)
    shift = rng.integers(-4, 34, 16)
    for limit, kind in ((2**24, np.float32), (2**53, np.float64)):
        acc = rng.integers(-limit + 1, limit, (500, 16))
        acc[0], acc[1], acc[2] = 0, limit - 1, 1 - limit
        for lo, hi in ((-128, 127), (0, 255), (0, 96), (-32768, 32767), (-2, 1)):
            fast = requantize_exact(acc.astype(kind), shift, lo, hi)
            assert fast.dtype == kind
            assert np.array_equal(fast.astype(np.int64), requantize(acc, shift, lo, hi))


def test_requantize_exact_at_extreme_shifts() -> None:
    acc = np.array([-5.0, 0.0, 5.0], np.float32)
    assert requantize_exact(acc, 500, -8, 7).tolist() == [0, 0, 0]
    assert requantize_exact(acc, -500, -8, 7).tolist() == [-8, 0, 7]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(
    "fmt", [QFormat(8, 5), QFormat(8, 6, False), QFormat(4, -2), QFormat(3, 9), QFormat(16, 12)]
)
def test_quantize_real(fmt: QFormat, kind: type) -> None:
    rng = np.random.default_rng(3)
    real = (rng.normal(size=1000) * fmt.max * fmt.step).astype(kind)
    real[:4] = [0, fmt.max * fmt.step, 1e30, -1e30]
    halves = (np.arange(fmt.min, fmt.max + 1) + 0.5) * fmt.step
    real = np.concatenate([real, halves.astype(kind)])
    expected = [max(fmt.min, min(fmt.max, round(Fraction(float(v)) * Fraction(2) ** fmt.fl))) for v in real]
    assert quantize_real(real, fmt).tolist() == expected


def test_quantize_real_saturates_infinity_and_refuses_nan() -> None:
    assert quantize_real(np.array([np.inf, -np.inf]), QFormat(8, 0)).tolist() == [127, -128]
    with pytest.raises(ValueError, match=r"not NaN \(at index \(1,\)\)"):
        quantize_real(np.array([0.0, np.nan]), QFormat(8, 0))


def test_saturate() -> None:
    assert saturate(np.array([-9, 0, 9]), -8, 7).tolist() == [-8, 0, 7]
    with pytest.raises(ValueError, match="lo must not exceed hi"):
        saturate(np.array([0]), 1, 0)


def test_refuses_real_accumulators() -> None:
    with pytest.raises(TypeError, match="acc must be an integer array, not float64"):
        shift_round_half_even(np.array([0.5]), 1)


def test_accumulator_bits() -> None:
    assert [accumulator_bits(v) for v in (0, 1, 127, 128, 2**31 - 1, 2**31)] == [1, 2, 8, 9, 32, 33]
    with pytest.raises(ValueError, match="must not be negative"):
        accumulator_bits(-1)
