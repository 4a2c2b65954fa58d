"""``RowSteps``: where in an image LOAD is, pixel after pixel."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from .config import EngineConfig
from .interfaces import record_layout
from .isa import LOAD
from .stream_buffer import StreamBuffer

__all__ = ["RowSteps"]


class RowSteps(Component):
    """for y in 0..pixels/(row_last+1)+rows_zero-1: for x in 0..row_last+zeros:      # a step
        first = x == 0;  empty = behind the row, or below the image;  last = the last step of all
        makes = x >= before and y >= rows_before
        one, two = rows_above >= 1 and y + rows_held >= 1, rows_above >= 2 and y + rows_held >= 2
        turn = (rows that made words above + second) % 2

    Without fold all fields but pixels are 0, and every pixel is a row of its own.

    Latency: 2 cycles from a job to its step 0, one step a cycle; one between jobs.

    Members
    -------
    job : a LOAD's fields, taken while up to two steps of the one before wait.
    o : first, empty, last, makes, one, two, turn of each step.
    """

    fields = ("pixels", "row_last", "before", "zeros", "rows_above", "rows_held", "rows_before", "rows_zero",
              "second")  # fmt: skip

    def __init__(self, *, config: EngineConfig) -> None:
        record = record_layout(LOAD, config)
        self.config = config
        self._job = data.StructLayout({name: record[name].shape for name in self.fields})
        flags = dict.fromkeys(("first", "empty", "last", "makes", "one", "two", "turn"), 1)
        super().__init__(
            {"job": In(stream.Signature(self._job)), "o": Out(stream.Signature(data.StructLayout(flags)))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.out = out = StreamBuffer(shape=self.o.payload.shape())
        connect(m, flipped(self.o), out.o)
        self.now = out.i.payload
        job, row_end = Signal(self._job), Signal()
        self.idle, running, self.step = Signal(init=1), Signal(), Signal()
        m.d.comb += [
            out.i.valid.eq(running),
            self.step.eq(running & out.i.ready),
            self.job.ready.eq(self.idle),
        ]
        with m.If(self.idle):
            m.d.sync += [job.eq(self.job.payload), running.eq(self.job.valid), self.idle.eq(~self.job.valid)]
        if not self.config.folds:
            self._pixels(m, running)
            return m
        makes_column = self._columns(m, job, row_end)
        makes_row = self._rows(m, job, row_end)
        m.d.comb += self.now.makes.eq(makes_column & makes_row)
        with m.If(self.step & self.now.last):
            m.d.sync += [running.eq(0), self.idle.eq(1)]
        return m

    def _pixels(self, m: Module, running: Signal) -> None:
        """Every pixel a row of its own, with a word of its own."""
        new, last = self.job.payload, Signal()
        left = Signal.like(new.pixels)
        m.d.comb += [self.now.first.eq(1), self.now.makes.eq(1), self.now.last.eq(last)]
        with m.If(self.idle):
            m.d.sync += [left.eq(new.pixels), last.eq(new.pixels == 1)]
        with m.If(self.step):
            m.d.sync += [left.eq(left - 1), last.eq(left == 2)]
        with m.If(self.step & last):
            m.d.sync += [running.eq(0), self.idle.eq(1)]

    def _columns(self, m: Module, job: Any, row_end: Signal) -> Signal:
        """Along a row and the zeros behind it; whether the column makes a word."""
        new = self.job.payload
        first = Signal()
        m.d.comb += self.now.first.eq(first)
        column, zero = Signal.like(job.row_last), Signal.like(job.zeros)
        # Is the step at hand the row's last pixel, a zero behind the row, the last one of these?
        column_last, behind, zero_last, makes = (Signal() for _ in range(4))
        whole_row, no_zeros, one_zero, all_make = (Signal() for _ in range(4))  # of the job
        m.d.comb += row_end.eq(Mux(behind, zero_last, column_last & no_zeros))
        with m.If(self.step):
            m.d.sync += [
                first.eq(row_end),
                column.eq(Mux(row_end, 0, column + 1)),
                column_last.eq(Mux(row_end, whole_row, column + 1 == job.row_last)),
                makes.eq(Mux(row_end, all_make, makes | (column + 1 == job.before))),
                behind.eq(~row_end & (behind | column_last)),
                zero.eq(zero - 1),
                zero_last.eq(zero == 2),
            ]
        with m.If(~behind):
            m.d.sync += [zero.eq(job.zeros), zero_last.eq(one_zero)]
        with m.If(self.idle):
            m.d.sync += [
                *(flag.eq(new.row_last == 0) for flag in (whole_row, column_last)),
                *(flag.eq(new.before == 0) for flag in (all_make, makes)),
                *(signal.eq(0) for signal in (column, behind)),
                no_zeros.eq(new.zeros == 0),
                one_zero.eq(new.zeros == 1),
                first.eq(1),
            ]
        self._behind, self._column_last = behind, column_last
        return makes

    def _rows(self, m: Module, job: Any, row_end: Signal) -> Signal:
        """Down the image and the zeros below it; whether the row makes words."""
        new, behind = self.job.payload, self._behind
        pixels, below_left, before_left = (
            Signal.like(new[n]) for n in ("pixels", "rows_zero", "rows_before")
        )
        # Is the next pixel the last one, was it taken, is the row below the image, the last row there; rows to see.
        pixel_last, taken, below, below_last, above, makes = (Signal() for _ in range(6))
        none_below = Signal()  # of the job
        empty, one, two, turn = (Signal() for _ in range(4))
        flags = (("empty", empty), ("one", one), ("two", two), ("turn", turn))
        m.d.comb += [self.now[name].eq(flag) for name, flag in flags]
        image_end = Signal()
        m.d.comb += [
            image_end.eq(Mux(behind, taken, pixel_last)),
            self.now.last.eq(row_end & Mux(below, below_last, image_end & none_below)),
        ]
        with m.If(self.step & ~empty):
            m.d.sync += [pixels.eq(pixels - 1), pixel_last.eq(pixels == 2), taken.eq(pixel_last)]
        with m.If(self.step):
            into_zeros = ~row_end & (behind | self._column_last)
            m.d.sync += empty.eq(into_zeros | below | (row_end & image_end))
        with m.If(self.step & row_end):
            m.d.sync += [
                below.eq(below | image_end),
                makes.eq(makes | (before_left == 1)),
                turn.eq(turn ^ makes),
                before_left.eq(before_left - 1),
                above.eq(1),
                one.eq(job.rows_above != 0),
                two.eq((job.rows_above == 2) & above),
            ]
            with m.If(below):
                m.d.sync += [below_left.eq(below_left - 1), below_last.eq(below_left == 2)]
        with m.If(self.idle):
            m.d.sync += [
                pixels.eq(new.pixels),
                pixel_last.eq(new.pixels == 1),
                below_left.eq(new.rows_zero),
                below_last.eq(new.rows_zero == 1),
                none_below.eq(new.rows_zero == 0),
                before_left.eq(new.rows_before),
                makes.eq(new.rows_before == 0),
                turn.eq(new.second),
                above.eq(new.rows_held != 0),
                one.eq((new.rows_above != 0) & (new.rows_held != 0)),
                two.eq((new.rows_above == 2) & (new.rows_held == 2)),
                *(flag.eq(0) for flag in (taken, below, empty)),
            ]
        return makes
