"""``ByteMemory``: a large memory of one port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

__all__ = ["ByteMemory"]


class ByteMemory(Component):
    """data(t+1) = byte[addr(t)] if en(t) and not wen(t), else as before; one read or one write a cycle.

    A platform with ``lower_byte_memory`` builds it from its primitives (see ``ice40``), which may have no contents.

    Parameters
    ----------
    depth : bytes.
    init : the first bytes when the FPGA has been configured; the others are 0.

    Members
    -------
    addr, en : what is read or written in this cycle, and whether anything is. wen, wdata : to write it.
    rdata : what was read last; not defined behind a write.
    """

    latency = 1

    def __init__(self, *, depth: int, init: Sequence[int] = ()) -> None:
        if depth < 2:
            raise ValueError(f"depth must be at least 2, not {depth!r}")
        if len(init) > depth:
            raise ValueError(f"init must be at most {depth} bytes, not {len(init)}")
        self.depth, self.init = depth, list(init)
        super().__init__(
            {
                "addr": In(range(depth)),
                "en": In(1),
                "wen": In(1),
                "wdata": In(8),
                "rdata": Out(8),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        lower = getattr(platform, "lower_byte_memory", None)
        if lower is not None and (lowered := lower(self)) is not None:
            result: Module = lowered
            return result
        m = Module()
        m.submodules.ram = ram = Memory(shape=8, depth=self.depth, init=self.init)
        write, read = ram.write_port(), ram.read_port(domain="sync")
        m.d.comb += [
            write.addr.eq(self.addr),
            write.data.eq(self.wdata),
            write.en.eq(self.en & self.wen),
            read.addr.eq(self.addr),
            read.en.eq(self.en & ~self.wen),
            self.rdata.eq(read.data),
        ]
        return m
