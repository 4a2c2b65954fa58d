"""Activation functions and operators of two maps: tables, products, and what the passes make tables of.

``out = f(in)``, f of ``quant.functions``; ``out = in0 * in1``, of which one has one pixel
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx

from ..quant.functions import OPERANDS, Function, X, apply, constant, defaults
from .graph import HostOp, Node
from .onnx_reader_context import Array, Context, Ref, Unsupported

__all__ = [
    "COMBINED", "FUNCTIONS", "INVERSE", "affine", "combine", "final_names", "function", "hard_sigmoid", "host",
    "host_or_function", "per_channel", "product", "quotient",
]  # fmt: skip

FUNCTIONS = (
    "Abs", "Ceil", "Celu", "Cos", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSwish", "LeakyRelu", "Log", "Mish",
    "Reciprocal", "Round", "Selu", "Shrink", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Swish", "Tanh",
    "ThresholdedRelu",
)  # fmt: skip
"""Operators of one tensor that become a table."""

COMBINED = (
    "PRelu",
    "Pow",
    "Where",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Equal",
    "And",
    "Or",
    "Xor",
    "Not",
)
"""Operators of several tensors, constants among them, that become part of a table."""

_BEHIND = frozenset(
    {"Softmax", "LogSoftmax", "ArgMax", "Sigmoid", "Identity", "Dropout", "Cast", "Flatten", "Reshape", "Squeeze",
     "Unsqueeze", "Transpose", "QuantizeLinear", "DequantizeLinear"}
)  # fmt: skip
INVERSE = ":inverse"
"""End of the names of divisors' inverses."""


def final_names(graph: onnx.GraphProto) -> frozenset[str]:
    """Names that only the graph's outputs and operators on the host, or without work, read."""
    inside: set[str] = set()
    for node in reversed(graph.node):
        if node.op_type not in _BEHIND or any(name in inside for name in node.output):
            inside.update(node.input)
    return frozenset(name for node in graph.node for name in node.output if name not in inside)


def per_channel(values: Array, source: Ref) -> Array:
    """A constant broadcast against ``source``: [C], or [C, H, W] where it differs within a channel."""
    shape = (1, *source.file_shape)
    try:
        full = np.broadcast_to(values, shape)[0]
    except ValueError:
        raise Unsupported(
            f"its constant {list(values.shape)} does not broadcast to one image {list(shape)}",
            "use one value a channel",
        ) from None
    full = source.to_map(full)
    each = full[:, 0, 0]
    same = np.array_equal(full, np.broadcast_to(each[:, None, None], full.shape))
    return np.array(each if same else full, np.float64)


def affine(
    ctx: Context, source: Ref, scale: Array, offset: Array, seen: tuple[Array, Array] | None = None
) -> None:
    """``out = in * scale + offset``, each [C], or [C, H, W] where a layer behind takes it in (``passes``).

    ``seen``: mean and deviation of the output, where the file knows them.
    """
    if scale.ndim != offset.ndim:
        scale, offset = (v if v.ndim == 3 else v[:, None, None] for v in (scale, offset))
        scale, offset = (np.array(v) for v in np.broadcast_arrays(scale, offset))
    node = Node(
        name=ctx.name, kind="affine", inputs=(source.tensor,), output=ctx.node.output[0], scale=scale, offset=offset,
        pre_mean=None if seen is None else seen[0], pre_std=None if seen is None else seen[1],
    )  # fmt: skip
    ctx.emit(node, source.shape, source)


def _table(ctx: Context, source: Ref, f: Function, output: str = "") -> Ref:
    """A table of ``source``; named as the node's output unless ``output`` says otherwise."""
    name = output or ctx.node.output[0]
    node = Node(name=ctx.name, kind="table", inputs=(source.tensor,), output=name, function=f)
    if output:
        ctx.nodes.append(node)
        return replace(source, tensor=output)
    ctx.emit(node, source.shape, source)
    return ctx.refs[name]


def function(ctx: Context) -> None:
    """Abs, Elu, Exp, Gelu, HardSwish, LeakyRelu, Softplus, Tanh, ...: a table of every code."""
    op = ctx.node.op_type
    if op == "Gelu" and ctx.attributes.get("approximate", b"none") == b"tanh":
        op = "GeluTanh"
    given = {key: float(ctx.attributes[key]) for key in defaults(op) if key in ctx.attributes}
    _table(ctx, ctx.ref(), apply(op, X, **given))


def combine(ctx: Context) -> None:
    """PRelu, Pow, Where, Greater, ... of one map, of functions of it and of constants: a table."""
    op, count = ctx.node.op_type, len(ctx.node.input)
    refs = {i: ctx.ref(i) for i in range(count) if not ctx.is_constant(i)}
    if not refs:
        raise Unsupported("all of its inputs depend on the batch alone", "export with a static batch")
    source = next(iter(refs.values()))
    if any(ref.axes != source.axes or ref.shape != source.shape for ref in refs.values()):
        shapes = " with ".join(str(["N", *ref.file_shape]) for ref in refs.values())
        raise Unsupported(f"it broadcasts {shapes}", "use tensors of one shape")
    tensors = list(dict.fromkeys(ref.tensor for ref in refs.values()))
    operands: list[Function] = []
    for i in range(count):
        if i in refs:
            operands.append(Function(OPERANDS[tensors.index(refs[i].tensor)]) if len(tensors) > 1 else X)
            continue
        values = ctx.weight(i) if op == "PRelu" else np.asarray(ctx.constant(i), np.float64)
        each = per_channel(values, source)
        if each.ndim > 1:
            raise Unsupported("its constant differs within a channel", "use one value a channel")
        operands.append(constant(each))
    f = operands[0]
    for operand in operands[1:] if op != "Where" else ():  # Max, Min of more than two
        f = apply(op, f, operand)
    f = apply(op, *operands) if op in ("Where", "Not") else f
    if len(tensors) == 1:
        _table(ctx, source, f)
        return
    node = Node(name=ctx.name, kind="apply", inputs=tuple(tensors), output=ctx.node.output[0], function=f)
    ctx.emit(node, source.shape, source)


def hard_sigmoid(ctx: Context) -> None:
    """HardSigmoid: an affine and bounds, which the layer before it takes in."""
    source = ctx.ref()
    alpha, beta = (float(ctx.attributes.get(key, value)) for key, value in defaults("HardSigmoid").items())
    one = np.ones(source.shape[2])
    node = Node(
        name=ctx.name, kind="affine", inputs=(source.tensor,), output=ctx.node.output[0], scale=alpha * one,
        offset=beta * one, lo=0.0, hi=1.0,
    )  # fmt: skip
    ctx.emit(node, source.shape, source)


def host(ctx: Context) -> None:
    """Softmax, ArgMax, ... behind the network: recorded for the host."""
    source = ctx.ref(host=True)
    ctx.host.append(HostOp(op=ctx.node.op_type, input=source.tensor, output=ctx.node.output[0]))
    ctx.alias(source, host=ctx.node.op_type)


def host_or_function(ctx: Context) -> None:
    """Sigmoid: inside of the network a table; at its end recorded for the host."""
    if ctx.node.output[0] in ctx.final or ctx.ref(host=True).host:
        host(ctx)
    else:
        _table(ctx, ctx.ref(), apply(ctx.node.op_type))


def product(ctx: Context, first: Ref, second: Ref) -> None:
    """Mul of two tensors: of functions of one map a table (``passes_tables``); by a map of one pixel a product."""
    first, second = _unspread(ctx, first), _unspread(ctx, second)
    if first.features < second.features:
        first, second = second, first
    alike = first.axes == second.axes and first.shape == second.shape
    if not alike and not _one_pixel(first, second):
        shapes = " with ".join(str(["N", *ref.file_shape]) for ref in (first, second))
        verb = "multiplies" if ctx.node.op_type == "Mul" else "divides"
        raise Unsupported(
            f"it {verb} {shapes}", "use tensors of one shape, or [N, C, 1, 1] as the second one"
        )
    node = Node(
        name=ctx.name, kind="product", inputs=(first.tensor, second.tensor), output=ctx.node.output[0]
    )
    ctx.emit(node, first.shape, first)


def _unspread(ctx: Context, ref: Ref) -> Ref:
    """Behind an Expand of one pixel: that pixel."""
    made = next((node for node in reversed(ctx.nodes) if node.output == ref.tensor), None)
    if made is None or made.kind != "upsample" or made.factor != ref.shape[:2]:
        return ref
    return replace(ref, tensor=made.inputs[0], shape=(1, 1, ref.shape[2]))


def _one_pixel(whole: Ref, part: Ref) -> bool:
    """Is ``part`` one value a channel of ``whole``, on the same axis?"""
    wanted = tuple("C" if axis == "C" and whole.shape[2] > 1 else "" for axis in whole.axes)
    return part.shape == (1, 1, whole.shape[2]) and part.axes == wanted


def quotient(ctx: Context) -> None:
    """Div of two tensors, or of a constant by a tensor: the product with a table of 1 / x."""
    below = ctx.ref(1)
    inverse = _table(ctx, below, apply("Reciprocal"), f"{ctx.node.output[0]}{INVERSE}")
    if not ctx.is_constant(0):
        product(ctx, ctx.ref(0), inverse)
        return
    values = per_channel(ctx.weight(0), below)
    affine(ctx, inverse, values, np.zeros_like(values))
