"""``Memory1R1W``: the engine's block RAM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from .delay import delay

__all__ = ["Memory1R1W"]


class Memory1R1W(Component):
    """data(t + 2 + stages) = word[addr(t)]; one read and one write a cycle.

    Latency: 2 cycles, the second in the block RAM's output register, and ``stages``. A write at cycle t is seen
    by reads presented at t+1 and later; what a read of the word being written in the same cycle returns is undefined.

    A platform with ``lower_memory`` builds it from its primitives (see ``ecp5``), else it is inferred.

    Parameters
    ----------
    width, depth : bits of a word, words.
    init : the first words when the FPGA has been configured; the others are 0.
    stages : registers in front of both ports, 0 or 1; a platform gives few block RAMs one of their own.

    Members
    -------
    raddr, rdata : read port, always enabled.
    waddr, wdata, wen : write port.
    """

    latency = 2
    """Without ``stages``."""

    def __init__(self, *, width: int, depth: int, init: Sequence[int] = (), stages: int = 0) -> None:
        if width < 1 or depth < 2:
            raise ValueError(f"width and depth must be at least 1 and 2, not {width!r} and {depth!r}")
        if len(init) > depth:
            raise ValueError(f"init must be at most {depth} words, not {len(init)}")
        if stages not in (0, 1):
            raise ValueError(f"stages must be 0 or 1, not {stages!r}")
        self.width, self.depth, self.init, self.stages = width, depth, list(init), stages
        addr_width = (depth - 1).bit_length()
        super().__init__(
            {
                "raddr": In(addr_width),
                "rdata": Out(width),
                "waddr": In(addr_width),
                "wdata": In(width),
                "wen": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        lower = getattr(platform, "lower_memory", None)
        if lower is not None and (lowered := lower(self)) is not None:
            return lowered
        m = Module()
        m.submodules.ram = ram = Memory(shape=self.width, depth=self.depth, init=self.init)
        write, read = ram.write_port(), ram.read_port(domain="sync")
        m.d.comb += [
            write.addr.eq(delay(m, self.waddr, self.stages, name="waddr")),
            write.data.eq(delay(m, self.wdata, self.stages, name="wdata")),
            write.en.eq(delay(m, self.wen, self.stages, name="wen")),
            read.addr.eq(delay(m, self.raddr, self.stages, name="raddr")),
            read.en.eq(1),
        ]
        output = Signal(self.width, reset_less=True)
        m.d.sync += output.eq(read.data)
        m.d.comb += self.rdata.eq(output)
        return m
