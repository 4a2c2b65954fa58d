"""Expected inputs against sampled ones, and the correction against its equation."""

import math

import numpy as np
import pytest
from systolith.quant.analytic_bias import clipped_moments, expected_inputs
from systolith.quant.functions import X, apply, constant
from systolith.quant.quantizer import Options, quantize
from systolith.sw.graph import Graph, RealLayer


@pytest.mark.parametrize(
    "bounds", [(0.0, math.inf), (0.0, 6.0), (-math.inf, 1.0), (-math.inf, math.inf), (-1.0, 2.0)]
)
def test_clipped_gaussian(bounds: tuple[float, float]) -> None:
    mean, variance = np.array([-3.0, 0.0, 1.0, 6.5]), np.array([1.0, 4.0, 0.25, 9.0])
    samples = mean + np.sqrt(variance) * np.random.default_rng(0).normal(size=(400_000, 4))
    clipped = samples.clip(*bounds)
    found = clipped_moments(mean, variance, *bounds)
    assert found[0] == pytest.approx(clipped.mean(axis=0), abs=0.02)
    assert found[1] == pytest.approx(clipped.var(axis=0), abs=0.05)


def test_constant_channels() -> None:
    mean, variance = clipped_moments(np.array([-1.0, 3.0, 9.0]), np.zeros(3), 0.0, 6.0)
    assert mean.tolist() == [0.0, 3.0, 6.0] and variance.tolist() == [0.0, 0.0, 0.0]


def network(known: bool) -> Graph:
    """Independent inputs, so that the propagated variances are exact: 1x1 kernels that do not share channels."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=(4, 1, 1, 1))
    seen = (
        {"pre_mean": np.array([1.0, -0.5, 0.0, 2.0]), "pre_std": np.array([0.5, 1.0, 2.0, 0.1])}
        if known
        else {}
    )
    layers = (
        RealLayer(name="a", kind="conv", inputs=("x",), output="a", weight=first, groups=4,
                  bias=rng.normal(size=4), lo=0.0, **seen),
        RealLayer(name="p", kind="avgpool", inputs=("a",), output="p", kernel=(2, 2), stride=(2, 2)),
        RealLayer(name="y", kind="conv", inputs=("p",), output="y", weight=rng.normal(size=(3, 4, 1, 1)),
                  bias=rng.normal(size=3)),
        RealLayer(name="z", kind="concat", inputs=("y", "p"), output="z"),
    )  # fmt: skip
    shapes = {"x": (8, 8, 4), "a": (8, 8, 4), "p": (4, 4, 4), "y": (4, 4, 3), "z": (4, 4, 7)}
    return Graph(name="n", input="x", outputs=("z",), shapes=shapes, layers=layers)


def test_expectations_are_the_means_of_many_images() -> None:
    graph = network(known=False)
    real = np.random.default_rng(1).normal(size=(4000, 8, 8, 4)) * 2.0 + np.array([1.0, 0.0, -1.0, 3.0])
    expected = expected_inputs(graph, np.array([1.0, 0.0, -1.0, 3.0]), np.full(4, 4.0))
    live = {"x": real}
    for layer in graph.layers[:3]:
        live[layer.output] = graph.forward(layer, [live[n] for n in layer.inputs])
        assert expected[layer.output] == pytest.approx(live[layer.output].mean(axis=(0, 1, 2)), abs=0.02)
    assert expected["z"] == pytest.approx(np.concatenate([expected["y"], expected["p"]]))


def test_tables_and_products_of_independent_values() -> None:
    shapes = {"x": (8, 8, 4), "t": (8, 8, 4), "q": (8, 8, 4), "m": (1, 1, 4), "p": (8, 8, 4)}
    slope = apply("PRelu", X, constant([0.1, -0.5, 2.0, 0.3]))
    layers = (
        RealLayer(
            name="t", kind="table", inputs=("x",), output="t", function=apply("Mul", X, apply("Sigmoid"))
        ),
        RealLayer(name="q", kind="table", inputs=("x",), output="q", function=slope),
        RealLayer(name="m", kind="avgpool", inputs=("q",), output="m", kernel=(8, 8)),
        RealLayer(name="p", kind="product", inputs=("q", "m"), output="p"),
    )
    graph = Graph(name="n", input="x", outputs=("p",), shapes=shapes, layers=layers)
    mean = np.array([1.0, 0.0, -1.0, 3.0])
    live = {"x": np.random.default_rng(1).normal(size=(4000, 8, 8, 4)) * 2.0 + mean}
    expected = expected_inputs(graph, mean, np.full(4, 4.0))
    for layer in layers:
        live[layer.output] = graph.forward(layer, [live[name] for name in layer.inputs])
        found = live[layer.output].mean(axis=(0, 1, 2))
        assert expected[layer.output] == pytest.approx(found, abs=0.03, rel=0.03), layer.name


def test_batch_normalization_knows_better() -> None:
    expected = expected_inputs(network(known=True), np.zeros(4), np.ones(4))["a"]
    relu = [m * 0.5 * math.erfc(-m / s / math.sqrt(2)) + s * math.exp(-0.5 * (m / s) ** 2) / math.sqrt(2 * math.pi)
            for m, s in ((1.0, 0.5), (-0.5, 1.0), (0.0, 2.0), (2.0, 0.1))]  # fmt: skip
    assert expected == pytest.approx(relu)


def test_the_correction_follows_its_equation() -> None:
    graph = network(known=True)
    real = np.random.default_rng(1).normal(size=(8, 8, 8, 4)).astype(np.float32)
    options = {"wgt_width": 3, "act_width": 16, "per_channel": True}
    plain, better = (
        quantize(graph, real, Options(correct=c, **options)).network for c in ((), ("bias-analytic",))
    )
    means = expected_inputs(graph, real.astype(np.float64).mean(axis=(0, 1, 2)), np.ones(4))
    for old, new, layer in zip(plain.layers, better.layers, graph.layers, strict=True):
        if layer.weight is None or layer.bias is None:
            continue
        assert old.wgt is not None and new.wgt is not None and new.wgt_fl is not None and new.bias is not None
        assert np.array_equal(old.wgt, new.wgt)
        error = new.wgt * 2.0 ** -new.wgt_fl[:, None, None, None] - layer.weight
        x = means[layer.inputs[0]].reshape(layer.groups, -1)
        taps = error.sum(axis=(2, 3)).reshape(layer.groups, -1, error.shape[1])
        wanted = layer.bias - np.einsum("gkc,gc->gk", taps, x).ravel()
        step = 2.0 ** -(new.wgt_fl + better.tensors[layer.inputs[0]].format.fl)
        assert np.all(np.abs(new.bias * step - wanted) <= step / 2 + 1e-12)


def test_only_one_correction_of_the_bias() -> None:
    for other in ("bias", "round"):
        with pytest.raises(ValueError, match="correct must name bias-analytic alone"):
            Options(correct=("bias-analytic", other))
