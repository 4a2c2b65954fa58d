"""``StoreUnit``: executes STORE, scratchpad to memory."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from .burst_writer import BurstWriter
from .config import EngineConfig
from .interfaces import ScratchpadRead, record_layout
from .isa import REGIONS, STORE
from .store_reader import StoreReader
from .stream_buffer import StreamBuffer

__all__ = ["StoreUnit"]


class StoreUnit(Component):
    """for b in 0..blocks-1:
        for p in 0..pixels-1:
            memory[offset + (b*pixels + p) * word_beats beats] = word[base + p + b*block_step]

    A word is padded with zeros to whole beats; an element takes lane_bytes bytes, its code in the low
    act_width bits, zeros above. Bursts end with a block and at multiples of 64 beats.

    Latency: a record taken at cycle t asks for its first word at t+1 and for its first burst at t+5. ``done``
    is at t+1 where the last response is at t. One beat a cycle, less one where a burst begins; an instruction
    may begin once the one before has asked for all of its words and bursts, while its data still travels.

    Parameters
    ----------
    config : the engine.

    Members
    -------
    i : instructions.
    program, input, output, spill : byte addresses of the regions, sampled as an instruction is taken.
    read : to the scratchpad.
    aw*, w*, b* : the write channels of ``Axi4``, manager side.
    done : one cycle for each instruction completed. error : one cycle, the memory answered with an error.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        self._reader, self._writer = StoreReader(config=config), BurstWriter(config=config)
        channels = {n: f for n, f in self._writer.signature.members.items() if n not in ("command", "i")}
        super().__init__(
            {
                "i": In(stream.Signature(record_layout(STORE, config))),
                "read": Out(ScratchpadRead(config)),
            }
            | {region: In(config.memory_width) for region in REGIONS}
            | channels
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.reader = reader = self._reader
        m.submodules.writer = writer = self._writer
        connect(m, flipped(self.read), reader.read)
        m.submodules.beats = beats = StreamBuffer(shape=self.config.port_width)
        connect(m, reader.o, beats.i)
        connect(m, beats.o, writer.i)
        for name, member in self.signature.members.items():
            if name in writer.signature.members and name != "i":
                ours, theirs = getattr(self, name), getattr(writer, name)
                m.d.comb += ours.eq(theirs) if member.flow is Out else theirs.eq(ours)
        record, command = self.i.payload, writer.command
        place, offset = Signal(self.config.memory_width), Signal(self.config.memory_width)
        m.d.comb += [
            *(reader.job.payload[name].eq(record[name]) for name in reader.job.payload.shape().members),
        ]
        idle, add, ask = Signal(init=1), Signal(), Signal()  # one bit a state
        m.d.comb += [
            self.i.ready.eq(idle & reader.job.ready),
            reader.job.valid.eq(idle & self.i.valid),
            command.valid.eq(ask),
        ]
        with m.If(idle):
            m.d.sync += [
                offset.eq(record.offset),
                command.payload.pixels.eq(record.pixels),
                command.payload.blocks.eq(record.blocks),
            ]
            with m.Switch(record.region):
                for code, region in enumerate(REGIONS):
                    with m.Case(code):
                        m.d.sync += place.eq(getattr(self, region))
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [idle.eq(0), add.eq(1)]
        with m.If(add):
            m.d.sync += [command.payload.addr.eq(place + offset), add.eq(0), ask.eq(1)]
        with m.If(ask & command.ready):
            m.d.sync += [ask.eq(0), idle.eq(1)]
        return m
