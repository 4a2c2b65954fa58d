"""Trains of passes: what happened since the sequencer and the weight stream were in the same state, several times more.

    state at the start of pass p == state at the start of pass p - k, a period of T cycles before
    events of passes p + i*k .. p + (i+1)*k - 1 = events of passes p - k .. p - 1, (i + 1) * T later     for i < m

The state is all that their equations look at, relative to the start of the next pass. m is as large as the COMPUTE, the
segment of weights and the words that have arrived in the FIFO allow: a word that is there before its turn decides
nothing.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .compute import Compute, Gap
from .weights import WeightStream

__all__ = ["Train"]

_LONGEST = 8
"""Passes of a period at most."""


class _Before(NamedTuple):
    """Where everything was in a state."""

    block: tuple[int, int, int, int]
    passed: int
    start: int
    sizes: tuple[int, ...]
    scalars: tuple[int, ...]
    gaps: int


class _Period(NamedTuple):
    """What a period adds: passes, cycles; each list's entries relative to its start; what it adds to the scalars."""

    passes: int
    cycles: int
    ends: tuple[int, ...]
    times: npt.NDArray[np.int64]
    scalars: tuple[int, ...]
    rows: int
    words: int
    gaps: tuple[Gap, ...]


class Train:
    """The sequencer and the weight stream, several periods at once."""

    def __init__(self, stream: WeightStream, compute: Compute) -> None:
        self._stream, self._compute = stream, compute
        pusher = stream.pusher
        self._lists = (
            *stream.recall.lists,
            pusher.pushed,
            pusher.tile_ready,
            pusher.entered_tile,
            compute.firsts,
        )
        self._seen: dict[tuple[object, ...], _Before] = {}
        self._periods: dict[tuple[object, ...], _Period] = {}
        self._unknown = -1

    def run(self) -> bool:
        """While the sequencer is held in front of a pass, all that comes before in its order being known."""
        compute, recall = self._compute, self._stream.recall
        if not compute.steady():
            return False
        key = self._key()
        if key is None:
            self._seen.clear()
            return False
        period = self._periods.get(key)
        if period is None:
            if recall.unknown != self._unknown:
                self._seen.clear()
                self._unknown = recall.unknown
            now = self._now()
            before = self._seen.get(key)
            self._seen[key] = now
            if before is None or before.block != now.block or now.passed - before.passed > _LONGEST:
                return False
            self._periods[key] = period = self._learn(before, now)
        count = self._count(period)
        if count:
            self._go(period, count)
        return count > 0

    def _key(self) -> tuple[object, ...] | None:
        """The state; None where more decides than it holds."""
        compute, stream = self._compute, self._stream
        pusher = stream.pusher
        held = compute.held
        assert held is not None
        ready, entered, end = pusher.tile_ready, pusher.entered_tile, len(pusher.pushed) + pusher.rows
        here = len(ready)
        # A row of the next tile that comes later than the push of the tile could begin is not in the state.
        if pusher.tile_next < 1 or not here or len(stream.put) < end or stream.put[end - 1] > held:
            return None
        if pusher.of_vector():
            return None
        rows = stream.recall.key()
        if rows is None:
            return None
        return (
            rows, compute.pixels, here - compute.tiles, len(entered) - here, stream.got[-1] - held,
            compute.before - held, compute.last - held, compute.left - held, pusher.end - held,
            *(at - held for at in ready[compute.tiles :]), *(at - held for at in entered[here - 1 :]),
        )  # fmt: skip

    def _now(self) -> _Before:
        compute, stream = self._compute, self._stream
        assert compute.held is not None
        block = len(compute.spans), stream.pusher.instr, stream.taking, stream.emitting
        sizes = tuple(map(len, self._lists))
        return _Before(block, compute.passed, compute.held, sizes, self._scalars(), len(compute.gaps))

    def _scalars(self) -> tuple[int, ...]:
        stream, span = self._stream, self._compute.span
        return (
            stream.row, stream.asking_row, stream.left, stream.used, stream.pusher.tile_next, self._compute.tiles,
            span.pixels, span.wait, span.weight, span.short,
        )  # fmt: skip

    def _learn(self, before: _Before, now: _Before) -> _Period:
        entries = [
            np.array(found[first:last], np.int64)
            for found, first, last in zip(self._lists, before.sizes, now.sizes, strict=True)
        ]
        ends = np.cumsum([len(found) for found in entries])
        scalars = tuple(b - a for a, b in zip(before.scalars, now.scalars, strict=True))
        gaps = tuple(_later(gap, -before.start) for gap in self._compute.gaps[before.gaps :])
        return _Period(
            now.passed - before.passed, now.start - before.start, tuple(ends.tolist()),
            np.concatenate(entries) - before.start, scalars, scalars[0], len(entries[0]), gaps,
        )  # fmt: skip

    def _count(self, period: _Period) -> int:
        """How many periods follow."""
        compute, stream = self._compute, self._stream
        pusher, recall, reader = stream.pusher, stream.recall, stream.reader
        segment = stream.segments[stream.taking % len(stream.segments)]
        rows, words = recall.rows, recall.words(segment)
        many = period.passes > 1
        total = stream.params + segment.rows - rows
        count = min(
            (compute.passes - 1 - compute.passed) // period.passes,
            (pusher.tiles[pusher.instr % len(pusher.tiles)] - 1 - pusher.tile_next) // period.passes,
            (total - stream.row) // period.rows,
            (total - stream.asking_row) // period.rows,
            (stream.left - words - 1) // period.words,
            (len(reader.puts) - len(reader.taken) - words) // period.words,
        )
        # Words: even the last that a period may look at is there before its turn. Rows of the next tile likewise.
        ahead = words + period.words if many else words
        count = _before(reader.puts, len(reader.taken) + ahead - 1, period.words,
                        reader.taken[-1] + ahead - 4, period.cycles, count)  # fmt: skip
        assert compute.held is not None
        first = len(pusher.pushed) + period.rows - 1
        return _before(stream.put, first, period.rows, compute.held, period.cycles, count)

    def _go(self, period: _Period, count: int) -> None:
        compute, stream = self._compute, self._stream
        assert compute.held is not None
        shift = compute.held + period.cycles * np.arange(count, dtype=np.int64)
        times = period.times + shift[:, None]
        begin = 0
        for found, end in zip(self._lists, period.ends, strict=True):
            found.frombytes(times[:, begin:end].tobytes())
            begin = end
        row, asking, left, used, tile, tiles, *counts = (count * added for added in period.scalars)
        stream.row += row
        stream.asking_row += asking
        stream.left += left
        stream.used += used
        stream.pusher.tile_next += tile
        stream.pusher.end += count * period.cycles
        stream.recall.skip()
        compute.tiles += tiles
        gaps = (_later(gap, at) for at in shift.tolist() for gap in period.gaps)
        compute.skip(count * period.passes, count * period.cycles, counts, gaps)


def _later(gap: Gap, cycles: int) -> Gap:
    first, last, known, ready, fresh = gap
    return first + cycles, last + cycles, known + cycles, ready + cycles, fresh


def _before(found: array[int], first: int, step: int, limit: int, cycles: int, count: int) -> int:
    """The number of ``i`` from 0 on, ``count`` at most, with found[first + i * step] <= limit + i * cycles."""
    if first >= len(found):
        return 0
    for i, at in enumerate(found[first : first + max(0, count) * step : step]):
        if at > limit + i * cycles:
            return i
    return count
