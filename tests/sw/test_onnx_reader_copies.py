"""Slice, Pad and Concat in every spelling against ONNX Runtime, and what they refuse."""

from typing import Any

import numpy as np
import onnx
import pytest
from systolith.sw.float_reference import FloatSession, run
from systolith.sw.graph import Graph
from systolith.sw.onnx_reader import check, read
from systolith.sw.random_model import ModelBuilder

END = (1 << 31) - 1


def ints(build: ModelBuilder, *values: int) -> str:
    return build.constant(np.array(values, np.int64))


def copied(model: onnx.ModelProto) -> Graph:
    """The graph, after ONNX Runtime has said that it moves the same values, to the bit."""
    graph = read(model)
    real = np.random.default_rng(0).normal(size=(2, *graph.shapes[graph.input])).astype(np.float32)
    theirs, ours = FloatSession(model, graph).run(real), run(graph, real)
    for name in graph.outputs:
        expected = theirs[name].reshape(2, -1)
        assert np.array_equal(ours[name].transpose(0, 3, 1, 2).reshape(2, -1), expected), name
    return graph


def sliced(opset: int, **lists: tuple[int, ...]) -> onnx.ModelProto:
    """Slice of a map of 6 channels, 9 rows and 7 columns: attributes before opset 10, inputs from then on."""
    build = ModelBuilder((6, 9, 7), opset=opset)
    if opset < 10:
        output = build.node("Slice", "input", **lists)
    else:
        names = [
            ints(build, *lists[key]) if key in lists else "" for key in ("starts", "ends", "axes", "steps")
        ]
        while not names[-1]:
            names.pop()
        output = build.node("Slice", "input", *names)
    build.shapes[output] = (1, 1, 1)
    model = build.model(output)
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    return model


@pytest.mark.parametrize(
    "lists",
    [
        {"starts": (0, 0), "ends": (END, END), "axes": (2, 3), "steps": (2, 2)},
        {"starts": (1, 0), "ends": (END, END), "axes": (2, 3), "steps": (2, 3)},
        {"starts": (2, 1), "ends": (-1, 100), "axes": (-2, -1), "steps": (3, 1)},
        {"starts": (1, 2), "ends": (5, 6), "axes": (2, 3)},
        {"starts": (8,), "ends": (9,), "axes": (2,)},
        {"starts": (-2,), "ends": (END,), "axes": (1,)},
        {"starts": (5,), "ends": (-7,), "axes": (1,), "steps": (-2,)},
        {"starts": (0, 1, 0, 0), "ends": (END, 5, 9, 6)},
    ],
)
def test_slices(lists: dict[str, tuple[int, ...]]) -> None:
    graph = copied(sliced(13, **lists))
    assert [layer.kind for layer in graph.layers] == ["conv"] and graph.macs == 0
    if "steps" not in lists:
        assert [layer.kind for layer in copied(sliced(9, **lists)).layers] == ["conv"]


def test_a_slice_of_everything_is_nothing() -> None:
    build = ModelBuilder((3, 6, 6))
    whole = build.node("Slice", "input", ints(build, 0, 0), ints(build, END, 6), ints(build, 0, 2))
    build.shapes[whole] = (3, 6, 6)
    assert len(read(build.model(build.conv(whole, 4))).layers) == 1


@pytest.mark.parametrize("opset", [9, 13, 18])
@pytest.mark.parametrize(
    "pads", [(0, 2, 0, 0, 0, 1, 0, 0), (0, 0, 1, 2, 0, 0, 0, 3), (0, 1, 2, 0, 0, 0, 1, 1)]
)
def test_pads(opset: int, pads: tuple[int, ...]) -> None:
    build = ModelBuilder((3, 5, 6), opset=opset)
    if opset < 11:
        output = build.node("Pad", "input", pads=pads, mode="constant", value=0.0)
    elif opset < 18:
        output = build.node("Pad", "input", ints(build, *pads), build.constant(np.array(0.0, np.float32)))
    else:
        some = [i for i in range(4) if pads[i] or pads[i + 4]]
        values = [pads[i] for i in some] + [pads[i + 4] for i in some]
        output = build.node("Pad", "input", ints(build, *values), "", ints(build, *(i - 4 for i in some)))
    build.shapes[output] = tuple(n + pads[i + 1] + pads[i + 5] for i, n in enumerate((3, 5, 6)))
    graph = copied(build.model(output))
    assert [layer.kind for layer in graph.layers] == ["conv"] and graph.macs == 0


def shortcut(build: ModelBuilder, source: str) -> str:
    """Every second pixel, and zeros for new channels: the CIFAR ResNets' option A."""
    c, h, w = build.shapes[source]
    lists = (ints(build, *values) for values in ((0, 0), (END, END), (2, 3), (2, 2)))
    cut = build.node("Slice", source, *lists)
    around = build.node("Pad", cut, ints(build, 0, c // 2, 0, 0, 0, c // 2, 0, 0))
    build.shapes[around] = (2 * c, -(-h // 2), -(-w // 2))
    return around


def test_maps_of_one_channel_without_an_axis_for_it() -> None:
    """[N, H, W]: rows and columns are sliced and padded as those of [N, 1, H, W]."""
    build = ModelBuilder((1, 6, 5))
    build.shapes["input"] = (6, 5)
    part = build.node(
        "Slice", "input", ints(build, 1, 0), ints(build, END, 4), ints(build, 1, 2), ints(build, 2, 1)
    )
    build.shapes[part] = (3, 4)
    around = build.node("Pad", part, ints(build, 0, 1, 0, 0, 0, 2))
    build.shapes[around] = (4, 6)
    graph = copied(build.model(around))
    assert [layer.kind for layer in graph.layers] == ["conv", "conv"] and graph.input_axes == ("H", "W")
    thin = ModelBuilder((1, 1, 5))
    thin.shapes["input"] = (1, 5)
    wider = thin.node("Pad", "input", ints(thin, 0, 1, 0, 0, 0, 0))
    thin.shapes[wider] = (2, 5)
    (bad,) = [item for item in check(thin.model(wider)) if not item.supported]
    assert bad.why == "it pads axis 1, of one value" and bad.cure


def test_the_parameter_free_shortcut_is_one_convolution() -> None:
    build = ModelBuilder((4, 8, 8))
    first = build.same("Relu", build.conv("input", 4))
    main = build.conv(build.same("Relu", build.conv(first, 8, stride=(2, 2))), 8)
    output = build.same("Relu", build.same("Add", main, shortcut(build, first)))
    model = build.model(output)
    graph = read(model)
    assert [(layer.kernel, layer.stride, layer.macs > 0) for layer in graph.layers] == [
        ((3, 3), (1, 1), True), ((3, 3), (2, 2), True), ((1, 1), (2, 2), False), ((3, 3), (1, 1), True),
    ]  # fmt: skip
    copy, last = graph.layers[2:]
    assert last.inputs[1] == copy.output and last.lo == 0.0
    expected = np.zeros((8, 4))
    expected[np.arange(2, 6), np.arange(4)] = 1.0
    assert copy.weight is not None and np.array_equal(copy.weight[:, :, 0, 0], expected)
    real = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype(np.float32)
    theirs = FloatSession(model, graph).run(real)[output].transpose(0, 2, 3, 1)
    assert run(graph, real)[output] == pytest.approx(theirs, abs=1e-5)
    assert [item.where for item in check(model)] == ["engine"] * len(model.graph.node)
    assert not any(item.lacks for item in check(model))


def test_a_pad_becomes_that_of_the_convolutions_behind_it() -> None:
    build = ModelBuilder((3, 7, 7))
    padded = build.node("Pad", "input", ints(build, 0, 0, 0, 0, 0, 0, 1, 2))
    build.shapes[padded] = (3, 8, 9)
    first = build.conv(padded, 4, stride=(2, 2), pads=(1, 0, 0, 0))
    second = build.conv(padded, 4, pads=(0, 0, 0, 0))
    graph = read(build.model(first, second))
    assert [layer.pads for layer in graph.layers] == [(1, 0, 1, 2), (0, 0, 1, 2)]
    assert all(layer.inputs == ("input",) for layer in graph.layers)


def test_concats() -> None:
    build = ModelBuilder((3, 6, 6))
    first, second = build.conv("input", 4), build.conv("input", 2)
    both = build.concat(first, "input", second)
    pooled = build.pool("MaxPool", both)
    deep = build.concat(pooled, pooled)
    flat = build.node(
        "Concat", *(build.node("Flatten", build.pool("GlobalAveragePool", deep)) for _ in "ab"), axis=-1
    )
    build.shapes[flat] = (36,)
    model = build.model(flat)
    graph = read(model)
    assert graph.shapes[both] == (6, 6, 9) and graph.shapes[flat] == (1, 1, 36)
    assert next(layer.inputs for layer in graph.layers if layer.kind == "concat") == (first, "input", second)
    assert all(item.supported for item in check(model))


def test_a_concat_of_one_tensor_is_nothing() -> None:
    build = ModelBuilder((3, 4, 4))
    assert [layer.kind for layer in read(build.model(build.concat(build.conv("input", 4)))).layers] == [
        "conv"
    ]


def test_a_clip_moves_in_front_of_a_concat() -> None:
    build = ModelBuilder((3, 6, 6))
    pooled = build.pool("MaxPool", build.conv("input", 2), (3, 3), (1, 1), (1, 1, 1, 1))
    joined = build.concat(build.conv("input", 4), pooled)
    model = build.model(build.same("Relu", joined))
    graph = read(model)
    assert [(layer.kind, layer.lo) for layer in graph.layers] == [
        ("conv", 0.0), ("maxpool", -np.inf), ("conv", 0.0), ("concat", -np.inf),
    ]  # fmt: skip
    real = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype(np.float32)
    name = graph.outputs[0]
    theirs = FloatSession(model, graph).run(real)[name].transpose(0, 2, 3, 1)
    assert run(graph, real)[name] == pytest.approx(theirs, abs=1e-5)


def refused(
    op: str, message: str, *inputs: Any, shape: tuple[int, int, int] = (4, 6, 6), **attributes: Any
) -> None:
    build = ModelBuilder(shape)
    names = [value if isinstance(value, str) else ints(build, *value) for value in inputs]
    flat = build.node("Flatten", "input")
    build.shapes[flat] = (144,)
    output = build.node(op, *names, **attributes)
    build.shapes[output] = (1, 1, 1)
    (bad,) = [item for item in check(build.model(output, flat)) if not item.supported]
    assert message in bad.why and bad.cure, bad
    assert bad.name.startswith(op)


def test_refusals() -> None:
    both = (0, 0), (END, END)
    refused("Slice", "it slices the batch", "input", (1,), (END,), (0,))
    refused("Slice", "it takes nothing of axis 2 (4:2:1 of 6)", "input", (4,), (2,), (2,))
    refused("Slice", "it turns axis 3 round (step -1)", "input", (5,), (-9,), (3,), (-1,))
    refused("Slice", "it has 2 starts for axes [2]", "input", *both, (2,))
    refused("Slice", "its input is ['N', 144]", "flatten1", (0,), (2,), (1,))
    refused("Pad", "its mode is 'reflect'", "input", (0, 0, 1, 1, 0, 0, 1, 1), mode="reflect")
    refused("Pad", "its pads [0, 0, -1, 0, 0, 0, 0, 0] cut the map", "input", (0, 0, -1, 0, 0, 0, 0, 0))
    refused("Pad", "it pads the batch", "input", (1, 0, 0, 0, 0, 0, 0, 0))
    refused("Pad", "it has 2 pads for axes [0, 1, 2, 3]", "input", (1, 0))
    refused("Pad", "its input is ['N', 144]", "flatten1", (0, 1, 0, 0))
    refused("Concat", "it joins along axis 2", "input", "input", axis=2)
    refused("Concat", "its input is ['N', 144]", "input", "flatten1", axis=1)
    refused("Concat", "its input is ['N', 144]", "flatten1", "flatten1", axis=1)


def test_refusals_of_values_and_sizes() -> None:
    build = ModelBuilder((4, 6, 6))
    ones = build.node(
        "Pad", "input", ints(build, 0, 0, 1, 1, 0, 0, 1, 1), build.constant(np.array(1.0, np.float32))
    )
    build.shapes[ones] = (4, 8, 8)
    joined = build.node("Concat", "input", build.conv("input", 2, stride=(2, 2)), axis=1)
    build.shapes[joined] = (6, 6, 6)
    constant = build.node("Concat", "input", build.weight(1, 2, 6, 6), axis=1)
    build.shapes[constant] = (6, 6, 6)
    findings = [item for item in check(build.model(ones, joined, constant)) if not item.supported]
    assert [item.why for item in findings] == [
        "it pads with 1", "its inputs are maps of 6x6, 3x3", "its constant differs within a channel",
    ]  # fmt: skip


def test_zero_padding_in_front_of_a_maxpool() -> None:
    """Keras' ResNets."""
    build = ModelBuilder((2, 7, 7))
    relu = build.same("Relu", build.conv("input", 3))
    padded = build.node("Pad", relu, ints(build, 0, 0, 1, 1, 0, 0, 1, 1))
    build.shapes[padded] = (3, 9, 9)
    model = build.model(build.pool("MaxPool", padded, (3, 3), (2, 2)))
    graph = read(model)
    assert [(layer.kind, layer.pads) for layer in graph.layers] == [
        ("conv", (1, 1, 1, 1)),
        ("maxpool", (1, 1, 1, 1)),
    ]
    real = np.random.default_rng(0).normal(size=(3, 7, 7, 2)).astype(np.float32)
    theirs, ours = FloatSession(model, graph).run(real), run(graph, real)
    name = graph.outputs[0]
    assert ours[name].transpose(0, 3, 1, 2) == pytest.approx(theirs[name], abs=1e-5)
