"""Passes that make tables, on graphs by hand: what fuses, and what must not."""

import math
from dataclasses import replace

import numpy as np
from systolith.quant.formats import QFormat
from systolith.quant.functions import OPERANDS, Function, apply
from systolith.sw.graph import Node, NodeKind
from systolith.sw.passes import fuse

VALUES = np.linspace(-4.0, 4.0, 33)[:, None].repeat(2, 1)


def conv(source: str, output: str) -> Node:
    return Node(name="c", kind="conv", inputs=(source,), output=output, weight=np.ones((2, 2, 1, 1)), macs=1)


def table(op: str, source: str, output: str) -> Node:
    return Node(name=op, kind="table", inputs=(source,), output=output, function=apply(op))


def affine(source: str, output: str, scale: float, offset: float, other: float | None = None) -> Node:
    second = scale if other is None else other
    return Node(
        name="a", kind="affine", inputs=(source,), output=output, scale=np.array([scale, second]),
        offset=np.full(2, offset),
    )  # fmt: skip


def two(kind: NodeKind, first: str, second: str, output: str) -> Node:
    function = apply("Max", *map(Function, OPERANDS[:2])) if kind == "apply" else None
    return Node(name=kind, kind=kind, inputs=(first, second), output=output, function=function)


def value(node: Node) -> np.ndarray:
    assert node.function is not None
    return np.clip(node.function(VALUES), node.lo, node.hi)


def test_a_product_of_functions_of_one_tensor() -> None:
    nodes = [
        conv("x", "1"),
        table("Sigmoid", "1", "2"),
        affine("2", "3", 2.0, 0.5),
        two("product", "1", "3", "4"),
    ]
    first, last = fuse(nodes, ["4"])
    assert (first.kind, last.kind, last.inputs, last.name) == ("conv", "table", ("1",), "product")
    assert np.allclose(value(last), VALUES * (2.0 / (1.0 + np.exp(-VALUES)) + 0.5))


def test_the_nearest_common_tensor() -> None:
    """Both are functions of 1 and of 2: the table reads 2."""
    nodes = [
        conv("x", "1"), table("Tanh", "1", "2"), table("Abs", "2", "3"), two("apply", "3", "2", "4"),
        conv("2", "5"),
    ]  # fmt: skip
    result = {node.output: node for node in fuse(nodes, ["4", "5"])}
    assert result["4"].inputs == ("2",) and set(result) == {"1", "2", "4", "5"}


def test_bounds_on_the_way_count() -> None:
    clip = Node(name="r", kind="clip", inputs=("1",), output="2", lo=-1.0, hi=2.0)
    nodes = [
        conv("x", "1"),
        clip,
        two("product", "2", "1", "3"),
        replace(clip, inputs=("3",), output="4", lo=0.0),
    ]
    _, last = fuse(nodes, ["4"])
    assert (last.lo, last.hi) == (0.0, 2.0)
    assert np.array_equal(value(last), np.clip(VALUES * np.clip(VALUES, -1, 2), 0, 2))


def test_maps_of_two_convolutions_stay() -> None:
    nodes = [conv("x", "1"), conv("x", "2"), table("Tanh", "1", "3"), two("product", "3", "2", "4")]
    assert [node.kind for node in fuse(nodes, ["4"])] == ["conv", "conv", "table", "product"]


def test_a_residual_addition_stays_one() -> None:
    relu = Node(name="r", kind="clip", inputs=("1",), output="2", lo=0.0)
    nodes = [conv("x", "1"), relu, two("add", "1", "2", "3")]
    assert [node.kind for node in fuse(nodes, ["3"])] == ["conv", "avgpool", "add"]
    shared = [conv("x", "1"), table("Tanh", "1", "2"), conv("2", "3"), two("add", "1", "2", "4")]
    assert [node.kind for node in fuse(shared, ["3", "4"])].count("table") == 1  # the addition needs it


def test_what_comes_behind_a_table_goes_into_it() -> None:
    nodes = [
        conv("x", "1"), table("Tanh", "1", "2"), affine("2", "3", 2.0, -1.0, 3.0), table("Abs", "3", "4"),
        replace(affine("4", "5", -1.0, 0.0), hi=-0.25),
    ]  # fmt: skip
    _, last = fuse(nodes, ["5"])
    assert last.name == "Tanh" and last.function is not None and last.function.channels == 2
    expected = np.minimum(-np.abs(np.tanh(VALUES) * np.array([2.0, 3.0]) - 1.0), -0.25)
    assert np.allclose(value(last), expected)


def test_a_convolution_behind_takes_the_scale_of_a_table_read_once() -> None:
    nodes = [conv("x", "1"), table("Tanh", "1", "2"), affine("2", "3", 1.0, 0.0, 3.0), conv("3", "4")]
    _, second, third = fuse(nodes, ["4"])
    assert second.function is not None and second.function.channels == 1
    assert third.weight is not None and third.weight[0, :, 0, 0].tolist() == [1.0, 3.0]


def test_what_no_layer_in_front_takes_goes_into_the_table() -> None:
    pool = Node(name="p", kind="avgpool", inputs=("x",), output="1", kernel=(2, 2))
    clip = Node(name="r", kind="clip", inputs=("2",), output="3", lo=0.0, hi=math.inf)
    for nodes in (
        [pool, affine("1", "2", 2.0, 1.0), clip, table("Sqrt", "3", "4")],
        [conv("x", "1"), affine("1", "2", 2.0, 1.0), clip, table("Sqrt", "3", "4"), conv("1", "5")],
    ):
        kept = [node.output for node in nodes if node.output in ("4", "5")]
        result = {node.output: node for node in fuse(nodes, kept)}
        assert result["4"].inputs == ("1",) and not {"2", "3"} & set(result)
        assert np.allclose(value(result["4"]), np.sqrt(np.maximum(2.0 * VALUES + 1.0, 0.0)))


def test_outputs_and_codes_part_tables() -> None:
    nodes = [conv("x", "1"), table("Tanh", "1", "2"), table("Abs", "2", "3")]
    assert len(fuse(nodes, ["3"])) == 2 and len(fuse(nodes, ["2", "3"])) == 3
    codes = [nodes[0], replace(nodes[1], format=QFormat(8, 7)), nodes[2]]
    assert len(fuse(codes, ["3"])) == 3
    assert len(fuse([*codes[:2], two("product", "1", "2", "3")], ["3"])) == 3


def test_the_scale_of_a_product_goes_to_its_second_operand() -> None:
    nodes = [conv("x", "1"), conv("y", "2"), two("product", "1", "2", "3"), affine("3", "4", 0.5, 0.0, 2.0)]
    first, second, product = fuse(nodes, ["4"])
    assert (product.kind, product.inputs[0]) == ("product", "1") and first.weight is not None
    assert (first.weight == 1.0).all()
    assert second.weight is not None and second.weight[:, 0, 0, 0].tolist() == [0.5, 2.0]
    shifted = [*nodes[:3], affine("3", "4", 0.5, 1.0)]
    assert [node.kind for node in fuse(shifted, ["4"])] == ["conv", "conv", "product", "conv"]
