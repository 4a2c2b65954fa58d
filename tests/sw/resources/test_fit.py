"""Least squares without negative coefficients: against all of them, subset by subset."""

from itertools import combinations

import numpy as np
import pytest
from systolith.sw.resources.fit import fit, nonnegative_least_squares


def _by_subsets(matrix: np.ndarray, target: np.ndarray) -> float:  # type: ignore[type-arg]
    """The least norm over every set of coefficients that are free."""
    best, count = float(np.linalg.norm(target)), matrix.shape[1]
    for size in range(1, count + 1):
        for free in combinations(range(count), size):
            x = np.linalg.lstsq(matrix[:, free], target, rcond=None)[0]
            if (x >= 0).all():
                best = min(best, float(np.linalg.norm(matrix[:, free] @ x - target)))
    return best


@pytest.mark.parametrize("seed", range(20))
def test_no_other_coefficients_are_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix, target = rng.normal(size=(12, 5)), rng.normal(size=12)
    found = nonnegative_least_squares(matrix, target)
    assert (found >= 0).all()
    assert np.linalg.norm(matrix @ found - target) == pytest.approx(_by_subsets(matrix, target), rel=1e-9)


def test_known_coefficients_are_found_again() -> None:
    rows = [
        {"control": 1.0, "array": float(r * c), "rows": float(r)} for r in range(1, 6) for c in range(1, 4)
    ]
    cells = [round(1000 + 40 * row["array"] + 7 * row["rows"]) for row in rows]
    assert fit(rows, cells) == pytest.approx({"control": 1000, "array": 40, "rows": 7}, rel=1e-3)


@pytest.mark.parametrize("rows", [[], [{"a": 1.0}, {"b": 1.0}]])
def test_runs_without_a_fit(rows: list[dict[str, float]]) -> None:
    with pytest.raises(ValueError, match="runs must have the same features"):
        fit(rows, [1] * len(rows))
