"""What a stream costs, in cycles, so that the best of several is taken.

    cycles of a phase = max(passes * pixels, port's beats of weights, loads and records, beats stored)

What a phase loads is the input of the next one; the last phase, that of a first one again. An operation that is cut
in two strips or one keeps the next one waiting for its rows, or for its whole map.
"""

from __future__ import annotations

from functools import cache

from ..hw.config import EngineConfig
from ..hw.isa import record_words
from .patches import residual_patch
from .streams import Stream
from .tiles import Tiles

__all__ = ["busy", "cycles"]

_SLACK = 1.1
"""Cycles of the port for each beat: latencies and turns between its users."""


_ROUND = 200
"""Cycles of a COMPUTE, a LOAD over its operand and the COMPUTE of that, pixels and words beside."""

_DEPTH = 80
"""Cycles from a COMPUTE's end, rows and columns beside, to the first word on the port."""


@cache
def _record_words(config: EngineConfig) -> int:
    """``record_words``, which is asked for often."""
    return record_words(config)


def cycles(stream: Stream, again: bool = False) -> float:
    """An estimate for the whole operation. ``again``: what follows is the same operation, on the next image."""
    op, config = stream.op, stream.config
    tiles = Tiles(op, config)
    beats = config.word_beats
    passes = tiles.passes / tiles.blocks
    streamed = 0 if op.vector is not None else passes * config.rows
    rows = config.param_rows * config.wgt_width + streamed * tiles.width
    segment = 1 + rows * config.plane_words / config.planes_per_word
    records = 4 * _record_words(config)
    total = slowest = 0.0
    # Of a folded image pixels come through the port, and words are made of them, one a cycle.
    folded = stream.modes.act_folded
    each_word = 1 / beats if folded else 1
    acts = [
        each_word * len(stream.act_blocks(p)) * stream.act(p).pixels * stream.modes.act for p in stream.phases
    ]
    for phase, loaded in zip(stream.phases, [*acts[1:], acts[0]], strict=True):
        blocks = phase.last - phase.first
        compute = blocks * passes * max(tiles.pixels(phase.strip), config.least_pass)
        if stream.modes.res_ring:
            loaded += blocks * residual_patch(op, phase.strip).pixels * config.cols // config.lanes
        stored = blocks * phase.strip.outputs * config.cols // config.lanes * stream.modes.out_ring
        read = blocks * segment + loaded * beats * (folded or 1) + blocks * records
        spent = max(float(compute), _SLACK * read, _SLACK * stored * beats, loaded * beats)
        if folded:  # two slots in turn: what is loaded into one waits for the pipeline behind the other
            spent = max(spent, (compute + loaded * beats + _ROUND) / 2)
        if stream.ahead < 2 and stream.modes.out_ring:  # a block waits for the STORE of the last but one
            each = stored * beats / blocks + _DEPTH + config.rows + config.cols
            spent = max(spent, blocks * each)
        if stream.slots == 1:
            spent = compute + max(read, loaded * beats)
        total += spent
        slowest = max(slowest, loaded * beats)
    if again and stream.slots == 2 and len(acts) % 2:  # the first slot is in use until the end
        total += acts[0] * beats
    made = sum(phase.last - phase.first for phase in stream.phases)
    if (
        again and stream.modes.out_ring and made % stream.ring == 1
    ):  # the first block's slot was the last one's
        total += stream.out_words * beats
    strips = len({phase.strip for phase in stream.phases})
    if strips < 3:
        total += slowest * (3 - strips) / 2
    return total


def busy(stream: Stream) -> int:
    """Cycles of the array's work alone."""
    tiles = Tiles(stream.op, stream.config)
    pixels = sum(tiles.pixels(p.strip) * (p.last - p.first) for p in stream.phases)
    return tiles.passes * max(pixels, 6) // tiles.blocks
