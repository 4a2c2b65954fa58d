"""``TapWindow``: words of neighbouring pixels, so that few channels fill the array."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .interfaces import record_layout
from .isa import FOLD_CHANNELS, LOAD
from .stream_buffer import StreamBuffer

__all__ = ["TapWindow"]


class TapWindow(Component):
    """not fold: o = i
    fold:   for each row: for x in 0..row_last+zeros:
                window = (0 if x == 0 else window << channels) | pixel x (0 behind the row)
                if x >= before: o = (base + n, window); n += 1

    ``last`` marks an instruction's last word on either side.

    Latency: 2 cycles; one word a cycle, ``zeros`` cycles a row in which no pixel is taken, one between instructions.

    Members
    -------
    job : base, fold, tail (the channels), row_last, before, zeros of an instruction; taken before its first word.
    i : addr, data and last of each word or, folded, pixel.
    o : addr, data and last of each word.
    """

    latency = 2

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        record = record_layout(LOAD, config)
        names = ("base", "fold", "tail", "row_last", "before", "zeros")
        self.job_layout = data.StructLayout({name: record[name].shape for name in names})
        word = data.StructLayout(
            {"addr": config.addr_width, "data": config.lanes * config.act_width, "last": 1}
        )
        super().__init__(
            {
                "job": In(stream.Signature(self.job_layout)),
                "i": In(stream.Signature(word)),
                "o": Out(stream.Signature(word)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.buffer = buffer = StreamBuffer(shape=self.o.payload.shape())
        pixel, word, ready = self.i.payload, buffer.i.payload, buffer.i.ready
        job, active = Signal(self.job_layout), Signal()
        step, row_end, end = Signal(), Signal(), Signal()
        # Of the step at hand, all in registers: is it the row's first, its last pixel, one that makes a word, a
        # zero behind the row (the last one); and, in the zeros, was the last pixel taken before them?
        first, column_last, makes, behind, zero_last, held = (Signal() for _ in range(6))
        column, zero = Signal.like(job.row_last), Signal.like(job.zeros)
        whole_row, no_zeros, one_zero, all_make = (Signal() for _ in range(4))  # of the job
        m.d.comb += [
            self.job.ready.eq(~active),
            step.eq(active & (behind | self.i.valid) & ready),
            self.i.ready.eq(active & ~behind & ready),
            row_end.eq(Mux(behind, zero_last, column_last & no_zeros)),
            end.eq(row_end & Mux(behind, held, pixel.last)),
        ]
        with m.If(ready):
            m.d.sync += buffer.i.valid.eq(0)
        with m.If(step):
            m.d.sync += [
                active.eq(~end),
                buffer.i.valid.eq(makes | behind),
                word.last.eq(end),
                word.addr.eq(Mux(job.fold, job.base, pixel.addr)),
                first.eq(row_end),
                held.eq(Mux(behind, held, pixel.last)),
                column.eq(Mux(row_end, 0, column + 1)),
                column_last.eq(Mux(row_end, whole_row, column + 1 == job.row_last)),
                makes.eq(Mux(row_end, all_make, makes | (column + 1 == job.before))),
                behind.eq(~row_end & (behind | column_last)),
                zero.eq(zero - 1),
                zero_last.eq(zero == 2),
            ]
            with m.If(makes | behind):
                m.d.sync += job.base.eq(job.base + 1)
            self._shift(m, word.data, job.tail, first, Mux(behind, 0, pixel.data))
        with m.If(~behind):
            m.d.sync += [zero.eq(job.zeros), zero_last.eq(one_zero)]
        with m.If(~active):
            new = self.job.payload
            single = (new.row_last == 0) | ~new.fold
            every = (new.before == 0) | ~new.fold
            m.d.sync += [
                job.eq(new),
                active.eq(self.job.valid),
                no_zeros.eq((new.zeros == 0) | ~new.fold),
                one_zero.eq(new.zeros == 1),
                *(flag.eq(single) for flag in (whole_row, column_last)),
                *(flag.eq(every) for flag in (all_make, makes)),
                *(flag.eq(0) for flag in (column, behind)),
                first.eq(1),
            ]
        for name in ("addr", "data", "last"):
            m.d.comb += self.o.payload[name].eq(buffer.o.payload[name])
        m.d.comb += [self.o.valid.eq(buffer.o.valid), buffer.o.ready.eq(self.o.ready)]
        return m

    def _shift(self, m: Module, window: Any, channels: Any, first: Signal, pixel: Any) -> None:
        """The newest pixel in the lowest lanes."""
        kept = Signal.like(window)
        with m.If(~first), m.Switch(channels):
            for count in range(1, min(FOLD_CHANNELS, self.config.lanes) + 1):
                with m.Case(count):
                    m.d.comb += kept.eq(window << count * self.config.act_width)
        m.d.sync += window.eq(kept | pixel)
