"""The weight search, held to its definition on small tensors."""

import numpy as np
import pytest
from systolith.quant.arithmetic import quantize_real
from systolith.quant.formats import QFormat
from systolith.quant.ranges import overflow_free_fl
from systolith.quant.search import METHODS, best_fl, method_named, search_weights


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


def test_unknown_method() -> None:
    with pytest.raises(
        ValueError, match="method must be one of non-overflow, qiu-l1, .*, output, not 'best'"
    ):
        method_named("best")
