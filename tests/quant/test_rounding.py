"""Learned rounding: optimal where that can be checked, never worse than rounding alone."""

import itertools

import numpy as np
import pytest
from systolith.quant.rounding import Moments, descend, least_squares, loss, round_codes


def problem(seed: int, n: int, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(200, n)) @ (np.eye(n) + 0.6)  # correlated
    return rng.normal(size=(k, n)) * 3, inputs.T @ inputs / 200


@pytest.mark.parametrize("seed", range(5))
def test_close_to_the_best_of_all_roundings(seed: int) -> None:
    target, gram = problem(seed, 6)
    found = loss(round_codes(target, gram, -8, 7), target, gram)
    for row, value in zip(target, found, strict=True):
        ups = np.array(list(itertools.product((-1, 0, 1, 2), repeat=6))) + np.floor(row)
        best = float(loss(np.clip(ups, -8, 7), row, gram).min())
        nearest = float(loss(np.clip(np.rint(row), -8, 7)[None], row[None], gram)[0])
        assert best - 1e-9 <= value <= nearest + 1e-9


def test_no_single_code_helps() -> None:
    target, gram = problem(9, 12)
    codes = round_codes(target, gram, -4, 3)
    before = loss(codes, target, gram)
    for j, step in itertools.product(range(12), (-1, 1)):
        other = codes.copy()
        other[:, j] = np.clip(other[:, j] + step, -4, 3)
        assert np.all(loss(other, target, gram) >= before - 1e-9)
    assert np.array_equal(descend(codes, target, gram, -4, 3), codes)


def test_independent_inputs_round_to_nearest_and_limits_hold() -> None:
    target, _ = problem(1, 8)
    assert np.array_equal(round_codes(target, np.eye(8), -128, 127), np.rint(target))
    assert round_codes(target * 100, problem(1, 8)[1], -2, 1).min() == -2


def test_pruned_weights_stay_zero() -> None:
    target, gram = problem(2, 8)
    free = np.arange(24).reshape(3, 8) % 3 > 0
    codes = round_codes(np.where(free, target, 0.0), gram, -8, 7, free)
    assert not codes[~free].any() and codes[free].any()


def test_least_squares_and_moments() -> None:
    rng = np.random.default_rng(3)
    inputs, weight = rng.normal(size=(500, 4)), rng.normal(size=(2, 4))
    targets = inputs @ weight.T + 5.0
    moments = Moments.of(inputs[:200], targets[:200]) + Moments.of(inputs[200:], targets[200:])
    gram, cross = moments.centred()
    _, fitted = least_squares(gram, cross, np.zeros((2, 4)), 1e-9)
    assert fitted == pytest.approx(weight, abs=1e-4)
    assert moments.t / 500 - fitted @ (moments.x / 500) == pytest.approx(5.0, abs=1e-4)


def test_dead_inputs_keep_their_weights() -> None:
    weight = np.array([[0.25, -3.0]])
    metric, fitted = least_squares(np.zeros((2, 2)), np.zeros((1, 2)), weight, 0.1)
    assert fitted == pytest.approx(weight)
    assert round_codes(fitted, metric, -8, 7).tolist() == [[0, -3]]


def test_groups_are_what_each_of_them_is_alone() -> None:
    """Leading axes: every group of a grouped convolution on its own."""
    pairs = [problem(seed, 5, 2) for seed in range(4)]
    target, gram = (np.stack(values) for values in zip(*pairs, strict=True))
    free = np.abs(target) > 1.0
    for mask in (None, free):
        codes = round_codes(target, gram, -8, 7, mask)
        assert codes.shape == target.shape
        for g, one in enumerate(codes):
            alone = round_codes(target[g], gram[g], -8, 7, None if mask is None else mask[g])
            assert np.array_equal(one, alone) or loss(one, target[g], gram[g]) == pytest.approx(
                loss(alone, target[g], gram[g])
            )
    inputs = np.random.default_rng(0).normal(size=(3, 60, 5))
    targets = np.random.default_rng(1).normal(size=(3, 60, 2))
    grams, crosses = Moments.of(inputs, targets).centred()
    damped, fitted = least_squares(grams, crosses, np.zeros((3, 2, 5)), 0.1)
    for g in range(3):
        one, cross = Moments.of(inputs[g], targets[g]).centred()
        assert grams[g] == pytest.approx(one, rel=1e-6) and crosses[g] == pytest.approx(cross, rel=1e-6)
        metric, weight = least_squares(one, cross, np.zeros((2, 5)), 0.1)
        assert damped[g] == pytest.approx(metric, rel=1e-6) and fitted[g] == pytest.approx(weight, rel=1e-5)
