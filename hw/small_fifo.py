"""``SmallFifo``: a queue in distributed RAM."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

__all__ = ["SmallFifo"]


class SmallFifo(Component):
    """o = i, in order; payload and valid of ``o`` leave registers.

    Latency: 1 cycle through an empty queue, one item a cycle.

    Parameters
    ----------
    shape : shape of the payload.
    depth : items, a power of two; one more sits in the output register.

    Members
    -------
    i : its ready may be left unread where the writer counts credits, ``depth`` in all.
    """

    latency = 1

    def __init__(self, *, shape: Any, depth: int = 16) -> None:
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two of at least 2, not {depth!r}")
        self.shape, self.depth = shape, depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.storage = ram = Memory(shape=self.shape, depth=self.depth, init=[])
        write, read = ram.write_port(), ram.read_port(domain="comb")
        level = Signal(range(self.depth + 1))
        empty = Signal(init=1)
        put, get, bypass = Signal(), Signal(), Signal()
        free = Signal()  # the output register takes an item
        m.d.comb += [
            self.i.ready.eq(~level[-1]),
            free.eq(self.o.ready | ~self.o.valid),
            get.eq(free & ~empty),
            bypass.eq(free & empty),
            put.eq(self.i.valid & self.i.ready & ~bypass),
            write.data.eq(self.i.payload),
            write.en.eq(put),
        ]
        with m.If(put):
            m.d.sync += write.addr.eq(write.addr + 1)
        with m.If(get):
            m.d.sync += read.addr.eq(read.addr + 1)
        with m.If(put & ~get):
            m.d.sync += [level.eq(level + 1), empty.eq(0)]
        with m.Elif(get & ~put):
            m.d.sync += [level.eq(level - 1), empty.eq(level == 1)]
        with m.If(free):
            m.d.sync += self.o.valid.eq(~empty | self.i.valid)
            with m.If(empty):
                m.d.sync += self.o.payload.eq(self.i.payload)
            with m.Else():
                m.d.sync += self.o.payload.eq(read.data)
        return m
