"""Quantized files: powers of two are kept to the bit, other scales become a float network."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from systolith.quant.network import QuantizedNetwork
from systolith.quant.quantizer import Options, quantize
from systolith.sw import api, integer_reference
from systolith.sw.float_reference import FloatSession, run
from systolith.sw.images import Preprocessing
from systolith.sw.input_folding import exact_input, given_input
from systolith.sw.onnx_reader import check, examine, read
from systolith.sw.onnx_reader_quantized import Quantum, exponent
from systolith.sw.qdq import export_qdq
from systolith.sw.random_model import ModelBuilder, random_model

PREPROCESSING = Preprocessing(255.0, (0.4,), (0.25,))


def network_of(seed: int, images: np.ndarray) -> QuantizedNetwork:
    """A quantized network; two of three with a stem, a normalization in front of its codes."""
    graph = read(random_model(seed, branches=bool(seed % 2)))
    real = PREPROCESSING.apply(images)
    exact = exact_input(graph, PREPROCESSING) if seed % 3 else None
    if exact is None:
        return quantize(graph, real, Options(acc_width=48)).network
    result = quantize(exact.graph, exact.real(real), Options(input_format=exact.format, acc_width=48)).network
    return replace(result, stem=exact.stem)


@pytest.mark.parametrize("seed", range(12))
def test_our_own_export_read_back_is_the_same_network(seed: int) -> None:
    shape = read(random_model(seed, branches=bool(seed % 2))).shapes["input"]
    images = np.random.default_rng(seed).integers(0, 256, (5, *shape)).astype(np.uint8)
    network = network_of(seed, images)
    exported = export_qdq(network)
    graph = read(exported)
    again = given_input(graph)
    assert again is not None
    real = PREPROCESSING.apply(images)
    options = Options(
        input_format=again.format, formats=again.graph.formats, wgt_fl=again.graph.wgt_fl, acc_width=48
    )
    found = replace(quantize(again.graph, again.real(real), options).network, stem=again.stem)
    names = {theirs.output: ours.output for ours, theirs in zip(network.layers, found.layers, strict=True)}
    names |= {network.input: network.input}
    assert {names[name]: t.format for name, t in found.tensors.items()} == {
        name: t.format for name, t in network.tensors.items()
    }
    for ours, theirs in zip(network.layers, found.layers, strict=True):
        assert [names[name] for name in (*theirs.inputs, theirs.output)] == [*ours.inputs, ours.output]
        for field in ("kind", "kernel", "stride", "dilation", "pads", "groups", "in_shift", "lo", "hi"):
            assert getattr(theirs, field) == getattr(ours, field), field
        for field in ("wgt", "wgt_fl", "bias", "shift", "res_shift"):
            one, other = getattr(theirs, field), getattr(ours, field)
            same = [None if v is None or not np.any(v) else v.tolist() for v in (one, other)]
            assert same[0] == same[1], field
    codes = integer_reference.run(found, found.input_codes(real))
    expected = integer_reference.run(network, network.input_codes(real))
    theirs_real = FloatSession(exported, graph).run(real)
    for name in found.outputs:
        assert np.array_equal(codes[name], expected[names[name]])
        values = found.tensors[name].real(codes[name]).transpose(0, 3, 1, 2).reshape(len(real), -1)
        assert np.array_equal(values, theirs_real[name].reshape(len(real), -1))


class Quantized(ModelBuilder):
    """Writes quantized operators of others; ``scale`` of all activations."""

    def __init__(self, shape: tuple[int, int, int], scale: float, zero: int = 0, dtype: str = "int8") -> None:
        super().__init__(shape, seed=3)
        self.scale = self.constant(np.array(scale, np.float32), "scale")
        self.zero = self.constant(np.array(zero, dtype), "zero")
        self.triple = (self.scale, self.zero)

    def model(self, *outputs: str) -> onnx.ModelProto:
        """The same with the operators that ONNX Runtime adds."""
        theirs = [node for node in self.nodes if node.op_type in ("QLinearAdd", "QLinearGlobalAveragePool")]
        if not theirs:
            return super().model(*outputs)
        whole, self.nodes = self.nodes, [helper.make_node("Identity", ["input"], [outputs[0]])]
        model = super().model(*outputs)
        del model.graph.node[:]
        for node in theirs:
            node.domain = "com.microsoft"
        model.graph.node.extend(whole)
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
        return model

    def constant(self, values: np.ndarray, name: str | None = None) -> str:
        """Scalars stay scalars."""
        name = super().constant(values, name)
        if np.ndim(values) == 0:
            del self.initializers[-1].dims[:]
        return name

    def codes(self, *shape: int, scale: float | np.ndarray) -> tuple[str, str, str]:
        values = self.constant(self.rng.integers(-127, 128, shape).astype(np.int8))
        each = np.asarray(scale, np.float32)
        return values, self.constant(each), self.constant(np.zeros(each.shape, np.int8))

    def quantize(self, source: str) -> str:
        return self.same("QuantizeLinear", source, *self.triple)

    def dequantize(self, source: str) -> str:
        return self.same("DequantizeLinear", source, *self.triple)


def qlinear_model(scale: float, wgt_scale: np.ndarray, zero: int = 0, dtype: str = "int8") -> onnx.ModelProto:
    """Convolutions, an addition, pools, a dense layer: codes throughout, as in ONNX Runtime's QOperator format."""
    build = Quantized((3, 8, 8), scale, zero, dtype)
    first = build.quantize("input")
    bias = build.constant(build.rng.integers(-500, 500, 6).astype(np.int32))
    conv = build.node(
        "QLinearConv", first, *build.triple, *build.codes(6, 3, 3, 3, scale=wgt_scale), *build.triple, bias,
        kernel_shape=[3, 3], pads=[1, 1, 1, 1],
    )  # fmt: skip
    pool = build.node("MaxPool", conv, kernel_shape=[2, 2], strides=[2, 2])
    second = build.node(
        "QLinearConv", pool, *build.triple, *build.codes(6, 6, 1, 1, scale=wgt_scale[0]), *build.triple
    )
    total = build.node("QLinearAdd", second, *build.triple, pool, *build.triple, *build.triple)
    mean = build.node("QLinearGlobalAveragePool", total, *build.triple, *build.triple, channels_last=0)
    flat = build.node("Flatten", mean)
    product = build.node(
        "QLinearMatMul", flat, *build.triple, *build.codes(6, 4, scale=wgt_scale[0]), *build.triple
    )
    output = build.node("DequantizeLinear", product, *build.triple, output="logits")
    build.shapes[output] = (4,)
    return build.model(output)


def quantized_like_onnxruntime(model: onnx.ModelProto, tmp_path: Path) -> api.Evaluation:
    """Quantize the file and hold the integers against ONNX Runtime on the file itself."""
    onnx.save(model, tmp_path / "q.onnx")
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3)).astype(np.uint8)
    np.savez(tmp_path / "i.npz", images=images)
    api.quantize(tmp_path / "q.onnx", tmp_path / "i.npz", tmp_path / "q", preprocessing=PREPROCESSING)
    return api.evaluate(tmp_path / "q", tmp_path / "i.npz")


@pytest.mark.parametrize("zero, dtype", [(0, "int8"), (128, "uint8")])
def test_powers_of_two_are_kept_to_the_bit(tmp_path: Path, zero: int, dtype: str) -> None:
    steps = 2.0 ** -np.array([6, 7, 8, 6, 7, 9])
    model = qlinear_model(2.0**-4, steps, zero, dtype)
    graph = read(model)
    assert {fmt.fl for fmt in graph.formats.values()} == {4} and len(graph.wgt_fl) == 3
    assert graph.wgt_fl[graph.layers[1].name].tolist() == [6, 7, 8, 6, 7, 9]
    found = quantized_like_onnxruntime(model, tmp_path)
    assert found.sqnr_db is None and found.agreement == 100.0 and found.onnxruntime_mismatches == 0
    for options in ({"wgt_width": 4}, {"act_width": 6}, {"wgt_bits": {"QLinearConv_2": 3}}):
        with pytest.raises(ValueError, match="is quantized already, its formats are kept: give no widths"):
            api.quantize(tmp_path / "q.onnx", None, tmp_path / "r", **options)


def test_other_scales_become_a_float_network(tmp_path: Path) -> None:
    model = qlinear_model(0.05, np.full(6, 0.011))
    graph = read(model)
    assert not graph.formats and not graph.wgt_fl
    real = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32)
    theirs = FloatSession(model, graph).run(real)
    for name in graph.outputs:
        ours = run(graph, real)[name].transpose(0, 3, 1, 2).reshape(4, -1)
        assert np.abs(ours - theirs[name].reshape(4, -1)).max() <= 3 * 0.05
    found = quantized_like_onnxruntime(model, tmp_path)
    assert found.onnxruntime_mismatches == 0 and found.sqnr_db is not None and found.sqnr_db > 20


def test_check_names_the_file_s_operators() -> None:
    findings = check(qlinear_model(0.25, np.full(6, 0.5)))
    assert [item.op for item in findings] == [
        "QuantizeLinear", "QLinearConv", "MaxPool", "QLinearConv", "QLinearAdd", "QLinearGlobalAveragePool",
        "Flatten", "QLinearMatMul", "DequantizeLinear",
    ]  # fmt: skip
    assert all(item.supported for item in findings) and findings[1].macs == 64 * 6 * 27


def test_a_relu_is_in_the_zero_point() -> None:
    """QuantizeLinear to unsigned codes without zero point cuts negative values off: exporters leave the Relu out."""
    build = Quantized((2, 4, 4), 0.1, 0, "uint8")
    out = build.dequantize(build.quantize(build.conv("input", 3)))
    graph = read(build.model(out))
    assert graph.layers[0].lo == 0.0 and graph.layers[0].hi == pytest.approx(25.5)
    build = Quantized((2, 4, 4), 0.1, -128, "int8")
    graph = read(build.model(build.dequantize(build.quantize(build.conv("input", 3)))))
    assert graph.layers[0].lo == 0.0 and graph.layers[0].hi == pytest.approx(25.5)


def test_another_scale_for_the_same_codes() -> None:
    build = Quantized((2, 4, 4), 0.1, 10, "int8")
    codes = build.quantize(build.same("Relu", "input"))
    out = build.same("DequantizeLinear", codes, build.constant(np.float32(0.2)), build.constant(np.int8(2)))
    model = build.model(out)
    graph = read(model)
    real = np.random.default_rng(0).normal(size=(3, 4, 4, 2)).astype(np.float32)
    ours = run(graph, real)[graph.outputs[0]].transpose(0, 3, 1, 2)
    assert np.abs(ours - FloatSession(model, graph).run(real)[graph.outputs[0]]).max() <= 0.1001


def test_refusals() -> None:
    build = Quantized((2, 4, 4), 0.1)
    several = build.constant(np.array([0.1, 0.2], np.float32))
    zeros = build.constant(np.zeros(2, np.int8))
    codes = build.same("QuantizeLinear", "input", several, zeros, axis=1)
    model = build.model(build.same("DequantizeLinear", codes, several, zeros, axis=1))
    (first, *_) = [item for item in check(model) if not item.supported]
    assert first.why == "its activation has several scales" and "one scale a tensor" in first.cure
    dynamic = ModelBuilder((2, 4, 4))
    node = helper.make_node("DynamicQuantizeLinear", ["input"], ["q", "s", "z"], name="dq")
    dynamic.nodes.append(node)
    dynamic.shapes["y"] = (2, 4, 4)
    dynamic.nodes.append(helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]))
    bad = [item for item in check(dynamic.model("y")) if not item.supported]
    assert bad[0].name == "dq" and "quantize with fixed scales" in bad[0].cure


def test_formats_of_codes() -> None:
    assert [exponent(v) for v in (0.25, 4.0, 1.0, 0.3, 3.0)] == [2, -2, 0, None, None]
    signed = Quantum(scale=0.5, zero=128, low=0, high=255, width=8).format
    unsigned = Quantum(scale=0.5, zero=-128, low=-128, high=127, width=8).format
    assert str(signed) == "Q6.1" and str(unsigned) == "UQ7.1"
    assert Quantum(scale=0.5, zero=3, low=0, high=255, width=8).format is None
    assert Quantum(scale=0.3, zero=0, low=0, high=255, width=8).format is None


def test_weights_behind_a_transpose_keep_their_scales() -> None:
    """Gemm with its weights [features, outputs] transposed behind the DequantizeLinear."""
    build = Quantized((4, 1, 1), 2.0**-3)
    weights = build.codes(5, 4, scale=2.0 ** -np.arange(5.0))
    real = build.node("DequantizeLinear", *weights, axis=0)
    flat = build.node("Flatten", build.dequantize(build.quantize("input")))
    product = build.node("MatMul", flat, build.node("Transpose", real, perm=[1, 0]))
    build.shapes[product] = (5,)
    out = build.dequantize(build.quantize(product))
    graph = read(build.model(out))
    assert [fl.tolist() for fl in graph.wgt_fl.values()] == [[0, 1, 2, 3, 4]]
    assert numpy_helper.to_array(build.initializers[0]).dtype == np.float32
    assert build.model(out).graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT


def gated(kind: type, *, silu: bool = False, step: float = 2.0**-7) -> onnx.ModelProto:
    """Squeeze and excitation, or a SiLU, between codes with powers of two as scales."""
    build = ModelBuilder((3, 6, 6), opset=13)

    def codes(value: str, scale: float, dtype: type = np.int8) -> str:
        pair = build.constant(np.array(scale, np.float32)), build.constant(np.array(0, dtype))
        return build.same("DequantizeLinear", build.same("QuantizeLinear", value, *pair), *pair)

    source = codes(build.conv(codes("input", 2.0**-5), 4), 2.0**-4)
    inner = (
        source if silu else build.conv(build.pool("GlobalAveragePool", source), 4, (1, 1), pads=(0, 0, 0, 0))
    )
    gate = codes(build.same("Sigmoid", inner if silu else codes(inner, 2.0**-4)), step, kind)
    product = build.same("Mul", source, gate, like=source)
    return build.model(codes(build.conv(codes(product, 2.0**-4), 2), 2.0**-3))


def test_a_gate_of_signed_codes_keeps_its_formats() -> None:
    graph = read(gated(np.int8))
    assert graph.formats and [layer.kind for layer in graph.layers].count("product") == 1
    real = np.random.default_rng(0).normal(size=(6, 6, 6, 3)).astype(np.float32)
    given = given_input(graph)
    assert given is not None
    options = Options(input_format=given.format, formats=given.graph.formats, wgt_fl=given.graph.wgt_fl)
    made = quantize(given.graph, given.real(real), options).network
    (name,) = made.outputs
    ours = made.tensors[name].real(integer_reference.run(made, made.input_codes(given.real(real)))[name])
    theirs = FloatSession(gated(np.int8), graph).run(real)[graph.outputs[0]]
    assert np.abs(ours.transpose(0, 3, 1, 2) - theirs).max() <= 2.0**-3  # its weights are no codes: a step


@pytest.mark.parametrize("kind, silu", [(np.uint8, False), (np.int8, True), (np.uint8, True)])
def test_formats_that_no_engine_takes_are_left_out(kind: type, silu: bool) -> None:
    """An unsigned gate is no weight; codes between Sigmoid and Mul would make a product of two maps."""
    model = gated(kind, silu=silu, step=2.0**-8 if kind is np.uint8 else 2.0**-7)
    graph = read(model)
    assert not graph.formats and examine(model).rounded
    assert [layer.kind for layer in graph.layers].count("table") == 1
    assert [layer.kind for layer in graph.layers].count("product") == int(not silu)
    assert all(item.supported for item in check(model))
