"""``RowRequests``: what the weight decoder takes out of its planes, row by row."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .gearbox import Gearbox
from .isa import SEGMENT
from .small_fifo import SmallFifo

__all__ = ["RowRequests"]


class RowRequests(Component):
    """for each segment:
        for row in 0..param_rows-1: take wgt_width planes, param
        for row in 0..n_rows-1: take width planes

    The last row drops what is left of its word. The tag marks the row's topmost plane, one bit of ``top``.

    Latency: 2 cycles from a segment to its first request; one request a cycle, one cycle more a segment.

    Parameters
    ----------
    config : the engine.
    gearbox : the one that the requests are for.

    Members
    -------
    segment : width and n_rows; up to three wait. o : requests, tag = (param, top).
    """

    def __init__(self, *, config: EngineConfig, gearbox: Gearbox) -> None:
        self.config = config
        fields = {field.name: field.bits(config) for field in SEGMENT[1:]}
        self._segment = data.StructLayout(fields)
        super().__init__(
            {
                "segment": In(stream.Signature(self._segment)),
                "o": Out(stream.Signature(gearbox.request.payload.shape())),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.segments = segments = SmallFifo(shape=self._segment, depth=2)
        m.d.comb += [
            segments.i.payload.eq(self.segment.payload),
            segments.i.valid.eq(self.segment.valid),
            self.segment.ready.eq(segments.i.ready),
        ]
        new, request = segments.o.payload, self.o.payload
        width, rows = Signal.like(new.width), Signal.like(new.n_rows)  # rows left, this one included
        param, last, none, one = Signal(), Signal(), Signal(), Signal()
        index = Signal(range(config.param_rows))
        top = Signal(config.wgt_width)
        m.d.comb += [request.tag.eq(param | top << 1), request.flush.eq(last)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += segments.o.ready.eq(1)
                m.d.sync += [width.eq(new.width), rows.eq(new.n_rows), index.eq(0), param.eq(1)]
                m.d.sync += [none.eq(new.n_rows == 0), one.eq(new.n_rows == 1)]
                m.d.sync += [request.n.eq(config.wgt_width), top.eq(1 << config.wgt_width - 1)]
                m.d.sync += last.eq((new.n_rows == 0) & (config.param_rows == 1))
                with m.If(segments.o.valid):
                    m.next = "PARAMS"
            with m.State("PARAMS"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += [index.eq(index + 1), last.eq(none & (index == config.param_rows - 2))]
                    with m.If(index == config.param_rows - 1):
                        m.d.sync += [
                            param.eq(0),
                            last.eq(one),
                            request.n.eq(width),
                            top.eq(Cat(width == i + 1 for i in range(config.wgt_width))),
                        ]
                        m.next = "ROWS"
                        with m.If(none):
                            m.next = "IDLE"
            with m.State("ROWS"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += [rows.eq(rows - 1), last.eq(rows == 2)]
                    with m.If(last):
                        m.next = "IDLE"
        return m
