"""``DiagonalTile``: a vector of activations as the rows of a product's tiles."""

from __future__ import annotations

from math import ceil
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig

__all__ = ["DiagonalTile"]


class DiagonalTile(Component):
    """for tile in 0..tiles-1: for r in 0..rows-1: row[c] = vector[c] if tile * rows + r == c else 0

    Latency: ``row`` is the first one in the cycle after ``valid``; the next one in the cycle after each ``advance``.

    Members
    -------
    valid, vector : a vector, the one before having gone; column c at bits c*wgt_width on.
    begin : a tile begins. advance : a row is taken.
    will : there will be a tile that has not begun, in the next cycle. row : as above.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        self.tiles = ceil(config.cols / config.rows)
        width = config.cols * config.wgt_width
        super().__init__(
            {
                "valid": In(1),
                "vector": In(width),
                "begin": In(1),
                "advance": In(1),
                "will": Out(1),
                "row": Out(width),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        cols, width = self.config.cols, self.config.wgt_width
        kept, column = Signal.like(self.vector, reset_less=True), Signal(cols, reset_less=True)
        left = Signal(range(self.tiles + 1))
        m.d.comb += [
            self.will.eq(self.valid | Mux(self.begin, left[1:].any(), left.any())),
            self.row.eq(kept & Cat(here.replicate(width) for here in column)),
        ]
        with m.If(self.valid):
            m.d.sync += [kept.eq(self.vector), column.eq(1), left.eq(self.tiles)]
        with m.Else():
            m.d.sync += left.eq(left - self.begin)
            with m.If(self.advance):
                m.d.sync += column.eq(column << 1)
        return m
