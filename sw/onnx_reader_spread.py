"""Operators that repeat values or lay them out otherwise: broadcasts, Expand, Tile, SpaceToDepth.

    spread    out[y, x, k] = in[y or 0, x or 0, k or 0]          0 along axes of one value
    SpaceToDepth   out[y, x, (r*b + s)*C + c] = in[y*b + r, x*b + s, c]         mode CRD: channel (c*b + r)*b + s

One value along the channels becomes several through a 1x1 convolution of ones, along rows and columns by an upsample.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .graph import Node
from .onnx_reader_context import Array, Context, Ref, Unsupported
from .onnx_reader_copies import letters_of

__all__ = ["alike", "expand", "space_to_depth", "spread", "tile"]


def spread(ctx: Context, source: Ref, shape: tuple[int, int, int], name: str) -> str:
    """The tensor of this map (height, width, channels) that ``source`` broadcasts to; its own where it has it."""
    tensor, (height, width, channels) = source.tensor, shape
    if source.shape[2] != channels:
        last = name if source.shape[:2] == shape[:2] else f"{name}:channels"
        weight = np.ones((channels, 1, 1, 1))
        ctx.nodes.append(Node(name=ctx.name, kind="conv", inputs=(tensor,), output=last, weight=weight))
        tensor = last
    if source.shape[:2] != shape[:2]:
        factor = (height // source.shape[0], width // source.shape[1])
        ctx.nodes.append(Node(name=ctx.name, kind="upsample", inputs=(tensor,), output=name, factor=factor))
        tensor = name
    return tensor


def alike(ctx: Context, refs: list[Ref]) -> list[Ref]:
    """Operands as tensors of one shape: those with axes of one value spread as the largest one is."""
    full = max(refs, key=lambda ref: ref.features)
    result = []
    for i, ref in enumerate(refs):
        axes, whole = (list(zip(one.axes, one.file_shape, strict=True)) for one in (ref, full))
        if len(axes) != len(whole) or any(a[1] != 1 and a != b for a, b in zip(axes, whole, strict=True)):
            raise Unsupported(
                f"it broadcasts {list(refs[0].file_shape)} with {list(refs[i or 1].file_shape)}",
                "add tensors of one shape, or of one value along an axis",
            )
        name = f"{ctx.node.output[0]}:operand{i}"
        result.append(replace(full, tensor=spread(ctx, ref, full.shape, name)))
    return result


def _repeated(ctx: Context, source: Ref, times: list[int]) -> None:
    """Each axis of the file ``times`` as long; those that grow have one value."""
    if all(count == 1 for count in times):
        ctx.alias(source)
        return
    letters = letters_of(source)
    wanted = dict(zip(letters, times, strict=True))
    if "" in letters or any(n > 1 and source.sizes[x] > 1 for x, n in wanted.items()):
        made = [size * count for size, count in zip(source.file_shape, times, strict=True)]
        raise Unsupported(
            f"it makes {['N', *made]} of {['N', *source.file_shape]}", "repeat axes of one value of a map"
        )
    height, width, channels = (source.sizes[x] * wanted.get(x, 1) for x in "HWC")
    shape = (height, width, channels)
    ctx.put(Ref(tensor=spread(ctx, source, shape, ctx.node.output[0]), shape=shape, axes=letters))


def expand(ctx: Context) -> None:
    """Expand of axes of one value: upsample, along the channels a convolution of ones; to its own shape: nothing."""
    source = ctx.ref()
    shape = [int(v) for v in ctx.constants.get(ctx.node.input[1], np.zeros(1)).reshape(-1)]
    shape = shape[1:] if shape[0] == 1 else ctx.target()  # one image is as many as there are
    have = source.file_shape
    if len(shape) != len(have) or any(a != b and 1 not in (a, b) for a, b in zip(have, shape, strict=False)):
        raise Unsupported(f"it expands {['N', *have]} to {['N', *shape]}", "leave it out")
    _repeated(ctx, source, [max(b // a, 1) for a, b in zip(have, shape, strict=True)])


def tile(ctx: Context) -> None:
    """Tile of axes of one value, as Expand."""
    source, times = ctx.ref(), ctx.integers(1) or []
    if len(times) != len(source.axes) + 1 or times[0] != 1 or min(times) < 1:
        raise Unsupported(f"it repeats {times} times", "repeat height, width or channels")
    _repeated(ctx, source, times[1:])


def space_to_depth(ctx: Context) -> None:
    """SpaceToDepth, both modes: a convolution of zeros and ones whose stride is its kernel."""
    source, block = ctx.map(), int(ctx.attributes.get("blocksize", 0))
    height, width, channels = source.shape
    if block < 1 or height % block or width % block:
        raise Unsupported(
            f"its blocks of {block}x{block} do not divide the map {[height, width]}", "pad the map"
        )
    if block == 1:
        ctx.alias(source)
        return
    weight: Array = np.eye(block * block * channels)
    if ctx.attributes.get("mode", b"DCR") == b"CRD":
        weight = weight.reshape(-1, channels, block, block)
    else:
        weight = weight.reshape(-1, block, block, channels).transpose(0, 3, 1, 2)
    node = Node(
        name=ctx.name, kind="conv", inputs=(source.tensor,), output=ctx.node.output[0], kernel=(block, block),
        stride=(block, block), weight=np.ascontiguousarray(weight),
    )  # fmt: skip
    ctx.emit(node, (height // block, width // block, channels * block * block))
