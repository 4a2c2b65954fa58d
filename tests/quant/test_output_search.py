"""The search by the network's output: its two losses, and an end where no single change helps."""

import math
from dataclasses import replace

import numpy as np
import pytest
from systolith.quant.assembly import assemble
from systolith.quant.formats import QFormat
from systolith.quant.output_search import LOSSES, Formats, divergence, search_by_output, squares
from systolith.quant.quantizer import Options, quantize
from systolith.sw import integer_reference
from systolith.sw.graph import Graph, RealLayer


def network(outputs: int = 4) -> Graph:
    rng = np.random.default_rng(5)
    layers = (
        RealLayer(name="a", kind="conv", inputs=("x",), output="a", kernel=(3, 3), pads=(1, 1, 1, 1),
                  weight=rng.normal(size=(5, 2, 3, 3)), bias=rng.normal(size=5), lo=0.0),
        RealLayer(name="y", kind="conv", inputs=("a",), output="y", kernel=(4, 4),
                  weight=rng.normal(size=(outputs, 5, 4, 4)) * 0.1, bias=rng.normal(size=outputs)),
    )  # fmt: skip
    shapes = {"x": (4, 4, 2), "a": (4, 4, 5), "y": (1, 1, outputs)}
    return Graph(name="n", input="x", outputs=("y",), shapes=shapes, layers=layers)


def images(count: int = 12) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, 4, 4, 2)).astype(np.float32)


def logits(graph: Graph, real: np.ndarray) -> np.ndarray:
    live = {"x": real}
    for layer in graph.layers:
        live[layer.output] = graph.forward(layer, [live[name] for name in layer.inputs])
    return live["y"]


def test_losses_by_hand() -> None:
    real, other = np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([[1.0, 4.0], [0.0, 3.0]])
    assert squares(real, other) == 4.0 + 9.0

    def softmax(values: np.ndarray) -> np.ndarray:
        return np.exp(values) / np.exp(values).sum(axis=-1, keepdims=True)

    p, q = softmax(real), softmax(other)
    assert divergence(real, other) == pytest.approx(float(np.sum(p * np.log(p / q))))
    cross = float(-np.sum(p * np.log(q)))
    assert divergence(real, other) == pytest.approx(cross + float(np.sum(p * np.log(p))))
    assert divergence(real, real + 7.0) == pytest.approx(0.0, abs=1e-12)
    assert math.isfinite(divergence(real * 1e4, other * 1e4))


@pytest.mark.parametrize("name", sorted(LOSSES))
@pytest.mark.parametrize("start_fl", [(3, 1, 4, 0), (6, 6, 7, 7), (1, 4, 2, 2)])
def test_no_single_change_helps(name: str, start_fl: tuple[int, int, int, int]) -> None:
    graph, real = network(), images()
    target = logits(graph, real)

    def loss(formats: Formats) -> float:
        net = assemble(graph, formats.tensors, formats.wgt_fl, lambda _: 5, 32, False)
        codes = np.clip(np.rint(real * 2.0 ** net.tensors["x"].format.fl), -16, 15).astype(np.int64)
        out = integer_reference.run(net, codes)["y"] * net.tensors["y"].format.step
        return LOSSES[name](target, out.astype(np.float32))

    x, a, y, w = start_fl
    start = Formats(
        {"x": QFormat(5, x), "a": QFormat(5, a, False), "y": QFormat(5, y)},
        {"a": np.full(5, w), "y": np.full(4, w + 3)},
    )
    found = search_by_output(
        graph, graph, real, start, wgt_width=lambda _: 5, acc_width=32, per_channel=False, weights=True,
        batch=5, threads=2, loss=name,  # type: ignore[arg-type]
    )  # fmt: skip
    best = loss(found)
    assert best < loss(start)
    for step in (1, -1):
        for tensor, fmt in found.tensors.items():
            moved = replace(found, tensors={**found.tensors, tensor: QFormat(5, fmt.fl + step, fmt.signed)})
            assert loss(moved) >= best * 0.999
        for layer, fl in found.wgt_fl.items():
            assert loss(replace(found, wgt_fl={**found.wgt_fl, layer: fl + step})) >= best * 0.999


@pytest.mark.parametrize("method", ["output", "output-kl"])
def test_better_than_where_it_starts(method: str) -> None:
    graph, real = network(), images(40)
    target = logits(graph, real)
    found = []
    for name in ("qiu-l2", method):
        net = quantize(graph, real, Options(method=name, act_width=4, wgt_width=4)).network
        out = integer_reference.run(net, net.input_codes(real))["y"] * net.tensors["y"].format.step
        found.append(LOSSES["kl" if method == "output-kl" else "squares"](target, out))
    assert found[1] < found[0]


def test_one_class_has_no_divergence() -> None:
    with pytest.raises(ValueError, match="method output-kl needs classes, but output 'y' has one channel"):
        quantize(network(1), images(), Options(method="output-kl"))
    quantize(network(1), images(), Options(method="output"))


@pytest.mark.parametrize("method", ["qiu-l2", "output"])
def test_a_known_input_stays(method: str) -> None:
    """Codes that are pixels stay pixels, whatever the search would gain."""
    fmt = QFormat(8, 1)
    found = quantize(network(), images(), Options(method=method, input_format=fmt))
    assert found.network.tensors["x"].format == fmt
    assert quantize(network(), images(), Options(method=method)).network.tensors["x"].format.fl > 3
