"""``CreditFifo``: a queue in distributed RAM for writers that know its room."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from .replicas import replicas
from .small_fifo import SmallFifo

__all__ = ["CreditFifo"]

_SLICE = 32
"""Bits of a payload that share a copy of the pointers."""


class CreditFifo(Component):
    """o = i, in order; valid leaves a register, payload the RAM: one short path behind a register.

    Latency: 1 cycle through an empty queue, one item a cycle. A platform with a ``SmallFifo`` of its own has that here.

    Parameters
    ----------
    shape : shape of the payload.
    depth : items, a power of two.

    Members
    -------
    i_valid, i_payload : an item; the writer counts credits, ``depth`` in all.
    o : the items; ready may come late, it drives few registers.
    """

    latency = 1

    def __init__(self, *, shape: Any, depth: int = 16) -> None:
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two of at least 2, not {depth!r}")
        self.shape, self.depth = shape, depth
        super().__init__({"i_valid": In(1), "i_payload": In(shape), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if hasattr(platform, "lower_small_fifo"):
            m.submodules.fifo = fifo = SmallFifo(shape=self.shape, depth=self.depth)
            m.d.comb += [fifo.i.valid.eq(self.i_valid), fifo.i.payload.eq(self.i_payload)]
            connect(m, flipped(self.o), fifo.o)
            return m
        given = Cat(self.i_payload)
        found: list[Any] = []
        level = Signal(range(self.depth + 1))
        one, taken = Signal(), Signal()  # level == 1
        m.d.comb += taken.eq(self.o.valid & self.o.ready)
        with m.If(self.i_valid ^ taken):
            m.d.sync += [
                level.eq(level + Mux(taken, -1, 1)),
                one.eq(Mux(taken, level == 2, ~self.o.valid)),
            ]
        m.d.sync += self.o.valid.eq(self.i_valid | (self.o.valid & ~(taken & one)))
        slices = range(0, len(given), _SLICE)
        pointers = []
        for name, step in (("head", taken), ("tail", self.i_valid)):
            at = Signal(
                range(self.depth), name=f"next_{name}", init=1
            )  # where the next item but one is, or goes
            with m.If(step):
                m.d.sync += at.eq(at + 1)
            pointers.append(replicas(m, at, len(slices), platform, enable=step, name=name))
        for number, (first, head, tail) in enumerate(zip(slices, *pointers, strict=True)):
            bits = given[first : first + _SLICE]
            m.submodules[f"storage_{number}"] = ram = Memory(shape=len(bits), depth=self.depth, init=[])
            write, read = ram.write_port(), ram.read_port(domain="comb")
            m.d.comb += [
                write.addr.eq(tail),
                write.data.eq(bits),
                write.en.eq(self.i_valid),
                read.addr.eq(head),
            ]
            found.append(read.data)
        m.d.comb += Cat(self.o.payload).eq(Cat(found))
        return m
