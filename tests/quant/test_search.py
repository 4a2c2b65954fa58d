"""The weight search, held to its definition on small tensors."""

import numpy as np
import pytest
from systolith.quant.arithmetic import quantize_real
from systolith.quant.formats import QFormat
from systolith.quant.ranges import overflow_free_fl
from systolith.quant.search import METHODS, VOTERS, best_fl, majority_fl, method_named, search_weights


def brute_force(values: np.ndarray, width: int, power: int, offsets: tuple[int, ...]) -> int:
    """The definition: the candidate of the smallest ``sum |w - w(width, fl)|**p``, first one on a tie."""
    start = overflow_free_fl(float(values.min()), float(values.max()), width)
    losses = []
    for offset in offsets:
        fmt = QFormat(width, start + offset)
        losses.append(float(np.sum(np.abs(quantize_real(values, fmt) * fmt.step - values) ** power)))
    return start + offsets[int(np.argmin(losses))]


@pytest.mark.parametrize("name", sorted(name for name in METHODS if not METHODS[name].rule))
@pytest.mark.parametrize("width", [2, 4, 8])
def test_layer_and_channel_search_follow_the_definition(name: str, width: int) -> None:
    method = METHODS[name]
    rng = np.random.default_rng(width)
    for scale in (1e-6, 0.05, 1.0, 300.0):
        weight = rng.normal(size=(5, 3, 2, 2)) * scale * rng.uniform(0.1, 4.0, (5, 1, 1, 1))
        whole = search_weights(weight, width, method, per_channel=False)
        assert whole.tolist() == [brute_force(weight, width, method.power, method.offsets)] * 5
        each = search_weights(weight, width, method, per_channel=True)
        assert each.tolist() == [brute_force(row, width, method.power, method.offsets) for row in weight]


def test_saturating_one_outlier_pays() -> None:
    weight = np.full((1, 1000, 1, 1), 0.3)
    weight[0, 0] = 2.1
    start = overflow_free_fl(0.0, 2.1, 4)
    assert search_weights(weight, 4, METHODS["non-overflow"], False)[0] == start
    assert search_weights(weight, 4, METHODS["qiu-l1"], False)[0] > start
    assert search_weights(weight, 4, METHODS["qiu-l2"], False)[0] > start


def test_zeros() -> None:
    weight = np.zeros((3, 2, 1, 1))
    assert search_weights(weight, 8, METHODS["qiu-l2"], True).tolist() == [7, 7, 7]
    weight[1] = 0.25
    fl = search_weights(weight, 8, METHODS["qiu-l2"], True)
    assert fl[0] == fl[2] == search_weights(weight, 8, METHODS["qiu-l2"], False)[0]


def test_ties_go_to_the_first_candidate() -> None:
    assert best_fl((0, 1, -1), (2.0, 1.0, 1.0)) == 1


def test_the_majority_of_batches_wins() -> None:
    # three batches: two of them prefer the second candidate a little, one the first by far
    losses = np.repeat([[2.0, 1.0, 9.0], [2.0, 1.0, 9.0], [1.0, 90.0, 9.0]], VOTERS, axis=0)
    assert majority_fl((0, 1, -1), losses) == 1
    assert best_fl((0, 1, -1), losses.sum(axis=0).tolist()) == 0
    # one vote each: the smaller total of those that have a vote, however good a third one is in total
    even = np.repeat([[0.0, 9.0, 1.0], [9.0, 0.5, 1.0]], VOTERS, axis=0)
    assert majority_fl((0, 1, -1), even) == 0
    # the last batch may be smaller, and a single image is one
    assert majority_fl((0, 1), np.array([[2.0, 1.0]])) == 1
    assert majority_fl((0, 1), np.concatenate([losses[:VOTERS, :2], [[0.0, 5.0]]])) == 1


def test_every_method_says_what_it_does() -> None:
    assert all(method.meaning and "\n" not in method.meaning for method in METHODS.values())


@pytest.mark.parametrize("name", list(METHODS))
@pytest.mark.parametrize("per_channel", [False, True])
def test_edge_cases(name: str, per_channel: bool) -> None:
    """Zeros, one outlier, constant channels, fl negative and larger than the width."""
    rng = np.random.default_rng(0)
    outlier = rng.normal(size=(3, 50, 1, 1)) * 0.01
    outlier[0, 0] = 1.0
    constant = np.repeat(np.array([0.3, -7.0, 0.0]), 9).reshape(3, 1, 3, 3)
    for weight in (np.zeros((3, 2, 1, 1)), outlier, constant):
        for exponent in (-30, 0, 30):
            fl = search_weights(weight * 2.0**exponent, 8, METHODS[name], per_channel)
            near = search_weights(weight, 8, METHODS[name], per_channel)
            assert fl.tolist() == (near - exponent * weight.any()).tolist()
            scaled = weight * 2.0 ** near[:, None, None, None]
            top = np.abs(scaled).max() if name != "percentile" else np.median(np.abs(scaled))
            assert top <= 128 * 2 ** max(METHODS[name].offsets)
    fl = search_weights(constant * 2.0**20, 8, METHODS[name], per_channel)
    assert fl.max() < 0
    assert search_weights(constant * 2.0**-20, 8, METHODS[name], per_channel).min() > 8


def test_unknown_method() -> None:
    with pytest.raises(
        ValueError, match="method must be one of non-overflow, qiu-l1, .*, output-kl, not 'best'"
    ):
        method_named("best")
