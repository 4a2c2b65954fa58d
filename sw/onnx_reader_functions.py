"""Activation functions and operators of two maps: tables, products, and what the passes make tables of.

``out = f(in)``, f of ``quant.functions``; ``out = in0 * in1``, of which one has one pixel
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx

from ..quant.functions import Function, X, apply, constant, defaults
from .graph import HostOp, Node, NodeKind
from .onnx_reader_context import Array, Context, Ref, Unsupported

__all__ = [
    "FUNCTIONS", "INVERSE", "affine", "binary", "final_names", "function", "hard_sigmoid", "host", "host_or_function",
    "per_channel", "power", "prelu", "quotient",
]  # fmt: skip

FUNCTIONS = (
    "Abs", "Ceil", "Celu", "Cos", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSwish", "LeakyRelu", "Log", "Mish",
    "Reciprocal", "Round", "Selu", "Shrink", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Swish", "Tanh",
    "ThresholdedRelu",
)  # fmt: skip
"""Operators of one tensor that become a table."""

_BEHIND = frozenset(
    {"Softmax", "LogSoftmax", "ArgMax", "Sigmoid", "Identity", "Dropout", "Cast", "Flatten", "Reshape", "Squeeze",
     "Unsqueeze", "Transpose", "QuantizeLinear", "DequantizeLinear"}
)  # fmt: skip
INVERSE = ":inverse"
"""End of the names of divisors' inverses."""
_BINARY: dict[str, NodeKind] = {"Mul": "product", "Max": "maximum", "Min": "minimum"}


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


def prelu(ctx: Context) -> None:
    """PRelu with one slope, or one a channel: a table, or one a channel."""
    source = ctx.ref()
    slope = per_channel(ctx.weight(1), source)
    if slope.ndim > 1:
        raise Unsupported("its slope differs within a channel", "use one slope a channel")
    _table(ctx, source, apply("PRelu", X, constant(slope)))


def power(ctx: Context) -> None:
    """Pow by a constant, one or one a channel: a table."""
    source = ctx.ref()
    if not ctx.is_constant(1):
        raise Unsupported("its exponent is computed at run time", "use a constant exponent")
    exponent = per_channel(np.asarray(ctx.constant(1), np.float64), source)
    if exponent.ndim > 1:
        raise Unsupported("its exponent differs within a channel", "use one exponent a channel")
    _table(ctx, source, apply("Pow", X, constant(exponent)))


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


def binary(ctx: Context, first: Ref, second: Ref) -> None:
    """Mul, Max, Min of two tensors: of one map a table (``passes_tables``); Mul by a map of one pixel: a product."""
    op = ctx.node.op_type
    kind = _BINARY.get(op, "product")
    if first.features < second.features:
        first, second = second, first
    alike = first.axes == second.axes and first.shape == second.shape
    if not alike and not (kind == "product" and _one_pixel(first, second)):
        shapes = " with ".join(str(["N", *ref.file_shape]) for ref in (first, second))
        verb = {"Mul": "multiplies", "Div": "divides"}.get(op, "compares")
        raise Unsupported(
            f"it {verb} {shapes}", "use tensors of one shape, or [N, C, 1, 1] as the second one"
        )
    node = Node(name=ctx.name, kind=kind, inputs=(first.tensor, second.tensor), output=ctx.node.output[0])
    ctx.emit(node, first.shape, first)


def _one_pixel(whole: Ref, part: Ref) -> bool:
    """Is ``part`` one value a channel of ``whole``, on the same axis?"""
    wanted = tuple("C" if axis == "C" and whole.shape[2] > 1 else "" for axis in whole.axes)
    return part.shape == (1, 1, whole.shape[2]) and part.axes == wanted


def quotient(ctx: Context) -> None:
    """Div of two tensors, or of a constant by a tensor: the product with a table of 1 / x."""
    below = ctx.ref(1)
    inverse = _table(ctx, below, apply("Reciprocal"), f"{ctx.node.output[0]}{INVERSE}")
    if not ctx.is_constant(0):
        binary(ctx, ctx.ref(0), inverse)
        return
    values = per_channel(ctx.weight(0), below)
    affine(ctx, inverse, values, np.zeros_like(values))
