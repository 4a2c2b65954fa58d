"""Resize and Upsample by the nearest pixel: which pixels they take, and whether the engine can.

    out[i] = in[i // f]              each pixel f times: an upsample
    out[i] = in[i * n + first]       every n-th pixel: a copy, as Slice makes it (``onnx_reader_copies``)

``nearest`` evaluates the definition of every coordinate and rounding mode exactly for every output. Programs compute
in float32: where a rounding of theirs decides, the node is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from .graph import Node
from .onnx_reader_context import Array, Context, Ref, Unsupported
from .onnx_reader_copies import letters_of, take

__all__ = ["nearest", "resize"]

_SIMPLE = "simple"
"""How Upsample and Resize of opset 10 round: down, but up where the map becomes smaller."""

_SLIP = Fraction(1, 1000)
"""What float32 may lose of a coordinate, and more."""

_ROUND: dict[str, Callable[[Fraction], int]] = {
    "round_prefer_floor": lambda x: math.ceil(x - Fraction(1, 2)),
    "round_prefer_ceil": lambda x: math.floor(x + Fraction(1, 2)),
    "floor": math.floor,
    "ceil": math.ceil,
}


@dataclass(frozen=True)
class _Axis:
    """Of ``size`` pixels ``made``; their ratio as the file has it."""

    size: int
    made: int
    scale: np.float32


def nearest(axis_size: int, made: int, scale: np.float32, mode: str, rounding: str) -> list[int] | None:
    """The pixel that each of ``made`` outputs takes of ``axis_size``; None where a rounding of float32 decides.

    ``mode`` is a coordinate_transformation_mode, ``rounding`` a nearest_mode or "simple".
    """
    ratio = Fraction(float(scale)).limit_denominator(1 << 12)
    takes = [_exact(i, axis_size, made, ratio, mode) for i in range(made)]
    word = rounding if rounding != _SIMPLE else "ceil" if ratio < 1 else "floor"
    found = list(map(_ROUND[word], takes))
    others = []
    if mode == "asymmetric":  # one division: known to the bit
        others = [[_ROUND[word](Fraction(float(np.float32(i) / scale))) for i in range(made)]]
    elif mode != "align_corners" and Fraction(float(scale)) != ratio:
        others = [[_ROUND[word](take + slip) for take in takes] for slip in (-_SLIP, _SLIP)]
    if any(other != found for other in others):
        return None
    return [min(max(pixel, 0), axis_size - 1) for pixel in found]


def _exact(i: int, size: int, made: int, ratio: Fraction, mode: str) -> Fraction:
    half = Fraction(1, 2)
    if mode == "asymmetric":
        return i / ratio
    if mode == "tf_half_pixel_for_nn":
        return (i + half) / ratio
    if mode == "align_corners":
        return Fraction(i * (size - 1), made - 1) if made > 1 else Fraction(0)
    if mode == "pytorch_half_pixel" and made == 1:
        return Fraction(0)
    shift = Fraction(size, 2) * (1 - made / (ratio * size)) if mode == "half_pixel_symmetric" else Fraction(0)
    return shift + (i + half) / ratio - half


def resize(ctx: Context) -> None:
    """Resize, Upsample by the nearest pixel: upsample (each pixel a whole number of times), or a copy of every n-th."""
    source = ctx.ref()
    letters = letters_of(source)
    if set(letters) != set("CHW"):
        raise Unsupported(f"its input is {['N', *source.file_shape]}", "apply it to a map, before a Flatten")
    axes = dict(zip(letters, _axes(ctx, source), strict=True))
    if axes["C"].made != axes["C"].size:
        raise Unsupported("it resizes the channels", "resize height and width only")
    rows, columns = (_takes(ctx, axes[letter]) for letter in "HW")
    factor, kept = (rows[0], columns[0]), [rows[1], columns[1], range(source.shape[2])]
    if factor == (1, 1) and all(len(taken) == size for taken, size in zip(kept, source.shape, strict=True)):
        ctx.alias(source)
        return
    output = ctx.node.output[0]
    shape, tensor = source.shape, source.tensor
    if any(len(taken) < size for taken, size in zip(kept, source.shape, strict=True)):
        copy, shape = take(ctx, source, kept, output if factor == (1, 1) else f"{output}:cut")
        if factor == (1, 1):
            ctx.emit(copy, shape, replace(source, shape=shape, axes=letters))
            return
        ctx.nodes.append(copy)
        tensor = copy.output
    node = Node(name=ctx.name, kind="upsample", inputs=(tensor,), output=output, factor=factor)
    shape = (shape[0] * factor[0], shape[1] * factor[1], shape[2])
    ctx.emit(node, shape, replace(source, shape=shape, axes=letters))


def _axes(ctx: Context, source: Ref) -> list[_Axis]:
    """The file's axes behind the batch."""
    rank = len(source.axes) + 1
    sizes = source.file_shape
    given = [int(axis) % rank for axis in ctx.attributes.get("axes", range(rank))]
    scales = _scales(ctx)
    if scales is not None:
        if len(scales) != len(given):
            raise Unsupported(f"it has {len(scales)} scales for axes {given}", "export the model again")
        by_axis = dict(zip(given, scales.astype(np.float32), strict=True))
        if by_axis.pop(0, np.float32(1)) != 1:
            raise Unsupported("it resizes the batch", "resize height and width only")
        ratios = [by_axis.get(i + 1, np.float32(1)) for i in range(rank - 1)]
        made = [math.floor(np.float32(size) * ratio) for size, ratio in zip(sizes, ratios, strict=True)]
    else:
        wanted = dict(zip(range(1, rank), ctx.target(3), strict=True)) if 0 in given else {}
        if 0 not in given:
            wanted = dict(zip(given, ctx.integers(3) or [], strict=True))
        made = [wanted.get(i + 1, size) for i, size in enumerate(sizes)]
        ratios = [np.float32(new) / np.float32(size) for new, size in zip(made, sizes, strict=True)]
        policy = ctx.attributes.get("keep_aspect_ratio_policy", b"stretch").decode()
        if policy != "stretch" and len({float(ratios[axis - 1]) for axis in wanted}) > 1:
            raise Unsupported(f"its keep_aspect_ratio_policy {policy!r} changes its sizes", "give it scales")
    if min(made) < 1:
        raise Unsupported(f"it makes {['N', *made]} of {['N', *sizes]}", "resize by whole numbers")
    return [_Axis(*values) for values in zip(sizes, made, ratios, strict=True)]


def _scales(ctx: Context) -> Array | None:
    """What the file gives: an attribute (opset 7), input 1 (opsets 9 and 10) or 2; None where it gives sizes."""
    index = 1 if ctx.node.op_type == "Upsample" or ctx.opset == 10 else 2
    if ctx.node.op_type == "Upsample" and not ctx.has(1):
        return np.reshape(ctx.attributes.get("scales", ()), -1)
    found = ctx.constant(index).reshape(-1) if ctx.has(index) else np.zeros(0)
    if found.size:
        return found
    if not ctx.has(3):
        raise Unsupported("it has neither scales nor sizes", "export the model again")
    return None


def _takes(ctx: Context, axis: _Axis) -> tuple[int, range]:
    """How often each pixel comes, and the pixels that are left before that."""
    everything = range(axis.size)
    mode = ctx.attributes.get("mode", b"nearest").decode()
    if axis.scale == 1 and axis.made == axis.size:
        return 1, everything
    if mode == "linear" and axis.size == 1:  # between a pixel and itself
        return axis.made, everything
    if mode != "nearest" or ctx.attributes.get("antialias", 0):
        raise Unsupported(f"its mode is {mode!r}", "resize with mode nearest")
    old = ctx.opset == 10 or ctx.node.op_type == "Upsample"
    coordinates = (
        "asymmetric" if old else ctx.attributes.get("coordinate_transformation_mode", b"half_pixel").decode()
    )
    rounding = _SIMPLE if old else ctx.attributes.get("nearest_mode", b"round_prefer_floor").decode()
    if coordinates == "tf_crop_and_resize":
        raise Unsupported("it crops (tf_crop_and_resize)", "cut with Slice, then resize")
    taken = nearest(axis.size, axis.made, axis.scale, coordinates, rounding)
    if taken is not None and axis.made % axis.size == 0:
        factor = axis.made // axis.size
        if taken == [i // factor for i in range(axis.made)]:
            return factor, everything
    step = taken[1] - taken[0] if taken and len(taken) > 1 else 1
    if taken is not None and step > 0 and taken == list(_run(taken[0], step, len(taken))):
        return 1, _run(taken[0], step, len(taken))
    if axis.made % axis.size and axis.size % axis.made:
        raise Unsupported(f"it makes {axis.made} pixels of {axis.size}", "resize by whole numbers")
    raise Unsupported(
        f"with {coordinates} and {rounding} it does not take every pixel equally often ({axis.made} of {axis.size})",
        "use coordinate_transformation_mode asymmetric with nearest_mode floor",
    )


def _run(first: int, step: int, count: int) -> range:
    return range(first, first + step * count, step)
