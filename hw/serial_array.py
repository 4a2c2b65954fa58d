"""``SerialArray``: a row of multipliers that takes the rows of a tile one after the other."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .product import Product

__all__ = ["SerialArray"]


class SerialArray(Component):
    """sums[c] = 0 with clear, += act * weights[c] with valid: sum over r of act[r] * tile[r][c]

    Latency: 1 cycle.

    Parameters
    ----------
    config : the engine.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "clear": In(1),
                "valid": In(1),
                "act": In(signed(config.act_width + 1)),
                "weights": In(data.ArrayLayout(signed(config.wgt_width), config.cols)),
                "sums": Out(data.ArrayLayout(signed(config.psum_width), config.cols)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for c in range(self.config.cols):
            total = Signal(signed(self.config.psum_width), name=f"sum_{c}")
            product = Product(a_width=len(self.act), b_width=self.config.wgt_width)
            m.submodules[f"product_{c}"] = product
            m.d.comb += [product.a.eq(self.act), product.b.eq(self.weights[c]), self.sums[c].eq(total)]
            with m.If(self.clear):
                m.d.sync += total.eq(0)
            with m.Elif(self.valid):
                m.d.sync += total.eq(total + product.p)
        return m
