"""Operators that only move values: Slice, Pad, Concat.

``out[y, x, k] = in[y*step_y + start_y, x*step_x + start_x, channel(k)]``, 0 where the source has no such value

Slice and Pad become convolutions with one weight 1 in a row, or none (a row of zeros: a channel that Pad
made). Exact, and every part of the tool chain knows how to run them; they are no useful MACs. The shortcut of
the CIFAR ResNets, every second pixel and zeros for the new channels, becomes one 1x1 convolution (``passes``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .graph import Node
from .onnx_reader_context import Context, Ref, Unsupported

__all__ = ["concat", "pad", "slice_"]


def _axes(ref: Ref) -> dict[int, int]:
    """Place among (height, width, channels) by the file's axis, the batch's left out."""
    if ref.flat:
        raise Unsupported("its input is flattened", "apply it before the Flatten")
    return {1: 2, 2: 0, 3: 1} if ref.layout == "CHW" else {1: 0, 2: 1, 3: 2}


def _integers(ctx: Context, index: int, key: str) -> list[int] | None:
    """A list of integers, from an input (later opsets) or an attribute; None where the file has neither."""
    if ctx.has(index):
        return [int(v) for v in ctx.constant(index).reshape(-1)]
    values = ctx.attributes.get(key)
    return None if values is None else [int(v) for v in values]


@dataclass(frozen=True)
class _Cut:
    """Along one axis: the values taken, in order."""

    taken: range
    size: int

    @property
    def stride(self) -> int:
        """Between values taken."""
        return self.taken.step if len(self.taken) > 1 else 1

    @property
    def kernel(self) -> int:
        """The least kernel that holds the first value and has as many windows as there are values taken."""
        return max(self.taken[0] + 1, self.size - len(self.taken) * self.stride + 1)


def slice_(ctx: Context) -> None:
    """Slice of a map: every n-th row or column from a given one on, any channels."""
    source = ctx.ref()
    places = _axes(source)
    starts, ends = _integers(ctx, 1, "starts"), _integers(ctx, 2, "ends")
    if starts is None or ends is None:
        raise Unsupported("it does not say where it starts and ends", "export the model again")
    axes = _integers(ctx, 3, "axes")
    axes = list(range(len(starts))) if axes is None else axes
    steps = _integers(ctx, 4, "steps")
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise Unsupported(f"it has {len(starts)} starts for axes {axes}", "export the model again")
    cuts = [_Cut(range(size), size) for size in source.shape]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if axis % 4 == 0:
            whole = ctx.batch or (1 << 31) - 1  # of a symbolic batch only "to the end" is all of it
            if start == 0 and step == 1 and end >= whole:
                continue
            raise Unsupported("it slices the batch", "slice height, width or channels")
        place = places[axis % 4]
        size = source.shape[place]
        taken = range(size)[start:end:step] if step else range(0)
        if not taken:
            raise Unsupported(f"it takes nothing of axis {axis} ({start}:{end}:{step} of {size})", "drop it")
        if taken.step < 0 and place < 2:
            raise Unsupported(f"it turns axis {axis} round (step {step})", "slice forwards")
        cuts[place] = _Cut(taken, size)
    rows, cols, channels = cuts
    if all(cut.taken == range(cut.size) for cut in cuts):
        ctx.alias(source)
        return
    weight = np.zeros((len(channels.taken), source.shape[2], rows.kernel, cols.kernel))
    weight[np.arange(len(channels.taken)), channels.taken, rows.taken[0], cols.taken[0]] = 1.0
    node = Node(
        name=ctx.name, kind="conv", inputs=(source.tensor,), output=ctx.node.output[0],
        kernel=(rows.kernel, cols.kernel), stride=(rows.stride, cols.stride), weight=weight,
    )  # fmt: skip
    ctx.emit(node, (len(rows.taken), len(cols.taken), len(channels.taken)), source)


def pad(ctx: Context) -> None:
    """Pad with zeros: channels in front and behind, rows and columns around the map."""
    source = ctx.ref()
    places = _axes(source)
    mode = ctx.attributes.get("mode", b"constant").decode()
    if mode != "constant":
        raise Unsupported(f"its mode is {mode!r}", "pad with zeros (mode constant)")
    value = float(ctx.constant(2).reshape(-1)[0]) if ctx.has(2) else float(ctx.attributes.get("value", 0.0))
    if value != 0.0:
        raise Unsupported(f"it pads with {value:g}", "pad with zeros")
    pads = _integers(ctx, 1, "pads") or []
    axes = _integers(ctx, 3, "axes")
    axes = list(range(4)) if axes is None else axes
    if len(pads) != 2 * len(axes):
        raise Unsupported(f"it has {len(pads)} pads for axes {axes}", "export the model again")
    before, after = [0, 0, 0], [0, 0, 0]
    for axis, low, high in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        if min(low, high) < 0:
            raise Unsupported(f"its pads {pads} cut the map", "use Slice to cut")
        if axis % 4 == 0 and (low or high):
            raise Unsupported("it pads the batch", "pad height, width or channels")
        if axis % 4:
            before[places[axis % 4]], after[places[axis % 4]] = low, high
    if not any(before + after):
        ctx.alias(source)
        return
    h, w, c = (size + before[i] + after[i] for i, size in enumerate(source.shape))
    weight = np.zeros((c, source.shape[2], 1, 1))
    kept = np.arange(source.shape[2])
    weight[kept + before[2], kept] = 1.0
    node = Node(
        name=ctx.name, kind="conv", inputs=(source.tensor,), output=ctx.node.output[0],
        pads=(before[0], before[1], after[0], after[1]), weight=weight,
    )  # fmt: skip
    ctx.emit(node, (h, w, c), source)


def concat(ctx: Context) -> None:
    """Concat along the channels: concat, whose operands share one format."""
    parts = [ctx.ref(i) for i in range(len(ctx.node.input))]
    first = parts[0]
    if any((part.flat, part.layout) != (first.flat, first.layout) for part in parts):
        raise Unsupported("its inputs are laid out differently", "join maps with maps")
    rank = 2 if first.flat else 4
    axis = int(ctx.attributes.get("axis", 1)) % rank
    if axis != (3 if not first.flat and first.layout == "HWC" else 1):
        raise Unsupported(f"it joins along axis {axis}", "join along the channels")
    if first.flat and any(part.shape[:2] != (1, 1) for part in parts):
        raise Unsupported("its inputs are flattened maps", "join them before the Flatten")
    if any(part.shape[:2] != first.shape[:2] for part in parts):
        sizes = ", ".join("x".join(map(str, part.shape[:2])) for part in parts)
        raise Unsupported(f"its inputs are maps of {sizes}", "join maps of one size")
    if len(parts) == 1:
        ctx.alias(first)
        return
    channels = sum(part.shape[2] for part in parts)
    node = Node(
        name=ctx.name, kind="concat", inputs=tuple(part.tensor for part in parts), output=ctx.node.output[0]
    )
    ctx.lacks = "concat"
    ctx.emit(node, (*first.shape[:2], channels), first)
