"""``BurstWriter``: beats into bursts of the port's write channels."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect

from .burst_reader import BURST
from .config import EngineConfig
from .interfaces import record_layout
from .isa import STORE
from .small_fifo import SmallFifo
from .stream_buffer import StreamBuffer

__all__ = ["BurstWriter"]


class BurstWriter(Component):
    """for each command: for b in 0..blocks-1: memory[addr ...] = next pixels * word_beats beats; addr goes on

    Bursts end with a block and at multiples of 64 beats. Data follows its address; up to ``outstanding`` + 1
    bursts wait for their responses.

    Latency: a command taken at cycle t is on AW at t+3, the next burst 3 cycles after the one before was
    taken; a beat of ``i`` is on W 1 cycle later at the earliest. ``done`` is at t+1 where a command's last
    response is at t.

    Parameters
    ----------
    config : the engine.
    outstanding : bursts under way at most, a power of two.

    Members
    -------
    command : byte address, pixels (words a block), blocks, each at least 1. i : beats.
    aw*, w*, b* : the write channels of ``Axi4``, manager side.
    done : one cycle for each command. error : one cycle, the memory answered with an error.
    """

    def __init__(self, *, config: EngineConfig, outstanding: int = 16) -> None:
        self.config, self.outstanding = config, outstanding
        record, width = record_layout(STORE, config), config.port_width
        command = {
            "addr": config.memory_width,
            "pixels": record["pixels"].shape,
            "blocks": record["blocks"].shape,
        }
        sent = {"awaddr": 32, "awlen": 8, "awsize": 3, "awburst": 2, "awvalid": 1, "wdata": width, "wstrb": width // 8,
                "wlast": 1, "wvalid": 1, "bready": 1, "done": 1, "error": 1}  # fmt: skip
        received = {"awready": 1, "wready": 1, "bresp": 2, "bvalid": 1}
        super().__init__(
            {"command": In(stream.Signature(data.StructLayout(command))), "i": In(stream.Signature(width))}
            | {name: Out(bits) for name, bits in sent.items()}
            | {name: In(bits) for name, bits in received.items()}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.lengths = lengths = SmallFifo(shape=range(BURST), depth=self.outstanding)
        m.submodules.finals = finals = SmallFifo(shape=1, depth=self.outstanding)
        asked, final = self._addresses(m, finals.i.ready)
        m.d.comb += [
            lengths.i.payload.eq(self.awlen),
            lengths.i.valid.eq(asked),
            finals.i.payload.eq(final),
            finals.i.valid.eq(asked),
            finals.o.ready.eq(self.bvalid),
            self.bready.eq(1),
        ]
        m.d.sync += [
            self.done.eq(self.bvalid & finals.o.payload),
            self.error.eq(self.bvalid & self.bresp.any()),
        ]
        m.submodules.length = length = StreamBuffer(shape=range(BURST))
        connect(m, lengths.o, length.i)
        self._data(m, length)
        return m

    def _addresses(self, m: Module, room: Any) -> tuple[Any, Signal]:
        """AW. Returns whether a burst's address is taken and whether it is its command's last."""
        config, command = self.config, self.command.payload
        align = config.port_bytes.bit_length() - 1
        beat = Signal(config.memory_width - align)
        block = Signal(range(config.words * config.word_beats + 1))  # beats of a block
        left, blocks = Signal.like(block), Signal.like(command.blocks)
        least, size = Signal(range(BURST + 1)), Signal(range(BURST + 1))  # least: up to a multiple of BURST
        ends, last_block, final = Signal(), Signal(), Signal()
        m.d.comb += [
            self.awlen.eq(size - 1),
            self.awsize.eq(align),
            self.awburst.eq(1),
        ]
        idle, sizing, waiting, taken = Signal(init=1), Signal(), Signal(), Signal()  # one bit a state
        asking, sized = self.awvalid, Signal()  # sized: the first cycle of `waiting`
        beats, first = command.pixels * config.word_beats, (command.addr >> align)[: BURST.bit_length() - 1]
        m.d.comb += [self.command.ready.eq(idle), taken.eq(asking & self.awready)]
        with m.If(idle):
            m.d.sync += [
                least.eq(BURST - first),
                beat.eq(command.addr >> align),
                block.eq(beats),
                left.eq(beats),
                blocks.eq(command.blocks),
                last_block.eq(command.blocks == 1),
                idle.eq(~self.command.valid),
                sizing.eq(self.command.valid),
            ]
        with m.If(sizing):
            m.d.sync += [size.eq(Mux(left <= least, left, least)), ends.eq(left <= least)]
            m.d.sync += [sizing.eq(0), waiting.eq(1)]
        with m.If(waiting & room):
            m.d.sync += [waiting.eq(0), asking.eq(1)]
        m.d.sync += sized.eq(sizing)
        with m.If(sized):  # what comes behind this burst does not wait for it
            m.d.sync += [
                self.awaddr.eq(beat << align),
                final.eq(ends & last_block),
                least.eq(Mux(size == least, BURST, least - size)),
                beat.eq(beat + size),
                left.eq(Mux(ends, block, left - size)),
            ]
        with m.If(sized & ends):
            m.d.sync += [blocks.eq(blocks - 1), last_block.eq(blocks == 2)]
        with m.If(taken):
            m.d.sync += [asking.eq(0), sizing.eq(~final), idle.eq(final)]
        return taken, final

    def _data(self, m: Module, lengths: StreamBuffer) -> None:
        """W, through a register slice; a beat goes only in a burst whose address was taken."""
        width = self.config.port_width
        m.submodules.out = out = StreamBuffer(shape=data.StructLayout({"data": width, "last": 1}))
        active, left, last = Signal(), Signal(range(BURST)), Signal()  # left: beats after this one
        go = Signal()
        m.d.comb += [
            out.i.payload.data.eq(self.i.payload),
            out.i.payload.last.eq(last),
            out.i.valid.eq(self.i.valid & active),
            self.i.ready.eq(out.i.ready & active),
            go.eq(self.i.valid & self.i.ready),
            lengths.o.ready.eq(~active | (go & last)),
            self.wdata.eq(out.o.payload.data),
            self.wlast.eq(out.o.payload.last),
            self.wstrb.eq(-1),
            self.wvalid.eq(out.o.valid),
            out.o.ready.eq(self.wready),
        ]
        with m.If(lengths.o.ready):
            m.d.sync += [
                active.eq(lengths.o.valid),
                left.eq(lengths.o.payload),
                last.eq(lengths.o.payload == 0),
            ]
        with m.Elif(go):
            m.d.sync += [left.eq(left - 1), last.eq(left == 1)]
