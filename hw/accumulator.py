"""``Accumulator``: the sums of one column, one word a pixel."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .delay import delay
from .memory import Memory1R1W
from .pixel import Flags

__all__ = ["Accumulator"]


class Accumulator(Component):
    """first pass: acc[a] = init + psum; middle: acc[a] = acc[a] + psum; last: sum = ... goes on instead

    With ``flags`` and ``addr`` at cycle e: ``init`` and ``psum`` are due at e + 4, ``sum`` is there at e + 6. A word
    may be read again 5 cycles after it was read. Sums wrap at acc_width bits; the compiler proves that the last
    one does not.
    """

    latency = 6
    psum_delay = 4
    reuse = 5

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "flags": In(Flags),
                "addr": In(range(config.acc_depth)),
                "psum": In(signed(config.psum_width)),
                "init": In(signed(config.acc_width)),
                "sum": Out(signed(config.acc_width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.memory = memory = Memory1R1W(width=config.acc_width, depth=config.acc_depth)
        read_at = self.psum_delay - Memory1R1W.latency
        read_addr = delay(m, self.addr, read_at, name="addr")
        m.d.comb += memory.raddr.eq(read_addr)
        # Cycle 4: choose the other operand. Cycle 5: add. Cycle 6: write.
        first = delay(m, self.flags.first_pass, self.psum_delay, name="first_pass")
        other = Signal(signed(config.acc_width), reset_less=True)
        psum = Signal.like(self.psum, reset_less=True)
        m.d.sync += [
            other.eq(Mux(first, self.init, memory.rdata.as_signed())),
            psum.eq(self.psum),
            self.sum.eq(other + psum),
        ]
        keeps = Signal()
        m.d.comb += keeps.eq(self.flags.valid & ~self.flags.last_pass)
        m.d.comb += [
            memory.waddr.eq(delay(m, read_addr, self.latency - read_at, name="waddr")),
            memory.wdata.eq(self.sum),
            memory.wen.eq(delay(m, keeps, self.latency, name="keeps")),
        ]
        return m
