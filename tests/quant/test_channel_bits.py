"""Bits of single channels: the formula, and codes that keep to them."""

import math

import numpy as np
import pytest
from systolith.quant.channel_bits import allocate, limits
from systolith.quant.overflow import prove
from systolith.quant.quantizer import Options, quantize
from systolith.quant.search import METHODS, search_channels, search_weights
from systolith.sw.graph import Graph, RealLayer


def uneven() -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.normal(size=(8, 4, 3, 3)) * 2.0 ** np.arange(-4, 4)[:, None, None, None]


@pytest.mark.parametrize("width", [3, 4, 6, 8])
def test_formula(width: int) -> None:
    weight = uneven()
    alpha = [max(abs(float(w)) for w in row.ravel()) for row in weight]
    share = [a ** (2 / 3) for a in alpha]
    budget = len(alpha) * 2**width
    expected = [min(8, max(2, math.floor(math.log2(budget * s / sum(share))))) for s in share]
    assert allocate(weight, width).tolist() == expected
    assert len(set(expected)) > 2


def test_the_allocation_has_the_least_error_of_all_shares() -> None:
    """sum alpha**2 / 4**M over real M with sum 2**M = B is least at the formula's M."""
    alpha = np.abs(uneven()).reshape(8, -1).max(axis=1)
    levels = 8 * 16 * alpha ** (2 / 3) / np.sum(alpha ** (2 / 3))
    least = np.sum(alpha**2 / levels**2)
    rng = np.random.default_rng(0)
    for _ in range(200):
        other = levels * np.exp(rng.normal(size=8) * 0.2)
        other *= levels.sum() / other.sum()
        assert np.sum(alpha**2 / other**2) >= least


def test_equal_channels_have_the_width_itself_and_zeros_the_least() -> None:
    weight = np.ones((4, 2, 1, 1))
    assert allocate(weight, 5).tolist() == [5] * 4
    weight[2] = 0.0
    assert allocate(weight, 5).tolist() == [5, 5, 2, 5]
    assert allocate(np.zeros((3, 2, 1, 1)), 4).tolist() == [4] * 3
    assert allocate(weight, 16).tolist() == [16] * 4


def test_limits() -> None:
    low, high = limits(np.array([2, 5, 8]))
    assert low.tolist() == [-2, -16, -128] and high.tolist() == [1, 15, 127]


def test_each_channel_is_searched_at_its_own_width() -> None:
    weight, method = uneven(), METHODS["aciq-bits"]
    bits = allocate(weight, 4)
    expected = [int(search_weights(weight[k : k + 1], int(b), method, True)[0]) for k, b in enumerate(bits)]
    assert search_channels(weight, bits, method).tolist() == expected


@pytest.mark.parametrize("correct", [(), ("bias",), ("bias-analytic",), ("round",), ("equalize", "round")])
def test_codes_keep_to_the_bits_of_their_channel(correct: tuple[str, ...]) -> None:
    weight = uneven()
    layer = RealLayer(name="c", kind="conv", inputs=("x",), output="y", kernel=(3, 3), weight=weight)
    graph = Graph(
        name="g", input="x", outputs=("y",), shapes={"x": (6, 6, 4), "y": (4, 4, 8)}, layers=(layer,)
    )
    images = np.random.default_rng(0).normal(size=(12, 6, 6, 4)).astype(np.float32)
    options = Options(method="aciq-bits", per_channel=True, wgt_width=4, correct=correct)
    found = quantize(graph, images, options)
    made, bits = found.network.layers[0], allocate(weight, 4)
    prove(found.network)
    assert made.wgt is not None and made.wgt_fl is not None and made.wgt_width == bits.max() > 4
    row = found.report.layers[0]
    assert (
        row.wgt_mean_bits == bits.mean()
        and f"{made.wgt_width}b ({bits.mean():.1f}) fl" in found.report.to_text()
    )
    codes = made.wgt.reshape(8, -1)
    low, high = limits(bits)
    assert np.all(codes >= low[:, None]) and np.all(codes <= high[:, None])
    assert np.all(2 * np.abs(codes).max(axis=1) >= high)  # and they use them
    if "round" not in correct:
        scale = 2.0 ** made.wgt_fl[:, None]
        nearest = np.clip(np.rint(weight.reshape(8, -1) * scale), low[:, None], high[:, None])
        assert np.array_equal(codes, nearest)


def test_channels_with_bits_of_their_own_need_an_fl_of_their_own() -> None:
    with pytest.raises(ValueError, match="method aciq-bits needs per_channel"):
        Options(method="aciq-bits")
