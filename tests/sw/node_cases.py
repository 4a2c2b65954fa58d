"""ONNX's node tests made ready for the reader: one image input, constants as initializers.

    node test (one node, every operand an input)  ->  ways to write it as a network, the test's own numbers unchanged

A node test feeds every operand; a network has one input. Operands that layers keep as constants (weights, shapes, axes)
become initializers, from the test's data. Where several are values of a network (Add, Concat), the input holds all
of them side by side along axis 1 and Slices part them. Further ways only relabel, tried where the first is refused:

    batch     a batch of one in front; axes count one more
    map       axes of one value behind, up to [N, C, H, W]
    rows      a one-dimensional pool over maps of one row
    last      elementwise, the last axis as the channels: then an operand of that axis is one value a channel
    codes     quantized operands come from a QuantizeLinear in front, results go through a DequantizeLinear
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from node_families import NodeTest
from onnx import TensorProto, helper, numpy_helper
from systolith.sw.onnx_reader_functions import FUNCTIONS

Array = np.ndarray

NEWEST = 26
"""Opset of tests whose own one is later: the operators here are the same at both."""

_ELEMENTWISE = {
    "Relu", "Clip", "PRelu", "Sigmoid", "HardSigmoid", "Add", "Sum", "Mean", "Sub", "Mul", "Div", "Neg", "Max", "Min",
    "Pow", *FUNCTIONS,
}  # fmt: skip
_ANY_SHAPE = {"Identity", "Dropout", "QuantizeLinear", "DequantizeLinear"}
"""Elementwise too, where all operands but the first are single numbers."""

_FUNCTIONS = {"relu", "clip", "prelu", "hardsigmoid", *(name.lower() for name in FUNCTIONS)}
"""Families whose functions are elementwise."""

_SEVERAL = {"Add", "Sum", "Mean", "Sub", "Mul", "Div", "Max", "Min", "Concat"}
"""Whose operands are all values of a network."""

_AXIS = {"Concat": 0, "Softmax": -1, "LogSoftmax": -1, "ArgMax": 0, "Split": 0}
"""Operators with an attribute ``axis``, and its default."""

_PRINTED = {"test_averagepool_2d_ceil_last_window_starts_on_pad": 1e-4}
"""Tests whose results stand in ONNX's source with a few decimals; the last one's unit."""

_OUTPUT_SCALE = {"QLinearConv": 6, "QLinearMatMul": 6, "QuantizeLinear": 1}


@dataclass(frozen=True, kw_only=True)
class Network:
    """One way to write a test: ``data`` for the model's one input, what its outputs must be."""

    model: onnx.ModelProto
    data: Array
    expected: tuple[Array, ...]
    way: str
    rounded: float = 0.0
    """the unit that ``expected`` was rounded to: the scale of its codes, or a decimal."""
    sign: float = 1.0
    """-1 where the network takes the negative of the test's input."""


def networks(test: NodeTest) -> Iterator[Network]:
    """The ways to write a test as a network, the plainest first; none where its operands are no arrays."""
    if not test.inputs:
        return
    op = test.model.graph.node[0].op_type
    if "_expanded" in test.name:  # a function taken apart by ONNX, of more nodes than one
        if test.family in _FUNCTIONS:
            yield from (_written(way) for way in _elementwise(test))
        else:
            yield _written(_Way(test, "", test.inputs, test.outputs))
        return
    if op in _ELEMENTWISE or (op in _ANY_SHAPE and all(np.size(v) == 1 for v in test.inputs[1:])):
        yield from (_written(way) for way in _elementwise(test))
        return
    ways: list[Callable[[NodeTest], _Way | None]] = [
        lambda t: _Way(t, "", t.inputs, t.outputs),
        _map,
        _rows,
        _batch,
    ]
    for make in ways:
        way = make(test)
        if way is not None:
            yield _written(way)


@dataclass
class _Way:
    """A test whose node and operands have been relabelled."""

    test: NodeTest
    name: str
    inputs: Sequence[Array]
    outputs: Sequence[Array]
    node: onnx.NodeProto | None = None


# Relabelling ------------------------------------------------------------------------------------------


def _elementwise(test: NodeTest) -> Iterator[_Way]:
    """Axes mean nothing: maps of one image, or of several where there are four axes; then the last axis first."""
    arrays = (*test.inputs, *test.outputs)
    rank = max(array.ndim for array in arrays)

    def shaped(array: Array, last: bool) -> Array:
        if array.ndim == 0:
            return array
        full = array.reshape((1,) * (rank - array.ndim) + array.shape)
        full = np.moveaxis(full, -1, 0) if last else full
        if rank < 4:
            return full.reshape(1, *full.shape, *(1,) * (3 - rank))
        return full.reshape(*full.shape[:3], -1) if rank > 4 else full

    for last in (False, True):
        parts = [[shaped(array, last) for array in arrays] for arrays in (test.inputs, test.outputs)]
        yield _Way(test, "last" if last else "map" if rank < 4 else "", *parts)


def _map(test: NodeTest) -> _Way | None:
    """[N, C, L] as [N, C, L, 1]; for operators that name axes from the front."""
    node = deepcopy(test.model.graph.node[0])
    ranks = {array.ndim for array in test.inputs}
    if node.op_type != "Concat" or ranks - {2, 3} or len(ranks) > 1:
        return None
    axis = _attribute(node, "axis", 0)
    rank = max(ranks)
    _set(node, axis=axis % rank)
    shaped = [[v.reshape(v.shape + (1,) * (4 - rank)) for v in vs] for vs in (test.inputs, test.outputs)]
    return _Way(test, "map", *shaped, node)


def _rows(test: NodeTest) -> _Way | None:
    node = deepcopy(test.model.graph.node[0])
    if len(_attribute(node, "kernel_shape", [])) != 1:
        return None
    pads = _attribute(node, "pads", [0, 0])
    _set(node, pads=[0, pads[0], 0, pads[1]])
    for key in ("kernel_shape", "strides", "dilations"):
        _set(node, **{key: [1, *_attribute(node, key, [1])]})
    inputs = [v[:, :, None] if v.ndim == 3 else v for v in test.inputs]
    return _Way(test, "rows", inputs, [v[:, :, None] for v in test.outputs], node)


def _batch(test: NodeTest) -> _Way | None:
    """A batch of one in front of the data and of the results."""
    node, inputs = deepcopy(test.model.graph.node[0]), list(test.inputs)
    op, rank = node.op_type, test.inputs[0].ndim
    data = len(inputs) if op in _SEVERAL else 1

    def shifted(index: int) -> None:
        if index < len(inputs):
            inputs[index] = np.where(inputs[index] >= 0, inputs[index] + 1, inputs[index])

    if op in _AXIS:
        axis = _attribute(node, "axis", _AXIS[op])
        _set(node, axis=axis + 1 if axis >= 0 else axis)
    elif op == "Transpose":
        _set(node, perm=[0, *(p + 1 for p in _attribute(node, "perm", list(range(rank))[::-1]))])
    elif op in ("Squeeze", "Unsqueeze", "ReduceMean", "ReduceMax"):
        if len(inputs) < 2:
            inputs.append(np.arange(rank, dtype=np.int64))
            del node.input[1:]
            node.input.append("axes")
        shifted(1)
    elif op in ("Reshape", "Expand"):
        inputs[1] = np.concatenate([[1], inputs[1]]).astype(np.int64)
    elif op == "Slice":
        if len(inputs) < 4:
            inputs.append(np.arange(len(inputs[1]), dtype=np.int64))
            node.input.append("axes")
        shifted(3)
    elif op == "Pad":
        if len(inputs) < 4:
            half = len(inputs[1]) // 2
            inputs[1] = np.concatenate([[0], inputs[1][:half], [0], inputs[1][half:]]).astype(np.int64)
        shifted(3)
    else:
        return None
    inputs[:data] = [v[None] for v in inputs[:data]]
    return _Way(test, "batch", inputs, [v[None] for v in test.outputs], node)


def _attribute(node: onnx.NodeProto, key: str, default: Any) -> Any:
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == key), default)


def _set(node: onnx.NodeProto, **attributes: Any) -> None:
    for key, value in attributes.items():
        kept = [a for a in node.attribute if a.name != key]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute(key, value)])


# Writing ----------------------------------------------------------------------------------------------


def _written(way: _Way) -> Network:
    """The model: its one input, constants, Slices or quantizers around the node."""
    graph = way.test.model.graph
    nodes = [deepcopy(node) for node in graph.node] if way.node is None else [way.node]
    names = list(dict.fromkeys(name for name in nodes[0].input if name)) if way.node is not None else [
        value.name for value in graph.input]  # fmt: skip
    operands = dict(zip(names, way.inputs, strict=True))
    first, op = names[0], nodes[0].op_type
    values = [name for name in names if op in _SEVERAL and operands[name].shape == operands[first].shape]
    before: list[onnx.NodeProto] = []
    data, source = operands.pop(first), first
    if len(nodes) == 1 and len(values) > 1:
        before, data = _parted(values, {**operands, first: data})
        source = "values"
        operands = {name: array for name, array in operands.items() if name not in values}
    after: list[onnx.NodeProto] = []
    expected, rounded = list(way.outputs), _PRINTED.get(way.test.name, 0.0)
    outputs = [value.name for value in graph.output]
    if op == "MaxPool" and data.dtype == np.uint8:  # of codes, as in quantized networks
        operands |= {"one": np.array(1.0, np.float32), "zero": np.array(0, np.uint8)}
        before.append(helper.make_node("QuantizeLinear", ["real", "one", "zero"], [first]))
        after.append(helper.make_node("DequantizeLinear", [outputs[0], "one", "zero"], ["result"]))
        data, source, outputs = data.astype(np.float32), "real", ["result"]
    if op in ("QLinearConv", "QLinearMatMul", "DequantizeLinear"):
        before.append(helper.make_node("QuantizeLinear", ["real", *nodes[0].input[1:3]], [first]))
        data, source = _real(data, *(operands[name] for name in nodes[0].input[1:3])), "real"
    if op in _OUTPUT_SCALE:
        scale = nodes[0].input[_OUTPUT_SCALE[op] : _OUTPUT_SCALE[op] + 2]
        after.append(helper.make_node("DequantizeLinear", [outputs[0], *scale], ["result"]))
        expected, outputs = [_real(expected[0], *(operands[name] for name in scale))], ["result"]
        rounded = float(np.max(operands[scale[0]]))
    made = helper.make_graph(
        [*before, *nodes, *after], way.test.name, [_info(source, data)],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(np.ascontiguousarray(v).reshape(v.shape), k) for k, v in operands.items()],
    )  # fmt: skip
    model = deepcopy(way.test.model)
    model.graph.CopyFrom(made)
    for opset in model.opset_import:
        opset.version = min(opset.version, NEWEST) if opset.domain in ("", "ai.onnx") else opset.version
    return Network(model=model, data=data, expected=tuple(expected), way=way.name, rounded=rounded)


def _real(codes: Array, scale: Array, zero: Array | None = None) -> Array:
    """What codes stand for, float32."""
    shift = np.zeros(1) if zero is None else np.asarray(zero, np.float64)
    if np.size(scale) != 1:
        return codes  # several scales: the reader refuses the test in any case
    return ((codes.astype(np.float64) - shift.reshape(-1)[0]) * float(np.reshape(scale, -1)[0])).astype(
        np.float32
    )


def _parted(values: Sequence[str], operands: dict[str, Array]) -> tuple[list[onnx.NodeProto], Array]:
    """One input of all operands side by side along axis 1, and the Slices that part them."""
    arrays = [operands[name] for name in values]
    if arrays[0].ndim < 2:
        return [], arrays[0]
    size, nodes = arrays[0].shape[1], []
    for i, name in enumerate(values):
        for key, number in (("from", i * size), ("to", (i + 1) * size), ("axis", 1)):
            tensor = numpy_helper.from_array(np.array([number], np.int64))
            nodes.append(helper.make_node("Constant", [], [f"{name}:{key}"], value=tensor))
        nodes.append(
            helper.make_node("Slice", ["values", *(f"{name}:{k}" for k in ("from", "to", "axis"))], [name])
        )
    return nodes, np.concatenate(arrays, axis=1)


def _info(name: str, data: Array) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(data.dtype), data.shape)


def negated(network: Network) -> Network:
    """The same behind a Neg: of networks that would do nothing at all."""
    model, (value,) = deepcopy(network.model), network.model.graph.input
    node = helper.make_node("Neg", ["negative"], [value.name])
    nodes = [node, *model.graph.node]
    del model.graph.node[:], model.graph.input[:]
    model.graph.node.extend(nodes)
    model.graph.input.append(helper.make_tensor_value_info("negative", TensorProto.FLOAT, network.data.shape))
    return replace(network, model=model, data=-network.data, way=f"{network.way} negated".strip(), sign=-1.0)
