"""Relabelling operators in every spelling against ONNX Runtime, and what they refuse; old files."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from systolith.sw.float_reference import FloatSession, run
from systolith.sw.graph import Graph
from systolith.sw.onnx_reader import check, read
from systolith.sw.onnx_reader_context import Ref
from systolith.sw.onnx_reader_relabel import grouped
from systolith.sw.random_model import ModelBuilder


def same(build: ModelBuilder, output: str, shape: tuple[int, ...], count: int = 3) -> Graph:
    """The graph, after its values agreed with ONNX Runtime's on the file."""
    build.shapes[output] = shape
    model = build.model(output)
    graph = read(model)
    real = np.random.default_rng(0).normal(size=(count, *graph.shapes[graph.input])).astype(np.float32)
    theirs, ours = FloatSession(model, graph).run(real), run(graph, real)
    for name in graph.outputs:
        got = ours[name].transpose(0, 3, 1, 2).reshape(count, -1)
        assert got == pytest.approx(theirs[name].reshape(count, -1), abs=1e-5)
    return graph


def ints(build: ModelBuilder, *values: int) -> str:
    return build.constant(np.array(values, np.int64))


def dense(build: ModelBuilder, source: str, features: int) -> tuple[ModelBuilder, str, tuple[int, ...]]:
    return build, build.node("MatMul", source, build.weight(features, 3)), (3,)


def test_groups() -> None:
    ref = Ref(tensor="x", shape=(4, 5, 3))
    assert grouped(ref, (60,)) == ("CHW",) and grouped(ref, (3, 20)) == ("C", "HW")
    assert grouped(ref, (12, 5)) == ("CH", "W") and grouped(ref, (1, 3, 1, 4, 5)) == ("", "C", "", "H", "W")
    assert grouped(ref, (6, 10)) is None and grouped(ref, (3, 4)) is None


def test_rows_joined_then_averaged() -> None:
    build = ModelBuilder((4, 3, 5))
    rows = build.node("Reshape", build.same("Relu", "input"), ints(build, 0, 0, -1))
    mean = build.node("ReduceMean", rows, axes=[2], keepdims=0)
    graph = same(*dense(build, mean, 4))
    assert [layer.kind for layer in graph.layers] == ["avgpool", "avgpool", "conv"]


@pytest.mark.parametrize("axes", [[2], [3], [-1, 2], [2, 3]])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_reduce(axes: list[int], keepdims: int) -> None:
    build = ModelBuilder((4, 3, 5))
    shape = tuple(1 if i in axes or i - 4 in axes else n for i, n in ((1, 4), (2, 3), (3, 5)))
    left = (
        shape if keepdims else tuple(n for i, n in enumerate(shape, 1) if i not in axes and i - 4 not in axes)
    )
    same(build, build.node("ReduceMean", "input", axes=axes, keepdims=keepdims), left)
    build = ModelBuilder((4, 3, 5), opset=18)
    same(build, build.node("ReduceMax", "input", ints(build, *axes), keepdims=keepdims), left)


def test_squeeze_and_unsqueeze() -> None:
    build = ModelBuilder((4, 3, 5))
    mean = build.pool("GlobalAveragePool", "input")
    bare = build.node("Squeeze", build.node("Squeeze", mean, ints(build, 3)), ints(build, -1))
    again = build.node("Unsqueeze", bare, ints(build, 2, 3))
    build.shapes[again] = (4, 1, 1)
    same(build, build.conv(again, 2, (1, 1), pads=(0, 0, 0, 0)), (2, 1, 1))
    build = ModelBuilder((4, 1, 1))
    same(*dense(build, build.node("Squeeze", build.same("Relu", "input"), ints(build, 2, 3)), 4))


def test_dense_along_the_channels() -> None:
    """MatMul over [N, H, W, C] is a 1x1 convolution."""
    build = ModelBuilder((4, 3, 5))
    last = build.node("Transpose", "input", perm=[0, 2, 3, 1])
    product = build.node("Add", build.node("MatMul", last, build.weight(4, 6)), build.weight(6))
    graph = same(build, build.node("Transpose", product, perm=[0, 3, 1, 2]), (6, 3, 5))
    assert [layer.kernel for layer in graph.layers] == [(1, 1)] and graph.macs == 15 * 24


def test_shuffle_of_channels() -> None:
    build = ModelBuilder((6, 3, 5))
    parted = build.node("Reshape", build.same("Relu", "input"), ints(build, 0, 2, 3, 3, 5))
    turned = build.node("Transpose", build.node("Relu", parted), perm=[0, 2, 1, 3, 4])
    graph = same(build, build.node("Reshape", turned, ints(build, 0, 6, 3, 5)), (6, 3, 5))
    assert graph.layers[-1].weight is not None and graph.layers[-1].macs == 0
    build = ModelBuilder((6, 3, 5))
    parted = build.node("Reshape", build.same("Relu", "input"), ints(build, 0, 2, 3, 3, 5))
    assert len(same(build, build.node("Reshape", parted, ints(build, 0, 6, 3, 5)), (6, 3, 5)).layers) == 1


def test_split() -> None:
    build = ModelBuilder((7, 3, 3))
    source = build.same("Relu", "input")
    build.nodes.append(helper.make_node("Split", [source, ints(build, 2, 4, 1)], ["a", "b", "c"], axis=1))
    joined = build.node("Concat", "c", build.node("Relu", "a"), axis=1)
    same(build, joined, (3, 3, 3))


def test_sums_and_bounds() -> None:
    build = ModelBuilder((3, 4, 4))
    one, two = build.conv("input", 3), build.conv("input", 3)
    total = build.same("Sum", one, two, "input")
    total = build.same("Sub", total, build.same("Neg", two))
    low = build.same("Max", total, build.constant(np.zeros(1, np.float32)))
    same(build, build.node("Min", build.constant(np.full(1, 6, np.float32)), low), (3, 4, 4))


def test_cast_and_expand_are_nothing() -> None:
    build = ModelBuilder((3, 4, 4))
    cast = build.same("Cast", build.conv("input", 2), to=TensorProto.FLOAT)
    size = build.node("Shape", cast)
    assert len(same(build, build.same("Expand", cast, size), (2, 4, 4)).layers) == 1
    build = ModelBuilder((3, 4, 4), opset=17)
    like = build.same("CastLike", build.conv("input", 2), build.constant(np.ones(1, np.float32)))
    limit = build.node("CastLike", build.constant(np.array(1, np.int64)), like)
    assert same(build, build.same("Min", like, limit), (2, 4, 4)).layers[0].hi == 1.0


@pytest.mark.parametrize(
    "op, why, attributes",
    [
        ("Cast", "it casts to int32", {"to": TensorProto.INT32}),
        ("Cast", "it casts to float16", {"to": TensorProto.FLOAT16}),
        ("Transpose", "it permutes [1, 0, 2, 3]", {"perm": [1, 0, 2, 3]}),
        ("ReduceMean", "it reduces the channels (axes [1])", {"axes": [1]}),
        ("ReduceMean", "it reduces the batch too", {}),
        ("ReduceMean", "its axes [0, 2] are not within 1..3", {"axes": [0, 2]}),
    ],
)
def test_refusals(op: str, why: str, attributes: dict[str, object]) -> None:
    build = ModelBuilder((3, 4, 4))
    output = build.same(op, "input", **attributes)
    model = build.model(output)
    (bad,) = [item for item in check(model) if not item.supported]
    assert bad.why == why and bad.cure


@pytest.mark.parametrize(
    "shape, why",
    [
        ((8, 6), "it fixes the batch to 8 ([8, 6])"),
        ((0, 7, -1), "it reshapes ['N', 3, 4, 4] to ['N', 7, 6]"),
    ],
)
def test_reshapes_that_mix(shape: tuple[int, ...], why: str) -> None:
    build = ModelBuilder((3, 4, 4))
    output = build.node("Reshape", build.same("Relu", "input"), ints(build, *shape))
    build.shapes[output] = (48,)
    (bad,) = [item for item in check(build.model(output)) if not item.supported]
    assert bad.why == why and bad.cure


def test_a_shape_that_mixes_the_batch() -> None:
    build = ModelBuilder((3, 4, 4))
    batch = build.node("Gather", build.node("Shape", "input"), ints(build, 0))
    rows = build.node("Concat", build.node("Mul", batch, ints(build, 3)), ints(build, 16), axis=0)
    output = build.node("Reshape", build.same("Relu", "input"), rows)
    build.shapes[output] = (16,)
    (bad,) = [item for item in check(build.model(output)) if not item.supported]
    assert bad.why == "it mixes the batch with other axes"


def test_cntk() -> None:
    """MNIST by CNTK: opset 8, weights that nodes reshape, initializers as inputs, SAME_UPPER, MatMul and Add."""
    build = ModelBuilder((1, 12, 12), opset=8, batch=1)
    same_pads = {"auto_pad": "SAME_UPPER", "dilations": [1, 1], "group": 1, "strides": [1, 1]}
    no_pads = {"auto_pad": "NOTSET", "pads": [0, 0, 0, 0]}
    value = build.node("Conv", "input", build.weight(4, 1, 5, 5), kernel_shape=[5, 5], **same_pads)
    value = build.node("Relu", build.node("Add", value, build.weight(4, 1, 1)))
    value = build.node("MaxPool", value, kernel_shape=[2, 2], strides=[2, 2], **no_pads)
    value = build.node("Conv", value, build.weight(6, 4, 5, 5), kernel_shape=[5, 5], **same_pads)
    value = build.node("Relu", build.node("Add", value, build.weight(6, 1, 1)))
    value = build.node("MaxPool", value, kernel_shape=[3, 3], strides=[3, 3], **no_pads)
    flat = build.node("Reshape", value, ints(build, 1, 24))
    weight = build.node("Reshape", build.weight(6, 2, 2, 10), ints(build, 24, 10))
    output = build.node("Add", build.node("MatMul", flat, weight), build.weight(1, 10))
    build.shapes[output] = (10,)
    model = build.model(output)
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    onnx.checker.check_model(model)
    graph = read(model)
    assert [layer.kind for layer in graph.layers] == ["conv", "maxpool", "conv", "maxpool", "conv"]
    real = np.random.default_rng(0).normal(size=(5, 12, 12, 1)).astype(np.float32)
    ours = run(graph, real)[output].reshape(5, 10)
    assert ours == pytest.approx(FloatSession(model, graph).run(real)[output], rel=1e-4, abs=1e-4)


def test_functions_of_the_file_s_own() -> None:
    """PyTorch 2.1 to 2.4 wrap operators in functions."""
    build = ModelBuilder((2, 4, 4))
    output = build.conv("input", 3)
    build.shapes["y"] = (3, 4, 4)
    model = build.model(output)
    body = [helper.make_node("Relu", ["a"], ["b"]), helper.make_node("Neg", ["b"], ["c"])]
    opsets = [helper.make_opsetid("", 13)]
    model.functions.append(helper.make_function("pkg.torch", "aten_relu", ["a"], ["c"], body, opsets))
    model.graph.node.append(helper.make_node("aten_relu", [output], ["y"], domain="pkg.torch"))
    model.opset_import.append(helper.make_opsetid("pkg.torch", 1))
    model.graph.output[0].name = "y"
    graph = read(model)
    real = np.random.default_rng(0).normal(size=(3, 4, 4, 2)).astype(np.float32)
    theirs = FloatSession(model, graph).run(real)["y"].transpose(0, 2, 3, 1)
    assert run(graph, real)["y"] == pytest.approx(theirs, abs=1e-5)
    assert [item.op for item in check(model)] == ["Conv", "Relu", "Neg"]
