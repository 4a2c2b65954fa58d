"""``LoadWriter``: dense elements into scratchpad words."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect

from .config import EngineConfig
from .gearbox import Gearbox
from .interfaces import ScratchpadWrite, record_layout
from .isa import LOAD
from .small_fifo import SmallFifo
from .tap_window import TapWindow

__all__ = ["LoadWriter"]


class LoadWriter(Component):
    """for p in 0..pixels-1:
        for b in 0..blocks-1:
            n = tail if b == blocks-1 else lanes
            word[base + p + b*block_step] = next n elements (the other lanes 0)

    after `skip` elements have been dropped; the rest of the last beat is dropped too. Addresses travel with
    the elements as the gearbox's tags, so there is one set of loop counters. Folded words are made of pixels behind
    the gearbox, in ``TapWindow``.

    Latency: ``latency`` cycles from the last element of a word, taken from ``i``, to ``write``. One word or one
    beat a cycle, whichever binds; a job costs one cycle more.

    Parameters
    ----------
    config : the engine.

    Members
    -------
    job : the LOAD's fields from `skip` on; up to three wait.
    i : the elements of one port word, act_width bits each.
    write : to the scratchpad.
    done : one cycle for each job, the one after its last word was taken.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        self.elements = config.port_width // (8 * config.lane_bytes)
        record = record_layout(LOAD, config)
        names = (
            "skip",
            "pixels",
            "blocks",
            "tail",
            "base",
            "block_step",
            "fold",
            "row_last",
            "before",
            "zeros",
        )
        self._job = data.StructLayout({name: record[name].shape for name in names})
        self._tag = data.StructLayout({"addr": config.addr_width, "last": 1})
        self._gearbox = Gearbox(
            unit_width=config.act_width,
            in_units=self.elements,
            max_out=config.lanes,
            tag_width=self._tag.size,
        )
        self.latency = self._gearbox.latency + SmallFifo.latency + TapWindow.latency
        super().__init__(
            {
                "job": In(stream.Signature(self._job)),
                "i": In(stream.Signature(self.elements * config.act_width)),
                "write": Out(ScratchpadWrite(config)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        item = data.StructLayout({"data": self.config.lanes * self.config.act_width, "tag": self._tag})
        m.submodules.gearbox = gearbox = self._gearbox
        m.submodules.words = words = SmallFifo(shape=item, depth=gearbox.credits)
        m.submodules.window = window = TapWindow(config=self.config)
        write = self.write.stream
        m.d.comb += [
            gearbox.i.payload.eq(self.i.payload),
            gearbox.i.valid.eq(self.i.valid),
            self.i.ready.eq(gearbox.i.ready),
            words.i.payload.data.eq(gearbox.o_data),
            words.i.payload.tag.eq(gearbox.o_tag),
            words.i.valid.eq(gearbox.o_valid),
            window.i.payload.addr.eq(words.o.payload.tag.addr),
            window.i.payload.last.eq(words.o.payload.tag.last),
            window.i.payload.data.eq(words.o.payload.data),
            window.i.valid.eq(words.o.valid),
            words.o.ready.eq(window.i.ready),
            gearbox.credit.eq(words.o.valid & words.o.ready),
            write.payload.addr.eq(window.o.payload.addr),
            write.payload.data.eq(window.o.payload.data),
            write.valid.eq(window.o.valid),
            window.o.ready.eq(write.ready),
        ]
        m.d.sync += self.done.eq(write.valid & write.ready & window.o.payload.last)
        self._loops(m, gearbox.request, window)
        return m

    def _loops(self, m: Module, request: Any, window: TapWindow) -> None:
        """One request a word, in the order of the loops; what the window needs waits beside its words."""
        m.submodules.jobs = jobs = SmallFifo(shape=self._job, depth=2)
        m.submodules.folds = folds = SmallFifo(shape=window.job_layout, depth=4)
        both = Signal()
        m.d.comb += [
            both.eq(jobs.i.ready & folds.i.ready),
            jobs.i.payload.eq(self.job.payload),
            jobs.i.valid.eq(self.job.valid & both),
            folds.i.valid.eq(self.job.valid & both),
            self.job.ready.eq(both),
            *(folds.i.payload[name].eq(self.job.payload[name]) for name in window.job_layout.members),
        ]
        connect(m, folds.o, window.job)
        job, new = Signal(self._job), jobs.o.payload
        pixels, blocks = Signal.like(job.pixels), Signal.like(job.blocks)  # left, this one included
        last_pixel, last_block, one_block = Signal(), Signal(), Signal()
        pixel_addr, tag = Signal.like(job.base), Signal(self._tag)
        m.d.comb += [tag.last.eq(last_pixel & last_block), request.payload.tag.eq(tag)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [
                    request.payload.n.eq(new.skip),
                    request.payload.drop.eq(1),
                    request.valid.eq(jobs.o.valid),
                    jobs.o.ready.eq(request.ready),
                ]
                m.d.sync += [job.eq(new), pixels.eq(new.pixels), last_pixel.eq(new.pixels == 1)]
                m.d.sync += [
                    blocks.eq(new.blocks),
                    last_block.eq(new.blocks == 1),
                    one_block.eq(new.blocks == 1),
                ]
                m.d.sync += [pixel_addr.eq(new.base + 1), tag.addr.eq(new.base)]
                with m.If(request.valid & request.ready):
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += [
                    request.payload.n.eq(Mux(last_block, job.tail, self.config.lanes)),
                    request.payload.flush.eq(tag.last),
                    request.valid.eq(1),
                ]
                with m.If(request.ready & last_block):
                    m.d.sync += [blocks.eq(job.blocks), last_block.eq(one_block)]
                    m.d.sync += [pixels.eq(pixels - 1), last_pixel.eq(pixels == 2)]
                    m.d.sync += [pixel_addr.eq(pixel_addr + 1), tag.addr.eq(pixel_addr)]
                    with m.If(last_pixel):
                        m.next = "IDLE"
                with m.Elif(request.ready):
                    m.d.sync += [blocks.eq(blocks - 1), last_block.eq(blocks == 2)]
                    m.d.sync += tag.addr.eq(tag.addr + job.block_step)
