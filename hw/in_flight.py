"""``InFlight``: what instructions need again at the end of the pipeline."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out

from .distributed_ram import distributed_ram

__all__ = ["InFlight"]


class InFlight(Component):
    """o = the oldest of what was put and not taken; only while there is one. ``room``: fewer than depth will be there.

    Nothing is checked: whoever puts has seen room.

    Latency: 1 cycle from put to o; room is that of the next cycle.

    Parameters
    ----------
    width : bits. depth : a power of two.
    """

    def __init__(self, *, width: int, depth: int) -> None:
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two of at least 2, not {depth!r}")
        self.width, self.depth = width, depth
        super().__init__({"item": In(width), "put": In(1), "take": In(1), "o": Out(width), "room": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        write, read, tail, head = distributed_ram(m, shape=self.width, depth=self.depth, platform=platform)
        count, following = Signal(range(self.depth + 1)), Signal(range(self.depth + 1))
        m.d.comb += [
            write.data.eq(self.item),
            write.en.eq(self.put),
            self.o.eq(read.data),
            following.eq(count + self.put - self.take),
            self.room.eq(following != self.depth),
        ]
        m.d.sync += [
            tail.eq(tail + self.put),
            head.eq(head + self.take),
            count.eq(following),
        ]
        return m
