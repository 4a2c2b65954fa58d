"""``StreamBuffer``: a register slice that cuts a stream's paths in both directions."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

__all__ = ["StreamBuffer"]


class StreamBuffer(Component):
    """o = i, in order; payload, valid and ready all leave registers.

    Latency: 1 cycle, one item a cycle, two items deep.

    Parameters
    ----------
    shape : shape of the payload.
    """

    latency = 1

    def __init__(self, *, shape: Any) -> None:
        self.shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spare = Signal(self.shape, reset_less=True)
        full = Signal()  # the spare entry holds the item after o's
        m.d.comb += self.i.ready.eq(~full)
        with m.If(~full):
            m.d.sync += spare.eq(self.i.payload)
        held = self.o.valid & ~self.o.ready
        m.d.sync += [self.o.valid.eq(held | full | self.i.valid), full.eq(held & (full | self.i.valid))]
        with m.If(~held):
            with m.If(full):
                m.d.sync += self.o.payload.eq(spare)
            with m.Else():
                m.d.sync += self.o.payload.eq(self.i.payload)
        return m
