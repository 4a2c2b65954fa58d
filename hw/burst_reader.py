"""``BurstReader``: blocks of memory as one stream of port words."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from .block_fifo import BlockFifo
from .config import EngineConfig
from .interfaces import ReadClient

__all__ = ["BURST", "BurstReader"]

BURST = 64
"""Beats of a burst at most. Bursts end at multiples of 64 beats, so none crosses 4096 bytes."""


class BurstReader(Component):
    """for each command: o = memory[addr .. addr + beats * port_bytes], in bursts of up to 64 beats.

    A burst is asked for as soon as the FIFO has room for all of it, so ``depth`` words are under way at most.

    Latency: a command taken at cycle t asks for its first burst at t+3, for the next 3 cycles after the one
    before was taken; the next command is taken 1 cycle after the last burst. A beat is on ``o`` 4 cycles after
    it came.

    Parameters
    ----------
    config : the engine.
    depth : words of the FIFO, a power of two of at least 64.

    Members
    -------
    command : byte address, a multiple of the port's bytes, and beats, at least 1.
    client : to the memory.
    o : the words.
    """

    def __init__(self, *, config: EngineConfig, depth: int) -> None:
        if depth < BURST or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two of at least {BURST}, not {depth!r}")
        self.config, self.depth = config, depth
        command = data.StructLayout(dict.fromkeys(("addr", "beats"), config.memory_width))
        super().__init__(
            {
                "command": In(stream.Signature(command)),
                "client": Out(ReadClient(config)),
                "o": Out(stream.Signature(config.port_width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.fifo = fifo = BlockFifo(width=self.config.port_width, depth=self.depth)
        align = self.config.port_bytes.bit_length() - 1
        beat = Signal(self.config.memory_width - align)  # address in beats
        left = Signal(self.config.memory_width)
        size, room = Signal(range(BURST + 1)), Signal(range(self.depth + 1), init=self.depth)
        least = Signal(range(BURST + 1))  # beats up to the next multiple of BURST
        first = (self.command.payload.addr >> align)[: BURST.bit_length() - 1]
        final = Signal()
        asked, taken = Signal(), Signal()
        request = self.client.request
        m.d.comb += [
            request.payload.last.eq(size - 1),
            asked.eq(request.valid & request.ready),
            taken.eq(self.o.valid & self.o.ready),
            fifo.i.payload.eq(self.client.data),
            fifo.i.valid.eq(self.client.valid),
        ]
        connect(m, flipped(self.o), fifo.o)
        # One bit a state. The beats asked for leave `room` a cycle late, before anybody looks at it again.
        idle, sizing, waiting, asking = Signal(init=1), Signal(), Signal(), Signal()
        sized = Signal()  # the first cycle of `waiting`: what comes behind this burst does not wait for it
        m.d.comb += [self.command.ready.eq(idle), request.valid.eq(asking)]
        spent, less = Signal(), Signal(signed(len(room)))
        m.d.sync += [spent.eq(asked), less.eq(-size), sized.eq(sizing)]
        m.d.sync += room.eq((Cat(Const(1, 1), room) + Cat(taken, Mux(spent, less, 0)))[1:])
        with m.If(idle):
            m.d.sync += [
                beat.eq(self.command.payload.addr >> align),
                left.eq(self.command.payload.beats),
                least.eq(BURST - first),
                idle.eq(~self.command.valid),
                sizing.eq(self.command.valid),
            ]
        with m.If(sizing):
            m.d.sync += [size.eq(least), final.eq(0), sizing.eq(0), waiting.eq(1)]
            with m.If(left <= least):
                m.d.sync += [size.eq(left), final.eq(1)]
        with m.If(waiting & (room >= size)):
            m.d.sync += [waiting.eq(0), asking.eq(1)]
        with m.If(sized):
            m.d.sync += [request.payload.addr.eq(beat << align), beat.eq(beat + size)]
            m.d.sync += [left.eq(left - size), least.eq(BURST)]
        with m.If(asked):
            m.d.sync += [asking.eq(0), sizing.eq(~final), idle.eq(final)]
        return m
