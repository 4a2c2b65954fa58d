"""The ONNX reader: operators in every spelling, folding against ONNX Runtime, refusals all at once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from systolith.sw.float_reference import FloatSession, run
from systolith.sw.graph import Graph
from systolith.sw.onnx_reader import UnsupportedModel, check, load_model, read
from systolith.sw.random_model import ModelBuilder, random_model


def same_as_onnxruntime(model: onnx.ModelProto, count: int = 3) -> Graph:
    """Read the model and hold the fused graph against ONNX Runtime on the original."""
    graph = read(model)
    real = np.random.default_rng(0).normal(size=(count, *graph.shapes[graph.input])).astype(np.float32)
    theirs = FloatSession(model, graph).run(real)
    ours = run(graph, real)
    for name in graph.outputs:
        expected = theirs[name].reshape(count, -1)
        got = ours[name].transpose(0, 3, 1, 2).reshape(count, -1)
        assert np.abs(got - expected).max() <= 1e-4 * max(1.0, np.abs(expected).max()), name
    return graph


@pytest.mark.parametrize("seed", range(40))
def test_random_models(seed: int) -> None:
    same_as_onnxruntime(random_model(seed, branches=seed >= 25))


def test_residual_block_fuses_into_two_layers() -> None:
    build = ModelBuilder((4, 8, 8))
    first = build.same("Relu", build.batch_norm(build.conv("input", 4, bias=False)))
    second = build.batch_norm(build.conv(first, 4))
    output = build.same("Relu", build.same("Add", "input", second))
    graph = same_as_onnxruntime(build.model(output))
    assert [(layer.kind, len(layer.inputs), layer.lo) for layer in graph.layers] == [
        ("conv", 1, 0.0),
        ("conv", 2, 0.0),
    ]
    assert graph.layers[1].inputs == (first, "input") and graph.layers[1].output == output
    assert graph.macs == 2 * 64 * 4 * 4 * 9


def test_the_larger_convolution_takes_the_residual() -> None:
    build = ModelBuilder((4, 8, 8))
    main = build.conv("input", 8, stride=(2, 2))
    shortcut = build.conv("input", 8, (1, 1), (2, 2), (0, 0, 0, 0), bias=False)
    for operands in ((main, shortcut), (shortcut, main)):
        build.same("Add", *operands)
    graph = same_as_onnxruntime(build.model(build.same("Add", main, shortcut)))
    assert graph.layers[0].output == shortcut
    assert graph.layers[1].inputs == ("input", shortcut)


def test_tensors_read_twice_stay() -> None:
    build = ModelBuilder((3, 6, 6))
    conv = build.conv("input", 3)
    relu = build.same("Relu", conv)
    graph = same_as_onnxruntime(build.model(build.same("Add", conv, relu)))
    assert [layer.kind for layer in graph.layers] == ["conv", "avgpool", "add"]
    double = ModelBuilder((3, 6, 6))
    conv = double.conv("input", 3)
    same_as_onnxruntime(double.model(double.same("Add", conv, conv)))


def test_batch_norm_without_convolution() -> None:
    """BatchNormalization in front of a layer that clamps becomes a 1x1 convolution."""
    build = ModelBuilder((3, 6, 6))
    graph = same_as_onnxruntime(build.model(build.conv(build.same("Relu", build.batch_norm("input")), 2)))
    assert [(layer.kind, layer.macs > 0) for layer in graph.layers] == [("conv", False), ("conv", True)]
    assert graph.layers[0].pre_mean is not None and graph.layers[0].pre_std is not None
    assert graph.layers[0].bias is not None and graph.layers[1].pre_mean is None


def test_relu_behind_maxpool_moves_before_it() -> None:
    build = ModelBuilder((3, 8, 8))
    output = build.same("Relu", build.pool("MaxPool", build.conv("input", 4), (3, 3), (2, 2), (1, 1, 0, 0)))
    graph = same_as_onnxruntime(build.model(output))
    assert [(layer.kind, layer.lo) for layer in graph.layers] == [("conv", 0.0), ("maxpool", -np.inf)]


@pytest.mark.parametrize("auto", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_auto_pad(auto: str, stride: int) -> None:
    build = ModelBuilder((2, 7, 8))
    weight = build.weight(3, 2, 4, 3)
    conv = build.node("Conv", "input", weight, auto_pad=auto, strides=[stride, stride])
    build.shapes[conv] = (
        3,
        *(
            (-(-7 // stride), -(-8 // stride))
            if auto != "VALID"
            else ((7 - 4) // stride + 1, (8 - 3) // stride + 1)
        ),
    )
    graph = same_as_onnxruntime(build.model(conv))
    assert graph.shapes[conv] == (build.shapes[conv][1], build.shapes[conv][2], 3)


def test_ceil_mode_becomes_pads() -> None:
    build = ModelBuilder((2, 8, 8))
    graph = same_as_onnxruntime(
        build.model(build.pool("MaxPool", build.conv("input", 2), (3, 3), (2, 2), ceil=True))
    )
    assert graph.layers[1].pads == (0, 0, 1, 1)


@pytest.mark.parametrize("kernel, stride", [((1, 1), (2, 2)), ((1, 2), (3, 3)), ((2, 1), (3, 5))])
def test_ceil_mode_adds_no_window_behind_the_map(kernel: tuple[int, int], stride: tuple[int, int]) -> None:
    """As ONNX Runtime and ONNX's own tests have it."""
    build = ModelBuilder((2, 8, 6))
    pool = build.node("MaxPool", build.conv("input", 2), kernel_shape=kernel, strides=stride, ceil_mode=1)
    build.shapes[pool] = (2, -(-8 // stride[0]), -(-6 // stride[1]))
    same_as_onnxruntime(build.model(pool))


def test_average_pool_with_pads_counted() -> None:
    build = ModelBuilder((2, 8, 8))
    same_as_onnxruntime(build.model(build.pool("AveragePool", "input", (3, 3), (1, 1), (1, 1, 1, 1))))


@pytest.mark.parametrize("opset", [7, 8, 11, 13, 17, 21, 26, 28])
def test_clip_and_dropout_across_opsets(opset: int) -> None:
    build = ModelBuilder((2, 5, 5), opset=opset)
    conv = build.conv("input", 3)
    if opset < 11:
        clip = build.same("Clip", conv, min=0.0, max=1.0)
    else:
        clip = build.same(
            "Clip", conv, build.constant(np.float32(0)), build.constant(np.ones(1, np.float32)[0])
        )
    graph = same_as_onnxruntime(build.model(build.same("Identity", build.same("Dropout", clip))))
    assert (graph.layers[0].lo, graph.layers[0].hi) == (0.0, 1.0)
    assert graph.outputs == (clip,)


def test_clip_with_one_bound() -> None:
    build = ModelBuilder((2, 5, 5))
    graph = same_as_onnxruntime(
        build.model(build.same("Clip", build.conv("input", 3), "", build.constant(np.float32(0.5))))
    )
    assert (graph.layers[0].lo, graph.layers[0].hi) == (-np.inf, 0.5)


@pytest.mark.parametrize("op", ["Gemm", "MatMul"])
def test_dense_over_a_map(op: str) -> None:
    build = ModelBuilder((3, 4, 5))
    graph = same_as_onnxruntime(build.model(build.dense(build.conv("input", 2), 7, op)))
    assert graph.layers[1].kernel == (4, 5) and graph.shapes[graph.outputs[0]] == (1, 1, 7)
    assert graph.flat == frozenset(graph.outputs)
    assert graph.layers[1].macs == 2 * 4 * 5 * 7


def test_gemm_with_alpha_beta() -> None:
    build = ModelBuilder((3, 2, 2))
    flat = build.node("Flatten", "input")
    out = build.node("Gemm", flat, build.weight(12, 5), build.weight(1, 5), alpha=0.5, beta=2.0)
    build.shapes[out] = (5,)
    same_as_onnxruntime(build.model(out))


@pytest.mark.parametrize("shape", [[0, -1], [-1, 16], [0, 16]])
def test_reshape_that_flattens(shape: list[int]) -> None:
    build = ModelBuilder((4, 2, 2))
    out = build.node("Reshape", build.same("Relu", "input"), build.constant(np.array(shape)))
    out = build.node("Gemm", out, build.weight(3, 16), transB=1)
    build.shapes[out] = (3,)
    same_as_onnxruntime(build.model(out))


def test_static_batch_runs_in_batches() -> None:
    build = ModelBuilder((4, 2, 2), batch=1)
    out = build.node("Reshape", build.same("Relu", "input"), build.constant(np.array([1, -1])))
    out = build.node("Gemm", out, build.weight(3, 16), transB=1)
    build.shapes[out] = (3,)
    same_as_onnxruntime(build.model(out), count=5)


def test_reshape_by_a_computed_shape() -> None:
    """x.view(x.size(0), -1) as older exporters write it."""
    build = ModelBuilder((4, 2, 2))
    relu = build.same("Relu", "input")
    index = build.node("Constant", value=onnx.numpy_helper.from_array(np.array(0)))
    size = build.node("Gather", build.node("Shape", relu), index, axis=0)
    axes = build.constant(np.array([0]))
    shape = build.node("Concat", build.node("Unsqueeze", size, axes), build.constant(np.array([-1])), axis=0)
    out = build.node("Gemm", build.node("Reshape", relu, shape), build.weight(3, 16), transB=1)
    build.shapes[out] = (3,)
    same_as_onnxruntime(build.model(out))


def test_weights_behind_constant_nodes() -> None:
    build = ModelBuilder((4, 3, 3))
    weight = build.node("Transpose", build.weight(4, 6), perm=[1, 0])
    flat = build.node("Flatten", build.pool("GlobalAveragePool", "input"))
    out = build.node("MatMul", flat, build.node("Transpose", weight, perm=[1, 0]))
    build.shapes[out] = (6,)
    same_as_onnxruntime(build.model(out))


def test_channels_last_borders() -> None:
    """As TensorFlow exporters write it: transposes at both ends."""
    build = ModelBuilder((5, 6, 3))  # the file's input is [N, 5, 6, 3]: height 5, width 6
    first = build.node("Transpose", "input", perm=[0, 3, 1, 2])
    build.shapes[first] = (3, 5, 6)
    conv = build.same("Relu", build.conv(first, 4))
    back = build.node("Transpose", conv, perm=[0, 2, 3, 1])
    out = build.node("MatMul", build.node("Flatten", back), build.weight(120, 2))
    build.shapes[out] = (2,)
    graph = same_as_onnxruntime(build.model(out))
    assert graph.input_layout == "NHWC" and graph.shapes["input"] == (5, 6, 3)


def test_arithmetic_with_constants() -> None:
    build = ModelBuilder((3, 5, 5))
    value = build.same("Mul", build.conv("input", 3), build.weight(1, 3, 1, 1))
    value = build.same("Sub", value, build.weight(3, 1, 1))
    value = build.same("Div", value, build.constant(np.array(2.0, np.float32)))
    value = build.same("Add", value, build.weight(1, 3, 1, 1))
    swapped = build.node("Sub", build.constant(np.array(1.0, np.float32)), value)
    build.shapes[swapped] = build.shapes[value]
    assert len(same_as_onnxruntime(build.model(swapped)).layers) == 1


def test_a_constant_a_channel_behind_one_an_element() -> None:
    """Both go into the dense layer behind."""
    build = ModelBuilder((2, 3, 4))
    each = build.same("Add", "input", build.weight(1, 2, 3, 4))
    dense = build.dense(build.same("Mul", each, build.weight(1, 2, 1, 1)), 5)
    assert len(same_as_onnxruntime(build.model(dense)).layers) == 1


def test_reduce_mean_and_global_max() -> None:
    build = ModelBuilder((3, 5, 5))
    mean = build.node("ReduceMean", "input", axes=[2, 3], keepdims=0)
    build.shapes[mean] = (3,)
    graph = same_as_onnxruntime(build.model(mean))
    assert graph.layers[0].kind == "avgpool" and graph.flat == {mean}
    build = ModelBuilder((3, 5, 5))
    same_as_onnxruntime(build.model(build.pool("GlobalMaxPool", "input")))


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "ArgMax", "Sigmoid"])
def test_host_operations(op: str) -> None:
    build = ModelBuilder((3, 5, 5))
    logits = build.dense("input", 4)
    last = build.same(op, logits, **({} if op == "Sigmoid" else {"axis": 1}))
    graph = same_as_onnxruntime(build.model(last))
    assert graph.outputs == (logits,) and graph.flat == {logits}
    assert [(host.op, host.input, host.output) for host in graph.host] == [(op, logits, last)]
    assert [item.where for item in check(build.model(last))] == ["folded", "engine", "host"]


def test_two_outputs() -> None:
    build = ModelBuilder((3, 5, 5))
    conv = build.same("Relu", build.conv("input", 4))
    logits = build.dense(conv, 2)
    assert same_as_onnxruntime(build.model(conv, logits)).outputs == (conv, logits)


def test_initializers_listed_as_inputs() -> None:
    build = ModelBuilder((3, 5, 5), opset=8)
    model = build.model(build.conv("input", 4))
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    same_as_onnxruntime(model)


def test_check_reports_every_node() -> None:
    build = ModelBuilder((4, 8, 8))
    conv = build.conv("input", 6)
    grouped = build.node(
        "Conv", conv, build.weight(6, 1, 3, 3), group=6, kernel_shape=[3, 3], pads=[1, 1, 1, 1]
    )
    odd = build.node("LRN", grouped, size=3)
    joined = build.node("Concat", odd, conv, axis=1)
    build.shapes[joined] = (12, 8, 8)
    last = build.conv(joined, 2)
    model = build.model(last)
    findings = check(model)
    assert [(f.op, f.supported) for f in findings] == [
        ("Conv", True), ("Conv", True), ("LRN", False), ("Concat", True), ("Conv", True),
    ]  # fmt: skip
    assert findings[0].macs == 64 * 6 * 4 * 9 and findings[0].params == 6 * 4 * 9 + 6
    assert [f.output_shape for f in findings][-1] == ("N", 2, 8, 8)
    assert all(f.cure for f in findings if not f.supported)
    with pytest.raises(UnsupportedModel, match=r"cannot run: node LRN_3 \(LRN\)") as caught:
        read(model)
    for finding in caught.value.findings:
        assert f"{finding.name} ({finding.op})" in str(caught.value)


@pytest.mark.parametrize(
    "name, layers, macs",
    [
        ("cifar10_resnet20_folded_b1.onnx", 23, 40_813_184),
        ("cifar10_resnet20_bn_dyn.onnx", 23, 40_551_040),
        ("cifar10_resnet56_bn_dyn.onnx", 59, 125_485_696),
        ("mlperf_ic_resnet8_bn_dyn.onnx", 11, 12_501_632),
        ("mlperf_vww_mobilenetv1_025_bn_dyn.onnx", 29, 7_489_664),
        ("imagenet_mobilenetv1_025_128_folded_dyn.onnx", 29, 13_570_304),
        ("imagenet_squeezenet10_dyn.onnx", 38, 861_339_936),
    ],
)
def test_shared_models(shared_model: Callable[[str], Path], name: str, layers: int, macs: int) -> None:
    graph = same_as_onnxruntime(load_model(shared_model(name)))
    assert (len(graph.layers), graph.macs) == (layers, macs)
