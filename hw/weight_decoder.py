"""``WeightDecoder``: the weight stream's segments into rows of sign-extended values."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from .config import EngineConfig
from .credit_fifo import CreditFifo
from .gearbox import Gearbox
from .interfaces import RowStream
from .row_requests import RowRequests
from .segment_reader import SegmentReader

__all__ = ["WeightDecoder"]


class WeightDecoder(Component):
    """for each segment (isa.SEGMENT):
        for row in 0..param_rows-1: column c = bits c of the next wgt_width planes; param
        for row in 0..n_rows-1: column c = bits c of the next width planes, sign-extended

    Latency: ``latency`` cycles from the last word of a row, taken from ``i``, to ``rows``, if nothing is ahead.
    One row or one word a cycle, whichever binds; a segment costs one word and 4 cycles more.

    Parameters
    ----------
    config : the engine.

    Members
    -------
    i : port words of the stream.
    rows : decoded rows, column c at bits c*wgt_width on.
    error : the stream is out of step: a header without its magic, or a width outside of 2..wgt_width. Stays
        until reset; nothing goes on.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        self._tag = RowRequests.tag_layout(config)
        self._gearbox = Gearbox(
            unit_width=config.cols,
            in_units=config.planes_per_word,
            max_out=config.wgt_width,
            tag_width=self._tag.size,
        )
        self.latency = SegmentReader.latency + self._gearbox.latency + 2 + CreditFifo.latency
        super().__init__(
            {"i": In(stream.Signature(config.port_width)), "rows": Out(RowStream(config)), "error": Out(1)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.reader = reader = SegmentReader(config=self.config)
        m.submodules.requests = requests = RowRequests(config=self.config, gearbox=self._gearbox)
        m.submodules.gearbox = gearbox = self._gearbox
        m.submodules.queue = queue = CreditFifo(shape=self.rows.stream.payload.shape(), depth=gearbox.credits)
        connect(m, flipped(self.i), reader.i)
        connect(m, reader.segment, requests.segment)
        connect(m, reader.o, gearbox.i)
        connect(m, requests.o, gearbox.request)
        connect(m, flipped(self.rows.stream), queue.o)
        m.d.comb += [
            self.error.eq(reader.error),
            gearbox.credit.eq(queue.o.valid & queue.o.ready),
        ]
        self._extend(m, gearbox, queue)
        return m

    def _extend(self, m: Module, gearbox: Gearbox, queue: CreditFifo) -> None:
        """Two stages: each column's sign; the sign into the planes above the row's own."""
        cols, width = self.config.cols, self.config.wgt_width
        tag = data.View(self._tag, gearbox.o_tag)
        planes = [gearbox.o_data.word_select(i, cols) for i in range(width)]
        # Cycle 0: sign = the topmost plane of the row; `above` marks the planes that it fills.
        sign, above = Signal(cols, reset_less=True), Signal(width, reset_less=True)
        low, param, valid = Signal(cols * width, reset_less=True), Signal(reset_less=True), Signal()
        m.d.sync += [
            sign.eq(
                Cat(
                    Cat(plane[c] & top for plane, top in zip(planes, tag.top, strict=True)).any()
                    for c in range(cols)
                )
            ),
            above.eq(tag.above),
            low.eq(gearbox.o_data),
            param.eq(tag.param),
            valid.eq(gearbox.o_valid),
        ]
        # Cycle 1: planes above it are 0 as they leave the gearbox.
        values = (
            low.word_select(i, cols)[c] | (sign[c] & above[i]) for c in range(cols) for i in range(width)
        )
        rows = Signal.like(queue.i_payload.data, reset_less=True)
        is_param, there = Signal(reset_less=True), Signal()
        m.d.sync += [rows.eq(Cat(values)), is_param.eq(param), there.eq(valid)]
        m.d.comb += [
            queue.i_payload.data.eq(rows),
            queue.i_payload.param.eq(is_param),
            queue.i_valid.eq(there),
        ]
