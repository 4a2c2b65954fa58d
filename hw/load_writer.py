"""``LoadWriter``: dense elements into scratchpad words."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect

from .config import EngineConfig
from .credit_fifo import CreditFifo
from .gearbox import Gearbox
from .interfaces import LoadWrite, record_layout
from .isa import FOLD_CHANNELS, LOAD
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
        self._window = TapWindow(config=config, elements=self._pixel_elements)
        self.latency = self._gearbox.latency + CreditFifo.latency + self._window.latency
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
        m.submodules.words = words = CreditFifo(shape=item, depth=gearbox.credits)
        m.submodules.window = window = self._window
        write = self.write.stream
        self._stack(m, gearbox, words)
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
        m.d.comb += [words.i_valid.eq(valid), words.i_payload.data.eq(pixel), words.i_payload.place.eq(place)]

    def _queues(self, m: Module, window: TapWindow) -> SmallFifo:
        """Jobs for the loops; what the window needs of them waits beside their pixels."""
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
        return jobs

    def _loops(self, m: Module, request: Any, window: TapWindow) -> None:
        """One request an item, in the order of the loops: a job's drop, while idle, and its items."""
        jobs = self._queues(m, window)
        m.submodules.steps = steps = RowSteps(config=self.config)
        new, here, taken = jobs.o.payload, steps.o.payload, Signal()
        idle, running, begun = Signal(init=1), Signal(), Signal()  # begun: the steps of the next job have
        last_block, one_block, tag = Signal(), Signal(), Signal(self._tag)
        m.d.sync += begun.eq((begun | steps.job.ready) & jobs.o.valid & ~jobs.o.ready)
        m.d.comb += [
            *(steps.job.payload[name].eq(new[name]) for name in steps.fields),
            steps.job.valid.eq(jobs.o.valid & ~begun),
            request.payload.tag.eq(tag),
            tag.place.last.eq(here.last & last_block),
            *(tag.place[name].eq(here[name]) for name in ("first", "makes", "turn")),
            tag.about.first.eq(here.first),
            request.payload.drop.eq(idle),
            request.payload.flush.eq(running & here.last & last_block),
            request.valid.eq(Mux(idle, jobs.o.valid, steps.o.valid)),
            jobs.o.ready.eq(idle & request.ready),
            taken.eq(running & steps.o.valid & request.ready),
            steps.o.ready.eq(running & request.ready & last_block),
        ]
        if self._line is not None:
            about = tag.about
            m.d.comb += [*(about[name].eq(here[name]) for name in ("one", "two"))]
            channels, keep = Signal(range(FOLD_CHANNELS)), Signal()
            m.d.comb += [about.channels.eq(channels), about.keep.eq(keep)]
            with m.If(idle):
                m.d.sync += [channels.eq(new.tail - 1), keep.eq(new.rows_above != 0)]
        self._sizes(m, request.payload, idle, new, last_block, here.empty)
        self._blocks(m, new, here, idle, taken, last_block, one_block, tag.place.addr)
        with m.If(idle):
            m.d.sync += [idle.eq(~(jobs.o.valid & request.ready)), running.eq(jobs.o.valid & request.ready)]
        with m.If(taken & last_block & here.last):
            m.d.sync += [idle.eq(1), running.eq(0)]

    def _blocks(
        self,
        m: Module,
        new: Any,
        here: Any,
        idle: Signal,
        taken: Signal,
        last: Signal,
        one: Signal,
        place: Any,
    ) -> None:
        """Where an item's words go; is it its pixel's last block, has a pixel only one."""
        blocks, step = [Signal.like(new.blocks) for _ in range(2)], Signal.like(new.block_step)
        next_addr, addr = Signal.like(new.base), Signal.like(new.base)
        m.d.comb += place.eq(addr)
        with m.If(idle):
            m.d.sync += [
                step.eq(new.block_step),
                *(left.eq(new.blocks) for left in blocks),
                *(flag.eq(new.fold.any() | (new.blocks == 1)) for flag in (last, one)),
                next_addr.eq(new.base + 1),
                addr.eq(new.base),
            ]
        with m.If(taken & ~last):
            m.d.sync += [blocks[0].eq(blocks[0] - 1), last.eq(blocks[0] == 2), addr.eq(addr + step)]
        with m.If(taken & last):
            m.d.sync += [blocks[0].eq(blocks[1]), last.eq(one)]
        with m.If(taken & last & here.makes):
            m.d.sync += [next_addr.eq(next_addr + 1), addr.eq(next_addr)]

    def _sizes(
        self, m: Module, request: Any, idle: Signal, new: Any, last_block: Signal, empty: Signal
    ) -> None:
        """Elements of a request: to drop, of a whole word, of the last one of a pixel, of one of the zeros."""
        gearbox = self._gearbox
        names = tuple(gearbox.split(0))
        tail = {name: Signal.like(request[name], name=f"tail_{name}") for name in names}
        with m.If(idle), m.Switch(new.tail):
            for n in range(1, self.config.lanes + 1):
                with m.Case(n):
                    m.d.sync += [tail[name].eq(value) for name, value in gearbox.split(n).items()]
        lanes = gearbox.split(self.config.lanes)
        drop = {"n": new.skip, "whole": 0, "rest": new.skip}
        for name in names:
            item = Mux(empty, 0, Mux(last_block, tail[name], lanes[name]))
            m.d.comb += request[name].eq(Mux(idle, drop[name], item))
