"""``LoadUnit``: executes LOAD, memory to scratchpad."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from .burst_reader import BurstReader
from .config import EngineConfig
from .interfaces import LoadWrite, ReadClient, record_layout
from .isa import LOAD, REGIONS
from .load_writer import LoadWriter

__all__ = ["LoadUnit"]


class LoadUnit(Component):
    """for p in 0..pixels-1:
        for b in 0..blocks-1:
            n = tail if b == blocks-1 else lanes
            word[base + p + b*block_step] = next n elements (the other lanes 0); with table an entry

    Memory is asked for up to two instructions ahead of the one that writes. ``beats`` must be what the
    elements take: ceil((skip + pixels * elements of a pixel) / elements of a port word).

    Latency: a record taken at cycle t asks for its first burst at t+5, if the one before has asked for all of
    its own. A beat from memory at t is in a word on ``write`` at t + 4 + LoadWriter.latency, if nothing is
    ahead of it. ``done`` is at t+1 where the last word's handshake is at t. One word or one beat a cycle,
    whichever binds; an instruction costs one word more.

    Parameters
    ----------
    config : the engine.
    depth : port words of the FIFO.

    Members
    -------
    i : instructions.
    program, input, output, spill : byte addresses of the regions, sampled as an instruction is taken.
    client : to the memory. write : to the scratchpad and the tables.
    done : one cycle for each instruction completed.
    """

    def __init__(self, *, config: EngineConfig, depth: int = 512) -> None:
        self.config, self.depth = config, depth
        super().__init__(
            {
                "i": In(stream.Signature(record_layout(LOAD, config))),
                "client": Out(ReadClient(config)),
                "write": Out(LoadWrite(config)),
                "done": Out(1),
            }
            | {region: In(config.memory_width) for region in REGIONS}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.reader = reader = BurstReader(config=config, depth=self.depth)
        m.submodules.writer = writer = LoadWriter(config=config)
        connect(m, flipped(self.client), reader.client)
        connect(m, flipped(self.write), writer.write)
        # A port word's elements, act_width bits of each.
        element = 8 * config.lane_bytes
        for n in range(config.port_width // element):
            low = reader.o.payload.word_select(n, element)[: config.act_width]
            m.d.comb += writer.i.payload.word_select(n, config.act_width).eq(low)
        m.d.comb += [
            writer.i.valid.eq(reader.o.valid),
            reader.o.ready.eq(writer.i.ready),
            self.done.eq(writer.done),
        ]
        self._command(m, reader, writer)
        return m

    def _command(self, m: Module, reader: BurstReader, writer: LoadWriter) -> None:
        """An instruction taken goes to the writer's queue and, its address added, to the reader."""
        record, job, place = (
            self.i.payload,
            Signal(writer.job.payload.shape()),
            Signal(self.config.memory_width),
        )
        offset = Signal.like(place)
        idle, add, ask = Signal(init=1), Signal(), Signal()
        command = reader.command
        m.d.comb += [
            self.i.ready.eq(idle & writer.job.ready),
            writer.job.payload.eq(job),
            writer.job.valid.eq(add),
            command.valid.eq(ask),
        ]
        with m.If(idle):
            m.d.sync += [offset.eq(record.offset), command.payload.beats.eq(record.beats)]
            m.d.sync += [*(job[name].eq(record[name]) for name in writer.job.payload.shape().members)]
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
