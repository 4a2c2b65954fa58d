"""The program's way: from the fetch FIFO to the units' queues, and a record's way through its queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...hw.isa import record_words
from .plan import UNITS, Plan
from .port import Reader

__all__ = ["Fetch", "Queue"]

_AHEAD = 16
"""Words between a block FIFO's RAM and its output."""


class Queue:
    """``hw.instruction_queue``: ``valid[i]`` where record i is first on offer; its unit fills ``taken``.

    ``waits[i]`` is (completed loads, computes, stores) that record i needs, counted from start.
    """

    def __init__(self, plan: Plan, unit: str, images: int, done: Mapping[str, list[int]]) -> None:
        self.words, self.lookahead = record_words(plan.config), plan.config.lookahead
        self.records = plan.records[unit]
        self.counts = tuple(len(plan.records[u]) for u in UNITS)
        self.total = len(self.records) * images
        self.done = [done[u] for u in UNITS]
        self.puts: list[int] = []
        self.gets: list[int] = []
        self.leaves: list[int] = []  # when each word leaves the FIFO for the record being assembled
        self.valid: list[int] = []
        self.causes: list[str] = []
        """what each record waited for last: "fetch", or a unit."""
        self.taken: list[int] = []
        self._assembled: list[int] = []  # when each record's last word was taken
        self._armed: list[int] = []
        self._seen: tuple[int, ...] = ()

    def run(self) -> bool:
        """As far as can be known; whether anything was new."""
        seen = len(self.puts), len(self.taken), *map(len, self.done)
        if seen == self._seen:
            return False
        self._seen = seen
        moved, words = False, self.words
        puts, gets, leaves = self.puts, self.gets, self.leaves
        while True:
            before = len(gets), len(leaves), len(self._armed), len(self.valid)
            while len(leaves) < len(puts):
                n = len(leaves)
                record, index = divmod(n, words)
                at = puts[n] + 4
                if n:
                    at = max(at, leaves[-1] + 1)
                if index == 0 and record:
                    free = self._armed if self.lookahead else self.taken
                    if len(free) < record:
                        break
                    at = max(at, free[record - 1] + (2 if self.lookahead else 1))
                leaves.append(at)
                if index == words - 1:
                    self._assembled.append(at)
            while len(gets) < len(puts):
                n = len(gets)
                at = puts[n] + 1
                if n:
                    at = max(at, gets[-1] + 1)
                if n >= _AHEAD:
                    if len(leaves) <= n - _AHEAD:
                        break
                    at = max(at, leaves[n - _AHEAD] + 1)
                gets.append(at)
            if len(self._armed) < len(self._assembled) and len(self._armed) <= len(self.taken):
                n = len(self._armed)
                self._armed.append(max(self._assembled[n] + 2, self.taken[n - 1] + 1 if n else 0))
            if len(self.valid) < len(self._armed):
                self._offer()
            if before == (len(gets), len(leaves), len(self._armed), len(self.valid)):
                return moved
            moved = True

    def _offer(self) -> None:
        n = len(self.valid)
        iteration, index = divmod(n, len(self.records))
        at, cause = self._armed[n] + 2, "fetch"
        waits = zip(UNITS, self.records[index].waits, self.counts, self.done, strict=True)
        for unit, wait, count, done in waits:
            need = wait + iteration * count
            if need > 0:
                if len(done) < need:
                    return
                if done[need - 1] + 2 >= at:
                    at, cause = done[need - 1] + 2, unit
        self.valid.append(at)
        self.causes.append(cause)


class Fetch:
    """``hw.fetch``: every word passes two register slices; CONFIG's words stay and hold up those behind them."""

    def __init__(self, plan: Plan, reader: Reader, queues: Mapping[str, Queue], images: int) -> None:
        self.reader, self.depth = reader, plan.config.fifo_depth
        words = record_words(plan.config)
        self.words, self.total = words, words * len(plan.route) * images
        self._queues = tuple(queues.values())
        self.targets: Sequence[Queue | None] = [None if unit is None else queues[unit] for unit in plan.route]
        self.configured = -1  # when the counts of the first iteration are known
        self._in = reader.taken  # when each word enters the first slice
        self._on: list[int] = []  # leaves it
        self._slots: list[Queue] = []  # the queue of each word in the second slice
        self._entered: list[int] = []
        self._left: list[int] = []
        self._going = 0
        self._seen: tuple[int, ...] = ()

    def run(self) -> bool:
        """As far as can be known; whether anything was new."""
        seen = len(self.reader.puts), *(len(queue.gets) for queue in self._queues)
        if seen == self._seen:
            return False
        self._seen, moved = seen, False
        puts, into, on, entered, left = self.reader.puts, self._in, self._on, self._entered, self._left
        while True:
            before = len(into), len(on), len(left)
            while len(into) < len(puts) and len(into) - 2 < len(on):
                n = len(into)
                at = puts[n] + 4
                if n:
                    at = max(at, into[-1] + 1)
                if n > 1:
                    at = max(at, on[n - 2] + 1)
                into.append(at)
            while len(on) < len(into) and len(entered) - 2 < len(left):
                n, m = len(on), len(entered)
                at = max(into[n] + 1, self._going)
                if n:
                    at = max(at, on[-1] + 1)
                if m > 1:
                    at = max(at, left[m - 2] + 1)
                on.append(at)
                record, index = divmod(n, self.words)
                target = self.targets[record % len(self.targets)]
                if target is not None:
                    entered.append(at)
                    self._slots.append(target)
                elif index == self.words - 1:
                    self._going = at + 3
                    if self.configured < 0:
                        self.configured = at + 3
            while len(left) < len(entered):
                m = len(left)
                queue = self._slots[m]
                at = entered[m] + 1
                if m:
                    at = max(at, left[-1] + 1)
                n = len(queue.puts)
                if n >= self.depth:
                    if len(queue.gets) <= n - self.depth:
                        break
                    at = max(at, queue.gets[n - self.depth] + 1)
                left.append(at)
                queue.puts.append(at)
            if before == (len(into), len(on), len(left)):
                return moved
            moved = True
