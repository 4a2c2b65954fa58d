"""``Columns``: all columns, each a cycle behind its left neighbour."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from .column import Column
from .config import EngineConfig
from .delay import delay
from .pixel import Bounds, Flags

__all__ = ["Columns"]


class Columns(Component):
    """codes[c](t + latency) for every column c at once

    ``flags`` come one cycle before cycle e of column 0, ``res`` (unskewed) at e; from there flags, accumulator
    address and bounds hop to the right, one column a cycle, as the array's sums do. Accumulator addresses count up
    from 0 in each pass. The codes are aligned again at the end; ``sums`` are not: that of column 0 comes with
    ``mean_end``, that of column c c cycles later.

    Latency: from ``flags`` 1 + 14 + cols - 1 cycles.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        self.latency = 1 + Column.latency + config.cols - 1
        super().__init__(
            {
                "flags": In(Flags),
                "res": In(data.ArrayLayout(signed(config.act_width + 1), config.cols)),
                "psum": In(data.ArrayLayout(signed(config.psum_width), config.cols)),
                "wgt": In(data.ArrayLayout(signed(config.wgt_width), config.cols)),
                "tag": In(data.ArrayLayout((config.rows + config.param_rows).bit_length(), config.cols)),
                "bounds": In(Bounds(config)),
                "bounds_take": Out(1),
                "codes": Out(config.cols * config.act_width),
                "valid": Out(1),
                "last": Out(1),
                "sums": Out(data.ArrayLayout(signed(config.mean_width), config.cols)),
                "mean_end": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, cols = self.config, self.config.cols
        flags = Signal(Flags, name="flags_e")
        addr = Signal(range(config.acc_depth))
        m.d.sync += flags.eq(self.flags)
        with m.If(self.flags.valid):
            m.d.sync += addr.eq(addr + 1)
            with m.If(self.flags.pass_first):
                m.d.sync += addr.eq(0)
        bounds: Any = self.bounds
        for c in range(cols):
            m.submodules[f"column_{c}"] = column = Column(config=config)
            res = Signal(signed(config.act_width + 1), name=f"res_{c}")
            m.d.comb += [
                res.eq(self.res[c]),
                column.flags.eq(flags),
                column.addr.eq(addr),
                column.bounds_i.eq(bounds),
                column.psum.eq(self.psum[c]),
                column.wgt.eq(self.wgt[c]),
                column.tag.eq(self.tag[c]),
            ]
            m.d.comb += column.res.eq(delay(m, res, c, name=f"res_skew_{c}"))
            code = delay(m, column.out, cols - 1 - c, name=f"deskew_{c}")
            m.d.comb += self.codes.word_select(c, config.act_width).eq(code)
            m.d.comb += self.sums[c].eq(column.codes_sum)
            if c == 0:
                m.d.comb += [self.bounds_take.eq(column.bounds_take), self.mean_end.eq(column.mean_end)]
            if c < cols - 1:
                flags = delay(m, flags, 1, name=f"flags_{c}")
                addr = delay(m, addr, 1, name=f"addr_{c}")
                bounds = column.bounds
            else:
                m.d.comb += [self.valid.eq(column.out_valid), self.last.eq(column.out_last)]
        return m
