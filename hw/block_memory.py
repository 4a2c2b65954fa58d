"""``BlockMemory``: block RAM without an output register, for clocks that do not need one."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

__all__ = ["BlockMemory"]


class BlockMemory(Component):
    """data(t+1) = word[addr(t)]; one read and one write a cycle.

    Latency: 1 cycle. A write at cycle t is seen by reads presented at t+1 and later; what a read of the word being
    written in the same cycle returns is undefined. A platform with ``lower_block_memory`` is told of it.

    Parameters
    ----------
    width, depth : bits of a word, words.

    Members
    -------
    raddr, rdata : read port, always enabled.
    waddr, wdata, wen : write port.
    """

    latency = 1

    def __init__(self, *, width: int, depth: int) -> None:
        if width < 1 or depth < 2:
            raise ValueError(f"width and depth must be at least 1 and 2, not {width!r} and {depth!r}")
        self.width, self.depth = width, depth
        super().__init__(
            {
                "raddr": In(range(depth)),
                "rdata": Out(width),
                "waddr": In(range(depth)),
                "wdata": In(width),
                "wen": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        lower = getattr(platform, "lower_block_memory", None)
        if lower is not None and (lowered := lower(self)) is not None:
            result: Module = lowered
            return result
        m = Module()
        m.submodules.ram = ram = Memory(
            shape=self.width, depth=self.depth, init=[], attrs={"ram_style": "block"}
        )
        write, read = ram.write_port(), ram.read_port(domain="sync")
        m.d.comb += [
            write.addr.eq(self.waddr),
            write.data.eq(self.wdata),
            write.en.eq(self.wen),
            read.addr.eq(self.raddr),
            read.en.eq(1),
            self.rdata.eq(read.data),
        ]
        return m
