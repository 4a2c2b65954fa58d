"""QLinearConv, QLinearAdd, ... become the same operator between DequantizeLinear and QuantizeLinear.

    QLinearConv(x, w) -> y      =      QuantizeLinear(Conv(DequantizeLinear(x), DequantizeLinear(w), bias))

An operand is named with its scale and its zero point behind it. The bias of a convolution is int32 at the scale of the
products. Operators of ONNX and those that ONNX Runtime adds (domain com.microsoft) alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx
from onnx import helper

__all__ = ["OPERATORS", "expanded", "origin"]

_MARK = "systolith: part of "


@dataclass(frozen=True)
class _Form:
    """Where a node has its operands: input indices of tensors, of the output's scale, of an int32 bias."""

    op: str
    operands: tuple[int, ...]
    output: int
    bias: int | None = None
    weight_axis: int = 0
    """of the weight's scales: its output channels."""


OPERATORS: dict[str, _Form] = {
    "QLinearConv": _Form("Conv", (0, 3), 6, 8),
    "QLinearMatMul": _Form("MatMul", (0, 3), 6, weight_axis=1),
    "QGemm": _Form("Gemm", (0, 3), 7, 6, 1),
    "QLinearAdd": _Form("Add", (0, 3), 6),
    "QLinearMul": _Form("Mul", (0, 3), 6),
    "QLinearGlobalAveragePool": _Form("GlobalAveragePool", (0,), 3),
    "QLinearAveragePool": _Form("AveragePool", (0,), 3),
    "QLinearReduceMean": _Form("ReduceMean", (0,), 3),
    "QLinearLeakyRelu": _Form("LeakyRelu", (0,), 3),
    "QLinearSigmoid": _Form("Sigmoid", (0,), 3),
    "QLinearSoftmax": _Form("Softmax", (0,), 3),
}
"""The operator between, and where the operands are; QLinearConcat has any number of them."""


def origin(node: onnx.NodeProto) -> str:
    """The operator of the file that a node was made of; empty where the node is the file's own."""
    return node.doc_string.removeprefix(_MARK) if node.doc_string.startswith(_MARK) else ""


def expanded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every QLinear operator taken apart; the same one where it has none."""
    theirs = {*OPERATORS, "QLinearConcat"}
    if not any(n.op_type in theirs or n.domain == "com.microsoft" for n in model.graph.node):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.node[:]
    for i, node in enumerate(model.graph.node):
        name = node.name or f"{node.op_type}_{i}"
        if node.op_type in theirs and not _channels_last(node):
            copy.graph.node.extend(_parts(node, name))
            continue
        kept = copy.graph.node.add()
        kept.CopyFrom(node)
        kept.name = name
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            kept.domain = ""
    return copy


def _channels_last(node: onnx.NodeProto) -> bool:
    return any(a.name == "channels_last" and a.i for a in node.attribute)


def _parts(node: onnx.NodeProto, name: str) -> list[onnx.NodeProto]:
    inputs = list(node.input)
    if node.op_type == "QLinearConcat":
        form = _Form("Concat", tuple(range(2, len(inputs), 3)), 0)
    else:
        form = OPERATORS[node.op_type]
    output, made, reals = node.output[0], [], []

    def add(op: str, sources: Sequence[str], result: str, **attributes: int) -> str:
        part = helper.make_node(op, list(sources), [result], name, f"{_MARK}{node.op_type}")
        part.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        made.append(part)
        return result

    def at(index: int) -> str:
        return inputs[index] if index < len(inputs) else ""

    for number, index in enumerate(form.operands):
        sources = [at(index), at(index + 1), *([at(index + 2)] if at(index + 2) else [])]
        axis = form.weight_axis if number else 0
        if node.op_type == "QGemm" and number:
            axis = 0 if any(a.name == "transB" and a.i for a in node.attribute) else 1
        reals.append(add("DequantizeLinear", sources, f"{output}:real{number}", axis=axis))
    if form.bias is not None and at(form.bias):
        scale = add("Mul", [at(1), at(4)], f"{output}:scale")
        reals.append(add("DequantizeLinear", [at(form.bias), scale], f"{output}:bias", axis=0))
    quantized = bool(at(form.output))
    main = add(form.op, reals, f"{output}:real" if quantized else output)
    kept = [a for a in node.attribute if a.name != "channels_last"]
    made[-1].attribute.extend(kept)
    if quantized:
        zero = at(form.output + 1)
        add("QuantizeLinear", [main, at(form.output), *([zero] if zero else [])], output)
    return made
