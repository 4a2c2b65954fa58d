"""``Requantizer``: shift, round half to even, saturate. The hardware's only rounding."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig

__all__ = ["Requantizer"]


class Requantizer(Component):
    """out(t+6) = clamp(round_half_even(acc(t) * 2**-s(t)), lo, hi), s = shift - max_left_shift.

    With v = acc << (max_left_shift + 1) and v' = v >> shift (arithmetic): q = v' >> 1, g = bit 0 of v',
    t = OR of the bits shifted out, out = q + (g AND (t OR bit 0 of q)): half to even, exact for every shift in
    0 .. acc_width + max_left_shift. ``shift`` goes with its ``acc``; ``lo``, ``hi`` and ``least`` (out = lo, whatever
    acc is) with the result of the addition, 4 cycles later.

    Latency: 6 cycles: three stages of the shifter, the addition, the comparisons, the selection.
    """

    latency = 6
    bounds_latency = 4

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        bound = signed(config.act_width + 1)
        super().__init__(
            {
                "acc": In(signed(config.acc_width)),
                "shift": In(config.shift_width),
                "lo": In(bound),
                "hi": In(bound),
                "least": In(1),
                "out": Out(bound),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        width = config.acc_width + config.max_left_shift + 1
        # Cycles 0 to 2: the shifter, two bits of the amount a stage, the greatest first.
        value: Any = Cat(0, self.acc << config.max_left_shift)[:width].as_signed()
        sticky: Any = 0
        amount: Any = self.shift
        pairs = [(i, min(i + 2, config.shift_width)) for i in range(0, config.shift_width, 2)]
        groups = [pairs[2:], pairs[1:2], pairs[:1]]
        for stage, group in enumerate(groups):
            shifted = Signal(signed(width), name=f"shifted_{stage}", reset_less=True)
            lost = Signal(name=f"lost_{stage}", reset_less=True)
            kept = Signal(config.shift_width, name=f"amount_{stage}", reset_less=True)
            low, high = (group[0][0], group[-1][1]) if group else (0, 0)
            with m.Switch(amount[low:high]):
                for step in range(1 << (high - low)):
                    by = min(step << low, width)
                    with m.Case(step):
                        m.d.sync += [
                            shifted.eq(value >> by),
                            lost.eq(sticky | (value[:by].any() if by else 0)),
                        ]
            m.d.sync += kept.eq(amount)
            value, sticky, amount = shifted, lost, kept
        # Cycle 3: round.
        rounded = Signal(signed(width), reset_less=True)
        m.d.sync += rounded.eq((value >> 1) + (value[0] & (sticky | value[1])))
        # Cycle 4: compare; bits above the bounds' width are a matter of their own.
        bits = config.act_width + 1
        low_part = Signal(signed(bits), reset_less=True)
        above, below = Signal(reset_less=True), Signal(reset_less=True)
        outside, negative = Signal(reset_less=True), Signal(reset_less=True)
        top = rounded[bits - 1 :]
        m.d.sync += [
            low_part.eq(rounded),
            above.eq(rounded[:bits].as_signed() > self.hi),
            below.eq((rounded[:bits].as_signed() < self.lo) | self.least),
            outside.eq(top.any() & ~top.all() | self.least),
            negative.eq(rounded[-1] | self.least),
        ]
        lo, hi = Signal.like(self.lo, reset_less=True), Signal.like(self.hi, reset_less=True)
        m.d.sync += [lo.eq(self.lo), hi.eq(self.hi)]
        # Cycle 5: select.
        with m.If(Mux(outside, ~negative, above)):
            m.d.sync += self.out.eq(hi)
        with m.Elif(Mux(outside, negative, below)):
            m.d.sync += self.out.eq(lo)
        with m.Else():
            m.d.sync += self.out.eq(low_part)
        return m
