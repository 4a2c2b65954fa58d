"""One fl of each kind: the exhaustive search against every pair, and what the engine cannot compute."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from systolith.quant.assembly import assemble
from systolith.quant.formats import QFormat
from systolith.quant.functions import apply
from systolith.quant.layers import TooFine
from systolith.quant.overflow import AccumulatorOverflow
from systolith.quant.quantizer import Options, quantize
from systolith.quant.scores import score
from systolith.quant.static_precision import build_static, search_static, signs
from systolith.sw import float_reference, integer_reference
from systolith.sw.graph import Graph, RealLayer

IMAGES = np.random.default_rng(5).normal(size=(9, 6, 6, 3)).astype(np.float32)


def network() -> Graph:
    """x -> a (16 times larger) -> b (+ a) -> average -> y."""
    rng = np.random.default_rng(0)
    around = (1, 1, 1, 1)
    layers = (
        RealLayer(name="a", kind="conv", inputs=("x",), output="a", kernel=(3, 3), pads=around, lo=0.0,
                  weight=rng.normal(size=(4, 3, 3, 3)) * 4, bias=rng.normal(size=4)),
        RealLayer(name="b", kind="conv", inputs=("a", "a"), output="b", kernel=(3, 3), pads=around,
                  weight=rng.normal(size=(4, 4, 3, 3)) / 16, bias=rng.normal(size=4)),
        RealLayer(name="g", kind="avgpool", inputs=("b",), output="g", kernel=(6, 6)),
        RealLayer(name="y", kind="conv", inputs=("g",), output="y", weight=rng.normal(size=(5, 4, 1, 1)) / 4),
    )  # fmt: skip
    shapes = {"x": (6, 6, 3), "a": (6, 6, 4), "b": (6, 6, 4), "g": (1, 1, 4), "y": (1, 1, 5)}
    return Graph(name="n", input="x", outputs=("y",), shapes=shapes, layers=layers)


def by_hand(graph: Graph, wgt_fl: int, act_fl: int, width: tuple[int, int], acc_width: int = 32) -> float:
    """The relative squared error of one pair, from the integer reference."""
    act, wgt = width
    formats = {name: QFormat(act, act_fl, name != "a") for name in graph.shapes}
    fl = {
        layer.name: np.full(len(layer.weight), wgt_fl) for layer in graph.layers if layer.weight is not None
    }
    try:
        made = assemble(graph, formats, fl, lambda name: wgt, acc_width, False)
    except (TooFine, AccumulatorOverflow):
        return math.inf
    if any(layer.name in fl and int(layer.wgt_fl[0]) != wgt_fl for layer in made.layers):  # type: ignore[index]
        return math.inf
    logits = integer_reference.run(made, made.input_codes(IMAGES))["y"] * 2.0**-act_fl
    return score(float_reference.run(graph, IMAGES)["y"], logits).error


@pytest.mark.parametrize("width", [(8, 8), (8, 4), (6, 3), (16, 16)])
def test_best_of_every_pair(width: tuple[int, int]) -> None:
    graph = network()
    acc_width = 48 if width[0] == 16 else 32
    found = search_static(graph, IMAGES, act_width=width[0], wgt_width=width[1], acc_width=acc_width)
    fine = range(width[1] - 6, width[1] + 7)
    every = {(w, a): by_hand(graph, w, a, width, acc_width) for w in fine for a in range(-4, width[0] + 3)}
    least = min(every.values())
    assert found.score.error == least == every[found.wgt_fl, found.act_fl]
    assert (found.wgt_fl, found.act_fl) == max(pair for pair, error in every.items() if error == least)
    assert len(found.searched) >= 20
    assert found.searched == {pair: every[pair] for pair in found.searched}
    assert {layer.wgt_fl[0] for layer in found.network.layers if layer.kind == "conv"} == {found.wgt_fl}
    assert {tensor.format.fl for tensor in found.network.tensors.values()} == {found.act_fl}
    dynamic = quantize(graph, IMAGES, Options(act_width=width[0], wgt_width=width[1], acc_width=acc_width))
    out = dynamic.network.tensors["y"].format.step
    logits = integer_reference.run(dynamic.network, dynamic.network.input_codes(IMAGES))["y"] * out
    if width[1] >= 8:
        assert score(float_reference.run(graph, IMAGES)["y"], logits).error < least


def test_search_widens_at_the_border() -> None:
    """An outlier makes the overflow-free fl far too coarse: the best lies beyond every layer's own."""
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(5, 108, 1, 1))
    weight[:, 0] = 4000.0
    layer = RealLayer(name="y", kind="conv", inputs=("x",), output="y", weight=weight)
    graph = Graph(
        name="n", input="x", outputs=("y",), shapes={"x": (1, 1, 108), "y": (1, 1, 5)}, layers=(layer,)
    )
    images = rng.normal(size=(8, 1, 1, 108)).astype(np.float32)
    images[..., 0] = 0.0
    found = search_static(graph, images, act_width=8, wgt_width=8)
    assert found.wgt_fl >= 4 > -4 and found.score.sqnr_db > 20  # overflow-free: -6
    tried = sorted({pair[0] for pair in found.searched})
    assert tried[0] < found.wgt_fl < tried[-1] and tried == list(range(tried[0], tried[-1] + 1))


def test_what_the_engine_cannot_compute() -> None:
    graph = network()
    options: dict[str, Any] = {"act_width": 8, "wgt_width": 8, "signed": signs(graph, True)}
    assert build_static(graph, 4, 2, acc_width=32, **options) is not None
    assert build_static(graph, -1, 2, acc_width=32, **options) is None  # the residual is finer than the sums
    assert build_static(graph, 6, 2, acc_width=14, **options) is None  # one layer would need a lower fl
    with pytest.raises(ValueError, match="finds no static fl whose sums fit an accumulator of 8 bits"):
        search_static(graph, IMAGES, act_width=8, wgt_width=8, acc_width=8)


def test_signs() -> None:
    graph = network()
    assert signs(graph, True) == {"x": True, "a": False, "b": True, "g": True, "y": True}
    relu = replace(graph.layers[1], lo=0.0)
    concat = RealLayer(name="k", kind="concat", inputs=("p", "b"), output="k")
    pool = RealLayer(name="p", kind="maxpool", inputs=("a",), output="p")
    graph = replace(graph, layers=(graph.layers[0], pool, relu, concat))
    assert signs(graph, False) == {"x": False, "a": False, "p": False, "b": False, "k": False}
    graph = replace(graph, layers=(graph.layers[0], pool, replace(relu, lo=-1.0), concat))
    assert signs(graph, False) == {"x": False, "a": True, "p": True, "b": True, "k": True}
    tanh = RealLayer(name="t", kind="table", inputs=("a",), output="t", function=apply("Tanh"))
    gate = RealLayer(name="s", kind="table", inputs=("b",), output="s", function=apply("Sigmoid"))
    product = RealLayer(name="q", kind="product", inputs=("p", "s"), output="q")
    graph = replace(graph, layers=(graph.layers[0], pool, relu, tanh, gate, product))
    found = signs(graph, False)
    assert found == {"x": False, "a": False, "p": False, "b": False, "t": True, "s": True, "q": False}
    unsigned = search_static(network(), np.abs(IMAGES), act_width=8, wgt_width=8, input_range=(0.0, 9.0))
    assert not unsigned.network.tensors["x"].format.signed


def test_images_must_be_numbers() -> None:
    bad = IMAGES.copy()
    bad[2, 1, 1, 0] = np.inf
    with pytest.raises(ValueError, match=r"tensor 'x' is infinite at index \[2, 1, 1, 0\]"):
        search_static(network(), bad, act_width=8, wgt_width=8)
