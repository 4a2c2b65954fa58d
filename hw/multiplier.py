"""``Multiplier``: one DSP, all of its registers used."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, signed
from amaranth.lib.wiring import Component, In, Out

__all__ = ["Multiplier"]


class Multiplier(Component):
    """p(t+3) = a(t) * b(t), signed.

    Latency: 3 cycles: input, pipeline and output register, the ones a DSP block has.

    A platform with ``lower_multiplier`` builds it from its primitives (see ``ecp5``), else it is inferred.

    Parameters
    ----------
    a_width, b_width : bits of the operands; the product has their sum.
    """

    latency = 3

    def __init__(self, *, a_width: int, b_width: int) -> None:
        super().__init__(
            {
                "a": In(signed(a_width)),
                "b": In(signed(b_width)),
                "p": Out(signed(a_width + b_width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        lower = getattr(platform, "lower_multiplier", None)
        if lower is not None and (lowered := lower(self)) is not None:
            return lowered
        m = Module()
        a, b = Signal.like(self.a, reset_less=True), Signal.like(self.b, reset_less=True)
        product = Signal.like(self.p, reset_less=True)
        output = Signal.like(self.p, reset_less=True)
        m.d.sync += [a.eq(self.a), b.eq(self.b), product.eq(a * b), output.eq(product)]
        m.d.comb += self.p.eq(output)
        return m
