"""``Operand``: a scratchpad word becomes signed operands, lane 0 first."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .delay import delay
from .pixel import Read
from .scratchpad import Scratchpad

__all__ = ["Operand"]


class Operand(Component):
    """out[i](t+5) = code of lane (rot + i) % lanes of the word read at t, or 0 where the read was not valid

    One bit wider than the code, so that signed and unsigned codes look alike. ``read`` is the request itself,
    ``word`` the scratchpad's answer ``Scratchpad.latency`` cycles later; ``codes`` are its codes, valid or not.

    Latency: 5 cycles from the read, 1 from the word; ``codes`` come with the word.
    """

    latency = Scratchpad.latency + 1

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
        about = delay(m, about, Scratchpad.latency, name="about")
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
