"""``Tables``: activation functions, looked up."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .delay import delay, delays
from .interfaces import load_word
from .memory import Memory1R1W

__all__ = ["Tables"]


class Tables(Component):
    """codes_o[c](t + latency) = entry[slot << table_bits | codes[c] mod 2**table_bits][c] if table else codes[c]
    entry[addr][c] = data[0] if shared else data[c]

    Every column has a memory of its own, so all columns look up a code a cycle. ``table`` and ``slot`` belong to the
    codes of their cycle; ``valid`` and ``last`` go with them.

    Latency: 4 cycles, with a table or without: address, memory (2), selection. An entry written at t is seen by codes
    from t + 1 on.

    Parameters
    ----------
    config : the engine, its ``tables`` not 0.

    Members
    -------
    codes, valid, last, about : of a pixel, about: table, slot. codes_o, valid_o, last_o : the same, looked up.
    write, word : ``word`` is an entry, for it is of a LOAD with ``table``.

    Raises ``ValueError`` for an engine without tables.
    """

    latency = 2 + Memory1R1W.latency

    def __init__(self, *, config: EngineConfig) -> None:
        if not config.tables:
            raise ValueError("tables must not be 0 where there are to be some")
        self.config = config
        self._slot_bits = config.table_addr_width - config.table_bits
        codes = config.cols * config.act_width
        super().__init__(
            {
                "codes": In(codes),
                "valid": In(1),
                "last": In(1),
                "about": In(self.about_layout(config)),
                "codes_o": Out(codes),
                "valid_o": Out(1),
                "last_o": Out(1),
                "write": In(1),
                "word": In(load_word(config)),
            }
        )

    @staticmethod
    def about_layout(config: EngineConfig) -> data.StructLayout:
        """What COMPUTE says: is there a table, which."""
        return data.StructLayout({"table": 1, "slot": max(1, (config.tables - 1).bit_length())})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, width = self.config, self.config.act_width
        slot = delay(m, self.about.slot, 1, name="slot")[: self._slot_bits]
        found = delay(m, self.about.table, self.latency - 1, name="table")
        write, addr, word = Signal(), Signal(config.table_addr_width), self.word.data
        m.d.sync += [write.eq(self.write), addr.eq(self.word.addr)]
        for c in range(config.cols):
            m.submodules[f"memory_{c}"] = memory = Memory1R1W(width=width, depth=1 << config.table_addr_width)
            entry = Signal(width, name=f"entry_{c}", reset_less=True)
            m.d.sync += entry.eq(Mux(self.word.shared, word[:width], word.word_select(c, width)))
            codes = delays(m, self.codes.word_select(c, width), self.latency - 1, name=f"code_{c}")
            m.d.comb += [
                memory.raddr.eq(Cat(codes[1][: config.table_bits], slot)),
                memory.waddr.eq(addr),
                memory.wdata.eq(entry),
                memory.wen.eq(write),
            ]
            m.d.sync += self.codes_o.word_select(c, width).eq(Mux(found, memory.rdata, codes[-1]))
        m.d.comb += [
            self.valid_o.eq(delay(m, self.valid, self.latency, name="valid")),
            self.last_o.eq(delay(m, self.last, self.latency, name="last")),
        ]
        return m
