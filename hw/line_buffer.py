"""``LineBuffer``: pixels and those of the rows above them."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .delay import delay, delays
from .isa import FOLD_CHANNELS
from .memory import Memory1R1W

__all__ = ["LineBuffer"]


class LineBuffer(Component):
    """x = 0 if first else x + 1
    o[e] = i[e], or where one: line[0][x][e - channels], or where two: line[1][x][e - 2*channels]
    if keep: line[0][x], line[1][x] = i, line[0][x]

    A rigid pipeline. Elements of ``i`` from channels on are 0 where one or two is set. A column that is kept comes
    again 3 items later at the earliest.

    Latency: 4 cycles.

    Parameters
    ----------
    config : the engine; lines have fold_width pixels.
    tag_width : bits that go with an item.

    Members
    -------
    i_valid, i_data, i_tag, about : an item of ``lanes`` elements; about: first, keep, one, two, channels - 1.
    o_valid, o_data, o_tag : an item of ``elements``.
    """

    latency = 4

    about_layout = data.StructLayout(
        {"first": 1, "keep": 1, "one": 1, "two": 1, "channels": range(FOLD_CHANNELS)}
    )

    def __init__(self, *, config: EngineConfig, tag_width: int) -> None:
        self.config = config
        self.elements = max(config.lanes, 3 * FOLD_CHANNELS)
        super().__init__(
            {
                "i_valid": In(1),
                "i_data": In(config.lanes * config.act_width),
                "i_tag": In(tag_width),
                "about": In(self.about_layout),
                "o_valid": Out(1),
                "o_data": Out(self.elements * config.act_width),
                "o_tag": Out(tag_width),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = self.config.act_width
        line = FOLD_CHANNELS * width
        m.submodules.memory = memory = Memory1R1W(width=2 * line, depth=self.config.fold_width)
        valid = delays(m, self.i_valid, self.latency, name="valid")
        pixel = delay(m, self.i_data, 3, name="pixel")
        about = delay(m, self.about, 2, name="about")
        # Cycle 1: the column. Cycle 3: what the memory has of it; written with the pixel.
        x = Signal(range(self.config.fold_width))
        with m.If(self.i_valid):
            m.d.sync += x.eq(Mux(self.about.first, 0, x + 1))
        write = Signal()
        m.d.sync += write.eq(valid[2] & about.keep)
        m.d.comb += [
            memory.raddr.eq(x),
            memory.waddr.eq(delay(m, x, 2, name="x")),
            memory.wdata.eq(Cat(pixel[:line], memory.rdata[:line]) if len(pixel) >= line else
                            Cat(pixel, Signal(line - len(pixel)), memory.rdata[:line])),
            memory.wen.eq(write),
        ]  # fmt: skip
        # Cycle 4: side by side. One select each for every number of channels.
        channels = range(1, min(FOLD_CHANNELS, self.config.lanes) + 1)
        rows = []
        for which in ("one", "two"):
            select = Signal(len(channels), name=which)
            m.d.sync += select.eq(Cat(about[which] & (about.channels == c - 1) for c in channels))
            rows.append(select)
        for e in range(self.elements):
            terms = [pixel.word_select(e, width)] if e < self.config.lanes else []
            for above, select in enumerate(rows, 1):
                for i, c in enumerate(channels):
                    if above * c <= e < (above + 1) * c:
                        code = memory.rdata.word_select((above - 1) * FOLD_CHANNELS + e - above * c, width)
                        terms.append(code & select[i].replicate(width))
            result: Any = 0
            for term in terms:
                result = result | term
            m.d.sync += self.o_data.word_select(e, width).eq(result)
        m.d.comb += [
            self.o_valid.eq(valid[-1]),
            self.o_tag.eq(delay(m, self.i_tag, self.latency, name="tag")),
        ]
        return m
