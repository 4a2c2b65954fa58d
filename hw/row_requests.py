"""``RowRequests``: what the weight decoder takes out of its planes, row by row."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, unsigned
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

    The last row drops what is left of its word. The tag marks the row's topmost plane, one bit
    of ``top``, and the planes above it.

    Latency: 2 cycles from a segment to its first request; one request a cycle, one cycle more a segment.

    Parameters
    ----------
    config : the engine.
    gearbox : the one that the requests are for.

    Members
    -------
    segment : width and n_rows; up to three wait. o : requests, tag = (param, top, above).
    """

    @staticmethod
    def tag_layout(config: EngineConfig) -> data.StructLayout:
        """A row's tag: is it one of parameters, which plane is its topmost, which ones are above that."""
        return data.StructLayout({"param": 1, "top": config.wgt_width, "above": config.wgt_width})

    def __init__(self, *, config: EngineConfig, gearbox: Gearbox) -> None:
        self.config, self._gearbox = config, gearbox
        self.tag = self.tag_layout(config)
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
        new, request, tag = segments.o.payload, self.o.payload, Signal(self.tag)
        rows, index = (
            Signal.like(new.n_rows),
            Signal(range(config.param_rows)),
        )  # rows left, this one included
        param, last, none, one, last_param = (Signal() for _ in range(5))
        idle, running, taken = (
            Signal(init=1),
            Signal(),
            Signal(),
        )  # no segment; a request is on offer; it is taken
        first = self._row(config.wgt_width)
        row, own = self._rows(m, new.width, idle)
        m.d.comb += [
            segments.o.ready.eq(idle),
            self.o.valid.eq(running),
            taken.eq(running & self.o.ready),
            *(request[name].eq(row[name]) for name in ("n", "whole", "rest")),
            *(tag[name].eq(row[name]) for name in ("top", "above")),
            tag.param.eq(param),
            request.tag.eq(tag),
            request.flush.eq(last),
        ]
        with m.If(idle):
            m.d.sync += [
                rows.eq(new.n_rows),
                index.eq(0),
                param.eq(1),
                none.eq(new.n_rows == 0),
                one.eq(new.n_rows == 1),
                last_param.eq(config.param_rows == 1),
                last.eq((new.n_rows == 0) & (config.param_rows == 1)),
                *(row[name].eq(value) for name, value in first.items()),
                idle.eq(~segments.o.valid),
                running.eq(segments.o.valid),
            ]
        with m.If(taken & last):
            m.d.sync += [idle.eq(1), running.eq(0)]
        soon = index == config.param_rows - 2
        with m.If(taken & param):
            m.d.sync += [index.eq(index + 1), last_param.eq(soon), last.eq(none & soon)]
        with m.If(taken & param & last_param):
            m.d.sync += [param.eq(0), last.eq(one), *(row[name].eq(own[name]) for name in row)]
        with m.If(taken & ~param):
            m.d.sync += [rows.eq(rows - 1), last.eq(rows == 2)]
        return m

    def _row(self, width: int) -> dict[str, int]:
        """What a row of ``width`` planes asks for and is tagged with."""
        top, above = 1 << width - 1, (1 << self.config.wgt_width) - (1 << width)
        return {**self._gearbox.split(width), "top": top, "above": above}

    def _rows(self, m: Module, width: Any, idle: Signal) -> tuple[dict[str, Signal], dict[str, Signal]]:
        """Registers for the row at hand and for the segment's own rows, which follow its parameters."""
        shapes = {name: self.o.payload[name].shape() for name in ("n", "whole", "rest")}
        shapes |= {name: unsigned(self.config.wgt_width) for name in ("top", "above")}
        row, own = (
            {n: Signal(shape, name=f"{n}_{of}") for n, shape in shapes.items()} for of in ("row", "own")
        )
        with m.If(idle), m.Switch(width):
            for n in range(1, self.config.wgt_width + 1):
                with m.Case(n) if n < self.config.wgt_width else m.Default():
                    m.d.sync += [own[name].eq(value) for name, value in self._row(n).items()]
        return row, own
