"""``BlockFifo``: a queue in block RAM."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from .credit_fifo import CreditFifo
from .memory import Memory1R1W

__all__ = ["BlockFifo"]


class BlockFifo(Component):
    """o = i, in order; valid of ``o`` leaves a register, payload as that of ``CreditFifo``.

    The RAM's read pipeline is rigid; what leaves it lands in a small queue, for which reads take credits.

    Latency: 4 cycles through an empty queue, one item a cycle.

    Parameters
    ----------
    width : bits of an item.
    depth : items, a power of two; up to 16 more sit between RAM and output.

    Members
    -------
    i : its ready may be left unread where the writer counts credits, ``depth`` in all.
    """

    latency = 4
    _AHEAD = 16

    def __init__(self, *, width: int, depth: int) -> None:
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two of at least 2, not {depth!r}")
        self.width, self.depth = width, depth
        super().__init__({"i": In(stream.Signature(width)), "o": Out(stream.Signature(width))})

    def elaborate(self, platform: Any) -> Module:
        lower = getattr(platform, "lower_block_fifo", None)
        if lower is not None and (lowered := lower(self)) is not None:
            return lowered
        m = Module()
        m.submodules.storage = ram = Memory1R1W(width=self.width, depth=self.depth)
        m.submodules.ahead = ahead = CreditFifo(shape=self.width, depth=self._AHEAD)
        stored = Signal(range(self.depth + 1))
        some = Signal()  # stored != 0
        put, get, taken = Signal(), Signal(), Signal()
        used = Signal(range(self._AHEAD + 1))  # items in flight or ahead
        flight = Signal(ram.latency)
        m.d.comb += [
            self.i.ready.eq(~stored[-1]),
            put.eq(self.i.valid & self.i.ready),
            get.eq(some & ~used[-1]),
            taken.eq(self.o.valid & self.o.ready),
            ram.wdata.eq(self.i.payload),
            ram.wen.eq(put),
            ahead.i_payload.eq(ram.rdata),
            ahead.i_valid.eq(flight[-1]),
        ]
        connect(m, flipped(self.o), ahead.o)
        m.d.sync += flight.eq(Cat(get, flight))
        with m.If(get ^ taken):
            m.d.sync += used.eq(used + Mux(taken, -1, 1))
        with m.If(put):
            m.d.sync += ram.waddr.eq(ram.waddr + 1)
        with m.If(get):
            m.d.sync += ram.raddr.eq(ram.raddr + 1)
        with m.If(put ^ get):
            m.d.sync += stored.eq(stored + Mux(get, -1, 1))
        with m.If(put):
            m.d.sync += some.eq(1)
        with m.Elif(get):
            m.d.sync += some.eq(stored != 1)
        return m
