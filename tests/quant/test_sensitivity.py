"""The table's cells, against networks that are put together from the definition."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from systolith.quant.assembly import assemble
from systolith.quant.network import QuantizedNetwork
from systolith.quant.options import Options
from systolith.quant.quantizer import Quantization, quantize
from systolith.quant.scores import Score, score
from systolith.quant.search import method_named, search_weights
from systolith.quant.sensitivity import Probe, sensitivity, weight_counts
from systolith.sw import float_reference, integer_reference
from systolith.sw.graph import Graph, RealLayer

IMAGES = np.random.default_rng(5).normal(size=(20, 6, 6, 3)).astype(np.float32)
NAMES = ("a", "c", "b", "d", "y")


def network(residual: bool = True) -> Graph:
    """x -> a -> c -> b (+ a) -> depthwise d -> pool -> y."""
    rng = np.random.default_rng(0)

    def conv(name: str, inputs: tuple[str, ...], shape: tuple[int, ...], **fields: Any) -> RealLayer:
        weight, bias = rng.normal(size=shape), rng.normal(size=shape[0])
        weight = weight / 8 if name == "b" else weight  # leaves its accumulator finer than the residual
        return RealLayer(name=name, kind="conv", inputs=inputs, output=name, kernel=shape[2:],  # type: ignore[arg-type]
                         weight=weight, bias=bias, **fields)  # fmt: skip

    around = (1, 1, 1, 1)
    layers = (
        conv("a", ("x",), (4, 3, 3, 3), pads=around, lo=0.0),
        conv("c", ("a",), (4, 4, 1, 1), lo=0.0),
        conv("b", ("c", "a") if residual else ("a", "a"), (4, 4, 3, 3), pads=around, lo=0.0),
        conv("d", ("b",), (4, 1, 3, 3), pads=around, groups=4, lo=0.0, hi=6.0),
        RealLayer(name="p", kind="maxpool", inputs=("d",), output="p", kernel=(2, 2), stride=(2, 2)),
        conv("y", ("p",), (5, 4, 3, 3)),
    )
    shapes = {name: (6, 6, 3 if name == "x" else 4) for name in "xacbd"} | {"p": (3, 3, 4), "y": (1, 1, 5)}
    return Graph(name="n", input="x", outputs=("y",), shapes=shapes, layers=layers)


def logits(made: QuantizedNetwork) -> np.ndarray[Any, Any]:
    codes = integer_reference.run(made, made.input_codes(IMAGES))["y"]
    return codes * made.tensors["y"].format.step


def judged(graph: Graph, made: QuantizedNetwork) -> Score:
    return score(float_reference.run(graph, IMAGES)["y"], logits(made))


def probe(graph: Graph, made: Quantization, options: Options, use: Callable[[Probe], Any]) -> Any:
    with ThreadPoolExecutor(2) as pool:
        return use(Probe(made.real, made.network, IMAGES, options, pool))


@pytest.mark.parametrize("per_channel", [False, True])
def test_cell_is_the_network_with_that_layer_alone(per_channel: bool) -> None:
    graph = network()
    options = Options(per_channel=per_channel, act_width=7)
    made = quantize(graph, IMAGES, options)
    table = sensitivity(made.real, made.network, IMAGES, options)
    assert table.images == 20 and list(table.counts) == list(NAMES)
    assert table.counts == weight_counts(graph) == {"a": 108, "c": 16, "b": 144, "d": 36, "y": 180}
    assert table.base == judged(graph, made.network) and set(table.default.values()) == {8}
    formats = {name: tensor.format for name, tensor in made.network.tensors.items()}
    method = method_named(options.method)
    for layer in graph.layers:
        if layer.weight is None:
            continue
        for width in table.widths:
            fl = {other.name: other.wgt_fl for other in made.network.layers if other.wgt_fl is not None}
            fl[layer.name] = search_weights(layer.weight, width, method, per_channel)
            widths = dict.fromkeys(NAMES, 8) | {layer.name: width}
            whole = assemble(graph, formats, fl, lambda name, w=widths: w.get(name, 8), 32, per_channel)
            assert table.scores[layer.name][width] == judged(graph, whole), (layer.name, width)
        assert table.scores[layer.name][8] == table.base
        assert table.errors()[layer.name][8] == 0.0 < table.errors()[layer.name][2]


def test_corrected_codes_are_the_quantizer_s() -> None:
    """All layers at the widths they have give the network itself: the same rounding, the same biases."""
    graph = network()
    for correct in (("round",), ("bias",), ("round", "equalize")):
        for options in (Options(correct=correct), Options(correct=correct, wgt_width=4, per_channel=True)):
            made = quantize(graph, IMAGES, options)
            widths = dict.fromkeys(NAMES, options.wgt_width)
            base, again = probe(graph, made, options, lambda it, w=widths: (it.base, it.together(w)))
            assert again == base
            alone = probe(graph, made, options, lambda it, w=options.wgt_width: it.alone("a", w))
            assert alone == base, correct


def test_residual_finer_than_the_accumulator() -> None:
    """With 2-bit weights 64 times the others' size fl_acc lies below the residual's fl: its last bits go."""
    graph = network()
    layers = [
        replace(layer, weight=layer.weight * 64, bias=layer.bias * 64) if layer.name == "b" else layer
        for layer in graph.layers
        if layer.weight is not None or layer.name == "p"
    ]  # fmt: skip
    graph = replace(graph, layers=tuple(layers))
    options = Options()
    made = quantize(graph, IMAGES, options)
    weight, bias = graph.layers[2].weight, graph.layers[2].bias
    assert weight is not None and bias is not None
    fl = int(search_weights(weight, 2, method_named(options.method), False)[0])
    fl_acc = fl + made.network.tensors["c"].format.fl
    drop = made.network.tensors["a"].format.fl - fl_acc
    assert drop > 0
    codes = integer_reference.run(made.network, made.network.input_codes(IMAGES), "all")
    narrow = replace(
        made.network.layers[2], inputs=("c",), res_shift=None,
        wgt=np.clip(np.rint(np.ldexp(weight, fl)), -2, 1).astype(np.int64),
        bias=np.rint(np.ldexp(bias, fl_acc)).astype(np.int64),
    )  # fmt: skip
    acc = integer_reference.accumulate(narrow, [codes["c"]], 1 << 20)
    acc = acc + np.rint(np.ldexp(codes["a"].astype(float), -drop))
    out = made.network.tensors["b"].format
    live = {"b": np.clip(np.rint(np.ldexp(acc, out.fl - fl_acc)), 0, out.max)}
    for layer in made.network.layers[3:]:
        live[layer.output] = integer_reference.run_layer(layer, [live[layer.inputs[0]]], 1 << 20)
    expected = score(
        float_reference.run(graph, IMAGES)["y"], live["y"] * made.network.tensors["y"].format.step
    )
    assert probe(graph, made, options, lambda it: it.alone("b", 2)) == expected


def test_residual_of_the_layer_s_own_input() -> None:
    """Then no cap makes a layer with a negative fl of its weights possible: it never has that width."""
    graph = network(residual=False)
    weight = graph.layers[2].weight
    assert weight is not None
    layers = [replace(layer, weight=weight * 16) if layer.name == "b" else layer for layer in graph.layers]
    graph = replace(graph, layers=tuple(layers))
    options = Options(wgt_width=16)
    made = quantize(graph, IMAGES, options)
    table = sensitivity(made.real, made.network, IMAGES, options, widths=(2, 16))
    assert table.scores["b"][2].error == np.inf and table.scores["c"][2].error < np.inf
    with pytest.raises(ValueError, match="layer 'b' cannot have weights of 2 bits"):
        probe(graph, made, options, lambda it: it.together({"b": 2}))


def test_progress_and_refusals() -> None:
    graph = network()
    made = quantize(graph, IMAGES)
    lines: list[str] = []
    sensitivity(made.real, made.network, IMAGES, Options(), widths=(8,), count=3, progress=lines.append)
    assert len(lines) == 5 and lines[0] == "sensitivity of layer 1 of 5: a"
    with pytest.raises(ValueError, match="widths must be 2 to 8 or 16 bits, not 9"):
        sensitivity(made.real, made.network, IMAGES, Options(), widths=(9,))
    pools = replace(graph, layers=graph.layers[4:5], outputs=("p",), input="d")
    bare = quantize(pools, np.zeros((1, 6, 6, 4), np.float32))
    with pytest.raises(ValueError, match="has no weights"):
        sensitivity(pools, bare.network, np.zeros((1, 6, 6, 4), np.float32), Options())
