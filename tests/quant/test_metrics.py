"""SQNR by hand."""

import math

import numpy as np
import pytest
from systolith.quant.metrics import sqnr_db, sqnr_from_sums


def test_sqnr() -> None:
    real = np.array([3.0, 4.0])
    assert sqnr_db(real, real + [0.3, 0.4]) == pytest.approx(20.0)
    assert sqnr_db(real, real) == math.inf
    assert sqnr_from_sums(0.0, 1.0) == -math.inf
    with pytest.raises(ValueError, match="one shape"):
        sqnr_db(real, np.zeros(3))
