"""What the weight stream has done before from the same state it does again: as far, and as much later.

The state is all that its equations look at, relative to the row that left the row memory last. Where the FIFO has
plenty of words and the row memory plenty of rows, their own times decide nothing, and the state is small: while long
passes follow each other it comes back with every tile.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from .plan import Segment

if TYPE_CHECKING:
    from .weights import WeightStream

__all__ = ["Recall"]


class _Step(NamedTuple):
    """What an advance added: rows emitted and asked for, words of the port, and each list's new entries."""

    rows: int
    asked: int
    words: int
    sizes: tuple[int, ...]
    times: npt.NDArray[np.int64]


class Recall:
    """``advance`` of a weight stream, from memory where its state is known."""

    def __init__(self, stream: WeightStream) -> None:
        self._stream = stream
        reader = stream.reader
        self.lists = (reader.taken, stream.taken, stream.shifted, stream.freed, stream.asked, stream.emitted,
                       stream.put, stream.got)  # fmt: skip
        self._steps: dict[tuple[object, ...], _Step] = {}
        self.rows = stream.pusher.rows + 6
        self._seen, self._enough = (-1, -1), False
        self.unknown = 0
        """advances that more decided than the state holds."""

    def advance(self) -> bool:
        """As ``WeightStream.advance``."""
        s = self._stream
        seen = len(s.pusher.pushed), len(s.reader.puts)
        if seen == self._seen:
            return False
        # What is as far as it can be without another push needs no words either, where only pushes decide.
        done, self._seen = self._enough and seen[0] == self._seen[0], seen
        if done:
            return False
        key = self.key()
        self._enough = key is not None
        if key is None:
            self.unknown += 1
            return s.advance()
        step = self._steps.get(key)
        return self._learn(key) if step is None else self._again(step)

    def skip(self) -> None:
        """The stream has been advanced as far as is known."""
        self._seen, self._enough = (len(self._stream.pusher.pushed), len(self._stream.reader.puts)), True

    def words(self, segment: Segment) -> int:
        """Words of the port that an advance may look at, at most."""
        return (self.rows * segment.width // self._stream.units + 2) * self._stream.plane_words + 8

    def key(self) -> tuple[object, ...] | None:
        """The state; None where more decides than it holds."""
        s = self._stream
        got, put, pushed, reader = s.got, s.put, s.pusher.pushed, s.reader
        gets, puts, rows = len(got), len(put), self.rows
        if gets < s.depth or s.taking != s.emitting or s.asking != s.taking or len(s.announced) == s.taking:
            return None
        segment = s.segments[s.taking % len(s.segments)]
        words = self.words(segment)
        total = s.params + segment.rows
        if s.row < s.params or s.asking_row + rows > total or s.row + rows > total or s.left <= words:
            return None
        # Words: even the last of them arrives before its turn.
        here = len(reader.taken)
        last = reader.taken[-1]
        if len(reader.puts) < here + words or reader.puts[here + words - 1] + 4 > last + words:
            return None
        if s.allowed > last:
            return None
        emitted, shifted, asked = len(s.emitted) - 2, len(s.shifted) - 2, len(s.asked)
        base = s.base + s.used // s.units
        times = (
            reader.taken[-1:] + s.taken[-2:] + s.shifted[base:] + s.freed[shifted:] + s.asked[-3:]
            + s.emitted[min(puts, emitted - 1) :] + put[emitted - 16 :] + got[puts - s.depth :] + pushed[gets:]
        )  # fmt: skip
        return (
            segment.width, s.used % s.units, s.part, asked - emitted, emitted - puts, len(s.taken) - 2 - shifted,
            shifted - base, gets - puts, len(pushed) - gets, (np.frombuffer(times, np.int64) - got[-1]).tobytes(),
        )  # fmt: skip

    def _again(self, step: _Step) -> bool:
        s = self._stream
        if not step.sizes:
            return False
        times = (step.times + s.got[-1]).tobytes()
        at = 0
        for found, size in zip(self.lists, step.sizes, strict=True):
            found.frombytes(times[at : at + size])
            at += size
        s.row += step.rows
        s.asking_row += step.asked
        s.left -= step.words
        s.used += step.rows * s.segments[s.taking % len(s.segments)].width
        return True

    def _learn(self, key: tuple[object, ...]) -> bool:
        s, before = self._stream, [len(found) for found in self.lists]
        row, asked, left, part, last = s.row, s.asking_row, s.left, s.part, s.got[-1]
        if not s.advance():
            self._steps[key] = _Step(0, 0, 0, (), np.zeros(0, np.int64))
            return False
        new = array("q")
        for found, begin in zip(self.lists, before, strict=True):
            new += found[begin:]
        sizes = tuple(8 * (len(found) - begin) for found, begin in zip(self.lists, before, strict=True))
        rows = s.row - row
        if s.part == part and max(rows, s.asking_row - asked, sizes[6] // 8, sizes[7] // 8) < self.rows:
            times = np.frombuffer(new, np.int64) - last
            self._steps[key] = _Step(rows, s.asking_row - asked, left - s.left, sizes, times)
        else:
            self.unknown += 1
            self._enough = False
        return True
