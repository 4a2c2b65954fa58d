"""Coefficients from runs: the least squares of relative errors with coefficients that are not negative.

min over x >= 0 of sum over runs of (sum_f x[f] * feature[run, f] / cells[run] - 1)**2

Lawson and Hanson, Solving Least Squares Problems, 1974, chapter 23.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["fit", "nonnegative_least_squares"]

Array = npt.NDArray[np.float64]


def nonnegative_least_squares(matrix: Array, target: Array) -> Array:
    """argmin over x >= 0 of the norm of ``matrix @ x - target``."""
    count = matrix.shape[1]
    x, free = np.zeros(count), np.zeros(count, bool)
    tolerance = 1e-10 * max(float(np.abs(matrix).sum(axis=0).max(initial=0.0)), 1.0)
    for _ in range(10 * count):
        gradient = matrix.T @ (target - matrix @ x)
        gradient[free] = -np.inf
        if not (gradient > tolerance).any():
            break
        free[int(gradient.argmax())] = True
        while True:
            trial = np.zeros(count)
            trial[free] = np.linalg.lstsq(matrix[:, free], target, rcond=None)[0]
            if (trial[free] > 0).all():
                x = trial
                break
            falling = free & (trial <= 0)
            step = float((x[falling] / (x[falling] - trial[falling])).min())
            x = x + step * (trial - x)
            free &= x > 1e-12
            x[~free] = 0.0
    return x


def fit(rows: Sequence[Mapping[str, float]], cells: Sequence[int]) -> dict[str, float]:
    """Coefficients by feature. ``rows``: the features of each run; ``cells``: what it took, more than 0.

    Raises ValueError where there are no runs or they have different features.
    """
    if not rows or any(list(row) != list(rows[0]) for row in rows):
        raise ValueError("runs must have the same features, and there must be some")
    matrix = np.array([list(row.values()) for row in rows], float)
    target = np.array(cells, float)
    relative = matrix / target[:, None]
    scale: Any = relative.max(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    found = nonnegative_least_squares(relative / scale, np.ones(len(target))) / scale
    return dict(zip(rows[0], (float(value) for value in found), strict=True))
