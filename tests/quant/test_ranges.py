"""The overflow-free fractional length, held to its definition."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from systolith.quant.formats import QFormat
from systolith.quant.ranges import FL_LIMIT, check_finite, overflow_free_fl


def fits(lo: float, hi: float, fmt: QFormat) -> bool:
    low = lo if fmt.signed else max(lo, 0.0)
    codes = round(math.ldexp(low, fmt.fl)), round(math.ldexp(max(hi, 0.0), fmt.fl))
    return fmt.min <= min(codes[0], 0) and codes[1] <= fmt.max


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.integers(2, 16), st.booleans())
def test_is_the_largest_that_saturates_nothing(a: float, b: float, width: int, signed: bool) -> None:
    lo, hi = min(a, b), max(a, b)
    fl = overflow_free_fl(lo, hi, width, signed)
    largest = max(-lo if signed else 0.0, hi, 0.0)
    if largest == 0.0:
        assert fl == width - int(signed)
    else:
        assert fl == -FL_LIMIT or fits(lo, hi, QFormat(width, fl, signed))
        assert fl == FL_LIMIT or not fits(lo, hi, QFormat(width, fl + 1, signed))


def test_negative_and_larger_than_the_width() -> None:
    assert overflow_free_fl(-1000.0, 1000.0, 8) == -3
    assert overflow_free_fl(-0.001, 0.001, 8) == 16
    assert overflow_free_fl(-128.0, 0.0, 8) == 0  # the negative end reaches one code further
    assert overflow_free_fl(0.0, 128.0, 8) == -1
    assert overflow_free_fl(0.0, 255.0, 8, signed=False) == 0


def test_errors() -> None:
    with pytest.raises(ValueError, match="must be finite with lo <= hi"):
        overflow_free_fl(1.0, 0.0, 8)
    with pytest.raises(ValueError, match="must be finite"):
        overflow_free_fl(0.0, math.nan, 8)
    values = np.zeros((2, 3))
    values[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"tensor 'w' is NaN at index \[1, 2\]: mend it"):
        check_finite("w", values, "mend it")
    values[0, 1] = -np.inf
    with pytest.raises(ValueError, match=r"tensor 'w' is infinite at index \[0, 1\]"):
        check_finite("w", values, "mend it")
