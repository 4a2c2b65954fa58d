"""``Operand``: a scratchpad word becomes signed operands, lane 0 first."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .delay import delay
from .pixel import Read

__all__ = ["Operand"]


class Operand(Component):
    """out[i](t + operand_latency) = code of lane (rot + i) % lanes of the word read at t, 0 where that was not valid

    One bit wider than the code, so that signed and unsigned codes look alike. ``read`` is the request itself,
    ``word`` the scratchpad's answer ``scratchpad_latency`` cycles later; ``codes`` are its codes, valid or not.

    Latency: 1 cycle from the word; ``codes`` come with the word.
    """

    def __init__(self, *, config: EngineConfig, count: int) -> None:
        if not 1 <= count <= config.lanes:
            raise ValueError(f"count must be in 1..{config.lanes}, not {count!r}")
        self.config, self.count = config, count
        super().__init__(
            {
                "read": In(Read(config)),
                "word": In(config.lanes * config.act_width),
                "codes": Out(data.ArrayLayout(signed(config.act_width + 1), count)),
                "out": Out(data.ArrayLayout(signed(config.act_width + 1), count)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width, config = self.config.act_width, self.config
        about = Signal(data.StructLayout({"valid": 1, "signed": 1, "rot": len(self.read.rot)}))
        m.d.comb += [
            about.valid.eq(self.read.valid),
            about.signed.eq(self.read.signed),
            about.rot.eq(self.read.rot),
        ]
        about = delay(m, about, config.scratchpad_latency, name="about")
        word = Signal(config.lanes * width)
        m.d.comb += word.eq(self.word)
        for rot in range(1, config.groups):
            with m.If(about.rot == rot):
                m.d.comb += word.eq(self.word.rotate_right(rot * config.group_lanes * width))
        for i in range(self.count):
            code = word[i * width : (i + 1) * width]
            sign = Signal(name=f"sign_{i}")
            m.d.comb += sign.eq(about.signed & code[-1])
            m.d.comb += self.codes[i].eq(Cat(code, sign).as_signed())
            with m.If(about.valid):
                m.d.sync += self.out[i].eq(self.codes[i])
            with m.Else():
                m.d.sync += self.out[i].eq(0)
        return m
