"""Strips so that no operation waits for the pipeline of the one before.

An operation that would be one strip is cut in two, rows 0..cut-1 and the rest,
    cut = the most rows whose inputs the operation before has made when its own last strip begins

While that last strip runs, the outputs before it have long left the pipeline, and the first strip of the next
operation needs no others: the array goes on without a gap. The cut moves up by the kernel's reach with each
operation; where a strip would become too short for its weights to arrive in time, the operation waits once and
the cut starts at the bottom again.

Of a depthwise operation only the last block of channels is cut (``in_phases``). On a serial engine, where nothing
overlaps, strips are as few as ``acc_depth`` allows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..hw.config import EngineConfig
from .joining import NOTHING, Joined
from .operations import Operation
from .streams import Phase
from .strips import Strip, strips
from .tiles import Tiles

__all__ = ["in_phases", "overlapped"]

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
        first = loading and network_input in [tensor.name for tensor in op.operands] and not config.serial
        loading = loading and not first
        plan = list(given.get(index, ())) or list(strips(op, config, first))
        pairs = ((before, op), (op, after))
        chained = any(one and other and _chained(one, other, joined, config) for one, other in pairs)
        chained = chained or (
            before is not None and before.fir > 0 and ready > 0 and _reads(op, before, joined)
        )
        if len(plan) == 1 and index not in given and not config.serial:
            cut = 0
            if op.fir == 1 and after is not None and not after.fir and _reads(after, op, joined):
                cut = _cut_depthwise(op, before, after, ready, config, joined)
            elif not op.fir and chained:
                cut = _cut(op, before, ready, config, joined)
            if cut:
                plan = [plan[0]._replace(y1=cut), plan[0]._replace(y0=cut)]
        result.append(plan)
        before, ready = op, plan[-1].y0
    return result


def in_phases(op: Operation, cut: Sequence[Strip], config: EngineConfig) -> tuple[Phase, ...]:
    """The phases of a resident operation in these strips."""
    blocks = Tiles(op, config).blocks
    if op.fir != 1 or len(cut) != 2 or blocks == 1:
        return tuple(Phase(strip, 0, blocks) for strip in cut)
    whole = cut[0]._replace(y1=cut[1].y1)
    return (Phase(whole, 0, blocks - 1), *(Phase(strip, blocks - 1, blocks) for strip in cut))


def _chained(op: Operation, after: Operation, joined: Joined, config: EngineConfig) -> bool:
    """Would the second wait for the first? A depthwise one reads a block at a time, and first rows of the next one."""
    if op.fir or (after.fir and Tiles(after, config).blocks > 2):
        return False
    return _reads(after, op, joined)


def _reads(op: Operation, other: Operation, joined: Joined) -> bool:
    return joined.root(other.output.name) in [joined.root(tensor.name) for tensor in op.operands]


def _cut(op: Operation, before: Operation | None, ready: int, config: EngineConfig, joined: Joined) -> int:
    """Rows of the first of two strips, 0 to leave the operation whole."""
    height, width = op.output.shape[0], op.output.shape[1] * op.window_pixels
    tiles = Tiles(op, config)
    # A pass must outlast its tile's way through the port, a strip the pipeline.
    port = config.rows * tiles.width * config.plane_words / config.planes_per_word
    if op.vector is not None:  # which is read behind the parameters, each behind the COMPUTE before
        port = (config.param_rows + config.rows + 15) / _SLACK
    pipeline = config.rows + config.cols + 48
    pixels = max(config.rows, 8, port * _SLACK, pipeline / tiles.passes)
    least = -(-int(pixels) // width)
    rows = range(height - least, least - 1, -1)
    return next((r for r in rows if _made(op, r, before, ready, joined)), rows[0] if rows else 0)


def _cut_depthwise(
    op: Operation,
    before: Operation | None,
    after: Operation,
    ready: int,
    config: EngineConfig,
    joined: Joined,
) -> int:
    """Likewise, of a depthwise operation: of its last block, that its reader needs last. 0 if the reader waits anyway.

    The second strip goes on where the first one ends, so it takes no more cycles.
    """
    tiles, height = Tiles(op, config), op.output.shape[0]
    assert tiles.fir is not None
    row = tiles.fir.slots(Strip(0, height, 0, op.output.shape[1])).columns.count * op.stride[0]
    least, most = -(-config.rows // row) + 1, height + (-(config.rows + config.cols + 48) // row)
    cuts = list(range(most, least - 1, -1))
    if tiles.blocks == 1 and before is not None:
        cuts = [cut for cut in cuts if _made(op, cut, before, ready, joined)] or cuts
    for cut in cuts[:1]:
        plan = list(strips(after, config))
        first = plan[0].y1 if len(plan) > 1 else _cut(after, op, cut, config, joined)
        if first and _made(after, first, op, cut, joined):
            return cut
    return 0


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
