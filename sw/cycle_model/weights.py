"""The weight stream's way: FIFO, segment reader, gearbox, row memory, tile pusher.

Of each word of planes and each row three cycles count (word w, row j, the window holds W words, D rows fit the memory):

    taken[w] = max(arrived[w] + 4, taken[w-1] + 1, shifted[w-2] + 1)
    shifted[w] = max(taken[w] + 1, shifted[w-1] + 1, freed[w-W] + 1)
    asked[j] = max(asked[j-1] + 1, emitted[j-2] + 1)
    emitted[j] = max(asked[j] + 1, shifted[last word of j] + 1, emitted[j-1] + 1, credit: put[j-14] + 3 or so)
    put[j] = max(emitted[j] + constant, put[j-1] + 1, got[j-D] + 1)
    got[j] = pushed[j] - 2
"""

from __future__ import annotations

from array import array

from ...hw.config import EngineConfig
from .gear import CREDITS, stages, window_words
from .plan import Plan
from .port import Reader
from .pusher import Pusher
from .recall import Recall

__all__ = ["WeightStream"]

_READ = 2
"""Cycles from a row's read in the memory to its push, which counts from where the memory's answer comes."""


class WeightStream:
    """From the port's words to rows in the memory behind the gearbox; ``pusher`` takes them from there."""

    def __init__(self, plan: Plan, reader: Reader, images: int) -> None:
        config = plan.config
        self.reader, self.pusher = reader, Pusher(plan, images)
        self.segments = plan.segments
        self.total = len(plan.segments) * images
        self.params, self.param_planes = config.param_rows, config.wgt_width
        self.plane_words, self.units = config.plane_words, config.planes_per_word
        self.window = window_words(self.units, max(config.wgt_width, self.units))
        self.to_put = stages(self.units, self.window) + 5
        self.depth = _row_depth(config)
        # Taking: segment, port words left of it, parts of a plane; the cycle before which no plane is taken.
        self.taking, self.left, self.part, self.allowed, self._header = 0, 0, 0, 0, 0
        self.head_words, self._heads = config.header_words, 0  # of a header; of them taken
        self.announced: list[int] = []
        self.taken = array("q", [-9, -9])  # of planes; two before the first
        self.shifted = array("q", [-9, -9])
        self.freed = array("q", [-9] * self.window)
        # Asking and emitting: segment, row in it; planes of it used, words freed before it.
        self.asking, self.asking_row, self.emitting, self.row, self.used, self.base = 0, 0, 0, 0, 0, 0
        self._popped: list[int] = []  # when a segment left the RAM of its queue
        self._opened: list[int] = []  # when it was taken by those who ask for rows
        self.asked = array("q")
        self.emitted = array("q", [-9, -9])
        self.put = self.pusher.put
        self.got = array("q")
        self.recall = Recall(self)

    def run(self) -> bool:
        """As far as can be known; whether anything was new."""
        moved = self.pusher.run()
        while self.recall.advance():
            moved = True
            if not self.pusher.run():
                break
        return moved

    def advance(self) -> bool:
        """As far as can be known without another push."""
        moved = self._get()
        while True:
            segments = len(self.announced), len(self._opened)
            if not self._rows():
                return moved
            moved = True
            # Only a segment that has begun meanwhile lets more words in, which more rows may be made of.
            if segments == (len(self.announced), len(self._opened)):
                return True

    # Words ---------------------------------------------------------------------------------------------

    def _begin(self) -> bool:
        """At a header: take it. False where it has not arrived, or its announcement has to wait."""
        reader = self.reader
        if not self.left:
            while self._heads < self.head_words:
                n = len(reader.taken)
                if self.taking == self.total or len(reader.puts) <= n:
                    return False
                self._header = reader.puts[n] + 4
                if n:
                    self._header = max(self._header, reader.taken[-1] + 1)
                reader.taken.append(self._header)
                self._heads += 1
            self._heads = 0
            self.left = self.segments[self.taking % len(self.segments)].words
        n, at = self.taking, self._header + 2
        if n >= 2:
            if len(self._popped) == n - 2 and not self._pop():
                return False
            at = max(at, self._popped[n - 2] + 2)
        self.announced.append(at)
        self.allowed = at + 3
        return True

    def _pop(self) -> bool:
        """The next segment leaves the RAM of its queue once the one before is taken; whether that is known."""
        n = len(self._popped)
        if n >= len(self.announced) or n > len(self._opened):
            return False
        self._popped.append(max(self.announced[n], self._opened[n - 1]) if n else self.announced[n])
        return True

    def _words(self, need: int) -> bool:
        """Take and shift words until ``need`` of them are in the window; whether they are."""
        arrived, left_fifo = self.reader.puts, self.reader.taken
        taken, shifted, freed = self.taken, self.shifted, self.freed
        while len(shifted) - 2 < need:
            w = len(shifted) - 2
            if len(taken) - 2 == w and not self._take(arrived, left_fifo, taken, shifted):
                return False
            if w >= len(freed):
                return False
            at = taken[w + 2]
            if shifted[-1] > at:
                at = shifted[-1]
            if freed[w] > at:
                at = freed[w]
            shifted.append(at + 1)
        return True

    def _take(
        self, arrived: array[int], left_fifo: array[int], taken: array[int], shifted: array[int]
    ) -> bool:
        """One word of planes, several words of the port where a plane is wider."""
        while True:
            if len(self.announced) == self.taking and not self._begin():
                return False
            n = len(left_fifo)
            if n >= len(arrived):
                return False
            at = arrived[n] + 4
            if left_fifo[-1] >= at:
                at = left_fifo[-1] + 1
            if shifted[len(taken) - 2] >= at:
                at = shifted[len(taken) - 2] + 1
            if self.allowed > at:
                at = self.allowed
            left_fifo.append(at)
            self.left -= 1
            if not self.left:
                self.taking += 1
            self.part += 1
            if self.part == self.plane_words:
                self.part = 0
                taken.append(at)
                return True

    # Rows ----------------------------------------------------------------------------------------------

    def _ask(self) -> bool:
        """When the next row is asked for; False where that is not known yet."""
        asked, emitted = self.asked, self.emitted
        n = len(asked)
        at = asked[-1] + 1 if n else 0
        if not self.asking_row:
            s = self.asking
            if s >= len(self.announced):
                return False
            if len(self._opened) == s:
                if len(self._popped) == s:
                    self._pop()
                self._opened.append(max(self._popped[s] + 1, at))
            at = self._opened[s] + 1
        if n >= len(emitted):
            return False
        if emitted[n] >= at:
            at = emitted[n] + 1
        asked.append(at)
        self.asking_row += 1
        if self.asking_row == self.params + self.segments[self.asking % len(self.segments)].rows:
            self.asking, self.asking_row = self.asking + 1, 0
        return True

    def _rows(self) -> bool:
        before = (
            len(self.emitted),
            len(self.put),
            len(self.reader.taken),
            len(self.asked),
            len(self.announced),
            len(self._opened),
        )
        while self._segment():
            pass
        while self._ahead() or self._words(len(self.shifted) - 1):
            pass
        if len(self.announced) == self.taking:  # a header does not wait for the slice behind it
            self._begin()
        while self._ask():
            pass
        self._put()
        return before != (
            len(self.emitted), len(self.put), len(self.reader.taken), len(self.asked), len(self.announced),
            len(self._opened),
        )  # fmt: skip

    def _ahead(self) -> bool:
        """Take a word that waits in the slice in front of the window."""
        if len(self.taken) - 2 >= len(self.shifted):
            return False
        return self._take(self.reader.puts, self.reader.taken, self.taken, self.shifted)

    def _segment(self) -> bool:
        """Emit what is left of a segment's rows; whether that was all."""
        if self.emitting == self.total:
            return False
        segment = self.segments[self.emitting % len(self.segments)]
        rows, planes, units, base = self.params + segment.rows, self.param_planes, self.units, self.base
        emitted, shifted, asked, put, freed = self.emitted, self.shifted, self.asked, self.put, self.freed
        row, used, n = self.row, self.used, len(self.emitted) - 2
        gone = base + used // units
        last, before = emitted[-1], emitted[-2]
        while row < rows:
            if row >= self.params:
                planes = segment.width
            used += planes
            need = base - (-used // units)
            if len(shifted) - 2 < need and not self._words(need):
                break
            if len(asked) <= n and not self._ask():
                break
            at = asked[n]
            if shifted[need + 1] > at:
                at = shifted[need + 1]
            if last > at:
                at = last
            at += 1
            if n >= CREDITS:
                known = self._credit(at, n, last, before)
                if known < 0:
                    break
                at = known
            emitted.append(at)
            before, last = last, at
            n += 1
            row += 1
            self.row, self.used = row, used
            now = base + used // units if row < rows else need
            while gone < now:
                freed.append(at)
                gone += 1
            if n - len(put) > 8:
                self._put()
        if row < rows:
            return False
        self.base, self.row, self.used = gone, 0, 0
        self.emitting += 1
        return True

    def _credit(self, at: int, n: int, last: int, before: int) -> int:
        """The cycle in which there is a credit for row n, -1 where that is not known yet."""
        put = self.put
        while True:
            known = n - CREDITS - (last > at - 3) - (before > at - 3)
            if known < 0:
                return at
            if known >= len(put):
                self._put()
                if known >= len(put):
                    return -1
            if put[known] <= at - 3:
                return at
            at = put[known] + 3

    def _put(self) -> None:
        """Rows enter the memory."""
        put, emitted, got, depth, delay = self.put, self.emitted, self.got, self.depth, self.to_put
        last = put[-1] if put else -9
        for n in range(len(put), len(emitted) - 2):
            at = emitted[n + 2] + delay
            if last >= at:
                at = last + 1
            if n >= depth:
                if n - depth >= len(got):
                    return
                if got[n - depth] >= at:
                    at = got[n - depth] + 1
            put.append(at)
            last = at

    def _get(self) -> bool:
        """Rows leave the memory."""
        got, pushed = self.got, self.pusher.pushed
        begin = len(got)
        got.extend(at - _READ for at in pushed[begin:])
        return len(got) > begin


def _row_depth(config: EngineConfig) -> int:
    """As ``hw.tile_pusher``."""
    least = 4 * config.rows + 2 * config.param_rows + 16
    return max(64, 1 << (least - 1).bit_length())
