"""The model of the noise against brute force: real noise put into a network, numerical derivatives."""

from dataclasses import replace

import numpy as np
import pytest
from systolith.quant.functions import X, apply
from systolith.quant.noise import gains, likely_peak, measured, noises
from systolith.quant.observation import Activations, observe
from systolith.quant.ties import ties
from systolith.sw.graph import Graph, RealLayer


def network(lo: float = 0.0) -> Graph:
    """x -> a -> depthwise d -> concat j of d, pool of a -> grouped g + a -> average m -> fully connected y."""
    rng = np.random.default_rng(0)
    around = {"kernel": (3, 3), "pads": (1, 1, 1, 1), "lo": lo}
    layers = (
        RealLayer(name="a", kind="conv", inputs=("x",), output="a", **around, weight=rng.normal(size=(4, 2, 3, 3))),
        RealLayer(name="d", kind="conv", inputs=("a",), output="d", **around, groups=4,
                  weight=rng.normal(size=(4, 1, 3, 3))),
        RealLayer(name="p", kind="maxpool", inputs=("a",), output="p", kernel=(1, 1)),
        RealLayer(name="j", kind="concat", inputs=("d", "p"), output="j"),
        RealLayer(name="g", kind="conv", inputs=("j", "a"), output="g", groups=2, weight=rng.normal(size=(4, 4, 1, 1))),
        RealLayer(name="m", kind="avgpool", inputs=("g",), output="m", kernel=(8, 8)),
        RealLayer(name="y", kind="conv", inputs=("m",), output="y", weight=rng.normal(size=(3, 4, 1, 1))),
    )  # fmt: skip
    shapes = dict.fromkeys("adpg", (8, 8, 4))
    shapes |= {"x": (8, 8, 2), "j": (8, 8, 8), "m": (1, 1, 4), "y": (1, 1, 3)}
    return Graph(name="n", input="x", outputs=("y",), shapes=shapes, layers=layers)


def images(count: int = 8) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, 8, 8, 2)).astype(np.float32)


def outputs(graph: Graph, start: dict[str, np.ndarray], first: int = 0) -> dict[str, np.ndarray]:
    live = dict(start)
    for layer in graph.layers[first:]:
        live[layer.output] = graph.forward(layer, [live[name] for name in layer.inputs])
    return live


def error(graph: Graph, name: str, size: np.ndarray) -> float:
    """Mean squared error of the outputs, summed, with noise of deviation ``size`` [C] in one tensor's values."""
    real = images(64).astype(np.float64)
    clean = outputs(graph, {"x": real})
    made = [layer.output for layer in graph.layers].index(name) + 1 if name != "x" else 0
    noise = np.random.default_rng(5).normal(size=clean[name].shape) * size * (clean[name] != 0.0)
    noisy = outputs(graph, clean | {name: clean[name] + noise}, made)["y"]
    return float(np.mean((noisy - clean["y"]) ** 2, axis=0).sum())


def test_gains_are_exact_where_errors_stay_independent() -> None:
    """One path, no windows that overlap: the variance that arrives is the recursion's."""
    graph = network(lo=-np.inf)
    gain = gains(graph, observe(graph, images()))
    for name in ("m", "g", "p"):
        for c in range(4):
            size = np.zeros(4)
            size[c] = 0.1
            expected = gain[name][c] * 0.01
            if name == "p":
                assert gain["j"][4 + c] == gain["p"][c]
            assert error(graph, name, size) == pytest.approx(expected, rel=0.5)
    assert gain["y"].tolist() == [1.0] * 3


def test_measured_gains_leave_the_error_that_there_is() -> None:
    graph, real = network(), images(16)
    seen = observe(graph, real)
    gain = measured(graph, seen, gains(graph, seen), real)
    for name in ("x", "a", "d", "g", "m"):
        size = seen.peak[name] * 2.0**-7 / np.sqrt(12.0)
        expected = float(np.dot(gain[name] * np.maximum(seen.active[name], 0.01), size**2))
        assert error(graph, name, size) / expected == pytest.approx(1.0, abs=0.5), name
    assert np.array_equal(gain["p"], gains(graph, seen)["p"])  # a copy makes no noise of its own


def test_gains_through_tables_and_products() -> None:
    """x -> a -> SiLU t; t * g -> p -> y: the variance that arrives is the recursion's."""
    rng = np.random.default_rng(2)
    first, last = (rng.normal(size=shape) * 0.5 for shape in ((4, 4, 1, 1), (3, 4, 1, 1)))
    silu = apply("Mul", X, apply("Sigmoid"))
    layers = (
        RealLayer(name="a", kind="conv", inputs=("x",), output="a", weight=first),
        RealLayer(name="t", kind="table", inputs=("a",), output="t", function=silu),
        RealLayer(name="g", kind="avgpool", inputs=("x",), output="g", kernel=(5, 5)),
        RealLayer(name="p", kind="product", inputs=("t", "g"), output="p"),
        RealLayer(name="y", kind="conv", inputs=("p",), output="y", weight=last),
    )
    maps = dict.fromkeys(("x", "a", "t", "p"), (5, 5, 4))
    graph = Graph(
        name="n", input="x", outputs=("y",), shapes=maps | {"g": (1, 1, 4), "y": (5, 5, 3)}, layers=layers
    )
    real = (rng.normal(size=(64, 5, 5, 4)) + 1.0).astype(np.float32)
    gain = gains(graph, observe(graph, real))
    clean = outputs(graph, {"x": real.astype(np.float64)})
    for i, name in enumerate(("a", "t", "g", "p")):
        for c in range(4):
            noise = rng.normal(size=clean[name].shape) * 0.01 * (np.arange(4) == c)
            noisy = outputs(graph, clean | {name: clean[name] + noise}, i + 1)["y"]
            found = np.mean((noisy - clean["y"]) ** 2, axis=(0, 1, 2)).sum() * 1e4
            assert found == pytest.approx(gain[name][c], rel=0.4), (name, c)


@pytest.mark.parametrize("per_channel", [False, True])
def test_derivatives(per_channel: bool) -> None:
    graph, real = network(), images()
    seen = observe(graph, real)
    terms = noises(
        graph, seen, ties(graph), gains(graph, seen), act_width=8, wgt_width=4, per_channel=per_channel
    )
    assert len(terms) == 5 + 4  # x, a with d, g, m, y; the four convolutions
    rng = np.random.default_rng(2)
    logs, way = ({name: rng.normal(size=s[2]) for name, s in graph.shapes.items()} for _ in range(2))

    def zeros() -> dict[str, np.ndarray]:
        return {name: np.zeros(s[2]) for name, s in graph.shapes.items()}

    for term in terms:
        slopes = zeros()
        value = term.value(logs, slopes)
        plus, minus = (
            term.value({name: logs[name] + sign * 1e-5 * way[name] for name in logs}, zeros())
            for sign in (1, -1)
        )
        along = sum(float(np.dot(slopes[name], way[name])) for name in logs)
        assert value > 0.0 and along == pytest.approx((plus - minus) / 2e-5, rel=1e-4, abs=1e-9 * value)


def test_terms_are_the_noise_of_rounding() -> None:
    """8-bit codes of a tensor whose largest value just fits: step**2 / 12 in every active pixel."""
    graph, real = network(), images(64)
    seen = observe(graph, real)
    terms = noises(graph, seen, ties(graph), gains(graph, seen), act_width=8, wgt_width=8, per_channel=False)
    ones = {name: np.zeros(s[2]) for name, s in graph.shapes.items()}
    (last,) = [term for term in terms if getattr(term, "names", ()) == ("y",)]
    step = seen.peak["y"].max() * 2.0**-8
    slopes = {name: np.zeros_like(values) for name, values in ones.items()}
    assert last.value(ones, slopes) == pytest.approx(3 * step**2 / 12, rel=0.2)
    half = replace(seen, active={**seen.active, "y": np.full(3, 0.5)})
    fewer = noises(graph, half, ties(graph), gains(graph, seen), act_width=8, wgt_width=8, per_channel=False)
    (halved,) = [term for term in fewer if getattr(term, "names", ()) == ("y",)]
    assert halved.value(ones, slopes) == pytest.approx(last.value(ones, slopes) / 2)


def test_channels_that_were_never_active_may_be() -> None:
    figures = {"t": np.array([4.0, 0.0, 0.0, 1.0])}
    seen = Activations(peak=figures, tail={"t": np.array([9.0, 1.5, -2.0, 0.1])})
    assert likely_peak(seen, "t").tolist() == pytest.approx([4.0, 1.5, 1.0, 1.0])


def test_observations() -> None:
    graph, real = network(), images(6)
    graph = Graph(
        **{**vars(graph), "layers": (RealLayer(**{**vars(graph.layers[0]), "hi": 2.0}), *graph.layers[1:])}
    )
    seen = observe(graph, real, batch=4)
    free = RealLayer(**{**vars(graph.layers[0]), "lo": -np.inf, "hi": np.inf})
    sums = graph.forward(free, [real])
    assert seen.high["a"] == pytest.approx(sums.max(axis=(0, 1, 2)))
    assert seen.peak["a"] == pytest.approx(np.clip(sums, 0.0, 2.0).max(axis=(0, 1, 2)))
    assert seen.active["a"] == pytest.approx(((sums > 0.0) & (sums < 2.0)).mean(axis=(0, 1, 2)))
    assert seen.tail["a"] == pytest.approx(
        sums.mean(axis=(0, 1, 2)) + 6.0 * sums.std(axis=(0, 1, 2)), rel=1e-4
    )
    assert seen.active["j"].tolist() == [1.0] * 8 and seen.samples["a"].shape[1] == 4
    whole = observe(graph, real, batch=6)
    assert all(np.allclose(whole.tail[name], seen.tail[name]) for name in graph.shapes)
