"""Operators that only move values: Slice, Split, Pad, Concat.

``out[y, x, k] = in[y*step_y + start_y, x*step_x + start_x, channel(k)]``, 0 where the source has no such value

Slice and Pad become convolutions with one weight 1 in a row, or none (a row of zeros: a channel that Pad
made). Exact, and every part of the tool chain knows how to run them; they are no useful MACs. The shortcut of
the CIFAR ResNets, every second pixel and zeros for the new channels, becomes one 1x1 convolution (``passes``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .graph import Node
from .onnx_reader_context import MAP, Array, Context, Ref, Unsupported

__all__ = ["concat", "letters_of", "pad", "slice_", "split", "take"]


_LAST = ("H", "W", "C")
_PLACES = {"H": 0, "W": 1, "C": 2}


def letters_of(ref: Ref) -> tuple[str, ...]:
    """The file's axes, each one letter: a map, channels first or last, [N, C]; of others, none for one value."""
    for axes in (MAP, _LAST, ("C",)):
        if ref.seen(axes) and (len(axes) == 3 or ref.shape[:2] == (1, 1)):
            return axes
    if all(len(axis) <= 1 for axis in ref.axes) and not ref.parts:
        return ref.axes
    raise Unsupported(f"its input is {['N', *ref.file_shape]}", "apply it to a map, before a Flatten")


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
    letters = letters_of(source)
    rank = len(letters) + 1
    starts, ends = ctx.integers(1, "starts"), ctx.integers(2, "ends")
    if starts is None or ends is None:
        raise Unsupported("it does not say where it starts and ends", "export the model again")
    axes = ctx.integers(3, "axes")
    axes = list(range(len(starts))) if axes is None else axes
    steps = ctx.integers(4, "steps")
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise Unsupported(f"it has {len(starts)} starts for axes {axes}", "export the model again")
    cuts = [_Cut(range(size), size) for size in source.shape]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if axis % rank == 0:
            whole = ctx.batch or (1 << 31) - 1  # of a symbolic batch only "to the end" is all of it
            if start == 0 and step == 1 and end >= whole:
                continue
            raise Unsupported("it slices the batch", "slice height, width or channels")
        place = _PLACES.get(letters[axis % rank - 1])
        size = 1 if place is None else source.shape[place]
        taken = range(size)[start:end:step] if step else range(0)
        if not taken:
            raise Unsupported(f"it takes nothing of axis {axis} ({start}:{end}:{step} of {size})", "drop it")
        if place is None:
            continue
        if taken.step < 0 and place < 2:
            raise Unsupported(f"it turns axis {axis} round (step {step})", "slice forwards")
        cuts[place] = _Cut(taken, size)
    if all(cut.taken == range(cut.size) for cut in cuts):
        ctx.alias(source)
        return
    node, shape = take(ctx, source, [cut.taken for cut in cuts], ctx.node.output[0])
    ctx.emit(node, shape, replace(source, shape=shape, axes=letters))


def take(ctx: Context, source: Ref, taken: Sequence[range], output: str) -> tuple[Node, tuple[int, int, int]]:
    """A copy of the rows, columns and channels ``taken``, and its shape."""
    rows, cols, channels = (_Cut(values, size) for values, size in zip(taken, source.shape, strict=True))
    weight = np.zeros((len(channels.taken), source.shape[2], rows.kernel, cols.kernel))
    weight[np.arange(len(channels.taken)), channels.taken, rows.taken[0], cols.taken[0]] = 1.0
    node = Node(
        name=ctx.name, kind="conv", inputs=(source.tensor,), output=output,
        kernel=(rows.kernel, cols.kernel), stride=(rows.stride, cols.stride), weight=weight,
    )  # fmt: skip
    return node, (len(rows.taken), len(cols.taken), len(channels.taken))


def split(ctx: Context) -> None:
    """Split of the channels: one copy an output."""
    source = ctx.ref()
    letters = letters_of(source)
    axis = int(ctx.attributes.get("axis", 0)) % (len(letters) + 1)
    if axis == 0 or letters[axis - 1] != "C":
        raise Unsupported(f"it splits axis {axis}", "split the channels")
    count, channels = len(ctx.node.output), source.shape[2]
    sizes = ctx.integers(1, "split") or [-(-channels // count)] * count
    sizes[-1] = channels - sum(sizes[:-1])
    if len(sizes) != count or min(sizes) < 1:
        raise Unsupported(f"it splits {channels} channels in {count}", "export the model again")
    for i, (name, size) in enumerate(zip(ctx.node.output, sizes, strict=True)):
        if name in ctx.consumed:
            first = sum(sizes[:i])
            weight = np.eye(channels)[first : first + size][:, :, None, None]
            shape = (*source.shape[:2], size)
            ctx.nodes.append(
                Node(name=ctx.name, kind="conv", inputs=(source.tensor,), output=name, weight=weight)
            )
            ctx.refs[name] = replace(source, tensor=name, shape=shape, axes=letters)


def pad(ctx: Context) -> None:
    """Pad with zeros: channels in front and behind, rows and columns around the map."""
    source = ctx.ref()
    letters = letters_of(source)
    rank = len(letters) + 1
    mode = ctx.attributes.get("mode", b"constant").decode()
    if mode != "constant":
        raise Unsupported(f"its mode is {mode!r}", "pad with zeros (mode constant)")
    value = float(ctx.constant(2).reshape(-1)[0]) if ctx.has(2) else float(ctx.attributes.get("value", 0.0))
    if value != 0.0:
        raise Unsupported(f"it pads with {value:g}", "pad with zeros")
    pads = ctx.integers(1, "pads") or []
    axes = ctx.integers(3, "axes")
    axes = list(range(rank)) if axes is None else axes
    if len(pads) != 2 * len(axes):
        raise Unsupported(f"it has {len(pads)} pads for axes {axes}", "export the model again")
    before, after = [0, 0, 0], [0, 0, 0]
    for axis, low, high in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        if min(low, high) < 0:
            raise Unsupported(f"its pads {pads} cut the map", "use Slice to cut")
        if axis % rank == 0 and (low or high):
            raise Unsupported("it pads the batch", "pad height, width or channels")
        letter = letters[axis % rank - 1] if axis % rank else ""
        if letter:
            before[_PLACES[letter]], after[_PLACES[letter]] = low, high
        elif low or high:
            raise Unsupported(f"it pads axis {axis}, of one value", "pad height, width or channels")
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
    ctx.emit(node, (h, w, c), replace(source, shape=(h, w, c), axes=letters))


def concat(ctx: Context) -> None:
    """Concat along the channels: concat, whose operands share one format. Constants, zeros say, need no concat."""
    refs = {i: ctx.ref(i) for i in range(len(ctx.node.input)) if not ctx.is_constant(i)}
    if not refs:
        raise Unsupported("all of its inputs depend on the batch alone", "export with a static batch")
    first = next(iter(refs.values()))
    letters = letters_of(first)
    axis = int(ctx.attributes.get("axis", 1)) % (len(letters) + 1)
    if axis == 0 or letters[axis - 1] != "C":
        raise Unsupported(f"it joins along axis {axis}", "join along the channels")
    for part in refs.values():
        if part.axes != first.axes and letters_of(part) != letters:
            raise Unsupported("its inputs are laid out differently", "join maps with maps")
        if part.shape[:2] != first.shape[:2]:
            sizes = ", ".join("x".join(map(str, part.shape[:2])) for part in refs.values())
            raise Unsupported(f"its inputs are maps of {sizes}", "join maps of one size")
    values = {i: _constant_part(ctx, i, first, axis) for i in range(len(ctx.node.input)) if i not in refs}
    if len(refs) == 1:
        _join_constants(ctx, first, letters, values)
        return
    if values:
        raise Unsupported(f"it joins {len(refs)} tensors with constants", "join tensors with tensors")
    channels = sum(part.shape[2] for part in refs.values())
    node = Node(
        name=ctx.name,
        kind="concat",
        inputs=tuple(part.tensor for part in refs.values()),
        output=ctx.node.output[0],
    )
    shape = (*first.shape[:2], channels)
    ctx.emit(node, shape, replace(first, shape=shape, axes=letters))


def _constant_part(ctx: Context, index: int, like: Ref, axis: int) -> Array:
    """One value a channel of a constant operand."""
    values = ctx.per_image(index)
    have, wanted = list(values.shape), [1, *like.file_shape]
    if have[:axis] + have[axis + 1 :] != wanted[:axis] + wanted[axis + 1 :]:
        raise Unsupported(f"its constant {have} is no map of its size", "join maps of one size")
    each = np.moveaxis(values, axis, 0).reshape(have[axis], -1)
    if not np.array_equal(each, np.broadcast_to(each[:, :1], each.shape)):
        raise Unsupported("its constant differs within a channel", "join constants of one value a channel")
    return np.asarray(each[:, 0], np.float64)


def _join_constants(ctx: Context, source: Ref, letters: tuple[str, ...], values: dict[int, Array]) -> None:
    """One tensor and constants: a copy with further channels, rows of zeros with a bias."""
    if not values:
        ctx.alias(source)
        return
    count = source.shape[2]
    rows = [values.get(i, np.zeros(count)) for i in range(len(ctx.node.input))]
    kept = [np.zeros((len(part), count)) if i in values else np.eye(count) for i, part in enumerate(rows)]
    weight, bias = np.concatenate(kept)[:, :, None, None], np.concatenate(rows)
    shape = (*source.shape[:2], len(bias))
    node = Node(
        name=ctx.name, kind="conv", inputs=(source.tensor,), output=ctx.node.output[0], weight=weight,
        bias=bias if bias.any() else None,
    )  # fmt: skip
    ctx.emit(node, shape, replace(source, shape=shape, axes=letters))
