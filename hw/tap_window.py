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

    Latency: 2 cycles; one word a cycle, ``zeros`` cycles a row in which no pixel is taken.

    Members
    -------
    job : base, fold, tail (the channels), row_last, before, zeros of an instruction; taken with its last word.
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
        job, pixel, word = self.job.payload, self.i.payload, buffer.i.payload
        column, zero = (
            Signal.like(job.row_last),
            Signal.like(job.zeros),
        )  # pixel of the row; zeros taken behind it
        behind, held, count = (
            Signal(),
            Signal(),
            Signal.like(job.base),
        )  # in the zeros; the last pixel was taken
        step, row_end, first = Signal(), Signal(), Signal(init=1)
        m.d.comb += [
            step.eq((~buffer.i.valid | buffer.i.ready) & self.job.valid & (behind | self.i.valid)),
            self.i.ready.eq(step & ~behind),
            row_end.eq(
                Mux(behind, zero + 1 == job.zeros, (column == job.row_last) & (job.zeros == 0)) | ~job.fold
            ),
            self.job.ready.eq(step & row_end & Mux(behind, held, pixel.last)),
        ]
        with m.If(buffer.i.ready):
            m.d.sync += buffer.i.valid.eq(0)
        with m.If(step):
            m.d.sync += [
                word.addr.eq(Mux(job.fold, job.base + count, pixel.addr)),
                word.last.eq(self.job.ready),
                buffer.i.valid.eq(~job.fold | behind | (column >= job.before)),
                column.eq(Mux(row_end, 0, column + 1)),
                zero.eq(Mux(behind & ~row_end, zero + 1, 0)),
                first.eq(row_end),
                behind.eq(job.fold & ~row_end & (behind | (column == job.row_last))),
                held.eq(Mux(behind, held, pixel.last)),
            ]
            with m.If(self.job.ready):
                m.d.sync += count.eq(0)
            with m.Elif(behind | (column >= job.before)):
                m.d.sync += count.eq(count + 1)
            self._shift(m, word.data, job.tail, first, Mux(behind, 0, pixel.data))
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
