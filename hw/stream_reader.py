"""``StreamReader``: a block of memory, read again and again, as one stream."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from .burst_reader import BurstReader
from .config import EngineConfig
from .interfaces import ReadClient

__all__ = ["StreamReader"]


class StreamReader(Component):
    """for i in 0..repeats-1: for b in 0..beats-1: o = memory[base + b * port_bytes]

    Reads ahead as far as the FIFO has room; the next round is asked for without a pause.

    Latency: the first burst is asked for 5 cycles after ``start``; beats as in ``BurstReader``.

    Parameters
    ----------
    config : the engine.
    depth : words of the FIFO, a power of two of at least 64.

    Members
    -------
    start : one cycle, the stream before having been read to its end; latches base, beats, repeats.
    base : byte address, a multiple of the port's bytes.
    beats, repeats : port words of a round, rounds; nothing is read where either is 0.
    """

    def __init__(self, *, config: EngineConfig, depth: int = 512) -> None:
        self.config, self.depth = config, depth
        super().__init__(
            {
                "start": In(1),
                "base": In(config.memory_width),
                "beats": In(config.memory_width),
                "repeats": In(config.count_width),
                "client": Out(ReadClient(config)),
                "o": Out(stream.Signature(config.port_width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.reader = reader = BurstReader(config=self.config, depth=self.depth)
        command = reader.command
        rounds, none = Signal(self.config.count_width), Signal()
        connect(m, flipped(self.client), reader.client)
        connect(m, flipped(self.o), reader.o)
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [
                    command.payload.addr.eq(self.base),
                    command.payload.beats.eq(self.beats),
                    rounds.eq(self.repeats),
                    none.eq(~self.beats.any()),
                ]
                with m.If(self.start):
                    m.next = "CHECK"
            with m.State("CHECK"):
                m.d.sync += rounds.eq(rounds - 1)
                m.next = "ASK"
                with m.If(none | ~rounds.any()):
                    m.next = "IDLE"
            with m.State("ASK"):
                m.d.comb += command.valid.eq(1)
                with m.If(command.ready):
                    m.next = "CHECK"
        return m
