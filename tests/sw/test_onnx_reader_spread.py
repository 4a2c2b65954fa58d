"""Broadcasts, Mean, Expand, Tile and SpaceToDepth against ONNX Runtime, and what they refuse."""

from typing import Any

import numpy as np
import onnx
import pytest
from systolith.sw.float_reference import FloatSession, run
from systolith.sw.graph import Graph
from systolith.sw.onnx_reader import check, read
from systolith.sw.random_model import ModelBuilder
from systolith.sw.random_operators import finished


def same(made: onnx.ModelProto) -> Graph:
    graph = read(made)
    real = np.random.default_rng(0).normal(size=(2, *graph.shapes[graph.input])).astype(np.float32)
    theirs, ours = FloatSession(made, graph).run(real), run(graph, real)
    for name in graph.outputs:
        expected = theirs[name].reshape(2, -1)
        assert np.allclose(ours[name].transpose(0, 3, 1, 2).reshape(2, -1), expected, atol=1e-5), name
    return graph


def refusal(made: onnx.ModelProto) -> str:
    (finding,) = (item for item in check(made) if not item.supported)
    return f"{finding.why}; {finding.cure}"


def integers(build: ModelBuilder, *values: int) -> str:
    return build.constant(np.array(values, np.int64))


@pytest.mark.parametrize("op", ["Sum", "Mean"])
def test_sums_of_many(op: str) -> None:
    """Each addition has a tensor of its own, and so a format."""
    build = ModelBuilder((3, 4, 5))
    operands = [build.conv("input", 3) for _ in range(4)]
    graph = same(finished(build, build.node(op, *operands, build.weight(3, 1, 1))))
    assert sum(len(layer.inputs) == 2 for layer in graph.layers) == 3
    assert len({layer.output for layer in graph.layers}) == len(graph.layers)


@pytest.mark.parametrize("op", ["Add", "Sub", "Sum", "Mean"])
@pytest.mark.parametrize("swapped", [False, True])
def test_broadcasts(op: str, swapped: bool) -> None:
    build = ModelBuilder((3, 4, 5))
    pixel = build.pool("GlobalAveragePool", "input")
    row = build.node("ReduceMean", "input", axes=[2], keepdims=1)
    channel = build.conv("input", 1)
    for other in (pixel, row, channel):
        operands = (other, "input") if swapped else ("input", other)
        build.nodes.append(onnx.helper.make_node(op, list(operands), [f"out_{other}"], name=f"n_{other}"))
        build.shapes[f"out_{other}"] = (3, 4, 5)
    graph = same(build.model(*(f"out_{other}" for other in (pixel, row, channel))))
    assert [layer.factor for layer in graph.layers if layer.kind == "upsample"] == [(4, 5), (4, 1)]


def test_expand_and_tile() -> None:
    for op, amounts in (("Expand", (1, 3, 4, 5)), ("Tile", (1, 1, 4, 5))):
        build = ModelBuilder((3, 6, 6))
        pixel = build.pool("GlobalAveragePool", "input")
        graph = same(finished(build, build.node(op, pixel, integers(build, *amounts))))
        assert [layer.kind for layer in graph.layers] == ["avgpool", "upsample"]
        assert graph.layers[1].factor == (4, 5)
    build = ModelBuilder((1, 3, 1))
    graph = same(finished(build, build.node("Expand", "input", integers(build, 1, 4, 1, 2))))
    assert graph.shapes[graph.outputs[0]] == (3, 2, 4)


@pytest.mark.parametrize("block", [2, 3])
def test_space_to_depth(block: int) -> None:
    build = ModelBuilder((2, 6, 12))
    graph = same(finished(build, build.node("SpaceToDepth", "input", blocksize=block)))
    (layer,) = graph.layers
    assert (layer.kind, layer.kernel, layer.stride) == ("conv", (block, block), (block, block))


@pytest.mark.parametrize(
    ("op", "amounts", "attributes", "message"),
    [
        ("Expand", (2, 3, 4, 4), {}, "it makes a batch of 2"),
        ("Expand", (1, 3, 4, 8), {}, "it expands ['N', 3, 4, 4] to ['N', 3, 4, 8]; leave it out"),
        ("Expand", (1, 1, 3, 4, 4), {}, "it expands"),
        ("Tile", (1, 1, 2, 1), {}, "it makes ['N', 3, 8, 4] of ['N', 3, 4, 4]; repeat axes of one value of a map"),
        ("Tile", (2, 1, 1, 1), {}, "it repeats [2, 1, 1, 1] times; repeat height, width or channels"),
        ("SpaceToDepth", (), {"blocksize": 3}, "its blocks of 3x3 do not divide the map [4, 4]; pad the map"),
        ("DepthToSpace", (), {"blocksize": 1}, "operator DepthToSpace is not supported; upsample by the nearest"),
        ("LpPool", (), {"kernel_shape": [2, 2]}, "operator LpPool is not supported; use AveragePool or MaxPool"),
        ("GlobalLpPool", (), {}, "operator GlobalLpPool is not supported; use GlobalAveragePool"),
    ],
)  # fmt: skip
def test_refusals(op: str, amounts: tuple[int, ...], attributes: dict[str, Any], message: str) -> None:
    build = ModelBuilder((3, 4, 4), batch=1)
    operands = [integers(build, *amounts)] if amounts else []
    made = build.node(op, build.same("Relu", "input"), *operands, **attributes)
    assert refusal(finished(build, made)).startswith(message)


def test_broadcasts_that_are_none() -> None:
    build = ModelBuilder((4, 6, 6))
    narrow = build.conv("input", 4, stride=(2, 1))
    made = build.node("Add", "input", build.node("Relu", narrow))
    build.shapes[made] = (4, 6, 6)
    model = build.model(made)
    assert refusal(model).startswith("it broadcasts [4, 6, 6] with [4, 3, 6]; add tensors of one shape, or")


def test_transposed_convolutions_have_a_cure() -> None:
    build = ModelBuilder((2, 4, 4))
    weight = build.weight(2, 3, 2, 2)
    made = finished(build, build.node("ConvTranspose", "input", weight, strides=[2, 2]))
    assert refusal(made).endswith(
        "upsample by the nearest pixel (Resize) in front of an ordinary convolution"
    )
