"""One function an ONNX operator: it refuses, or adds nodes to the small graph.

Each docstring says what becomes of the operator; ``Unsupported`` carries why it cannot and what to do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .graph import Node, NodeKind
from .onnx_reader_context import Context, Ref, Unsupported
from .onnx_reader_copies import concat, pad, slice_, split
from .onnx_reader_functions import (
    COMBINED,
    FUNCTIONS,
    affine,
    combine,
    function,
    hard_sigmoid,
    host,
    host_or_function,
    per_channel,
    product,
    quotient,
)
from .onnx_reader_linear import conv, gemm, matmul
from .onnx_reader_quantized import dequantize, quantize
from .onnx_reader_relabel import cast, flatten, identity, reshape, squeeze, transpose, unsqueeze
from .onnx_reader_resize import resize
from .onnx_reader_spread import alike, expand, space_to_depth, tile
from .onnx_reader_windows import pool_window

__all__ = ["CONVERTERS", "CURES", "FOLDED", "HOST"]

Array = npt.NDArray[Any]


def batch_normalization(ctx: Context) -> None:
    """BatchNormalization: affine, folded into the convolution before it, or into the layer behind."""
    source = ctx.ref()
    if ctx.attributes.get("training_mode", 0) or ctx.attributes.get("is_test", 1) != 1:
        raise Unsupported("it is in training mode", "export the model in evaluation mode")
    if ctx.attributes.get("spatial", 1) != 1:
        raise Unsupported("it does not normalize per channel (spatial 0)", "export with opset >= 9")
    gamma, beta, mean, variance = (ctx.weight(i) for i in range(1, 5))
    deviation = np.sqrt(variance + ctx.attributes.get("epsilon", 1e-5))
    if not np.all(deviation > 0):
        raise Unsupported("its variance is not positive", "export the model again")
    if not source.axes or len(gamma) != source.file_shape[0]:
        raise Unsupported(f"its {len(gamma)} channels are not axis 1 of its input", "export the model again")
    scale = gamma / deviation
    shape = (-1, *(1,) * (len(source.axes) - 1))
    each = [per_channel(v.reshape(shape), source) for v in (scale, beta - mean * scale, beta, np.abs(gamma))]
    affine(ctx, source, each[0], each[1], (each[2], each[3]) if each[2].ndim == each[3].ndim == 1 else None)


def _constant_side(ctx: Context) -> int | None:
    return next((i for i in (0, 1) if ctx.is_constant(i)), None)


def _operands(ctx: Context) -> tuple[list[Ref], list[Array]]:
    """Tensors of one shape, broadcast where they are not, and constants, of a node that takes any number of either."""
    refs = [ctx.ref(i) for i in range(len(ctx.node.input)) if not ctx.is_constant(i)]
    constants = [ctx.weight(i) for i in range(len(ctx.node.input)) if ctx.is_constant(i)]
    return alike(ctx, refs), constants


def add(ctx: Context) -> None:
    """Add, Sum, Mean: of tensors, one addition after the other; of a constant per channel: affine (a bias)."""
    refs, constants = _operands(ctx)
    output, share = ctx.node.output[0], 1.0
    if ctx.node.op_type == "Mean":
        share = 1.0 / len(ctx.node.input)
    last = refs[0]
    for i, other in enumerate(refs[1:]):
        name = output if i == len(refs) - 2 and not constants and share == 1.0 else f"{output}:sum{i + 1}"
        ctx.nodes.append(Node(name=ctx.name, kind="add", inputs=(last.tensor, other.tensor), output=name))
        last = replace(last, tensor=name)
    if constants or share != 1.0:
        total = np.zeros(last.shape[2])
        for values in constants:
            each = per_channel(values, last)
            total = total + each if total.ndim == each.ndim else (total.T + each.T).T
        affine(ctx, last, np.full(last.shape[2], share), total * share)
    else:
        ctx.put(last)


def arithmetic(ctx: Context) -> None:
    """Sub, Mul, Div with a constant per channel, Neg: affine; Sub of two tensors: an addition; Mul, Div: a product."""
    op, side = ctx.node.op_type, _constant_side(ctx)
    if op == "Neg":
        source = ctx.ref()
        affine(ctx, source, -np.ones(source.shape[2]), np.zeros(source.shape[2]))
        return
    if op == "Sub" and side is None:
        (first, second), _ = _operands(ctx)
        name, one = f"{ctx.node.output[0]}:negative", np.ones(second.shape[2])
        negative = Node(
            name=ctx.name, kind="affine", inputs=(second.tensor,), output=name, scale=-one, offset=0 * one
        )
        node = Node(name=ctx.name, kind="add", inputs=(first.tensor, name), output=ctx.node.output[0])
        ctx.nodes.append(negative)
        ctx.emit(node, first.shape, first)
        return
    if op == "Div" and side != 1:
        quotient(ctx)
        return
    if side is None:
        product(ctx, ctx.ref(0), ctx.ref(1))
        return
    source = ctx.ref(1 - side)
    values = per_channel(ctx.weight(side), source)
    one, zero = np.ones_like(values), np.zeros_like(values)
    if op == "Sub":
        affine(ctx, source, *((one, -values) if side == 1 else (-one, values)))
    elif op == "Mul":
        affine(ctx, source, values, zero)
    elif np.any(values == 0):
        raise Unsupported("it divides by zero", "export the model again")
    else:
        affine(ctx, source, 1.0 / values, zero)


def _clip(ctx: Context, lo: float, hi: float, source: Ref | None = None) -> None:
    source = source or ctx.ref()
    if math.isnan(lo) or math.isnan(hi) or lo > hi:
        raise Unsupported(f"its bounds {lo}..{hi} are no range", "clip with min <= max")
    node = Node(name=ctx.name, kind="clip", inputs=(source.tensor,), output=ctx.node.output[0], lo=lo, hi=hi)
    ctx.emit(node, source.shape, source)


def relu(ctx: Context) -> None:
    """Relu: bounds 0..inf of the layer before it."""
    _clip(ctx, 0.0, math.inf)


def clip(ctx: Context) -> None:
    """Clip, bounds as attributes (opset < 11) or constant inputs: bounds of the layer before it."""
    bounds = []
    for i, key in ((1, "min"), (2, "max")):
        default = -math.inf if key == "min" else math.inf
        value = (
            float(ctx.constant(i).reshape(-1)[0]) if ctx.has(i) else float(ctx.attributes.get(key, default))
        )
        bounds.append(default if abs(value) >= 3.4e38 else value)
    _clip(ctx, bounds[0], bounds[1])


def bound(ctx: Context) -> None:
    """Max, Min with a constant that is one number: a bound of the layer before it. Of two tensors: a table."""
    if sum(not ctx.is_constant(i) for i in range(len(ctx.node.input))) > 1 or any(
        ctx.constant(i).size > 1 for i in range(len(ctx.node.input)) if ctx.is_constant(i)
    ):
        combine(ctx)
        return
    refs, constants = _operands(ctx)
    found = [float(values.reshape(-1)[0]) for values in constants]
    if ctx.node.op_type == "Max":
        _clip(ctx, max(found, default=-math.inf), math.inf, refs[0])
    else:
        _clip(ctx, -math.inf, min(found, default=math.inf), refs[0])


def pool(ctx: Context) -> None:
    """MaxPool, AveragePool and the global ones: maxpool or avgpool."""
    source = ctx.map()
    op = ctx.node.op_type
    kind: NodeKind = "maxpool" if "Max" in op else "avgpool"
    inputs, output = (source.tensor,), ctx.node.output[0]
    if op.startswith("Global"):
        node = Node(name=ctx.name, kind=kind, inputs=inputs, output=output, kernel=source.shape[:2])
        ctx.emit(node, (1, 1, source.shape[2]))
        return
    kernel, where, counts = pool_window(ctx, source.shape)
    node = Node(
        name=ctx.name, kind=kind, inputs=inputs, output=output, kernel=kernel, stride=where.stride,
        dilation=where.dilation, pads=where.pads, counts=counts,
    )  # fmt: skip
    ctx.emit(node, (*where.output, source.shape[2]))


def reduce(ctx: Context) -> None:
    """ReduceMean, ReduceMax over height, width or both, however the file names them: avgpool or maxpool."""
    source = ctx.ref()
    given = ctx.integers(1, "axes")
    rank = len(source.axes) + 1
    if given is None or (not given and not ctx.attributes.get("noop_with_empty_axes", 0)):
        raise Unsupported("it reduces the batch too", "reduce height and width (axes 2 and 3)")
    if not given:
        ctx.alias(source)
        return
    axes = ctx.axes(given, rank)
    letters = "".join(source.axes[axis - 1] for axis in axes)
    if "C" in letters:
        raise Unsupported(f"it reduces the channels (axes {given})", "reduce height and width (axes 2 and 3)")
    rows, cols = (source.sizes[x] if x in letters else 1 for x in "HW")
    keep = bool(ctx.attributes.get("keepdims", 1))
    left = tuple("" if i in axes else a for i, a in enumerate(source.axes, 1) if keep or i not in axes)
    if not letters:
        ctx.alias(source, axes=left)
        return
    node = Node(
        name=ctx.name, kind="maxpool" if ctx.node.op_type == "ReduceMax" else "avgpool",
        inputs=(source.tensor,), output=ctx.node.output[0], kernel=(rows, cols), stride=(rows, cols),
    )  # fmt: skip
    shape = (source.shape[0] // rows, source.shape[1] // cols, source.shape[2])
    ctx.emit(node, shape, replace(source, axes=left, shape=shape))


CONVERTERS: dict[str, Callable[[Context], None]] = {
    "Conv": conv, "Gemm": gemm, "MatMul": matmul, "BatchNormalization": batch_normalization, "Add": add,
    "Sum": add, "Mean": add, "Sub": arithmetic, "Mul": arithmetic, "Div": arithmetic, "Neg": arithmetic, "Relu": relu,
    "Clip": clip, "Max": bound, "Min": bound, "MaxPool": pool, "AveragePool": pool, "GlobalAveragePool": pool,
    "GlobalMaxPool": pool, "ReduceMean": reduce, "ReduceMax": reduce, "Identity": identity,
    "Dropout": identity, "Cast": cast, "CastLike": cast, "Expand": expand, "Flatten": flatten, "Reshape": reshape,
    "Squeeze": squeeze, "Unsqueeze": unsqueeze, "Transpose": transpose, "Slice": slice_, "Split": split, "Pad": pad,
    "Tile": tile, "SpaceToDepth": space_to_depth,
    "Concat": concat, "Resize": resize, "Upsample": resize, "Softmax": host, "LogSoftmax": host, "ArgMax": host,
    "Sigmoid": host_or_function, "HardSigmoid": hard_sigmoid, **dict.fromkeys(COMBINED, combine),
    **dict.fromkeys(FUNCTIONS, function),
    "QuantizeLinear": quantize, "DequantizeLinear": dequantize,
}  # fmt: skip
"""Every operator that can run, by its ONNX name."""

HOST = frozenset({"Softmax", "LogSoftmax", "ArgMax"})
"""Operators behind the network that the host computes, as it does a Sigmoid there."""

FOLDED = frozenset(
    {"BatchNormalization", "Identity", "Dropout", "Cast", "CastLike", "Flatten", "Reshape", "Squeeze",
     "Unsqueeze", "Transpose", "QuantizeLinear", "DequantizeLinear"}
)  # fmt: skip
"""Operators that are no work at run time."""

CURES: dict[str, str] = {
    "LRN": "use BatchNormalization", "InstanceNormalization": "use BatchNormalization",
    "LayerNormalization": "use BatchNormalization", "GroupNormalization": "use BatchNormalization",
    "ConvTranspose": "upsample by the nearest pixel (Resize) in front of an ordinary convolution",
    "DepthToSpace": "upsample by the nearest pixel (Resize) in front of an ordinary convolution",
    "LpPool": "use AveragePool or MaxPool", "GlobalLpPool": "use GlobalAveragePool or GlobalMaxPool",
    "MaxUnpool": "upsample by the nearest pixel (Resize)", "GridSample": "resize by whole numbers (Resize)",
    "DynamicQuantizeLinear": "quantize with fixed scales, or export the float model",
    "ConvInteger": "quantize with fixed scales, or export the float model",
    "MatMulInteger": "quantize with fixed scales, or export the float model",
    "FusedConv": "save the model without ONNX Runtime's optimizations",
    "FusedGemm": "save the model without ONNX Runtime's optimizations",
    "If": "export without control flow", "Loop": "export without control flow",
    "Scan": "export without control flow",
}  # fmt: skip
"""What to do about well-known operators that cannot run."""
