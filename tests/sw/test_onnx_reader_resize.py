"""Resize and Upsample against ONNX Runtime: what is taken moves the same values, the rest is refused with a cure."""

from typing import Any

import numpy as np
import onnx
import pytest
from systolith.sw.float_reference import FloatSession, run
from systolith.sw.graph import Graph
from systolith.sw.onnx_reader import check, read
from systolith.sw.onnx_reader_resize import nearest
from systolith.sw.random_model import ModelBuilder

COORDINATES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")
NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


EASY = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def model(
    build: ModelBuilder, source: str, *inputs: str, op: str = "Resize", **attributes: Any
) -> onnx.ModelProto:
    """A file that ends with the resizing, whose map ONNX infers. In opset 11 every input must be there."""
    if build._opset == 11:
        inputs = tuple(name or build.constant(np.zeros(0, np.float32)) for name in inputs)
    output = build.node(op, source, *inputs, **attributes)
    build.shapes[output] = (1, 1, 1)
    made = build.model(output)
    del made.graph.output[0].type.tensor_type.shape.dim[:]
    return made


def by_scales(
    shape: tuple[int, int, int], scales: tuple[float, ...], opset: int = 13, **attributes: Any
) -> onnx.ModelProto:
    build = ModelBuilder(shape, opset=opset)
    values = build.constant(np.array(scales, np.float32))
    if opset < 10:
        name = "Upsample"
        if opset < 9:
            return model(build, "input", op=name, scales=scales, **attributes)
        return model(build, "input", values, op=name, **attributes)
    return model(build, "input", *(["", values] if opset > 10 else [values]), **attributes)


def by_sizes(
    shape: tuple[int, int, int], sizes: tuple[int, ...], opset: int = 13, **attributes: Any
) -> onnx.ModelProto:
    build = ModelBuilder(shape, opset=opset, batch=2)
    return model(
        build, build.same("Relu", "input"), "", "", build.constant(np.array(sizes, np.int64)), **attributes
    )


def same(made: onnx.ModelProto) -> Graph:
    """The graph, after ONNX Runtime has said that it moves the same values, to the bit."""
    graph = read(made)
    real = np.random.default_rng(0).normal(size=(2, *graph.shapes[graph.input])).astype(np.float32)
    theirs, ours = FloatSession(made, graph).run(real), run(graph, real)
    for name in graph.outputs:
        expected = theirs[name].reshape(2, -1)
        assert np.array_equal(ours[name].transpose(0, 3, 1, 2).reshape(2, -1), expected), name
    return graph


def refusal(made: onnx.ModelProto) -> str:
    (finding,) = (item for item in check(made) if not item.supported)
    return f"{finding.why}; {finding.cure}"


@pytest.mark.parametrize("opset", [7, 9, 10, 11, 13, 18, 19, 21])
@pytest.mark.parametrize("factor", [(2, 2), (1, 3), (5, 1)])
def test_upsamples_of_every_opset(opset: int, factor: tuple[int, int]) -> None:
    attributes: dict[str, Any] = {"mode": "nearest"}
    if opset > 10:
        attributes |= EASY
    (layer,) = same(by_scales((3, 4, 5), (1, 1, *map(float, factor)), opset, **attributes)).layers
    assert (layer.kind, layer.factor) == ("upsample", factor)


@pytest.mark.parametrize("mode", [*COORDINATES, "tf_half_pixel_for_nn"])
@pytest.mark.parametrize("rounding", NEAREST)
def test_every_combination_of_modes(mode: str, rounding: str) -> None:
    """Each is taken where it repeats pixels or takes every n-th, as ONNX Runtime does, or refused."""
    opset = 11 if mode == "tf_half_pixel_for_nn" else 19
    attributes = {"coordinate_transformation_mode": mode, "nearest_mode": rounding}
    taken = set()
    for size in (1, 2, 3, 4, 6, 12):
        for made in (1, 2, 3, 4, 6, 8, 12, 15, 24):
            file = by_sizes((2, size, 3), (2, 2, made, 3), opset, **attributes)
            if all(item.supported for item in check(file)):
                same(file)
                taken.add((size, made))
            else:
                assert size > 1 and size != made
    assert {(n, n) for n in (1, 2, 3, 4, 6, 12)} <= taken
    whole = {(2, 4), (3, 6), (4, 8), (4, 12), (2, 12), (3, 15), (12, 24)}
    if (mode, rounding) in (("asymmetric", "floor"), ("tf_half_pixel_for_nn", "floor")):
        assert whole <= taken and (12, 4) in taken
    elif "half_pixel" in mode and rounding.startswith("round") and not mode.startswith("tf"):
        assert whole <= taken
    elif mode == "align_corners" and rounding.startswith(
        "round"
    ):  # twice as many: ends meet ends all the same
        assert {(3, 6), (4, 8), (12, 24)} <= taken and (3, 15) not in taken
    else:
        assert not whole <= taken


def test_factors_of_asymmetric_round_prefer_floor() -> None:
    """The half of a factor of 2 is rounded down; two thirds are not."""
    modes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "round_prefer_floor"}
    assert same(by_scales((2, 3, 3), (1, 1, 2, 2), **modes)).layers[0].factor == (2, 2)
    assert refusal(by_scales((2, 3, 3), (1, 1, 3, 3), **modes)) == (
        "with asymmetric and round_prefer_floor it does not take every pixel equally often (9 of 3); "
        "use coordinate_transformation_mode asymmetric with nearest_mode floor"
    )


@pytest.mark.parametrize("opset", [10, 11, 19])
def test_smaller_maps_are_copies(opset: int) -> None:
    (layer,) = same(by_scales((3, 8, 9), (1, 1, 0.5, 1 / 3), opset, **({} if opset == 10 else EASY))).layers
    assert (layer.kind, layer.stride) == ("conv", (2, 3))


def test_one_axis_smaller_the_other_larger() -> None:
    graph = same(by_scales((3, 8, 3), (1, 1, 0.5, 4), 13, **EASY))
    assert [layer.kind for layer in graph.layers] == ["conv", "upsample"]


def test_sizes_by_shape_arithmetic() -> None:
    """As PyTorch writes ``interpolate(x, scale_factor=2)`` and ``interpolate(x, size=y.shape[2:])``."""
    build = ModelBuilder((2, 8, 6))
    small = build.conv("input", 4, stride=(2, 2))
    build.shapes[small] = (4, 4, 3)
    two = (build.constant(np.array([n], np.int64)) for n in (0, 2, 4))
    start, middle, end = two
    first = build.node("Slice", build.node("Shape", small), start, middle)
    last = build.node("Slice", build.node("Shape", "input"), middle, end)
    file = model(
        build, small, "", "", build.node("Concat", first, last, axis=0),
        **EASY,
    )  # fmt: skip
    graph = read(file)
    assert [layer.kind for layer in graph.layers] == ["conv", "upsample"]
    assert graph.layers[1].factor == (2, 2) and graph.shapes[graph.outputs[0]] == (8, 6, 4)
    real = np.random.default_rng(0).normal(size=(3, 8, 6, 2)).astype(np.float32)
    ours, theirs = run(graph, real)[graph.outputs[0]], FloatSession(file, graph).run(real)[graph.outputs[0]]
    assert np.allclose(ours.transpose(0, 3, 1, 2), theirs, atol=1e-5)


def test_axes_and_policies() -> None:
    build = ModelBuilder((2, 3, 4), opset=18)
    scales = build.constant(np.array([3, 2], np.float32))
    assert same(model(build, "input", "", scales, axes=[3, 2])).layers[0].factor == (2, 3)
    build = ModelBuilder((2, 3, 4), opset=18)
    sizes = build.constant(np.array([6, 8], np.int64))
    policy = {"axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"}
    assert same(model(build, "input", "", "", sizes, **policy)).layers[0].factor == (2, 2)
    build = ModelBuilder((2, 3, 4), opset=18)
    sizes = build.constant(np.array([9, 8], np.int64))
    assert "'not_larger' changes its sizes" in refusal(model(build, "input", "", "", sizes, **policy))


def test_linear_of_one_pixel() -> None:
    """The image branch of a segmentation network: a global average, spread over the map again."""
    graph = same(by_sizes((3, 1, 1), (2, 3, 4, 5), mode="linear"))
    assert (graph.layers[-1].kind, graph.layers[-1].factor) == ("upsample", (4, 5))


def test_nothing_to_do() -> None:
    build = ModelBuilder((3, 4, 4))
    conv = build.conv("input", 2)
    graph = read(
        model(build, conv, "", build.constant(np.ones(4, np.float32)), mode="cubic", nearest_mode="ceil")
    )
    assert [layer.kind for layer in graph.layers] == ["conv"] and graph.outputs == (conv,)


def test_activations_move_in_front() -> None:
    build = ModelBuilder((3, 4, 4))
    up = build.node("Resize", build.conv("input", 4), "", build.constant(np.array([1, 1, 2, 2], np.float32)))
    build.shapes[up] = (4, 8, 8)
    graph = read(build.model(build.same("Relu", build.batch_norm(up))))
    assert [(layer.kind, layer.lo) for layer in graph.layers] == [("conv", 0.0), ("upsample", -np.inf)]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (by_scales((2, 3, 3), (1, 1, 2, 2), mode="linear"), "its mode is 'linear'; resize with mode nearest"),
        (by_scales((2, 3, 3), (1, 1, 2, 2), mode="cubic"), "its mode is 'cubic'; resize with mode nearest"),
        (by_scales((2, 4, 4), (1, 1, 1.5, 1)), "it makes 6 pixels of 4; resize by whole numbers"),
        (by_scales((2, 4, 4), (1, 2, 1, 1)), "it resizes the channels; resize height and width only"),
        (by_scales((2, 4, 4), (2, 1, 1, 1)), "it resizes the batch; resize height and width only"),
        (by_scales((2, 4, 4), (1, 1, 0.1, 1)), "it makes ['N', 2, 0, 4] of ['N', 2, 4, 4]; resize by whole"),
        (by_scales((2, 4, 4), (1, 1)), "it has 2 scales for axes [0, 1, 2, 3]; export the model again"),
    ],
)  # fmt: skip
def test_refusals(file: onnx.ModelProto, message: str) -> None:
    assert refusal(file).startswith(message)


def test_refused_crops_and_computed_sizes() -> None:
    build = ModelBuilder((2, 4, 4))
    roi, scales = (build.constant(np.array(v, np.float32)) for v in ([0] * 4 + [1] * 4, [1, 1, 2, 2]))
    crop = model(build, "input", roi, scales, coordinate_transformation_mode="tf_crop_and_resize")
    assert refusal(crop) == "it crops (tf_crop_and_resize); cut with Slice, then resize"
    build = ModelBuilder((2, 4, 4))
    sizes = build.constant(np.array([1, 2, 8, 8], np.int64))
    assert refusal(model(build, "input", "", "", sizes)).startswith("it fixes the batch to 1")
    assert refusal(model(ModelBuilder((2, 4, 4)), "input", "", "", "")).startswith(
        "it has neither scales nor"
    )


def test_what_float32_decides_is_refused() -> None:
    """2.9999 pixels apart: where ONNX Runtime ends up depends on one rounding."""
    assert nearest(2, 6, np.float32(3), "asymmetric", "floor") == [0, 0, 0, 1, 1, 1]
    assert nearest(9, 3, np.float32(1) / np.float32(3), "asymmetric", "floor") == [0, 3, 6]
    assert nearest(21, 3, np.float32(1) / np.float32(7), "asymmetric", "floor") is None
    assert "7 of 49" in refusal(by_sizes((1, 49, 1), (2, 1, 7, 1), **EASY))
