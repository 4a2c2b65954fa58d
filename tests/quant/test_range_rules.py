"""The rules that judge a threshold by the values' histogram, against their equations."""

import math

import numpy as np
import pytest
from systolith.quant.quantizer import Options, quantize
from systolith.quant.range_rules import BINS, RULES, Histogram, rule_losses
from systolith.quant.search import METHODS, search_weights
from systolith.sw.graph import Graph, RealLayer


def values(kind: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.laplace(size=200_000) if kind == "laplace" else rng.normal(size=200_000)


@pytest.mark.parametrize("kind", ["gauss", "laplace"])
def test_analytic_loss_is_the_measured_one(kind: str) -> None:
    """For values of its own prior, ACIQ's loss is the mean squared error of clipping and rounding."""
    real = values(kind)
    seen = Histogram.of(real, 4)
    losses = rule_losses(f"aciq-{kind}", seen, (1, 2, 3), 8)
    for offset, found in zip((1, 2, 3), losses, strict=True):
        alpha = 2.0 ** (4 - offset)
        step = alpha / 8
        error = np.clip(np.rint(real / step) * step, -alpha, alpha) - real
        assert found * 4.0**4 == pytest.approx(float(np.mean(error**2)), rel=0.05)


def test_batches_add_up() -> None:
    real = values("gauss")
    whole, parts = Histogram.of(real, 3), Histogram.of(real[:1000], 3) + Histogram.of(real[1000:], 3)
    assert np.array_equal(whole.counts, parts.counts) and whole.total == pytest.approx(parts.total)
    assert whole.size == np.count_nonzero(real) and len(whole.counts) == BINS


def test_percentile_keeps_its_share() -> None:
    real = np.concatenate([np.full(99_995, 0.1), np.full(5, 0.9)])
    losses = rule_losses("percentile", Histogram.of(real, 0), (0, 1, 2, 3, 4), 128)
    assert int(np.argmin(losses)) == 3  # 5 of 100,000 may saturate, 0.1 itself must not
    more = np.concatenate([real, np.full(50, 0.9)])
    assert int(np.argmin(rule_losses("percentile", Histogram.of(more, 0), (0, 1, 2, 3), 128))) == 0


def test_divergence_by_hand() -> None:
    """4 bins of equal mass in 2 levels of 2 bins: nothing is lost; the clipped half doubles its last bin."""
    real = (np.arange(BINS) + 0.5) / BINS
    losses = rule_losses("kl", Histogram.of(real, 0), (0, 1), BINS // 2)
    assert losses[0] == pytest.approx(0.0)
    p = np.full(BINS // 2, 1 / BINS)
    p[-1] += 0.5
    assert losses[1] == pytest.approx(float(np.sum(p * np.log(p * (BINS // 2)))))


@pytest.mark.parametrize("rule", RULES)
def test_edge_cases(rule: str) -> None:
    assert rule_losses(rule, Histogram.of(np.zeros(5), 0), (0, 1), 128) == [0.0, 0.0]
    weight = np.zeros((3, 2, 1, 1))
    weight[0, 0] = 0.7
    for per_channel in (False, True):
        fl = search_weights(weight, 8, METHODS[rule], per_channel)
        assert fl.shape == (3,) and np.all(np.abs(fl) < 60)
    huge = search_weights(weight * 2.0**40, 8, METHODS[rule], False)
    assert huge.tolist() == (search_weights(weight, 8, METHODS[rule], False) - 40).tolist()
    outlier = np.concatenate([np.random.default_rng(1).normal(size=100_000) * 0.01, [1.0]])[
        :, None, None, None
    ]
    one = search_weights(outlier.reshape(1, -1, 1, 1), 4, METHODS[rule], False)
    assert one[0] > 2 and math.isfinite(float(one[0]))


@pytest.mark.parametrize("rule", RULES)
def test_whole_network(rule: str) -> None:
    rng = np.random.default_rng(0)
    layer = RealLayer(
        name="c", kind="conv", inputs=("x",), output="y", weight=rng.normal(size=(3, 2, 1, 1)), lo=0.0
    )
    graph = Graph(
        name="g", input="x", outputs=("y",), shapes={"x": (4, 4, 2), "y": (4, 4, 3)}, layers=(layer,)
    )
    images = rng.normal(size=(20, 4, 4, 2)).astype(np.float32)
    found = [quantize(graph, images, Options(method=rule, threads=t, batch=b)) for t, b in ((1, 20), (3, 7))]
    assert found[0].network.tensors == found[1].network.tensors
    assert found[0].report.method == rule and found[0].report.layers[0].sqnr_db > 15.0
