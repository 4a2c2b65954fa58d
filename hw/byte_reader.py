"""``ByteReader``: bytes of memory, a burst each."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig

__all__ = ["ByteReader"]


class ByteReader(Component):
    """for i in 0..count-1: data = memory[addr], addr being moved on with every ``step``

    Bytes come in the order in which they were asked for, as fast as the memory sends them; nothing holds them back.

    Latency: the first address is on AR the cycle after ``ask``, the others follow as the memory takes them; a byte on
    R is on ``data`` in the same cycle.

    Parameters
    ----------
    config : the engine, of a port of 8 bits.

    Members
    -------
    ask, count : one cycle, all bytes asked for before having come; 1 to 255 bytes more.
    addr : of the next byte; step : it has been taken.
    valid, data : a byte.
    ar*, r* : the read channels of ``Axi4``, manager side. error : one cycle, the memory answered with an error.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        sent = {"araddr": 32, "arlen": 8, "arsize": 3, "arburst": 2, "arvalid": 1, "rready": 1}
        received = {"arready": 1, "rdata": 8, "rresp": 2, "rlast": 1, "rvalid": 1}
        super().__init__(
            {"ask": In(1), "count": In(8), "addr": In(config.memory_width), "step": Out(1)}
            | {"valid": Out(1), "data": Out(8), "error": Out(1)}
            | {name: Out(bits) for name, bits in sent.items()}
            | {name: In(bits) for name, bits in received.items()}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        left = Signal(8)
        m.d.comb += [
            self.araddr.eq(self.addr),
            self.arburst.eq(1),
            self.arvalid.eq(left.any()),
            self.rready.eq(1),
            self.step.eq(self.arvalid & self.arready),
            self.valid.eq(self.rvalid),
            self.data.eq(self.rdata),
            self.error.eq(self.rvalid & self.rresp.any()),
        ]
        with m.If(self.ask):
            m.d.sync += left.eq(self.count)
        with m.Elif(self.step):
            m.d.sync += left.eq(left - 1)
        return m
