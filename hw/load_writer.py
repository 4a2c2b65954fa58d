"""``LoadWriter``: dense elements into scratchpad words."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect

from .config import EngineConfig
from .gearbox import Gearbox
from .interfaces import LoadWrite, record_layout
from .isa import LOAD
from .line_buffer import LineBuffer
from .row_steps import RowSteps
from .small_fifo import SmallFifo
from .tap_window import TapWindow

__all__ = ["LoadWriter"]


class LoadWriter(Component):
    """for p in 0..pixels-1:
        for b in 0..blocks-1:
            n = tail if b == blocks-1 else lanes
            word[base + p + b*block_step] = next n elements (the other lanes 0)

    after `skip` elements have been dropped; the rest of the last beat is dropped too. With fold an item is a pixel,
    of no elements where it is one of the zeros, and words are made of pixels behind the gearbox: in ``LineBuffer``,
    those of the rows above, in ``TapWindow``, those before it. What each needs to know travels with the pixels as the
    gearbox's tags, so there is one set of loop counters.

    Latency: ``latency`` cycles from the last element of a word, taken from ``i``, to ``write``. One word, one
    pixel or one beat a cycle, whichever binds; a job costs one cycle more.

    Parameters
    ----------
    config : the engine.

    Members
    -------
    job : the LOAD's fields from `skip` on; up to three wait.
    i : the elements of one port word, act_width bits each.
    write : to the scratchpad and the tables.
    done : one cycle for each job, the one after its last word was taken.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        self.elements = config.port_width // (8 * config.lane_bytes)
        record = record_layout(LOAD, config)
        names = (
            "skip",
            "blocks",
            "tail",
            "base",
            "block_step",
            "fold",
            "turns",
            "half",
            "table",
            *RowSteps.fields,
        )
        self._job = data.StructLayout({name: record[name].shape for name in names})
        self._about = LineBuffer.about_layout if config.fold_width else data.StructLayout({"first": 1})
        addr = record["base"].width
        self._place = data.StructLayout({"addr": addr, "last": 1, "first": 1, "makes": 1, "turn": 1})
        self._tag = data.StructLayout({"place": self._place, "about": self._about})
        self._gearbox = Gearbox(
            unit_width=config.act_width,
            in_units=self.elements,
            max_out=config.lanes,
            tag_width=self._tag.size,
        )
        self._line = LineBuffer(config=config, tag_width=self._place.size) if config.fold_width else None
        self._pixel_elements = self._line.elements if self._line else config.lanes
        self.latency = self._gearbox.latency + SmallFifo.latency + TapWindow.latency
        self.latency += LineBuffer.latency if self._line else 0
        super().__init__(
            {
                "job": In(stream.Signature(self._job)),
                "i": In(stream.Signature(self.elements * config.act_width)),
                "write": Out(LoadWrite(config)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        item = data.StructLayout({"data": self._pixel_elements * self.config.act_width, "place": self._place})
        m.submodules.gearbox = gearbox = self._gearbox
        m.submodules.words = words = SmallFifo(shape=item, depth=gearbox.credits)
        m.submodules.window = window = TapWindow(config=self.config, elements=self._pixel_elements)
        write = self.write.stream
        self._stack(m, gearbox, words.i)
        m.d.comb += [
            gearbox.i.payload.eq(self.i.payload),
            gearbox.i.valid.eq(self.i.valid),
            self.i.ready.eq(gearbox.i.ready),
            *(window.i.payload[name].eq(words.o.payload.place[name]) for name in self._place.members),
            window.i.payload.data.eq(words.o.payload.data),
            window.i.valid.eq(words.o.valid),
            words.o.ready.eq(window.i.ready),
            gearbox.credit.eq(words.o.valid & words.o.ready),
            *(write.payload[name].eq(window.o.payload[name]) for name in write.payload.shape().members),
            write.valid.eq(window.o.valid),
            window.o.ready.eq(write.ready),
        ]
        m.d.sync += self.done.eq(write.valid & write.ready & window.o.payload.last)
        self._loops(m, gearbox.request, window)
        return m

    def _stack(self, m: Module, gearbox: Gearbox, words: Any) -> None:
        """Items out of the gearbox into the queue, through the line buffer if there is one."""
        tag = Signal(self._tag)
        m.d.comb += tag.eq(gearbox.o_tag)
        valid, pixel, place = gearbox.o_valid, gearbox.o_data, tag.place.as_value()
        if self._line is not None:
            m.submodules.line = line = self._line
            m.d.comb += [line.i_valid.eq(valid), line.i_data.eq(pixel), line.i_tag.eq(place)]
            m.d.comb += line.about.eq(tag.about)
            valid, pixel, place = line.o_valid, line.o_data, line.o_tag
        m.d.comb += [words.valid.eq(valid), words.payload.data.eq(pixel), words.payload.place.eq(place)]

    def _loops(self, m: Module, request: Any, window: TapWindow) -> None:
        """One request an item, in the order of the loops; what the window needs waits beside its pixels."""
        m.submodules.jobs = jobs = SmallFifo(shape=self._job, depth=2)
        m.submodules.folds = folds = SmallFifo(shape=window.job_layout, depth=4)
        m.submodules.steps = steps = RowSteps(config=self.config)
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
        blocks, last_block, one_block = Signal.like(job.blocks), Signal(), Signal()
        next_addr, addr, tag, keep = Signal.like(job.base), Signal.like(job.base), Signal(self._tag), Signal()
        m.d.comb += [*(steps.job[name].eq(new[name]) for name in steps.fields), request.payload.tag.eq(tag)]
        m.d.comb += [
            tag.place.addr.eq(addr),
            tag.place.last.eq(steps.last & last_block),
            tag.place.makes.eq(steps.makes),
            tag.place.turn.eq(steps.turn),
            *(part.first.eq(steps.first) for part in (tag.place, tag.about)),
        ]
        if self._line is not None:
            about = tag.about
            m.d.comb += [about.one.eq(steps.one), about.two.eq(steps.two), about.channels.eq(job.tail - 1)]
            m.d.comb += about.keep.eq(keep)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [
                    request.payload.n.eq(new.skip),
                    request.payload.drop.eq(1),
                    request.valid.eq(jobs.o.valid),
                    jobs.o.ready.eq(request.ready),
                    steps.start.eq(1),
                ]
                m.d.sync += [
                    job.eq(new),
                    keep.eq(new.rows_above != 0),
                    blocks.eq(new.blocks),
                    *(flag.eq(new.fold.any() | (new.blocks == 1)) for flag in (last_block, one_block)),
                    next_addr.eq(new.base + 1),
                    addr.eq(new.base),
                ]
                with m.If(request.valid & request.ready):
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += [
                    request.payload.n.eq(Mux(last_block, job.tail, self.config.lanes)),
                    request.payload.flush.eq(tag.place.last),
                    request.valid.eq(1),
                    steps.step.eq(request.ready & last_block),
                ]
                with m.If(steps.empty):
                    m.d.comb += request.payload.n.eq(0)
                with m.If(steps.step):
                    m.d.sync += [blocks.eq(job.blocks), last_block.eq(one_block)]
                    with m.If(steps.makes):
                        m.d.sync += [next_addr.eq(next_addr + 1), addr.eq(next_addr)]
                    with m.If(steps.last):
                        m.next = "IDLE"
                with m.Elif(request.ready):
                    m.d.sync += [blocks.eq(blocks - 1), last_block.eq(blocks == 2)]
                    m.d.sync += addr.eq(addr + job.block_step)
