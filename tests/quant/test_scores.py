"""The figures by which widths and formats are judged."""

import math

import numpy as np
import pytest
from systolith.quant.metrics import sqnr_db
from systolith.quant.scores import score, spread


def test_by_hand() -> None:
    real = np.array([[3.0, 1.0], [0.0, 2.0]])
    fixed = np.array([[3.0, 2.0], [2.0, 1.0]])
    found = score(real, fixed)
    assert found.error == (1 + 4 + 1) / (9 + 1 + 4) and found.agreement == 50.0
    assert found.sqnr_db == pytest.approx(sqnr_db(real, fixed))
    p = [np.exp(row) / np.exp(row).sum() for row in real]
    q = [np.exp(row) / np.exp(row).sum() for row in fixed]
    expected = np.mean([np.sum(a * np.log(a / b)) for a, b in zip(p, q, strict=True)])
    assert found.kl == pytest.approx(expected)


def test_corners() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 1, 1, 7)) * 1e3
    same = score(logits, logits)
    assert (same.error, same.kl, same.agreement, same.sqnr_db) == (0.0, 0.0, 100.0, math.inf)
    assert score(np.zeros((2, 3)), np.ones((2, 3))).error == math.inf
    assert math.isfinite(score(logits, -logits).kl)
    with pytest.raises(ValueError, match="one shape with N >= 1"):
        score(logits, logits[:3])


def test_spread() -> None:
    images = np.arange(10)
    assert list(spread(images, 3)) == [0, 3, 6] and list(spread(images, 10)) == list(range(10))
    assert list(spread(images, 99)) == list(range(10)) and list(spread(images, 1)) == [0]
