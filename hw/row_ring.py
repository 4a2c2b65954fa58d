"""``RowRing``: the last slots of a depthwise stream, read again as the rows of a kernel."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from .config import FIR_COLUMNS, EngineConfig
from .delay import delay
from .memory import Memory1R1W

__all__ = ["RowRing"]


class RowRing(Component):
    """line[l](t + operand_latency + 2 + 3 * l) = code of the slot (lines - 1 - l) rows before the one of cycle t

    ``valid`` and ``row_last`` (slots of a row - 1) at t, ``code`` at t + operand_latency. Every line has a memory with
    all slots, since lines read different words of one row at its ends. Slots of a row follow each other without gaps;
    between rows time may pass. At least 2 slots a row: a line other than the newest reads what was written before.

    Latency: 2 cycles from ``code`` to the newest line's memory, see above for the lines.
    """

    line_delay = 2
    """Cycles from t + operand_latency to line 0."""

    def __init__(self, *, config: EngineConfig) -> None:
        if not config.fir_lines:
            raise ValueError(
                f"config must have depthwise hardware, not {config.rows} rows, fir_depth {config.fir_depth}"
            )
        self.config = config
        codes = data.ArrayLayout(signed(config.act_width + 1), config.cols)
        super().__init__(
            {
                "valid": In(1),
                "row_last": In(range(config.fir_depth)),
                "code": In(codes),
                "line": Out(data.ArrayLayout(codes, config.fir_lines)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, lines = self.config, self.config.fir_lines
        place = Signal(range(config.fir_depth))
        with m.If(self.valid):
            m.d.sync += place.eq(place + 1)
        wen, waddr = (delay(m, signal, config.operand_latency, name=name)
                      for signal, name in ((self.valid, "valid"), (place, "place")))  # fmt: skip
        code = Cat(self.code[c].as_unsigned() for c in range(config.cols))
        row_last = self.row_last
        at: Any = place
        for back in range(lines):
            line = lines - 1 - back
            if back:  # a row further up, a cycle later
                above = Signal.like(place, name=f"above_{line}")
                m.d.sync += above.eq(at - row_last - 1)
                row_last, at = delay(m, row_last, 1, name=f"row_last_{line}"), above
            m.submodules[f"memory_{line}"] = memory = Memory1R1W(width=len(code), depth=config.fir_depth)
            read_at = config.operand_latency + self.line_delay + FIR_COLUMNS * line - Memory1R1W.latency - 1
            m.d.comb += [
                memory.waddr.eq(waddr),
                memory.wdata.eq(code),
                memory.wen.eq(wen),
                memory.raddr.eq(delay(m, at, read_at - back, name=f"raddr_{line}")),
            ]
            m.d.sync += self.line[line].as_value().eq(memory.rdata)
        return m
