"""QFormat's limits, text and errors."""

import pytest
from systolith.quant.formats import QFormat


def test_limits() -> None:
    assert (QFormat(8, 5).min, QFormat(8, 5).max) == (-128, 127)
    assert (QFormat(8, 5, False).min, QFormat(8, 5, False).max) == (0, 255)
    assert QFormat(8, -2).step == 4.0


def test_text() -> None:
    assert str(QFormat(8, 5)) == "Q2.5"
    assert str(QFormat(8, 5, False)) == "UQ3.5"
    assert str(QFormat(8, 12)) == "Q-5.12"


def test_errors() -> None:
    with pytest.raises(ValueError, match="width must be an integer in 1..64, not 0"):
        QFormat(0, 0)
    with pytest.raises(ValueError, match="fl must be an integer"):
        QFormat(8, 0.5)  # type: ignore[arg-type]
