"""Parts of a strip: what one COMPUTE makes, where a strip takes several.

    upsample   out[y, x] = act[y // fy, x // fx]: rows that are ``fy`` times whole input rows, or part of one; columns
               likewise, where a strip is a piece of a row
    average    outputs of one weight code: whole rows, or pieces of a row where windows at its ends average fewer values

The outputs of a COMPUTE lie one after the other, so a part is rows of the strip's width, or a piece of one row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from .operations import Operation
from .strip import Strip

__all__ = ["Walk", "code", "parts", "walk"]


class Walk(NamedTuple):
    """The pixels of the convolution that a part goes over; of wx, wy, ox, oy, the first innermost."""

    counts: tuple[int, int, int, int]
    across: tuple[int, int, int, int]
    """Columns when a loop advances."""
    down: tuple[int, int, int, int]
    """Rows likewise."""
    y: int
    x: int
    """The first pixel."""


def parts(op: Operation, strip: Strip) -> list[Strip]:
    """The parts of a strip, in the order of their instructions: those of one tile follow each other."""
    if op.factor != (1, 1):
        rows = _aligned(strip.y0, strip.y1, op.factor[0])
        columns = [(strip.x0, strip.x1)]
        if strip.x1 - strip.x0 < op.output.shape[1]:
            columns = _aligned(strip.x0, strip.x1, op.factor[1])
        return [Strip(*row, *column) for row in rows for column in columns]
    if op.codes is not None and op.lift is not None:
        return list(_alike(op.codes << op.lift, strip))
    return [strip]


def code(op: Operation, part: Strip) -> tuple[int, int]:
    """The code on the diagonal of a part's tile, and by how much its shifts are smaller."""
    if op.codes is None or op.lift is None:
        return op.diagonal, 0
    return int(op.codes[part.y0, part.x0]), int(op.lift[part.y0, part.x0])


def walk(op: Operation, part: Strip) -> Walk:
    """How a part goes over its pixels."""
    rows, columns = part.y1 - part.y0, part.x1 - part.x0
    if op.factor == (1, 1):
        return Walk(
            (op.window[1], op.window[0], columns, rows),
            (op.window_dilation[1], 0, op.window_stride[1], 0),
            (0, op.window_dilation[0], 0, op.window_stride[0]),
            part.y0 * op.window_stride[0],
            part.x0 * op.window_stride[1],
        )
    (down, high), (across, wide) = (
        _times(*span, factor)
        for span, factor in zip(((part.y0, rows), (part.x0, columns)), op.factor, strict=True)
    )
    y, x = part.y0 // op.factor[0], part.x0 // op.factor[1]
    return Walk((across, wide, down, high), (0, 1, 0, 0), (0, 0, 0, 1), y, x)


def _times(first: int, count: int, factor: int) -> tuple[int, int]:
    """How often each row of the input comes, and how many rows: ``count`` outputs from ``first`` on."""
    return (factor, count // factor) if first % factor == 0 and count % factor == 0 else (count, 1)


def _aligned(first: int, end: int, factor: int) -> list[tuple[int, int]]:
    """``first``..``end``-1 cut where whole multiples of ``factor`` begin and end."""
    low, high = -(-first // factor) * factor, end // factor * factor
    if low > high:  # inside of one
        return [(first, end)]
    return [(a, b) for a, b in ((first, low), (low, high), (high, end)) if a < b]


def _runs(keys: Sequence[object]) -> Iterator[tuple[int, int]]:
    """First and end of equal neighbours."""
    start = 0
    for i in range(1, len(keys) + 1):
        if i == len(keys) or keys[i] != keys[start]:
            yield start, i
            start = i


def _alike(codes: np.ndarray, strip: Strip) -> Iterator[Strip]:
    """Outputs of one code each; codes [OH, OW]."""
    inside = codes[strip.y0 : strip.y1, strip.x0 : strip.x1]
    for top, bottom in _runs([row.tobytes() for row in np.ascontiguousarray(inside)]):
        columns = list(_runs(inside[top].tolist()))
        if len(columns) == 1:
            yield Strip(strip.y0 + top, strip.y0 + bottom, strip.x0, strip.x1)
            continue
        for left, right in columns:
            for y in range(strip.y0 + top, strip.y0 + bottom):
                yield Strip(y, y + 1, strip.x0 + left, strip.x0 + right)
