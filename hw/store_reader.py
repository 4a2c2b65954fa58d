"""``StoreReader``: scratchpad words into beats."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .credit_fifo import CreditFifo
from .interfaces import ScratchpadRead, record_layout
from .isa import STORE

__all__ = ["StoreReader"]


class StoreReader(Component):
    """for b in 0..blocks-1:
        for p in 0..pixels-1:
            o = the beats of word[base + p + b*block_step], the low ones first

    Latency: a job taken at cycle t asks for its first word at t+1, one word a cycle after it while the queue
    has room; a word returned at t is on ``o`` from t+2 on. One beat a cycle.

    Parameters
    ----------
    config : the engine.

    Members
    -------
    job : the STORE's pixels, blocks, base, block_step.
    read : to the scratchpad; at most 16 words under way.
    o : beats.
    """

    _AHEAD = 16

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        record = record_layout(STORE, config)
        self._job = data.StructLayout(
            {n: record[n].shape for n in ("pixels", "blocks", "base", "block_step")}
        )
        super().__init__(
            {
                "job": In(stream.Signature(self._job)),
                "read": Out(ScratchpadRead(config)),
                "o": Out(stream.Signature(config.port_width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.words = words = CreditFifo(shape=len(self.read.data), depth=self._AHEAD)
        used, room = (
            Signal(range(self._AHEAD + 1)),
            Signal(),
        )  # words under way or queued; will there be fewer
        asked, taken = Signal(), Signal()
        m.d.comb += [
            words.i_payload.eq(self.read.data),
            words.i_valid.eq(self.read.valid),
            asked.eq(self.read.request.valid & self.read.request.ready),
            taken.eq(words.o.valid & words.o.ready),
        ]
        with m.If(asked ^ taken):
            m.d.sync += used.eq(used + Mux(taken, -1, 1))
        m.d.comb += room.eq(taken | ~(used[-1] | (asked & used[:-1].all())))
        self._loops(m, room, asked)
        self._beats(m, words)
        return m

    def _loops(self, m: Module, room: Any, asked: Signal) -> None:
        """One request a word, in the order of the loops. A request on offer stays: room shrinks only with it."""
        job, new, request = Signal(self._job), self.job.payload, self.read.request
        pixels, blocks, block_addr = Signal.like(job.pixels), Signal.like(job.blocks), Signal.like(job.base)
        last_pixel, last_block, one_pixel = Signal(), Signal(), Signal()
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.job.ready.eq(1)
                m.d.sync += [
                    job.eq(new),
                    pixels.eq(new.pixels),
                    blocks.eq(new.blocks),
                    last_pixel.eq(new.pixels == 1),
                ]
                m.d.sync += [last_block.eq(new.blocks == 1), one_pixel.eq(new.pixels == 1)]
                m.d.sync += [request.payload.addr.eq(new.base), block_addr.eq(new.base + new.block_step)]
                m.d.sync += request.valid.eq(self.job.valid & room)
                with m.If(self.job.valid):
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.sync += request.valid.eq(room & ~(asked & last_pixel & last_block))
                with m.If(asked & last_pixel):
                    m.d.sync += [pixels.eq(job.pixels), last_pixel.eq(one_pixel)]
                    m.d.sync += [blocks.eq(blocks - 1), last_block.eq(blocks == 2)]
                    m.d.sync += [
                        request.payload.addr.eq(block_addr),
                        block_addr.eq(block_addr + job.block_step),
                    ]
                    with m.If(last_block):
                        m.next = "IDLE"
                with m.Elif(asked):
                    m.d.sync += [pixels.eq(pixels - 1), last_pixel.eq(pixels == 2)]
                    m.d.sync += request.payload.addr.eq(request.payload.addr + 1)

    def _beats(self, m: Module, words: CreditFifo) -> None:
        """Elements padded to bytes, the word shifted out beat by beat."""
        config, beats = self.config, self.config.word_beats
        width, pad = config.port_width, 8 * config.lane_bytes - config.act_width
        lanes = (words.o.payload.word_select(i, config.act_width) for i in range(config.lanes))
        shifter, valid = Signal(beats * width, reset_less=True), Signal()
        left, last = Signal(range(beats + 1)), Signal()  # beats after this one
        advance = Signal()
        m.d.comb += [
            self.o.payload.eq(shifter),
            self.o.valid.eq(valid),
            advance.eq(valid & self.o.ready),
            words.o.ready.eq(~valid | (self.o.ready & last)),
        ]
        with m.If(words.o.ready):
            m.d.sync += [valid.eq(words.o.valid), left.eq(beats - 1), last.eq(beats == 1)]
            m.d.sync += shifter.eq(Cat((lane, Const(0, pad)) for lane in lanes))
        with m.Elif(advance):
            m.d.sync += [shifter.eq(shifter >> width), left.eq(left - 1), last.eq(left == 1)]
