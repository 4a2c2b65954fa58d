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
        # One bit a state: what follows from a state is one gate away. None of them after an error.
        states = ("header", "check", "add", "total", "ends", "planes")
        at = {name: Signal(name=f"at_{name}", init=name == "header") for name in states}
        taken, whole_header = Signal(), Signal()
        m.d.comb += [
            whole_header.eq(at["header"] & self.i.valid & (part == config.header_words - 1)),
            in_planes.eq(at["planes"]),
            self.segment.valid.eq(at["add"]),
            self.i.ready.eq(at["header"] | (at["planes"] & out.i.ready)),
            out.i.valid.eq(at["planes"] & self.i.valid & whole),
            taken.eq(out.i.valid & out.i.ready),
        ]
        m.d.sync += [
            at["header"].eq((at["header"] & ~whole_header) | (taken & last)),
            at["check"].eq(whole_header),
            at["add"].eq((at["check"] & ~wrong) | (at["add"] & ~self.segment.ready)),
            at["total"].eq(at["add"] & self.segment.ready),
            at["ends"].eq(at["total"]),
            at["planes"].eq(at["ends"] | (at["planes"] & ~(taken & last))),
        ]
        with m.If(at["header"] & self.i.valid):
            m.d.sync += header.eq(Cat(header.as_value()[config.port_width :], self.i.payload))
            if config.header_words > 1:
                m.d.sync += part.eq(Mux(whole_header, 0, part + 1))
        with m.If(at["check"]):
            m.d.sync += [
                parts[0].eq(times[0] + times[1]),
                parts[1].eq(times[2] + times[3]),
                parts[2].eq(times[4]),
                self.error.eq(self.error | wrong),
            ]
        with m.If(at["add"] & self.segment.ready):
            m.d.sync += parts[0].eq(parts[0] + parts[1])
            m.d.sync += parts[1].eq(parts[2] + config.param_rows * config.wgt_width)
        with m.If(at["total"]):
            m.d.sync += left.eq(parts[0] + parts[1])
        with m.If(at["ends"]):
            m.d.sync += last.eq(left <= per_word)
        with m.If(taken):
            m.d.sync += [left.eq(left - per_word), last.eq(left <= 2 * per_word)]
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
