"""``SegmentReader``: tells the weight stream's headers from its planes."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from .config import EngineConfig
from .isa import MAGIC, SEGMENT
from .stream_buffer import StreamBuffer

__all__ = ["SegmentReader"]


class SegmentReader(Component):
    """for each segment: segment = (width, n_rows) of its header; o = its words of planes

    planes = param_rows * wgt_width + n_rows * width; a word holds planes_per_word of them, and where a plane is
    wider than the port, plane_words port words become one word of ``o``.

    Latency: 1 cycle from a plane's last word to ``o``; one word a cycle. The header takes header_words + 4 cycles.

    Parameters
    ----------
    config : the engine.

    Members
    -------
    i : port words. segment : one item for each header. o : planes.
    error : a header without its magic, or a width outside of 2..wgt_width; stays until reset.
    """

    latency = 1

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        header = data.StructLayout({field.name: field.bits(config) for field in SEGMENT})
        segment = data.StructLayout({name: header[name].shape for name in ("width", "n_rows")})
        self._header = header
        super().__init__(
            {
                "i": In(stream.Signature(config.port_width)),
                "segment": Out(stream.Signature(segment)),
                "o": Out(stream.Signature(config.planes_per_word * config.cols)),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, per_word = self.config, self.config.planes_per_word
        header = Signal(self._header)
        bits = sum(field.bits(config) for field in SEGMENT[1:])  # of width * n_rows
        parts = [Signal(bits, name=f"part_{i}") for i in range(3)]
        left = Signal(
            range((1 << bits) + config.param_rows * config.wgt_width + 1)
        )  # planes, this word's included
        last = Signal()  # this word is the segment's last
        m.submodules.out = out = StreamBuffer(shape=len(self.o.payload))
        part = Signal(range(config.header_words))  # of the header
        in_planes = Signal()
        plane, whole = self._plane(m, in_planes)
        m.d.comb += [
            out.i.payload.eq(plane),
            self.segment.payload.width.eq(header.width),
            self.segment.payload.n_rows.eq(header.n_rows),
        ]
        connect(m, flipped(self.o), out.o)
        times = [Mux(header.width[i], header.n_rows << i, 0) for i in range(len(header.width))]
        wrong = (header.magic != MAGIC) | (header.width < 2) | (header.width > config.wgt_width)
        with m.FSM():
            with m.State("HEADER"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += header.eq(Cat(header.as_value()[config.port_width :], self.i.payload))
                    if config.header_words > 1:
                        m.d.sync += part.eq(part + 1)
                    with m.If(part == config.header_words - 1):
                        m.next = "CHECK"
            with m.State("CHECK"):
                m.d.sync += [
                    parts[0].eq(times[0] + times[1]),
                    parts[1].eq(times[2] + times[3]),
                    parts[2].eq(times[4]),
                ]
                m.next = "ADD"
                with m.If(wrong):
                    m.d.sync += self.error.eq(1)
                    m.next = "STOP"
            with m.State("ADD"):
                m.d.comb += self.segment.valid.eq(1)
                with m.If(self.segment.ready):
                    m.d.sync += parts[0].eq(parts[0] + parts[1])
                    m.d.sync += parts[1].eq(parts[2] + config.param_rows * config.wgt_width)
                    m.next = "TOTAL"
            with m.State("TOTAL"):
                m.d.sync += left.eq(parts[0] + parts[1])
                m.next = "LAST"
            with m.State("LAST"):
                m.d.sync += last.eq(left <= per_word)
                m.next = "PLANES"
            with m.State("PLANES"):
                m.d.comb += [
                    in_planes.eq(1),
                    self.i.ready.eq(out.i.ready),
                    out.i.valid.eq(self.i.valid & whole),
                ]
                with m.If(out.i.valid & out.i.ready):
                    m.d.sync += [left.eq(left - per_word), last.eq(left <= 2 * per_word)]
                    with m.If(last):
                        m.next = "HEADER"
            with m.State("STOP"):
                pass
        return m

    def _plane(self, m: Module, in_planes: Signal) -> tuple[Any, Any]:
        """The planes at hand and whether they are whole: where one spans words, the words before are kept."""
        config = self.config
        if config.plane_words == 1:
            return self.i.payload[: config.planes_per_word * config.cols], 1
        width, words = config.port_width, config.plane_words
        kept = Signal((words - 1) * width, reset_less=True)
        index, whole = Signal(range(words)), Signal()
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += kept.eq(Cat(kept, self.i.payload)[width:])
            with m.If(in_planes):
                m.d.sync += [index.eq(index + 1), whole.eq(index == words - 2)]
                with m.If(whole):
                    m.d.sync += [index.eq(0), whole.eq(0)]
        return Cat(kept, self.i.payload)[: config.cols], whole
