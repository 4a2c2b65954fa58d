"""``Product``: a multiplier without registers, for clocks that do not need them."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, signed
from amaranth.lib.wiring import Component, In, Out

__all__ = ["Product"]


class Product(Component):
    """p = a * b, signed, in the same cycle. A platform with ``lower_product`` is told of it.

    Parameters
    ----------
    a_width, b_width : bits of the factors.
    """

    def __init__(self, *, a_width: int, b_width: int) -> None:
        if a_width < 1 or b_width < 1:
            raise ValueError(f"a_width and b_width must be at least 1, not {a_width!r} and {b_width!r}")
        super().__init__(
            {"a": In(signed(a_width)), "b": In(signed(b_width)), "p": Out(signed(a_width + b_width))}
        )

    def elaborate(self, platform: Any) -> Module:
        lower = getattr(platform, "lower_product", None)
        if lower is not None and (lowered := lower(self)) is not None:
            result: Module = lowered
            return result
        m = Module()
        m.d.comb += self.p.eq(self.a * self.b)
        return m
