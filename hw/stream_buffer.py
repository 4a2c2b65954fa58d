"""``StreamBuffer``: a register slice that cuts a stream's paths in both directions."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from .replicas import replicas

__all__ = ["StreamBuffer"]

_PART = 32
"""Bits of a payload that share a register."""


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
        full, next_full, held = Signal(), Signal(), Signal()  # full: the spare entry holds the item after o's
        m.d.comb += [
            self.i.ready.eq(~full),
            held.eq(self.o.valid & ~self.o.ready),
            next_full.eq(held & (full | self.i.valid)),
        ]
        m.d.sync += [self.o.valid.eq(held | full | self.i.valid), full.eq(next_full)]
        # Copies of `full` for the payload: its own users are few.
        old, new, out = Value.cast(spare), Value.cast(self.i.payload), Value.cast(self.o.payload)
        parts = range(0, len(old), _PART)
        for part, copy in zip(parts, replicas(m, next_full, len(parts), platform, name="full"), strict=True):
            bits = slice(part, part + _PART)
            with m.If(~copy):
                m.d.sync += old[bits].eq(new[bits])
            with m.If(~held):
                m.d.sync += out[bits].eq(Mux(copy, old[bits], new[bits]))
        return m
