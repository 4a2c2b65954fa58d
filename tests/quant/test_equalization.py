"""Factors around tables and products: what may move, and that nothing changes."""

import numpy as np
import pytest
from systolith.quant.equalization import FIXED, channel_groups, rescale
from systolith.quant.functions import Function, X, apply, constant
from systolith.quant.quantizer import Options, quantize
from systolith.sw.float_reference import run
from systolith.sw.graph import Graph, RealLayer

RNG = np.random.default_rng(0)


def conv(name: str, source: str, lo: float = -np.inf) -> RealLayer:
    return RealLayer(
        name=name, kind="conv", inputs=(source,), output=name, weight=RNG.normal(size=(3, 3, 1, 1)), lo=lo
    )


def network(f: Function) -> Graph:
    """x -> a -> table t; gate: mean m -> g; t * g -> p -> y."""
    layers = (
        conv("a", "x"),
        RealLayer(name="t", kind="table", inputs=("a",), output="t", function=f),
        RealLayer(name="m", kind="avgpool", inputs=("t",), output="m", kernel=(4, 4)),
        conv("g", "m", 0.0),
        RealLayer(name="p", kind="product", inputs=("t", "g"), output="p"),
        conv("y", "p"),
    )
    shapes = dict.fromkeys(("x", "a", "t", "p", "y"), (4, 4, 3)) | {"m": (1, 1, 3), "g": (1, 1, 3)}
    return Graph(name="n", input="x", outputs=("y",), shapes=shapes, layers=layers)


@pytest.mark.parametrize(
    "f, free",
    [
        (apply("Tanh"), False),
        (apply("LeakyRelu"), True),
        (apply("PRelu", X, constant([0.1, -0.2, 0.5])), True),
        (apply("Mul", X, apply("Sigmoid")), False),
    ],
)
def test_factors_pass_what_scales_with_them(f: Function, free: bool) -> None:
    graph = network(f)
    groups = channel_groups(graph)
    assert (groups["g"] == FIXED).all() and np.array_equal(groups["t"], groups["p"])
    assert np.array_equal(groups["a"], groups["t"]) and np.array_equal(groups["m"], groups["t"])
    assert np.all(groups["a"] != FIXED) if free else np.all(groups["a"] == FIXED)
    names = [name for name in graph.shapes if not np.all(groups[name] == FIXED)]
    factors = {name: np.array([0.25, 3.0, 1.5]) for name in names}
    real = RNG.normal(size=(2, 4, 4, 3))
    moved = rescale(graph, factors)
    live = {"x": real}
    for layer in moved.layers:
        live[layer.output] = moved.forward(layer, [live[name] for name in layer.inputs])
    assert np.allclose(live["y"], run(graph, real)["y"], rtol=1e-12, atol=1e-12)
    assert not free or np.allclose(live["p"], run(graph, real, "all")["p"] * factors["p"])


@pytest.mark.parametrize("f", [apply("LeakyRelu"), apply("HardSwish")])
def test_the_whole_quantizer(f: Function) -> None:
    """Every correction together, and bias-analytic alone, stays near the float network."""
    graph = network(f)
    real = np.random.default_rng(1).normal(size=(24, 4, 4, 3)).astype(np.float32)
    for correct in (("equalize", "absorb", "round"), ("shift", "bias"), ("bias-analytic",)):
        found = quantize(graph, real, Options(correct=correct))
        assert found.report.layers[-1].sqnr_db > 20.0, correct
        gate = found.network.tensors["g"].format
        assert gate.signed and gate.width == 8 and found.network.tensors["p"].format.signed
