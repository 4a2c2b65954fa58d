"""Operators that only see the same values otherwise: they cost nothing, only ``Ref.axes`` changes.

Flatten, Reshape, Squeeze, Unsqueeze     axes join, part at their seams, or are of one value
Transpose                                axes change places
Identity, Dropout, Cast, CastLike, Expand    nothing
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx

from .graph import Node
from .onnx_reader_context import Context, Ref, Unsupported

__all__ = ["cast", "flatten", "identity", "reshape", "squeeze", "transpose", "unsqueeze"]

_ONLY = "reshape only to join neighbouring axes, as Flatten does, or to part them again"


def grouped(ref: Ref, shape: Sequence[int]) -> tuple[str, ...] | None:
    """The axes of ``ref`` joined and parted to ``shape`` (the batch left out), None where that cuts one."""
    letters, axes = list(ref.order), []
    for size in shape:
        axis = ""
        while letters and math.prod(ref.sizes[x] for x in axis) < size:
            axis += letters.pop(0)
        if math.prod(ref.sizes[x] for x in axis) != size:
            return None
        axes.append(axis)
    return None if letters else tuple(axes)


def _regroup(ctx: Context, source: Ref, shape: Sequence[int]) -> None:
    if source.host:
        ctx.alias(source)
        return
    seen = source if source.parts else _parted(source, shape)
    axes = grouped(seen, shape)
    if axes is None:
        raise Unsupported(f"it reshapes {['N', *source.file_shape]} to {['N', *shape]}", _ONLY)
    joined = next((axis for axis in axes if {"a", "b"} <= set(axis)), "")
    if not seen.parts or joined not in ("ab", "ba"):
        ctx.alias(seen, axes=axes)
        return
    whole = replace(seen, axes=tuple("C" if axis == joined else axis for axis in axes), parts=())
    if joined == "ab":
        ctx.put(whole)
        return
    order = np.arange(source.shape[2]).reshape(seen.parts).T.reshape(-1)
    node = Node(
        name=ctx.name, kind="conv", inputs=(source.tensor,), output=ctx.node.output[0],
        weight=np.eye(len(order))[order][:, :, None, None],
    )  # fmt: skip
    ctx.emit(node, source.shape, whole)


def _parted(source: Ref, shape: Sequence[int]) -> Ref:
    """``source`` with its channels parted as ``shape`` does, the first half of a shuffle; itself where it does not."""
    if "C" not in source.axes or len(shape) != len(source.axes) + 1:
        return source
    at = source.axes.index("C")
    if shape[at] * shape[at + 1] != source.shape[2] or min(shape[at], shape[at + 1]) < 2:
        return source
    axes = (*source.axes[:at], "a", "b", *source.axes[at + 1 :])
    return replace(source, axes=axes, parts=(shape[at], shape[at + 1]))


def identity(ctx: Context) -> None:
    """Identity, and Dropout outside of training: nothing."""
    if ctx.node.op_type == "Dropout" and ctx.is_constant(2) and bool(ctx.constant(2).any()):
        raise Unsupported("it is in training mode", "export the model in evaluation mode")
    ctx.alias(ctx.ref(host=True))


def cast(ctx: Context) -> None:
    """Cast, CastLike to a float of at least 32 bits: nothing; of a result of the host, to any type."""
    source, to = ctx.ref(host=True), ctx.attributes.get("to", 1)
    if ctx.node.op_type == "CastLike" and ctx.is_constant(1):
        to = onnx.helper.np_dtype_to_tensor_dtype(ctx.constant(1).dtype)
    if not source.host and to not in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE):
        word = onnx.TensorProto.DataType.Name(to).lower()
        raise Unsupported(f"it casts to {word}", "export the float32 model")
    ctx.alias(source)


def flatten(ctx: Context) -> None:
    """Flatten from axis 1: the same values, seen as [N, features]."""
    source, axis = ctx.ref(host=True), int(ctx.attributes.get("axis", 1))
    axis += len(source.axes) + 1 if axis < 0 else 0
    if axis != 1 and not source.host:
        raise Unsupported(f"it flattens from axis {axis}", "flatten from axis 1")
    _regroup(ctx, source, [source.features])


def reshape(ctx: Context) -> None:
    """Reshape that joins neighbouring axes or parts them again: the same values."""
    source = ctx.ref(host=True)
    if source.host:
        ctx.alias(source)
        return
    shape, have = ctx.target(), source.file_shape
    if not ctx.attributes.get("allowzero", 0):
        shape = [have[i] if v == 0 and i < len(have) else v for i, v in enumerate(shape)]
    known = math.prod(v for v in shape if v != -1)
    _regroup(ctx, source, [source.features // max(known, 1) if v == -1 else v for v in shape])


def squeeze(ctx: Context) -> None:
    """Squeeze of axes of one value: the same values."""
    source = ctx.ref(host=True)
    if source.host:
        ctx.alias(source)
        return
    given, have = ctx.integers(1, "axes"), source.file_shape
    if given is None and ctx.batch == 1:
        raise Unsupported("it squeezes the batch too", "give it axes, or export with a symbolic batch")
    axes = (
        ctx.axes(given, len(have) + 1) if given is not None else [i + 1 for i, v in enumerate(have) if v == 1]
    )
    if any(have[axis - 1] != 1 for axis in axes):
        raise Unsupported(f"it squeezes axes {axes} of {['N', *have]}", "squeeze axes of one value")
    ctx.alias(source, axes=tuple(a for i, a in enumerate(source.axes) if i + 1 not in axes))


def unsqueeze(ctx: Context) -> None:
    """Unsqueeze: the same values, new axes of one value."""
    source = ctx.ref(host=True)
    if source.host:
        ctx.alias(source)
        return
    given = ctx.integers(1, "axes") or []
    rank = len(source.axes) + 1 + len(given)
    old, new = iter(source.axes), ctx.axes(given, rank)
    ctx.alias(source, axes=tuple("" if i in new else next(old) for i in range(1, rank)))


def transpose(ctx: Context) -> None:
    """Transpose behind the batch: the same values, axes in another order."""
    source = ctx.ref(host=True)
    if source.host:
        ctx.alias(source)
        return
    rank = len(source.axes) + 1
    perm = [int(v) for v in ctx.attributes.get("perm", range(rank)[::-1])]
    if sorted(perm) != list(range(rank)) or perm[0] != 0:
        raise Unsupported(f"it permutes {perm}", "keep the batch as the first axis")
    ctx.alias(source, axes=tuple(source.axes[i - 1] for i in perm[1:]))
