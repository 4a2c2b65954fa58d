"""``Scratchpad``: the activation memory, banks of one read and one write port."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .delay import delay
from .interfaces import ScratchpadRead, ScratchpadWrite
from .memory import Memory1R1W
from .pixel import Read
from .replicas import replicas

__all__ = ["OutputWrite", "Scratchpad"]

_SLICE = 16
"""Bits of a word that share a copy of what selects their bank."""


class OutputWrite(data.StructLayout):
    """The compute unit's write: lane groups from ``rot`` on, those that wrap at ``next``."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(
            {
                "valid": 1,
                "addr": config.addr_width,
                "next": config.addr_width,
                "wrapped": config.groups,
                "enable": config.groups,
                "data": config.lanes * config.act_width,
            }
        )


class Scratchpad(Component):
    """word[addr] over ``banks`` banks; bank = addr // bank_depth

    Pixels, residuals and outputs always go through (the sequencer never reads one bank twice a cycle); the store
    unit reads and the load unit writes a bank that compute leaves free in that cycle, else they wait.
    Lane groups below a read's ``rot`` come from its ``next`` address; the word is not rotated here.

    Latency: ``config.scratchpad_latency`` cycles from a read to its word: bank address, ``bank_stages``, memory (2),
    bank selection. A write is seen by reads presented one cycle later.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        word = config.lanes * config.act_width
        super().__init__(
            {
                "pixel": In(Read(config)),
                "pixel_data": Out(word),
                "residual": In(Read(config)),
                "residual_data": Out(word),
                "output": In(OutputWrite(config)),
                "load": In(ScratchpadWrite(config)),
                "store": In(ScratchpadRead(config)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        low = (config.bank_depth - 1).bit_length()
        width = config.group_lanes * config.act_width
        store_ready, load_ready = Signal(init=1), Signal(init=1)
        store, load = self.store.request, self.load.stream
        taken = [self._reads(m, g, low) for g in range(config.groups)]
        written = [self._writes(m, g) for g in range(config.groups)]
        m.d.comb += [
            store_ready.eq(
                ~Cat(v & (a[low:] == store.payload.addr[low:]) for t in taken for v, a in t).any()
            ),
            load_ready.eq(~Cat(v & (a[low:] == load.payload.addr[low:]) for v, a in written).any()),
            store.ready.eq(store_ready),
            load.ready.eq(load_ready),
        ]
        for g in range(config.groups):
            reads = [*taken[g], (store.valid & store_ready, store.payload.addr)]
            writes = [
                (*written[g], self.output.data),
                (load.valid & load_ready, load.payload.addr, load.payload.data),
            ]
            words = []
            for bank in range(config.banks):
                memory = Memory1R1W(width=width, depth=config.bank_depth, stages=config.bank_stages)
                m.submodules[f"bank_{bank}_{g}"] = memory
                self._port(m, memory, bank, low, reads, writes, slice(g * width, (g + 1) * width))
                words.append(memory.rdata)
            targets = (self.pixel_data, self.residual_data, self.store.data)
            for (_, addr), target, name in zip(reads, targets, ("pixel", "residual", "store"), strict=True):
                bank = delay(m, _named(m, addr[low:], f"{name}_bank_{g}"), config.scratchpad_latency - 2,
                             name=f"{name}_bank_{g}")  # fmt: skip
                slices = range(0, width, _SLICE)
                copies = replicas(m, bank, len(slices), platform, name=f"{name}_bank_{g}_last")
                for start, copy in zip(slices, copies, strict=True):
                    lanes = slice(start, min(start + _SLICE, width))
                    with m.Switch(copy):
                        for b, word in enumerate(words):
                            with m.Case(b):
                                m.d.sync += target[g * width : (g + 1) * width][lanes].eq(word[lanes])
        taken_now = _named(m, store.valid & store_ready, "store_taken")
        m.d.comb += self.store.valid.eq(delay(m, taken_now, config.scratchpad_latency, name="store_taken"))
        return m

    def _reads(self, m: Module, group: int, low: int) -> list[tuple[Any, Any]]:
        """(valid, address) of the pixel's and the residual's read in one lane group."""
        if self.config.groups == 1:
            return [(read.valid, read.addr) for read in (self.pixel, self.residual)]
        return [(read.valid, _named(m, Mux(read.rot > group, read.next, read.addr), f"{name}_addr_{group}"))
                for read, name in ((self.pixel, "pixel"), (self.residual, "residual"))]  # fmt: skip

    def _writes(self, m: Module, group: int) -> tuple[Any, Any]:
        output = self.output
        if self.config.groups == 1:
            return output.valid, output.addr
        address = Mux(output.wrapped[group], output.next, output.addr)
        return output.valid & output.enable[group], _named(m, address, f"output_addr_{group}")

    def _port(
        self, m: Module, memory: Memory1R1W, bank: int, low: int, reads: Any, writes: Any, lanes: slice
    ) -> None:
        """Register the bank's address and write data: compute's, else those of load and store, wanted or not."""
        raddr, waddr = Signal.like(memory.raddr), Signal.like(memory.waddr)
        wdata, wen = Signal.like(memory.wdata), Signal()
        *computed, (_, other) = reads
        m.d.sync += raddr.eq(other)
        for valid, addr in computed:
            with m.If(valid & (addr[low:] == bank)):
                m.d.sync += raddr.eq(addr)
        (valid, addr, word), (loads, load_addr, load_word) = writes
        m.d.sync += [
            waddr.eq(load_addr),
            wdata.eq(load_word[lanes]),
            wen.eq(loads & (load_addr[low:] == bank)),
        ]
        with m.If(valid & (addr[low:] == bank)):
            m.d.sync += [waddr.eq(addr), wdata.eq(word[lanes]), wen.eq(1)]
        m.d.comb += [
            memory.raddr.eq(raddr),
            memory.waddr.eq(waddr),
            memory.wdata.eq(wdata),
            memory.wen.eq(wen),
        ]


def _named(m: Module, value: Any, name: str) -> Signal:
    result = Signal(len(value), name=name)
    m.d.comb += result.eq(value)
    return result
