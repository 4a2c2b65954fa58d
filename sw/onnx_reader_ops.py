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

from .graph import HostOp, Node
from .onnx_reader_context import Context, Ref, Unsupported
from .onnx_reader_copies import concat, pad, slice_
from .onnx_reader_linear import conv, gemm, matmul
from .onnx_reader_windows import pool_window

__all__ = ["CONVERTERS", "CURES"]

Array = npt.NDArray[Any]


def _per_channel(values: Array, source: Ref) -> Array:
    """A constant broadcast against ``source``, as one value a channel."""
    h, w, c = source.shape
    try:
        full = np.broadcast_to(values, (1, *source.file_shape))[0]
    except ValueError:
        raise Unsupported(
            f"its constant {list(values.shape)} does not broadcast to one image", "use one value a channel"
        ) from None
    if source.flat:
        full = full.reshape((c, h, w) if source.layout == "CHW" else (h, w, c))
    full = full if source.layout == "CHW" else full.transpose(2, 0, 1)
    each = full[:, 0, 0]
    if not np.array_equal(full, np.broadcast_to(each[:, None, None], full.shape)):
        raise Unsupported("its constant differs within a channel", "use one value a channel")
    return np.array(each, np.float64)


def _affine(
    ctx: Context, source: Ref, scale: Array, offset: Array, seen: tuple[Array, Array] | None = None
) -> None:
    """``out = in * scale + offset``; ``seen``: mean and deviation of the output, where the file knows them."""
    node = Node(
        name=ctx.name,
        kind="affine",
        inputs=(source.tensor,),
        output=ctx.node.output[0],
        scale=scale,
        offset=offset,
        pre_mean=None if seen is None else seen[0],
        pre_std=None if seen is None else seen[1],
    )
    ctx.emit(node, source.shape, source)


def batch_normalization(ctx: Context) -> None:
    """BatchNormalization: affine, folded into the convolution before it."""
    source = ctx.ref()
    if ctx.attributes.get("training_mode", 0):
        raise Unsupported("it is in training mode", "export the model in evaluation mode")
    if (
        ctx.attributes.get("spatial", 1) != 1
        or source.layout != "CHW"
        or (source.flat and source.shape[:2] != (1, 1))
    ):
        raise Unsupported("it does not normalize per channel", "apply it to a map, channels first")
    gamma, beta, mean, variance = (ctx.weight(i) for i in range(1, 5))
    deviation = np.sqrt(variance + ctx.attributes.get("epsilon", 1e-5))
    if not np.all(deviation > 0):
        raise Unsupported("its variance is not positive", "export the model again")
    scale = gamma / deviation
    _affine(ctx, source, scale, beta - mean * scale, (beta, np.abs(gamma)))


def _constant_side(ctx: Context) -> int | None:
    return next((i for i in (0, 1) if ctx.is_constant(i)), None)


def add(ctx: Context) -> None:
    """Add of two tensors: a residual or an add; of a constant per channel: affine (a bias)."""
    side = _constant_side(ctx)
    if side is not None:
        source = ctx.ref(1 - side)
        _affine(ctx, source, np.ones(source.shape[2]), _per_channel(ctx.weight(side), source))
        return
    first, second = ctx.ref(0), ctx.ref(1)
    if first.file_shape != second.file_shape or first.shape != second.shape:
        raise Unsupported(
            f"it broadcasts {list(first.file_shape)} with {list(second.file_shape)}",
            "add tensors of one shape",
        )
    node = Node(name=ctx.name, kind="add", inputs=(first.tensor, second.tensor), output=ctx.node.output[0])
    ctx.emit(node, first.shape, first)


def arithmetic(ctx: Context) -> None:
    """Sub, Mul, Div with a constant per channel: affine."""
    op, side = ctx.node.op_type, _constant_side(ctx)
    if side is None or (op == "Div" and side == 0):
        raise Unsupported("neither operand is a constant it can fold", "use constants per channel")
    source = ctx.ref(1 - side)
    values = _per_channel(ctx.weight(side), source)
    one, zero = np.ones_like(values), np.zeros_like(values)
    if op == "Sub":
        _affine(ctx, source, *((one, -values) if side == 1 else (-one, values)))
    elif op == "Mul":
        _affine(ctx, source, values, zero)
    elif np.any(values == 0):
        raise Unsupported("it divides by zero", "export the model again")
    else:
        _affine(ctx, source, 1.0 / values, zero)


def _clip(ctx: Context, lo: float, hi: float) -> None:
    source = ctx.ref()
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


def pool(ctx: Context) -> None:
    """MaxPool, AveragePool and the global ones, ReduceMean over the map: maxpool or avgpool."""
    source = ctx.map()
    op = ctx.node.op_type
    if op in ("MaxPool", "AveragePool"):
        kernel, where = pool_window(ctx, source.shape)
    else:
        if op == "ReduceMean":
            _check_reduce(ctx)
        kernel, where = (source.shape[0], source.shape[1]), None
    node = Node(
        name=ctx.name, kind="maxpool" if "Max" in op else "avgpool", inputs=(source.tensor,),
        output=ctx.node.output[0], kernel=kernel,
    )  # fmt: skip
    if where is None:
        flat = op == "ReduceMean" and not ctx.attributes.get("keepdims", 1)
        ctx.emit(node, (1, 1, source.shape[2]), replace(source, flat=flat))
        return
    node = replace(node, stride=where.stride, dilation=where.dilation, pads=where.pads)
    ctx.emit(node, (*where.output, source.shape[2]))


def _check_reduce(ctx: Context) -> None:
    axes = ctx.constant(1).tolist() if ctx.has(1) else ctx.attributes.get("axes", [])
    if sorted(axis % 4 for axis in axes) != [2, 3]:
        raise Unsupported(f"it reduces axes {list(axes)}", "reduce height and width (axes 2 and 3)")


def identity(ctx: Context) -> None:
    """Identity, and Dropout outside of training: nothing."""
    if ctx.node.op_type == "Dropout" and ctx.is_constant(2) and bool(ctx.constant(2).any()):
        raise Unsupported("it is in training mode", "export the model in evaluation mode")
    ctx.put(ctx.refs[ctx.node.input[0]] if ctx.node.input[0] in ctx.refs else ctx.ref())


def flatten(ctx: Context) -> None:
    """Flatten from axis 1: the same values, seen as [N, features]."""
    axis = ctx.attributes.get("axis", 1)
    if axis != 1:
        raise Unsupported(f"it flattens from axis {axis}", "flatten from axis 1")
    ctx.alias(ctx.ref(), flat=True)


def reshape(ctx: Context) -> None:
    """Reshape to [N, features], or to the shape it has: the same values."""
    source = ctx.ref()
    shape = [int(v) for v in (ctx.constant(1).reshape(-1) if ctx.has(1) else ctx.attributes.get("shape", []))]
    keeps_batch = bool(shape) and (shape[0] in (0, -1) or (shape[0] == ctx.batch and ctx.batch > 0))
    if keeps_batch and len(shape) == 2 and shape[1] in (-1, source.features):
        ctx.alias(source, flat=True)
        return
    if keeps_batch and len(shape) == 4 and source.layout == "CHW":
        whole = replace(source, flat=False)
        wanted = [have if want == 0 else want for want, have in zip(shape[1:], whole.file_shape, strict=True)]
        known = math.prod(v for v in wanted if v != -1)
        wanted = [source.features // max(known, 1) if v == -1 else v for v in wanted]
        if tuple(wanted) == whole.file_shape:
            ctx.alias(source, flat=False)
            return
    raise Unsupported(f"it reshapes {list(source.file_shape)} to {shape}", "reshape only to flatten: [0, -1]")


def squeeze(ctx: Context) -> None:
    """Squeeze of a 1x1 map's height and width: the same values, flattened."""
    source = ctx.map()
    axes = ctx.constant(1).tolist() if ctx.has(1) else ctx.attributes.get("axes", [])
    if sorted(axis % 4 for axis in axes) != [2, 3] or source.shape[:2] != (1, 1):
        raise Unsupported(f"it squeezes axes {list(axes)}", "squeeze height and width of a 1x1 map")
    ctx.alias(source, flat=True)


def transpose(ctx: Context) -> None:
    """Transpose between channels first and last: the same values, seen otherwise."""
    source = ctx.ref()
    perm = tuple(ctx.attributes.get("perm", ()))
    if not source.flat and source.layout == "CHW" and perm == (0, 2, 3, 1):
        ctx.alias(source, layout="HWC")
    elif not source.flat and source.layout == "HWC" and perm == (0, 3, 1, 2):
        ctx.alias(source, layout="CHW")
    else:
        raise Unsupported(f"it permutes {list(perm)}", "transpose only between NCHW and NHWC")


def host(ctx: Context) -> None:
    """Softmax, LogSoftmax, ArgMax behind the network: recorded for the host."""
    name = ctx.node.input[0]
    source = ctx.refs[name] if name in ctx.refs else ctx.ref()
    ctx.host.append(HostOp(op=ctx.node.op_type, input=source.tensor, output=ctx.node.output[0]))
    ctx.alias(source, host=ctx.node.op_type)


CONVERTERS: dict[str, Callable[[Context], None]] = {
    "Conv": conv, "Gemm": gemm, "MatMul": matmul, "BatchNormalization": batch_normalization, "Add": add,
    "Sub": arithmetic, "Mul": arithmetic, "Div": arithmetic, "Relu": relu, "Clip": clip, "MaxPool": pool,
    "AveragePool": pool, "GlobalAveragePool": pool, "GlobalMaxPool": pool, "ReduceMean": pool,
    "Identity": identity, "Dropout": identity, "Flatten": flatten, "Reshape": reshape, "Squeeze": squeeze,
    "Transpose": transpose, "Slice": slice_, "Pad": pad, "Concat": concat, "Softmax": host,
    "LogSoftmax": host, "ArgMax": host,
}  # fmt: skip
"""Every operator that can run, by its ONNX name."""

CURES: dict[str, str] = {
    "LeakyRelu": "use Relu or Clip", "PRelu": "use Relu or Clip", "Sigmoid": "use Relu or Clip",
    "HardSwish": "use Relu or Clip", "Tanh": "use Relu or Clip", "Elu": "use Relu or Clip",
    "QuantizeLinear": "export the float model", "DequantizeLinear": "export the float model",
    "Resize": "use strides and pools", "Upsample": "use strides and pools",
    "ConvTranspose": "use an ordinary convolution",
}  # fmt: skip
"""What to do about well-known operators that cannot run."""
