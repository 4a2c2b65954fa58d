"""The quantized operators of ONNX Runtime, one at a time: the same codes as it computes, to the bit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from systolith.quant.network import QuantizedNetwork
from systolith.quant.quantizer import Options, quantize
from systolith.sw import integer_reference
from systolith.sw.float_reference import FloatSession
from systolith.sw.input_folding import given_input
from systolith.sw.onnx_reader import check, read
from systolith.sw.onnx_reader_qlinear import OPERATORS, expanded, origin

SCALE, OUT = 2.0**-4, 2.0**-3
UNKNOWN = {"QLinearReduceMean"}
"""ONNX Runtime defines it, and has no code for it."""


def model_of(operator: str, parts: Sequence[str], shape: Sequence[int], **attributes: Any) -> onnx.ModelProto:
    """``x`` quantized, one operator, its codes dequantized. In ``parts``: x twice read as x and y; others constants."""
    rng = np.random.default_rng(1)
    values = {
        "one": np.float32(SCALE), "out": np.float32(OUT), "zero": np.int8(0), "half": np.float32(2.0**-6),
        "x_zero": np.int8(0), "matrix": rng.integers(-90, 90, (32, 5)).astype(np.int8),
        "kernel": rng.integers(-90, 90, (5, 2, 2, 2)).astype(np.int8),
        "bias": rng.integers(-900, 900, 5).astype(np.int32),
        "each": rng.integers(-90, 90, (1, 2, 1, 1)).astype(np.int8),
    }  # fmt: skip
    initializers = [numpy_helper.from_array(np.asarray(v), k) for k, v in values.items()]
    domain = "com.microsoft" if operator not in ("QLinearConv", "QLinearMatMul") else ""
    flat = operator in ("QGemm", "QLinearMatMul", "QLinearSoftmax")
    nodes = [
        helper.make_node("QuantizeLinear", ["input", "one", "zero"], ["map"]),
        helper.make_node("Flatten" if flat else "Identity", ["map"], ["x"]),
        helper.make_node(operator, list(parts), ["codes"], name="it", domain=domain, **attributes),
        helper.make_node("DequantizeLinear", ["codes", "out", "zero"], ["real"]),
    ]
    graph = helper.make_graph(
        nodes, "one", [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 2, 4, 4])],
        [helper.make_tensor_value_info("real", TensorProto.FLOAT, ["N", *shape])], initializers,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, ir_version=8, opset_imports=opsets)


X, OUTPUT = ["x", "one", "zero"], ["out", "zero"]
MODELS = {
    "QLinearConv": model_of("QLinearConv", [*X, "kernel", "half", "zero", *OUTPUT, "bias"], [5, 3, 3]),
    "QLinearMatMul": model_of("QLinearMatMul", [*X, "matrix", "half", "zero", *OUTPUT], [5]),
    "QGemm": model_of("QGemm", [*X, "matrix", "half", "zero", "bias", *OUTPUT], [5]),
    "QLinearAdd": model_of("QLinearAdd", [*X, *X, *OUTPUT], [2, 4, 4]),
    "QLinearMul": model_of("QLinearMul", [*X, "each", "half", "zero", *OUTPUT], [2, 4, 4]),
    "QLinearConcat": model_of("QLinearConcat", [*OUTPUT, *X, *X], [4, 4, 4], axis=1),
    "QLinearGlobalAveragePool": model_of("QLinearGlobalAveragePool", [*X, *OUTPUT], [2, 1, 1], channels_last=0),
    "QLinearAveragePool": model_of("QLinearAveragePool", [*X, *OUTPUT], [2, 3, 3], kernel_shape=[2, 2]),
    "QLinearReduceMean": model_of("QLinearReduceMean", [*X, *OUTPUT], [2, 1, 1], axes=[2, 3]),
    "QLinearLeakyRelu": model_of("QLinearLeakyRelu", [*X, *OUTPUT], [2, 4, 4], alpha=0.25),
    "QLinearSigmoid": model_of("QLinearSigmoid", [*X, *OUTPUT], [2, 4, 4]),
    "QLinearSoftmax": model_of("QLinearSoftmax", [*X, *OUTPUT], [32], axis=1, opset=13),
}  # fmt: skip


def integers(model: onnx.ModelProto, real: np.ndarray) -> tuple[QuantizedNetwork, np.ndarray]:
    """The file's own formats kept: the network, and the real output it computes in integers, as the file shapes it."""
    graph = read(model)
    given = given_input(graph)
    assert given is not None and given.graph.formats
    options = Options(input_format=given.format, formats=given.graph.formats, wgt_fl=given.graph.wgt_fl)
    network = quantize(given.graph, given.real(real), options).network
    (name,) = network.outputs
    codes = integer_reference.run(network, network.input_codes(given.real(real)))[name]
    return network, network.tensors[name].real(codes).transpose(0, 3, 1, 2)


def test_every_operator_is_here() -> None:
    assert set(MODELS) == {*OPERATORS, "QLinearConcat"}


@pytest.mark.parametrize("operator", MODELS)
def test_operators_like_onnxruntime(operator: str) -> None:
    model = MODELS[operator]
    named = [item for item in check(model) if item.name == "it"]
    assert [item.op for item in named] == [operator]
    assert named[0].supported
    graph = read(model)
    real = np.random.default_rng(2).normal(scale=3.0, size=(40, 4, 4, 2)).astype(np.float32)
    if graph.host:
        assert [(op.op, op.input) for op in graph.host] == [(OPERATORS[operator].op, graph.outputs[0])]
        return
    _, ours = integers(model, real)
    if operator in UNKNOWN:
        mean = np.rint(np.rint(real / SCALE).clip(-128, 127).sum((1, 2)) * (SCALE / 16) / OUT) * OUT
        assert np.abs(ours.reshape(len(real), -1) - mean).max() <= OUT
        return
    theirs = FloatSession(model, graph, ["real"]).run(real)["real"]
    assert np.array_equal(ours.reshape(len(real), -1), theirs.reshape(len(real), -1))


def test_channels_last_stays_and_is_refused() -> None:
    model = model_of("QLinearGlobalAveragePool", [*X, *OUTPUT], [2, 1, 1], channels_last=1)
    (item,) = [item for item in check(model) if item.name == "it"]
    assert not item.supported and item.op == "QLinearGlobalAveragePool"


def test_what_is_made_of_an_operator_names_it() -> None:
    parts = [node for node in expanded(MODELS["QGemm"]).graph.node if origin(node)]
    assert [node.op_type for node in parts] == [
        "DequantizeLinear", "DequantizeLinear", "Mul", "DequantizeLinear", "Gemm", "QuantizeLinear",
    ]  # fmt: skip
    assert {origin(node) for node in parts} == {"QGemm"} and {node.name for node in parts} == {"it"}
    assert expanded(onnx.ModelProto()) == onnx.ModelProto()
