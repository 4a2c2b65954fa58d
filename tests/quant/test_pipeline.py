"""Equalization, bias correction, learned rounding and the search by the output on small networks."""

import numpy as np
import pytest
from systolith.quant.arithmetic import quantize_real
from systolith.quant.balance import balance, clipped
from systolith.quant.equalization import FIXED, channel_groups, rescale
from systolith.quant.metrics import sqnr_db
from systolith.quant.observation import observe
from systolith.quant.options import CORRECTIONS
from systolith.quant.overflow import prove
from systolith.quant.quantizer import Options, Quantization, quantize
from systolith.quant.samples import kernel_rows, pixels, windows
from systolith.sw import float_reference, integer_reference
from systolith.sw.graph import Graph, RealLayer


def network(hi: float = np.inf) -> Graph:
    """x -> a (relu) -> b + copy(x') -> pool -> fully connected y, with very different channels."""
    rng = np.random.default_rng(0)
    uneven = 2.0 ** rng.integers(-4, 5, 6)
    first = rng.normal(size=(6, 3, 3, 3)) * uneven[:, None, None, None]
    layers = (
        RealLayer(name="a", kind="conv", inputs=("x",), output="a", kernel=(3, 3), pads=(1, 1, 1, 1),
                  weight=first, bias=rng.normal(size=6) * uneven, lo=0.0, hi=hi),
        RealLayer(name="s", kind="conv", inputs=("a",), output="s", weight=np.eye(6)[:, :, None, None]),
        RealLayer(name="b", kind="conv", inputs=("a", "s"), output="b", kernel=(3, 3), pads=(1, 1, 1, 1),
                  weight=rng.normal(size=(6, 6, 3, 3)) / uneven[:, None, None] * uneven[:, None, None, None],
                  lo=0.0),
        RealLayer(name="p", kind="maxpool", inputs=("b",), output="p", kernel=(2, 2), stride=(2, 2)),
        RealLayer(name="y", kind="conv", inputs=("p",), output="y", kernel=(4, 4),
                  weight=rng.normal(size=(5, 6, 4, 4)) / uneven[:, None, None], bias=rng.normal(size=5)),
    )  # fmt: skip
    shapes = {"x": (8, 8, 3), "a": (8, 8, 6), "s": (8, 8, 6), "b": (8, 8, 6), "p": (4, 4, 6), "y": (1, 1, 5)}
    return Graph(name="n", input="x", outputs=("y",), shapes=shapes, layers=layers)


def images(count: int = 48) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, 8, 8, 3)).astype(np.float32)


def logits_db(graph: Graph, found: Quantization, real: np.ndarray) -> float:
    net = found.network
    codes = integer_reference.run(net, quantize_real(real, net.tensors["x"].format))["y"]
    return sqnr_db(float_reference.run(graph, real)["y"], codes * net.tensors["y"].format.step)


def test_groups_follow_copies_residuals_and_pools() -> None:
    groups = channel_groups(network())
    assert np.all(groups["x"] == FIXED) and np.all(groups["y"] == FIXED)
    for name in ("s", "b", "p"):
        assert np.array_equal(groups[name], groups["a"])
    assert len(set(groups["a"].tolist())) == 6
    assert len(set(channel_groups(network(hi=6.0))["p"].tolist())) == 1


@pytest.mark.parametrize("octaves", [False, True])
def test_equalization_is_exact_and_evens_the_channels_out(octaves: bool) -> None:
    graph, real = network(), images()
    seen = observe(graph, real)
    factors = balance(graph, seen, octaves=octaves)
    even = rescale(graph, factors)
    live = {"x": real.astype(np.float64)}
    for layer in even.layers:
        live[layer.output] = even.forward(layer, [live[name] for name in layer.inputs])
    expected = float_reference.run(graph, real.astype(np.float64), "all")
    assert live["y"] == pytest.approx(expected["y"], rel=1e-9, abs=1e-9)
    assert live["b"] == pytest.approx(expected["b"] * factors["b"], rel=1e-9, abs=1e-9)
    peaks = seen.peak["a"]
    assert np.ptp(np.log2(peaks * factors["a"])) < np.ptp(np.log2(peaks))
    assert not octaves or all(np.all(np.frexp(f)[0] == 0.5) for f in factors.values())


def branches() -> Graph:
    """x -> a (relu) -> depthwise d (relu) and grouped g (relu) -> concat j -> fully connected y, uneven channels."""
    rng = np.random.default_rng(4)
    uneven = 2.0 ** rng.integers(-4, 5, 6)
    around = {"kernel": (3, 3), "pads": (1, 1, 1, 1), "lo": 0.0}
    layers = (
        RealLayer(name="a", kind="conv", inputs=("x",), output="a", **around,
                  weight=rng.normal(size=(6, 3, 3, 3)) * uneven[:, None, None, None], bias=rng.normal(size=6)),
        RealLayer(name="d", kind="conv", inputs=("a",), output="d", **around, groups=6,
                  weight=rng.normal(size=(12, 1, 3, 3)), bias=rng.normal(size=12)),
        RealLayer(name="g", kind="conv", inputs=("a",), output="g", **around, groups=2,
                  weight=rng.normal(size=(4, 3, 3, 3)) / np.resize(uneven, (4, 3, 1, 1)), bias=rng.normal(size=4)),
        RealLayer(name="j", kind="concat", inputs=("d", "g"), output="j"),
        RealLayer(name="y", kind="conv", inputs=("j",), output="y", kernel=(8, 8),
                  weight=rng.normal(size=(5, 16, 8, 8))),
    )  # fmt: skip
    shapes = {
        "x": (8, 8, 3),
        "a": (8, 8, 6),
        "d": (8, 8, 12),
        "g": (8, 8, 4),
        "j": (8, 8, 16),
        "y": (1, 1, 5),
    }
    return Graph(name="b", input="x", outputs=("y",), shapes=shapes, layers=layers)


def test_equalization_of_groups_and_concats_is_exact() -> None:
    graph, real = branches(), images()
    groups = channel_groups(graph)
    assert np.array_equal(groups["j"], np.concatenate([groups["d"], groups["g"]]))
    assert len(set(groups["d"].tolist()) | set(groups["a"].tolist())) == 18
    factors = balance(graph, observe(graph, real))
    assert all(np.ptp(factors[name]) > 0.0 for name in ("a", "d", "g"))
    even = rescale(graph, factors)
    live = {"x": real.astype(np.float64)}
    for layer in even.layers:
        live[layer.output] = even.forward(layer, [live[name] for name in layer.inputs])
    expected = float_reference.run(graph, real.astype(np.float64), "all")
    for name in expected:
        assert live[name] == pytest.approx(expected[name] * factors[name], rel=1e-9, abs=1e-9)


def test_one_fl_a_layer_is_one_even_where_channels_are_pruned() -> None:
    graph = branches()
    layers = list(graph.layers)
    for i, k in ((0, 2), (1, 5)):
        weight = np.array(layers[i].weight) * 0.35
        weight[k] = 0.0
        layers[i] = RealLayer(**{**vars(layers[i]), "weight": weight})
    pruned = Graph(**{**vars(graph), "layers": tuple(layers)})
    for layer in quantize(pruned, images(), Options(correct=("round",))).network.layers:
        assert layer.wgt_fl is None or len(set(layer.wgt_fl.tolist())) == 1


@pytest.mark.parametrize("per_channel", [False, True])
def test_rounding_helps_groups(per_channel: bool) -> None:
    """Neighbouring pixels that are alike, as in photographs: their errors can cancel within a kernel."""
    colour = np.random.default_rng(2).normal(size=(96, 1, 1, 3))
    graph, real = branches(), (0.3 * images(96) + colour).astype(np.float32)
    options = {
        names: Options(wgt_width=4, per_channel=per_channel, correct=names) for names in ((), ("round",))
    }
    plain, rounded = (
        logits_db(graph, quantize(graph, real[:48], one), real[48:]) for one in options.values()
    )
    assert rounded > plain + 6.0


def test_nothing_to_equalize() -> None:
    graph = Graph(**{**vars(network()), "outputs": ("a", "y"), "layers": network().layers})
    first = Graph(name="n", input="x", outputs=("a",), shapes=graph.shapes, layers=graph.layers[:1])
    first = Graph(**{**vars(first), "shapes": {name: graph.shapes[name] for name in "xa"}})
    assert balance(first, observe(first, images(2))) == {}
    assert rescale(graph, {}).layers[0].weight == pytest.approx(graph.layers[0].weight)


@pytest.mark.parametrize("octaves", [False, True])
def test_bounds_move_with_the_channels_that_reach_them(octaves: bool) -> None:
    """ReLU6: exact on the images that were seen, though channels that stay below have factors of their own."""
    base = network().layers
    layers = (RealLayer(**{**vars(base[0]), "hi": 20.0}), *base[2:])
    layers = (
        layers[0],
        RealLayer(**{**vars(layers[1]), "inputs": ("a",), "lo": -1.0, "hi": 300.0}),
        *layers[2:],
    )
    shapes = {name: shape for name, shape in network().shapes.items() if name != "s"}
    graph, real = Graph(name="n", input="x", outputs=("y",), shapes=shapes, layers=layers), images()
    seen = observe(graph, real)
    reach = clipped(graph, seen)
    assert 0 < reach["a"].sum() < 6
    factors = balance(graph, seen, octaves=octaves)
    assert np.ptp(factors["a"][reach["a"]]) == 0.0 and np.ptp(factors["a"]) > 0.0
    assert np.ptp(factors["b"]) == 0.0  # -1..300 is no ReLU of any height: one factor for all
    even = rescale(graph, factors, reach)
    assert even.layers[0].hi == pytest.approx(20.0 * factors["a"][reach["a"]][0])
    assert (even.layers[1].lo, even.layers[1].hi) == pytest.approx(
        (-factors["b"][0], 300.0 * factors["b"][0])
    )
    assert np.all(seen.high["a"] * factors["a"] <= even.layers[0].hi * 1.001, where=~reach["a"])
    live = {"x": real.astype(np.float64)}
    for layer in even.layers:
        live[layer.output] = even.forward(layer, [live[name] for name in layer.inputs])
    expected = float_reference.run(graph, real.astype(np.float64), "all")
    for name in expected:
        assert live[name] == pytest.approx(expected[name] * factors[name], rel=1e-9, abs=1e-9)


def test_bounds_that_nobody_reaches_stay_above_all_channels() -> None:
    layers = (RealLayer(**{**vars(network().layers[0]), "hi": 1e6}), *network().layers[1:])
    graph, real = Graph(**{**vars(network()), "layers": layers}), images()
    seen = observe(graph, real)
    factors = balance(graph, seen)
    even = rescale(graph, factors, clipped(graph, seen))
    assert np.ptp(factors["a"]) > 0.0 and even.layers[0].hi == pytest.approx(1e6 * factors["a"].max())


@pytest.mark.parametrize("correct", [(), ("equalize",), ("shift", "round")])
def test_tensors_keep_their_factors(correct: tuple[str, ...]) -> None:
    """The report's SQNR is that of the trained network's values, whatever factors moved between layers."""
    graph, real = network(), images()
    found = quantize(graph, real, Options(correct=correct))
    net = found.network
    floats = float_reference.run(graph, real, "all")
    codes = integer_reference.run(net, net.input_codes(real), "all")
    for row, layer in zip(found.report.layers, net.layers, strict=True):
        tensor = net.tensors[layer.output]
        error = sqnr_db(floats[tensor.name], tensor.real(codes[tensor.name]))
        assert row.sqnr_db == pytest.approx(error, abs=0.01)
    scaled = [name for name, tensor in net.tensors.items() if tensor.scale is not None]
    assert scaled == ([name for name in net.tensors if name not in ("x", "y")] if correct else [])


@pytest.mark.parametrize("per_channel", [False, True])
def test_corrections_help_on_other_images(per_channel: bool) -> None:
    graph, real, other = network(), images(), images(96)[48:]
    plain = logits_db(graph, quantize(graph, real, Options(wgt_width=4, per_channel=per_channel)), other)
    for names in (("bias",), ("round",), ("equalize",), ("equalize", "round"), ("shift", "round")):
        options = Options(wgt_width=4, per_channel=per_channel, correct=names)
        found = quantize(graph, real, options)
        prove(found.network)
        assert found.report.correct == names
        if "round" in names:
            assert logits_db(graph, found, other) > plain + 1.0


def test_bias_takes_the_mean_error() -> None:
    """With the correction, the mean of a layer's output over the calibration images is the float network's."""
    graph, real = network(), images()
    first = Graph(name="n", input="x", outputs=("a",), shapes=graph.shapes, layers=graph.layers[:1])
    linear = Graph(**{**vars(first), "layers": (RealLayer(**{**vars(graph.layers[0]), "lo": -np.inf}),)})
    errors = []
    for names in ((), ("bias",)):
        net = quantize(linear, real, Options(wgt_width=3, act_width=16, correct=names)).network
        codes = integer_reference.run(net, quantize_real(real, net.tensors["x"].format))["a"]
        error = codes * net.tensors["a"].format.step - float_reference.run(linear, real)["a"]
        errors.append(float(np.abs(error.mean(axis=(0, 1, 2))).max()))
    assert errors[1] < 2.0 * net.tensors["a"].format.step < errors[0]


@pytest.mark.parametrize("groups, channels", [(1, 3), (3, 3), (2, 6), (6, 6)])
def test_windows_are_what_a_convolution_reads(groups: int, channels: int) -> None:
    weight = np.random.default_rng(2).normal(size=(groups * 2, channels // groups, 3, 2))
    layer = RealLayer(name="c", kind="conv", inputs=("x",), output="y", kernel=(3, 2), stride=(2, 1),
                      dilation=(1, 2), pads=(1, 0, 1, 1), groups=groups, weight=weight)  # fmt: skip
    shapes = {"x": (8, 8, channels), "y": (4, 7, groups * 2)}
    graph = Graph(name="g", input="x", outputs=("y",), shapes=shapes, layers=(layer,))
    real = np.random.default_rng(1).normal(size=(5, 8, 8, channels)).astype(np.float32)
    expected = float_reference.run(graph, real)["y"].reshape(5, -1, groups * 2)
    at = pixels(3, 5, 28, 9)
    assert len(np.unique(at, axis=0)) == 45
    found = windows(real, layer, at, 7) @ kernel_rows(weight, groups).transpose(0, 2, 1)
    found = found.transpose(1, 0, 2).reshape(45, -1)
    assert found == pytest.approx(expected[at[:, 0], at[:, 1]], abs=1e-5)


@pytest.mark.parametrize("correct", [(), ("equalize", "round"), ("shift", "bias")])
@pytest.mark.parametrize("method", ["qiu-l2", "output"])
def test_deterministic(method: str, correct: tuple[str, ...]) -> None:
    graph, real = network(), images(20)
    runs = [
        quantize(graph, real, Options(method=method, correct=correct, threads=t, per_channel=True))
        for t in (1, 3)
    ]
    for one, other in zip(*(found.network.layers for found in runs), strict=True):
        for name in ("wgt", "bias", "shift", "wgt_fl"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
    assert runs[0].report == runs[1].report


@pytest.mark.parametrize("method", ["non-overflow", "output"])
def test_edge_cases(method: str) -> None:
    graph = network()
    dead = Graph(**{**vars(graph), "layers": tuple(
        layer if layer.weight is None else RealLayer(**{**vars(layer), "weight": layer.weight * 0.0, "bias": None})
        for layer in graph.layers)})  # fmt: skip
    constant = np.ones((3, 8, 8, 3), np.float32)
    outlier = images(8)
    outlier[0, 0, 0, 0] = 1000.0
    for options in (
        Options(method=method, correct=("equalize", "round")),
        Options(method=method, correct=("bias",)),
    ):
        for net, real in ((graph, images(1)), (dead, images(2)), (graph, images(2) * 0), (graph, constant),
                          (graph, outlier), (graph, images(4) * 1e6), (graph, images(4) * 1e-6)):  # fmt: skip
            prove(quantize(net, real, options).network)


def test_search_by_output_never_raises_the_loss() -> None:
    graph, real = network(), images()
    start = logits_db(graph, quantize(graph, real, Options(act_width=5, wgt_width=5)), real)
    found = logits_db(graph, quantize(graph, real, Options(act_width=5, wgt_width=5, method="output")), real)
    assert found >= start


def test_names() -> None:
    for name in CORRECTIONS:
        Options(correct=(name,))
    with pytest.raises(ValueError, match="correct must name some of equalize, shift"):
        Options(correct=("magic",))
    with pytest.raises(ValueError, match="not both"):
        Options(correct=("shift", "equalize"))
