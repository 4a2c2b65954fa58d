"""Streamed operations: how an operation whose operands lie in external memory goes through the scratchpad.

    for phase:                                    # a strip of output, or one of its groups of blocks
      slots[phase % 2] = rows of the input        # loaded while the phase before computes
      for block: ring[next] = residual; COMPUTE over it; STORE it

Slots hold what a phase reads, all blocks; the ring holds one block of one strip in each of its slots, for the
output, the residual, or both, the output written over the residual.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, lcm

from ..hw.config import EngineConfig
from .operations import Operation
from .patches import Patch, act_patch, output_patch, residual_patch
from .strips import Strip, pieces, strips
from .tiles import Tiles

__all__ = ["Modes", "Phase", "Stream", "block_words", "guard", "smallest", "ways"]  # fmt: skip


@dataclass(frozen=True)
class Phase:
    """COMPUTEs of output blocks (of cols channels) ``first``..``last``-1 of a strip."""

    strip: Strip
    first: int
    last: int


@dataclass(frozen=True)
class Modes:
    """Where an operation's operands are: in slots (True), else resident; in a ring, else resident or in slots."""

    act: bool = False
    res_slots: bool = False
    res_ring: bool = False
    out_ring: bool = False
    act_image: bool = False
    """act is the network's input, of which only all blocks together can be loaded."""
    act_folded: float = 0.0
    """port words for each word of act, where the image comes in folded words; 0 where it does not."""

    @property
    def any(self) -> bool:
        """Is the operation streamed at all?"""
        return self.act or self.res_slots or self.res_ring or self.out_ring


def guard(config: EngineConfig) -> int:
    """Words behind a slot that LOAD may write: the padding of words that do not fill their beats."""
    return ceil(config.word_beats * config.port_bytes / config.lane_bytes / config.lanes) - 1


def block_words(block: int, config: EngineConfig) -> range:
    """The blocks of words that COMPUTE block ``block`` writes: two where it lies across."""
    channel = block * config.cols
    return range(channel // config.lanes, -(-(channel + config.cols) // config.lanes))


@dataclass(frozen=True)
class Stream:
    """An operation's phases and the sizes of what they go through.

    ``slots`` is 2, or 1 if there is room for no more: then a phase's input waits for the phase before.
    ``ahead``: slots of a ring beyond those that one COMPUTE touches.
    """

    op: Operation
    modes: Modes
    phases: tuple[Phase, ...]
    config: EngineConfig
    slots: int = 2
    ahead: int = 2

    def act(self, phase: Phase) -> Patch:
        """What the phase reads of the input."""
        return act_patch(self.op, phase.strip, self.modes.act_folded > 0)

    def act_blocks(self, phase: Phase) -> range:
        """The blocks of the input it reads."""
        blocks = -(-self.op.act.shape[2] // self.config.lanes)
        if not self.op.own or self.modes.act_image:
            return range(blocks)
        last = self.last_word(phase)
        return range(block_words(phase.first, self.config)[0], min(last + 1, blocks))

    def last_word(self, phase: Phase) -> int:
        """The last block of words it writes; there may be no channels in it."""
        return block_words(phase.last - 1, self.config)[-1]

    @property
    def in_place(self) -> bool:
        """Is the output written over the residual?"""
        op = self.op
        return self.modes.res_ring and self.modes.out_ring and op.window == op.window_stride == (1, 1)

    @cached_property
    def act_words(self) -> int:
        """Words of an input slot."""
        if not self.modes.act:
            return 0
        return max(len(self.act_blocks(p)) * self.act(p).pixels for p in self.phases) + guard(self.config)

    @cached_property
    def res_words(self) -> int:
        """Words of a slot for a residual that is the network's input, or of the residual's ring."""
        blocks = 1
        if self.modes.res_slots:
            assert self.op.residual is not None
            blocks = -(-self.op.residual.shape[2] // self.config.lanes)
        elif not self.modes.res_ring:
            return 0
        strip_pixels = max(residual_patch(self.op, p.strip).pixels for p in self.phases)
        return blocks * strip_pixels + guard(self.config)

    @cached_property
    def out_words(self) -> int:
        """Words of a slot of the output's ring."""
        if not self.modes.out_ring:
            return 0
        return max(output_patch(p.strip).pixels for p in self.phases) + guard(self.config) * self.in_place

    @cached_property
    def ring(self) -> int:
        """Slots of a ring."""
        config = self.config
        touched = max(len(block_words(b, config)) for b in range(self.phases[0].first, self.phases[-1].last))
        total = sum(self.last_word(p) + 1 - block_words(p.first, config)[0] for p in self.phases)
        return min(touched + self.ahead + self.in_place, max(total, touched))

    @property
    def words(self) -> int:
        """All of them."""
        slots = min(self.slots, len(self.phases))
        words = slots * (self.act_words + self.res_words * self.modes.res_slots)
        words += self.ring * self.out_words
        if self.modes.res_ring and not self.in_place:
            words += self.ring * self.res_words
        return words


def _phases(op: Operation, modes: Modes, cut: Sequence[Strip], config: EngineConfig) -> Iterator[Phase]:
    """All blocks together where they read the same input; groups that share no word where each reads its own."""
    blocks = Tiles(op, config).blocks
    group = blocks
    if op.own and modes.act and not modes.act_image:
        group = lcm(config.cols, config.lanes) // config.cols
    for strip in cut:
        for first in range(0, blocks, group):
            yield Phase(strip, first, min(first + group, blocks))


def _stream(op: Operation, modes: Modes, config: EngineConfig, cut: Iterator[Strip], *depth: int) -> Stream:
    return Stream(op, modes, tuple(_phases(op, modes, list(cut), config)), config, *depth)


def ways(op: Operation, modes: Modes, config: EngineConfig, first: bool, free: int) -> list[Stream]:
    """Ways to stream an operation through ``free`` words, of which the best may be taken; none if there is no room.

    Whole rows are preferred to pieces, two slots to one, a longer ring to a shorter one. ``first``: it is the first
    to read the network's input.
    """
    height, width, _ = op.output.shape
    longest = op.longest(config)
    heights = sorted({-(-height // n) for n in range(1, height + 1)}, reverse=True)
    for depths in (((2, 2), (2, 1)), ((1, 1), (1, 0))):
        made = [
            _stream(op, modes, config, strips(op, config, growing, rows), *depth)
            for depth in depths
            for growing in ((True, False) if first else (False,))
            for rows in heights
            if rows <= longest // width
        ]
        if fitting := [stream for stream in made if stream.words <= free]:
            return fitting
        for depth in depths:
            if cut := _fewest_pieces(op, modes, config, free, depth):
                return [cut]
    return []


def _fewest_pieces(
    op: Operation, modes: Modes, config: EngineConfig, free: int, depth: tuple[int, int]
) -> Stream | None:
    """Rows in as few pieces as fit."""
    width = op.output.shape[1]

    def fits(count: int) -> bool:
        return _stream(op, modes, config, _some(op, count), *depth).words <= free

    least = -(-width // op.longest(config))
    for count in range(bisect_left(range(width + 1), True, least, key=fits), width + 1):
        stream = _stream(op, modes, config, pieces(op, count), *depth)
        if stream.words <= free:
            return stream
    return None


def _some(op: Operation, count: int) -> Iterator[Strip]:
    """Strips of the rows that tell how large the others' patches are."""
    height = op.output.shape[0]
    some = {0, 1, height // 2, height - 2, height - 1}
    return pieces(op, count, sorted(y for y in some if 0 <= y < height))


def smallest(op: Operation, modes: Modes, config: EngineConfig) -> Stream:
    """The way that takes the fewest words."""
    width = op.output.shape[1]
    least = max(1, -(-width // op.longest(config)))
    counts = {least, width} | {width // n for n in (2, 4, 8) if width // n >= least}

    def words(count: int) -> int:
        return _stream(op, modes, config, _some(op, count), 1, 0).words

    return _stream(op, modes, config, pieces(op, min(sorted(counts), key=words)), 1, 0)
