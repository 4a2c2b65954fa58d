"""What a file computes before the network runs: shape arithmetic, weights behind nodes; by ``onnx.reference``.

    Shape, Gather, Unsqueeze, Concat, Slice, Cast, ConstantOfShape, ...     -> constants
    Reshape, Transpose, DequantizeLinear of weights                         -> constants
    CastLike of a constant, like a tensor of the network                    -> a float32 constant

A symbolic batch is not known: what depends on it is evaluated for two batches (``BATCHES``).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from .onnx_reader_context import BATCHES, Array, Context
from .onnx_reader_quantized import fold_dequantize, keep_steps

__all__ = ["fold_constant", "reshape_targets"]


def fold_constant(context: Context) -> bool:
    """Evaluate a node whose inputs are all constants (or a Shape); its outputs become constants."""
    node = context.node
    if node.op_type in ("Shape", "Size") and node.input[0] in context.refs:
        return _shape(context)
    if node.op_type == "CastLike" and node.input[0] in context.constants and node.input[1] in context.refs:
        values = context.constants[node.input[0]]  # what a network computes is float32
        return _put(context, [values.astype(np.float32)], None)
    names = [name for name in node.input if name]
    if any(name not in context.constants for name in names) or (not names and node.op_type != "Constant"):
        return False
    if fold_dequantize(context):
        return True
    try:
        first = _evaluate(context, context.constants)
        second = None
        if any(name in context.others for name in names):
            second = _evaluate(context, {**context.constants, **context.others})
    except Exception:  # noqa: BLE001, whatever it cannot evaluate is an ordinary node, judged as such
        return False
    keep = _put(context, first, second)
    keep_steps(context)
    return keep


def _shape(context: Context) -> bool:
    """Shape and Size of a tensor that the network computes."""
    ref = context.refs[context.node.input[0]]
    if ref.host:
        return False
    found: list[Array] = []
    for batch in [context.batch] if context.batch else BATCHES:
        dims = np.array([batch, *ref.file_shape], np.int64)
        if context.node.op_type == "Shape":
            found.append(dims[context.attributes.get("start", 0) : context.attributes.get("end", len(dims))])
        else:
            found.append(np.array(np.prod(dims)))
    return _put(context, [found[0]], [found[-1]])


def _put(context: Context, first: list[Array], second: list[Array] | None) -> bool:
    for i, name in enumerate(context.node.output):
        if name:
            context.constants[name] = np.asarray(first[i])
            if second is not None and not np.array_equal(
                first[i], second[i], equal_nan=first[i].dtype.kind == "f"
            ):
                context.others[name] = np.asarray(second[i])
    return True


def _evaluate(context: Context, values: Mapping[str, Array]) -> list[Array]:
    node = context.node
    names = list(dict.fromkeys(name for name in node.input if name))
    graph = onnx.helper.make_graph(
        [node],
        "constant",
        [onnx.helper.make_empty_tensor_value_info(name) for name in names],
        [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name],
    )
    opsets = [onnx.helper.make_opsetid("", context.opset)]
    if node.domain not in ("", "ai.onnx"):
        opsets.append(onnx.helper.make_opsetid(node.domain, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator = ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=opsets))
        found = iter(evaluator.run(None, {name: values[name] for name in names}))
    return [np.asarray(next(found)) if name else np.zeros(0) for name in node.output]


def reshape_targets(graph: onnx.GraphProto, name: str) -> Iterator[tuple[int, int, int]]:
    """The maps that Reshapes of a tensor give it, behind the batch, where the file has them as numbers."""
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            values[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
    for node in graph.node:
        if (
            node.op_type == "Reshape"
            and node.input[0] == name
            and len(node.input) > 1
            and node.input[1] in values
        ):
            shape = [int(v) for v in values[node.input[1]].reshape(-1)]
            if len(shape) == 4 and min(shape[1:]) > 0:
                yield shape[1], shape[2], shape[3]
