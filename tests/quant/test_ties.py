"""Tensors that share one format: which, and that the format is the best for all of them together."""

import numpy as np
import pytest
from systolith.quant.functions import apply
from systolith.quant.quantizer import Options, quantize
from systolith.quant.ties import narrow, never_negative, ties
from systolith.sw import float_reference, integer_reference
from systolith.sw.graph import Graph, RealLayer


def conv(name: str, source: str, scale: float = 1.0, lo: float = 0.0, channels: int = 2) -> RealLayer:
    weight = np.full((2, channels, 1, 1), scale / channels)
    weight[1] *= -1.0
    return RealLayer(name=name, kind="conv", inputs=(source,), output=name, weight=weight, lo=lo)


def network(*scales: float, lo: float = 0.0) -> Graph:
    """x -> a, x -> b -> pool p; concat j of a, p; a is also read by c before b is made; concat k of j, c."""
    first, second, third = scales
    layers = (
        conv("a", "x", first, lo),
        conv("c", "a", third, lo),
        conv("b", "x", second),
        RealLayer(name="p", kind="maxpool", inputs=("b",), output="p", kernel=(3, 3), pads=(1, 1, 1, 1)),
        RealLayer(name="j", kind="concat", inputs=("a", "p"), output="j"),
        RealLayer(name="k", kind="concat", inputs=("j", "c"), output="k"),
        conv("y", "k", channels=6, lo=-np.inf),
    )
    shapes = dict.fromkeys(("x", "a", "b", "c", "p", "y"), (5, 5, 2)) | {"j": (5, 5, 4), "k": (5, 5, 6)}
    return Graph(name="n", input="x", outputs=("y",), shapes=shapes, layers=layers)


def images() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(30, 5, 5, 2)).astype(np.float32)


def test_classes() -> None:
    tied = ties(network(1.0, 1.0, 1.0))
    assert {name for name, root in tied.root.items() if root == "a"} == {"a", "b", "c", "p", "j", "k"}
    assert tied.root["x"] == "x" and tied.root["y"] == "y"
    assert tied.shared == {"a": ("a", "c", "b")}


def test_a_pool_alone_shares_without_being_chosen_for() -> None:
    graph = network(1.0, 1.0, 1.0)
    chain = Graph(
        name="n", input="x", outputs=("p",), shapes={name: graph.shapes[name] for name in "xbp"},
        layers=graph.layers[2:4],
    )  # fmt: skip
    assert ties(chain).root == {"x": "x", "b": "b", "p": "b"} and not ties(chain).shared


def test_the_input_may_be_one_of_them() -> None:
    layers = (conv("a", "x"), RealLayer(name="j", kind="concat", inputs=("a", "x"), output="j"))
    shapes = {"x": (5, 5, 2), "a": (5, 5, 2), "j": (5, 5, 4)}
    graph = Graph(name="n", input="x", outputs=("j",), shapes=shapes, layers=layers)
    assert ties(graph).shared == {"x": ("x", "a")}
    formats = {name: t.format for name, t in quantize(graph, images()).network.tensors.items()}
    assert formats["x"] == formats["a"] == formats["j"] and formats["x"].signed
    unsigned = quantize(graph, np.abs(images()), Options(input_range=(0.0, 5.0))).network
    assert not unsigned.tensors["x"].format.signed and not unsigned.tensors["j"].format.signed


@pytest.mark.parametrize("scales", [(1.0, 1.0, 1.0), (1.0, 9.0, 0.5), (0.01, 1.0, 40.0)])
def test_the_common_fl_has_the_smallest_error_over_all_of_them(scales: tuple[float, float, float]) -> None:
    graph, real = network(*scales), images()
    found = quantize(graph, real, Options(correct=())).network
    floats = float_reference.run(graph, real, "all")
    formats = {found.tensors[name].format for name in ("a", "b", "c", "p", "j", "k")}
    assert len(formats) == 1
    (chosen,) = formats
    assert not chosen.signed
    errors = {}
    for fl in range(chosen.fl - 4, chosen.fl + 5):
        codes = {name: np.clip(np.rint(np.ldexp(floats[name], fl)), 0, 255) for name in "abc"}
        errors[fl] = sum(np.sum((np.ldexp(codes[name], -fl) - floats[name]) ** 2) for name in "abc")
    assert errors[chosen.fl] == min(errors.values())


def test_signed_as_soon_as_one_can_be_negative() -> None:
    graph = network(1.0, 1.0, 1.0, lo=-np.inf)
    found = quantize(graph, images(), Options(correct=())).network
    assert found.tensors["b"].format.signed and found.tensors["k"].format.signed
    positive = never_negative(graph, signed_input=True)
    assert positive == {**dict.fromkeys("xacjky", False), "b": True, "p": True}
    copies = Graph(**{**vars(graph), "layers": graph.layers[:1]})
    plus = np.abs(np.ones((2, 2, 1, 1)))
    copies = Graph(**{**vars(copies), "layers": (RealLayer(**{**vars(graph.layers[0]), "weight": plus}),)})
    assert (
        never_negative(copies, signed_input=False)["a"] and not never_negative(copies, signed_input=True)["a"]
    )


@pytest.mark.parametrize("method", ["qiu-l1", "percentile", "kl", "aciq-laplace", "output"])
def test_every_method_keeps_them_together(method: str) -> None:
    graph, real = network(1.0, 3.0, 0.2), images()
    found = quantize(graph, real, Options(method=method, act_widths={"b": 6})).network
    formats = {found.tensors[name].format for name in ("a", "b", "c", "p", "j", "k")}
    assert len(formats) == 1 and formats.pop().width == 6
    codes = integer_reference.run(found, found.input_codes(real), "all")
    assert np.array_equal(codes["k"], np.concatenate([codes["a"], codes["p"], codes["c"]], axis=3))


def test_a_residual_caps_all_of_them() -> None:
    """The addition of k's tensor a wants it no finer than its own accumulator: the others follow."""
    graph = network(1e-3, 1e-3, 1e-3)
    coarse = RealLayer(
        name="y", kind="conv", inputs=("x", "a"), output="y", weight=np.full((2, 2, 1, 1), 100.0)
    )
    graph = Graph(**{**vars(graph), "layers": (*graph.layers[:6], coarse), "outputs": ("y", "k")})
    found = quantize(graph, images(), Options(correct=())).network
    last = found.layers[-1]
    assert last.res_shift is not None and int(last.res_shift.min()) >= 0
    assert len({found.tensors[name].format for name in ("a", "b", "c", "p", "j", "k")}) == 1


def gated(f: str = "Sigmoid") -> Graph:
    """x -> a -> table t; c = concat of t, b; mean m of b, relu; a * m (of a's two channels)."""
    layers = (
        conv("a", "x", lo=-np.inf),
        RealLayer(name="t", kind="table", inputs=("a",), output="t", function=apply(f)),
        conv("b", "x"),
        RealLayer(name="m", kind="maxpool", inputs=("b",), output="m", kernel=(5, 5)),
        RealLayer(name="p", kind="product", inputs=("t", "m"), output="p"),
        RealLayer(name="y", kind="concat", inputs=("p", "t"), output="y"),
    )
    shapes = dict.fromkeys(("x", "a", "t", "b", "p"), (5, 5, 2)) | {"m": (1, 1, 2), "y": (5, 5, 4)}
    return Graph(name="n", input="x", outputs=("y",), shapes=shapes, layers=layers)


def test_what_tables_and_products_read_is_narrow() -> None:
    assert narrow(gated()) == {"a": 8, "b": 8, "m": 8}  # b passes its codes to m
    assert narrow(network(1.0, 1.0, 1.0)) == {}
    assert ties(gated()).signed == {"b", "m"}
    formats = {
        name: t.format
        for name, t in quantize(gated(), images(), Options(act_width=16)).network.tensors.items()
    }
    assert {name: fmt.width for name, fmt in formats.items()} == {
        "x": 16, "a": 8, "t": 16, "b": 8, "m": 8, "p": 16, "y": 16,
    }  # fmt: skip
    assert formats["b"].signed and formats["m"].signed and formats["a"].signed


def test_signs_of_tables_and_products() -> None:
    assert never_negative(gated(), True) == {
        "x": False, "a": False, "t": True, "b": True, "m": True, "p": True, "y": True,
    }  # fmt: skip
    assert not never_negative(gated("Tanh"), True)["p"]
    formats = quantize(gated(), images()).network.tensors
    assert not formats["y"].format.signed and not formats["t"].format.signed
    assert quantize(gated("Tanh"), images()).network.tensors["y"].format.signed


def test_the_report_says_that_a_table_takes_fewer_bits() -> None:
    rows = {row.name: row for row in quantize(gated(), images(), Options(act_width=16)).report.layers}
    said = "8 bits, not 16: a table or a product reads it"
    assert rows["a"].decision.endswith(said) and rows["b"].decision.endswith(said)
    assert said not in rows["t"].decision and rows["t"].function == "Sigmoid(x)"
    assert not any(said in row.decision for row in quantize(gated(), images()).report.layers)
    with pytest.raises(
        ValueError, match=r"act_widths\['a'\] must be at most 8 bits, not 16: a table or a product"
    ):
        quantize(gated(), images(), Options(act_widths={"a": 16}))
