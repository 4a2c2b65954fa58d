"""Output maps cut into what one COMPUTE covers: rows, or pieces of one, of at most acc_depth accumulators.

``strip = rows y0..y1-1, columns x0..x1-1``, columns cut only where one row is too long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil

from ..hw.config import EngineConfig
from ..hw.isa import record_words
from .operations import Operation
from .strip import Strip
from .tiles import Tiles

__all__ = ["Strip", "in_rows", "pieces", "strips"]

_SHARE = 2.5
"""Cycles of compute for each beat of a strip's weights: the image comes through the port meanwhile."""


def strips(
    op: Operation, config: EngineConfig, first: bool = False, rows: int | None = None
) -> Iterator[Strip]:
    """The strips of an operation, top to bottom, as few and as equal as ``acc_depth`` and ``rows`` allow.

    ``first``: the operation reads what is still being loaded, so strips begin small and grow, no faster than rows
    are loaded: the array starts as soon as the first rows are there.
    """
    height, width, _ = op.output.shape
    most = op.longest(config)
    if width > most:
        yield from pieces(op, -(-width // most))
        return
    top, rows = 0, min(most // width, rows or height)
    if first:
        small, pace = _least(op, config), _pace(op, config)
        # A depthwise strip reads rows that make no outputs: not for a few rows at the end.
        while top + small + (small if op.fir else 1) <= height and small < rows:
            yield Strip(top, top + small, 0, width)
            top, small = top + small, pace * small
    left = height - top
    parts = -(-left // rows)
    for i in range(parts):
        yield Strip(top + left * i // parts, top + left * (i + 1) // parts, 0, width)


def _least(op: Operation, config: EngineConfig) -> int:
    """Rows of the first strip: 8 tiles long or so, and longer than its weights take on the memory port."""
    tiles = Tiles(op, config)
    row = op.output.shape[1] * op.window_pixels
    rows = config.param_rows * config.wgt_width * tiles.blocks + tiles.passes * config.rows * tiles.width
    beats = rows * config.plane_words / config.planes_per_word + (1 + tiles.blocks) * record_words(config)
    return max(8 * config.lanes // row, ceil(_SHARE * beats / (tiles.passes * row)))


def _pace(op: Operation, config: EngineConfig) -> int:
    """How much longer the next strip may be: rows that are loaded while one is computed, about, 1..4."""
    tiles = Tiles(op, config)
    compute = tiles.passes * op.output.shape[1] * op.window_pixels
    load = -(-op.act.shape[2] // config.lanes) * op.act.shape[1] * op.stride[0] * op.window_stride[0]
    return max(1, min(4, 4 * compute // (3 * load)))


def pieces(op: Operation, count: int, rows: Iterable[int] | None = None) -> Iterator[Strip]:
    """Each row of an operation's output, or some of them, in ``count`` strips."""
    height, width, _ = op.output.shape
    for y in range(height) if rows is None else rows:
        for i in range(count):
            yield Strip(y, y + 1, width * i // count, width * (i + 1) // count)


def in_rows(strip: Strip, op: Operation, other: Operation) -> Strip:
    """A strip of an operation that may be flat, in whole rows of the other form."""
    pixels = op.output.shape[0] // other.output.shape[0]
    return strip._replace(y0=strip.y0 // pixels, y1=-(-strip.y1 // pixels))
