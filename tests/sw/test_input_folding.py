"""An exact input: pixels as codes, the same network in real arithmetic, the same codes in ONNX Runtime."""

from dataclasses import replace

import numpy as np
import pytest
from systolith.quant.formats import QFormat
from systolith.quant.options import Options
from systolith.quant.quantizer import quantize
from systolith.sw import float_reference, oracle
from systolith.sw.graph import Graph, RealLayer
from systolith.sw.images import Preprocessing
from systolith.sw.input_folding import exact_input
from systolith.sw.onnx_reader import read
from systolith.sw.random_model import ModelBuilder

IMAGENET = Preprocessing(255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def convolution(size=(7, 9), kernel=(3, 3), stride=(1, 1), pads=(1, 1, 1, 1), groups=1, **fields) -> Graph:
    """One random convolution of three channels."""
    rng = np.random.default_rng(5)
    height = (size[0] + pads[0] + pads[2] - kernel[0]) // stride[0] + 1
    width = (size[1] + pads[1] + pads[3] - kernel[1]) // stride[1] + 1
    layer = RealLayer(
        name="c", kind="conv", inputs=("x",), output="y", kernel=kernel, stride=stride, pads=pads, groups=groups,
        weight=rng.normal(size=(6, 3 // groups, *kernel)), bias=rng.normal(size=6), **fields,
    )  # fmt: skip
    return Graph(name="n", input="x", outputs=("y",), shapes={"x": (*size, 3), "y": (height, width, 6)},
                 layers=(layer,))  # fmt: skip


def pixels(graph: Graph, count: int = 4) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, *graph.shapes["x"])).astype(np.uint8)


@pytest.mark.parametrize(
    "graph",
    [
        convolution(),
        convolution((8, 8), stride=(2, 2)),
        convolution((10, 7), (7, 5), (3, 2), (3, 2, 3, 2)),
        convolution((8, 8), stride=(2, 2), pads=(0, 0, 1, 1)),
        convolution(pads=(0, 0, 0, 0)),
    ],
)
def test_same_network(graph: Graph) -> None:
    images = pixels(graph)
    real = IMAGENET.apply(images).astype(np.float64)
    exact = exact_input(graph, IMAGENET)
    assert exact is not None and exact.stem is not None and exact.format == QFormat(8, 0)
    staged = exact.real(real)
    assert staged.shape[1:] == exact.graph.shapes["x"]
    want = float_reference.run(graph, real)["y"]
    got = float_reference.run(exact.graph, staged.astype(np.float64))["y"]
    assert np.abs(got - want).max() < 1e-4 * np.abs(want).max()
    top, left = exact.stem.pads[:2]
    inside = staged[:, top : top + images.shape[1], left : left + images.shape[2]]
    assert np.array_equal(np.rint(inside), images.astype(int) - 128)
    assert np.abs(inside - np.rint(inside)).max() < 1e-3


def test_pads_reach_as_far_as_windows() -> None:
    """8 wide, 3 taps, stride 2, one zero on both sides: the one on the right is never read."""
    exact = exact_input(convolution((8, 8), stride=(2, 2)), IMAGENET)
    assert exact is not None and exact.stem is not None and exact.stem.pads == (1, 1, 0, 0)
    assert exact.graph.layers[0].pads == (0, 0, 0, 0) and exact.graph.shapes["x"] == (9, 9, 3)


@pytest.mark.parametrize(
    ("preprocessing", "fmt", "stem"),
    [
        (Preprocessing(1.0), QFormat(8, 0, False), False),
        (Preprocessing(256.0), QFormat(8, 8, False), False),
        (Preprocessing(128.0, (1.0,)), QFormat(8, 7), False),
        (Preprocessing(1.0, (128.0,), (128.0,)), QFormat(8, 7), False),
        (Preprocessing(255.0), QFormat(8, 0, False), True),
        (Preprocessing(255.0, (0.0,), (0.2, 0.3, 0.4)), QFormat(8, 0, False), True),
        (Preprocessing(1.0, (128.0,)), QFormat(8, 0), False),
        (Preprocessing(1.0, (123.0, 117.0, 104.0)), QFormat(8, 0), True),
        (Preprocessing(255.0, (0.1,)), QFormat(8, 0, False), True),
    ],
)
def test_format(preprocessing: Preprocessing, fmt: QFormat, stem: bool) -> None:
    """Every pixel has its own code; where real 0 is code 0 the convolution goes on padding."""
    graph = convolution()
    exact = exact_input(graph, preprocessing)
    assert exact is not None and exact.format == fmt and (exact.stem is not None) == stem
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    real = preprocessing.apply(every)
    codes = np.rint(np.ldexp(exact.real(real), fmt.fl))
    top, left, bottom, right = (0, 0, 0, 0) if exact.stem is None else exact.stem.pads
    inside = codes[:, top : codes.shape[1] - bottom, left : codes.shape[2] - right]
    assert np.array_equal(inside, every.astype(int) - (128 if fmt.signed else 0))
    if exact.stem is None:
        assert exact.graph is graph
    else:
        padded = bool(np.any(exact.stem.offset))
        assert padded == any(exact.stem.pads) != any(exact.graph.layers[0].pads)


def test_groups() -> None:
    graph = convolution(groups=3, pads=(0, 0, 0, 0))
    exact = exact_input(graph, IMAGENET)
    assert exact is not None and exact.stem is not None
    weight, bias = graph.layers[0].weight, graph.layers[0].bias
    folded = exact.graph.layers[0]
    assert weight is not None and bias is not None and folded.weight is not None and folded.bias is not None
    gain = exact.stem.gain[[0, 0, 1, 1, 2, 2]]
    assert np.allclose(folded.weight * gain[:, None, None, None], weight)
    moved = folded.weight.sum(axis=(1, 2, 3)) * exact.stem.offset[[0, 0, 1, 1, 2, 2]]
    assert np.allclose(folded.bias + moved, bias)


def test_where_it_does_not_apply() -> None:
    graph = convolution()
    assert exact_input(graph, IMAGENET, 7) is None
    assert exact_input(graph, IMAGENET, 16) is not None
    assert exact_input(graph, Preprocessing(255.0, (-1e9,))) is None  # float32 cannot tell pixels apart
    assert exact_input(graph, Preprocessing(255.0, (-0.1,))) is None  # real 0 is darker than black
    assert exact_input(convolution(pads=(0, 0, 0, 0)), Preprocessing(255.0, (-0.1,))) is not None
    assert exact_input(replace(graph, outputs=("x", "y")), IMAGENET) is None
    pool = RealLayer(name="p", kind="maxpool", inputs=("x",), output="z")
    shapes = {**graph.shapes, "z": graph.shapes["x"]}
    assert exact_input(replace(graph, layers=(*graph.layers, pool), shapes=shapes), IMAGENET) is None
    other = replace(convolution(pads=(0, 0, 0, 0)).layers[0], name="d", output="z")
    shapes = {**graph.shapes, "z": (5, 7, 6)}
    assert exact_input(replace(graph, layers=(*graph.layers, other), shapes=shapes), IMAGENET) is None
    assert exact_input(replace(graph, layers=(other,), shapes=shapes), IMAGENET) is not None
    shortcut = replace(other, inputs=("y", "x"), name="e", output="z")
    assert exact_input(replace(graph, layers=(*graph.layers, shortcut), shapes=shapes), IMAGENET) is None


@pytest.mark.parametrize("preprocessing", [IMAGENET, Preprocessing(255.0), Preprocessing(1.0, (127.5,))])
def test_onnx_runtime_agrees(preprocessing: Preprocessing) -> None:
    """Every code, the input's and its border's included, for images and for real values that are none."""
    build = ModelBuilder((3, 8, 8), seed=2)
    graph = read(
        build.model(build.dense(build.pool("MaxPool", build.same("Relu", build.conv("input", 6))), 5))
    )
    images = np.random.default_rng(3).integers(0, 256, (8, 8, 8, 3)).astype(np.uint8)
    real = preprocessing.apply(images)
    exact = exact_input(graph, preprocessing)
    assert exact is not None and exact.stem is not None
    made = quantize(exact.graph, exact.real(real), Options(input_format=exact.format))
    network = replace(made.network, stem=exact.stem)
    assert network.tensors[network.input].format == exact.format
    assert network.image_shape == (8, 8, 3)
    checked = oracle.compare(network, real, "all")
    assert checked.mismatches == 0 and checked.compared > 8 * 10 * 10 * 3
    noise = np.random.default_rng(4).normal(size=real.shape).astype(np.float32)
    assert oracle.compare(network, noise, "all").mismatches == 0


def test_error_is_that_of_the_layers_alone() -> None:
    """The quantized input costs nothing any more: a first layer of exact weights has exact accumulators."""
    graph = convolution(pads=(0, 0, 0, 0))
    exact = exact_input(graph, IMAGENET)
    assert exact is not None
    real = IMAGENET.apply(pixels(graph))
    made = quantize(exact.graph, exact.real(real), Options(input_format=exact.format))
    before = quantize(graph, real, Options())
    assert made.report.input_sqnr_db > 100.0 > 60.0 > before.report.input_sqnr_db
