"""Strips so that no operation waits for the pipeline of the one before.

An operation that would be one strip is cut in two, rows 0..cut-1 and the rest,
    cut = the most rows whose inputs the operation before has made when its own last strip begins

While that last strip runs, the outputs before it have long left the pipeline, and the first strip of the next
operation needs no others: the array goes on without a gap. The cut moves up by the kernel's reach with each
operation; where a strip would become too short for its weights to arrive in time, the operation waits once and
the cut starts at the bottom again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..hw.config import EngineConfig
from .joining import NOTHING, Joined
from .operations import Operation
from .strips import Strip, strips
from .tiles import Tiles

__all__ = ["overlapped"]

_SLACK = 1.25
"""Cycles of a pass for each cycle that its tile takes on the memory port, so that FIFOs stay full."""


def overlapped(
    ops: Sequence[Operation],
    config: EngineConfig,
    network_input: str,
    given: Mapping[int, Sequence[Strip]] | None = None,
    joined: Joined = NOTHING,
) -> list[list[Strip]]:
    """The strips of each operation, in order. The first reader of ``network_input`` has those of its LOADs.

    ``given``: the strips of some operations, which stay as they are.
    """
    given = given or {}
    result: list[list[Strip]] = []
    before: Operation | None = None
    ready = 0  # rows of `before` that are complete when its last strip begins
    loading = True
    for index, (op, after) in enumerate(zip(ops, [*ops[1:], None], strict=True)):
        first = loading and network_input in (op.act.name, op.residual.name if op.residual else None)
        loading = loading and not first
        plan = list(given.get(index, ())) or list(strips(op, config, first))
        pairs = ((before, op), (op, after))
        chained = any(one and other and _chained(one, other, joined) for one, other in pairs)
        whole = len(plan) == 1 and index not in given
        if whole and chained and (cut := _cut(op, before, ready, config, joined)):
            plan = [plan[0]._replace(y1=cut), plan[0]._replace(y0=cut)]
        result.append(plan)
        before, ready = op, plan[-1].y0
    return result


def _chained(op: Operation, after: Operation, joined: Joined) -> bool:
    """Would the second wait for the first? A depthwise one reads a block at a time; cut, it takes more cycles."""
    return not (op.fir or after.fir) and _reads(after, op, joined)


def _reads(op: Operation, other: Operation, joined: Joined) -> bool:
    tensors = [op.act.name] if op.residual is None else [op.act.name, op.residual.name]
    return joined.root(other.output.name) in map(joined.root, tensors)


def _cut(op: Operation, before: Operation | None, ready: int, config: EngineConfig, joined: Joined) -> int:
    """Rows of the first of two strips, 0 to leave the operation whole."""
    height, width = op.output.shape[0], op.output.shape[1] * op.window_pixels
    tiles = Tiles(op, config)
    # A pass must outlast its tile's way through the port, a strip the pipeline.
    port = config.rows * tiles.width * config.plane_words / config.planes_per_word
    pipeline = config.rows + config.cols + 48
    pixels = max(config.rows, 8, port * _SLACK, pipeline / tiles.passes)
    least = -(-int(pixels) // width)
    rows = range(height - least, least - 1, -1)
    return next((r for r in rows if _made(op, r, before, ready, joined)), rows[0] if rows else 0)


def _made(op: Operation, rows: int, before: Operation | None, ready: int, joined: Joined) -> bool:
    """Are all inputs of output rows 0..rows-1 there, if the last strip of ``before`` is still in the pipeline?"""
    if before is None:
        return True
    made = joined.root(before.output.name)
    if joined.root(op.act.name) == made and op.rows_read(0, rows - 1)[1] >= ready:
        return False
    if op.residual is None or joined.root(op.residual.name) != made:
        return True
    last = (rows - 1) * op.window_stride[0] + (op.window[0] - 1) * op.window_dilation[0]
    return last < ready
