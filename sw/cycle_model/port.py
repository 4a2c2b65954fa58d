"""The memory port's read channels: who asks when, whose turn it is, when the beats come."""

from __future__ import annotations

from array import array
from collections import deque

import numpy as np

__all__ = ["BURST", "Port", "Reader"]

BURST = 64
"""As ``hw.burst_reader``."""

_OUTSTANDING = 16
"""Bursts in the port's queue, as ``hw.memory_reader``."""

_BEATS = np.arange(1, BURST + 1)


class Reader:
    """``hw.burst_reader``: a command taken at c asks at c + 3 or once the FIFO has room, then 3 cycles after a grant.

    ``puts``: cycle at which each word enters the FIFO; it leaves 4 cycles later or when the consumer takes it
    (``taken``, which the consumer fills). ``accepted``: cycle at which each command was taken.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.puts = array("q")
        self.taken = array("q")
        self.accepted: list[int] = []
        self.commands: deque[tuple[int, int, int]] = deque()
        self.asked = self.left = self.least = self.size = 0
        self.idle = self.room = 0

    def command(self, at: int, beat: int, beats: int) -> None:
        """A command on offer from cycle ``at`` on: ``beats`` port words from word address ``beat``."""
        self.commands.append((at, beat, beats))
        if not self.left:
            self._next()

    def _next(self) -> None:
        at, beat, self.left = self.commands.popleft()
        taken = max(at, self.idle)
        self.accepted.append(taken)
        self.least, self.room = BURST - beat % BURST, taken + 2

    def ask(self) -> int | None:
        """The cycle from which the next burst is asked for, None where it cannot be known yet."""
        if not self.left:
            return None
        self.size = min(self.left, self.least)
        need = self.asked + self.size - self.depth
        if need <= 0:
            return self.room + 1
        if len(self.taken) < need:
            return None
        return max(self.room, self.taken[need - 1] + 1) + 1

    def asks_on(self) -> bool:
        """Whether it is known from when on the next burst is asked for."""
        return self.left > 0 and self.ask() is not None

    def grant(self, at: int, first: int) -> None:
        """The burst asked for is taken at ``at``, its first beat is on R at ``first``."""
        self.asked += self.size
        self.left -= self.size
        self.least = BURST
        self.puts.frombytes((_BEATS[: self.size] + first).tobytes())
        if self.left:
            self.room = at + 2
        else:
            self.idle = at + 1
            if self.commands:
                self._next()


class Port:
    """``hw.memory_reader`` and the bench memory: a grant every 2 cycles at most, round robin; one beat a cycle."""

    def __init__(self, readers: tuple[Reader, ...], latency: int) -> None:
        self.readers, self.latency = readers, latency
        self.previous, self.granted, self.beat = 0, -1, -1
        self._left = deque([-3] * _OUTSTANDING, _OUTSTANDING)  # when each burst left the port's queue
        self._ends = -1
        self.decided = 0

    def decide(self) -> int | None:
        """The cycle in which the next grant is decided, None while nobody is known to ask."""
        self.asks = [reader.ask() for reader in self.readers]
        known = [at for at in self.asks if at is not None]
        if not known:
            return None
        self.decided = max(self.granted + 1, self._left[0] + 2, min(known))
        return self.decided

    def grant(self) -> Reader:
        """What was decided happens; whose turn it was."""
        count = len(self.readers)
        for step in range(1, count + 1):
            index = (self.previous + step) % count
            at = self.asks[index]
            if at is not None and at <= self.decided:
                break
        reader = self.readers[index]
        self.previous, self.granted = index, self.decided + 1
        first = max(self.granted + 1 + self.latency, self.beat + 1)
        self._left.append(max(self.granted, self._ends))
        reader.grant(self.granted, first)
        self.beat = self._ends = first + reader.size - 1
        return reader

    def alone(self, reader: Reader, before: int) -> None:
        """The next grants, decided before a cycle, as long as no one but this reader asks."""
        others = [at for other in self.readers if other is not reader and (at := other.ask()) is not None]
        before = min(before, *others) if others else before
        left, latency = self._left, self.latency
        while (asked := reader.ask()) is not None:
            at = max(self.granted + 1, left[0] + 2, asked)
            if at >= before:
                return
            self.granted = at + 1
            first = max(at + 2 + latency, self.beat + 1)
            left.append(max(at + 1, self._ends))
            reader.grant(at + 1, first)
            self.beat = self._ends = first + reader.size - 1
