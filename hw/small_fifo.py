"""``SmallFifo``: a queue in distributed RAM."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from .distributed_ram import distributed_ram

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
    i : its ready may be left unread where the writer counts credits, ``depth`` in all. A full RAM takes an item again
        2 cycles after one has left it.
    """

    latency = 1

    def __init__(self, *, shape: Any, depth: int = 16) -> None:
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two of at least 2, not {depth!r}")
        self.shape, self.depth = shape, depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: Any) -> Module:
        lower = getattr(platform, "lower_small_fifo", None)
        if lower is not None and (lowered := lower(self)) is not None:
            return lowered
        m = Module()
        write, read, tail, head = distributed_ram(m, shape=self.shape, depth=self.depth, platform=platform)
        level = Signal(range(self.depth + 1))
        full, empty, one = Signal(), Signal(init=1), Signal()  # empty, one: level is 0, is 1
        given, free = Signal(), Signal()  # an item comes; the output register takes one
        into, out = Signal(), Signal()  # of the RAM
        m.d.comb += [
            self.i.ready.eq(~full),
            given.eq(self.i.valid & ~full),
            free.eq(self.o.ready | ~self.o.valid),
            into.eq(given & ~(free & empty)),
            out.eq(free & ~empty),
            # An item that goes past the RAM is written, too, and overwritten: so registers alone enable the RAM.
            write.data.eq(self.i.payload),
            write.en.eq(given),
        ]
        # What comes after o.ready is short: every register chooses between two values that are there already.
        with m.If(into):
            m.d.sync += tail.eq(tail + 1)
        with m.If(out):
            m.d.sync += head.eq(head + 1)
        with m.If(into ^ out):
            m.d.sync += [level.eq(level + Mux(out, -1, 1)), one.eq(Mux(out, level == 2, empty))]
        m.d.sync += [
            full.eq(level[-1] | (given & level[:-1].all())),
            empty.eq(Mux(free, empty | (one & ~given), empty & ~given)),
        ]
        m.d.sync += self.o.valid.eq(~free | ~empty | given)
        with m.If(free):
            with m.If(empty):
                m.d.sync += self.o.payload.eq(self.i.payload)
            with m.Else():
                m.d.sync += self.o.payload.eq(read.data)
        return m
