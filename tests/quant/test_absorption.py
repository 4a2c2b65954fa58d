"""Bias absorption: the outputs stay where the equations promise it, and nothing else is touched."""

import math

import numpy as np
import pytest
from systolith.quant.absorption import absorb, absorbed
from systolith.quant.quantizer import Options, quantize
from systolith.sw import float_reference
from systolith.sw.graph import Graph, RealLayer


def network(**changes: object) -> Graph:
    """x -> a (3x3, relu, statistics known) -> y (1x1)."""
    rng = np.random.default_rng(0)
    first: dict[str, object] = {
        "name": "a", "kind": "conv", "inputs": ("x",), "output": "a", "kernel": (3, 3), "pads": (1, 1, 1, 1),
        "weight": rng.normal(size=(6, 3, 3, 3)) * 0.1, "bias": np.array([5.0, 9.0, 0.1, -2.0, 7.0, 0.0]), "lo": 0.0,
        "pre_mean": np.array([5.0, 9.0, 0.1, -2.0, 7.0, 0.0]), "pre_std": np.full(6, 0.6),
    }  # fmt: skip
    second: dict[str, object] = {
        "name": "y", "kind": "conv", "inputs": ("a",), "output": "y", "weight": rng.normal(size=(4, 6, 1, 1)),
    }  # fmt: skip
    first.update({k[2:]: v for k, v in changes.items() if k.startswith("a_")})
    second.update({k[2:]: v for k, v in changes.items() if k.startswith("y_")})
    layers = (RealLayer(**first), RealLayer(**second))  # type: ignore[arg-type]
    shapes = {"x": (8, 8, 3), "a": (8, 8, 6), "y": (8, 8, 4)}
    return Graph(name="n", input="x", outputs=("y",), shapes=shapes, layers=layers)


def images(count: int = 16) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, 8, 8, 3)).clip(-2, 2)


def run(network: object, real: np.ndarray) -> dict[str, np.ndarray]:
    live = {"x": real}
    for layer in network.layers:  # type: ignore[attr-defined]
        live[layer.output] = network.forward(layer, [live[n] for n in layer.inputs])  # type: ignore[attr-defined]
    return live


def test_what_is_taken() -> None:
    taken = absorbed(network())
    assert list(taken) == ["a"]
    assert taken["a"] == pytest.approx([3.2, 7.2, 0.0, 0.0, 5.2, 0.0])


@pytest.mark.parametrize("groups", [1, 2])
def test_outputs_stay_and_the_range_shrinks(groups: int) -> None:
    weight = np.random.default_rng(2).normal(size=(4, 6 // groups, 1, 1))
    graph, real = network(y_weight=weight, y_groups=groups), images()
    before, after = float_reference.run(graph, real, "all"), run(absorb(graph), real)
    taken = absorbed(graph)["a"]
    low = before["a"][..., taken > 0].min(axis=(0, 1, 2))
    assert np.all(low > taken[taken > 0])  # these images lie above: exact
    assert after["y"] == pytest.approx(before["y"], rel=1e-9, abs=1e-9)
    assert after["a"] == pytest.approx(before["a"] - taken, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    "changes",
    [
        {"a_hi": 6.0}, {"a_lo": -math.inf}, {"a_pre_mean": None}, {"y_kernel": (3, 3), "y_pads": (1, 1, 1, 1),
         "y_weight": np.ones((4, 6, 3, 3))}, {"y_kind": "maxpool", "y_weight": None}, {"a_pre_std": np.full(6, 9.0)},
    ],
)  # fmt: skip
def test_what_would_not_be_exact_stays(changes: dict[str, object]) -> None:
    graph = network(**changes)
    assert absorbed(graph) == {} and absorb(graph) is graph


def test_outputs_and_residuals_stay() -> None:
    graph = network()
    assert absorbed(Graph(**{**vars(graph), "outputs": ("a", "y")})) == {}
    add = RealLayer(name="s", kind="conv", inputs=("y", "a"), output="s", weight=np.ones((6, 4, 1, 1)))
    shapes = {**graph.shapes, "s": (8, 8, 6)}
    joined = Graph(**{**vars(graph), "outputs": ("s",), "shapes": shapes, "layers": (*graph.layers, add)})
    assert absorbed(joined) == {}


def test_absorption_makes_codes_finer() -> None:
    """Channels 5 and 9 above zero cost bits that 0.6 of deviation does not need."""
    means = np.array([5.0, 9.0, 8.0, 6.0, 7.0, 9.5])
    graph, real = network(a_bias=means, a_pre_mean=means), images(32).astype(np.float32)
    found = [quantize(graph, real, Options(correct=names, act_width=6)) for names in ((), ("absorb",))]
    fls = [one.network.tensors["a"].format.fl for one in found]
    assert fls[1] > fls[0]
