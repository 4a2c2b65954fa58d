"""``SerialColumns``: accumulators, requantizer and pools, one column after the other."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from .block_memory import BlockMemory
from .config import EngineConfig
from .delay import delay
from .requantizer import Requantizer

__all__ = ["SerialColumns"]


class SerialColumns(Component):
    """for c in 0..cols-1: what ``Column`` does for column c

    total = (bias[c] + (res << res_shift[c]) if first_pass else acc[addr][c]) + sums[c]
    not last_pass: acc[addr][c] = total, else v = total + (0 if sum_first else v[c]), code = requantize(v[c]),
    out = max(code, 0 if max_first else out[c])

    Column c's turn is cycle ``turn`` = c of a pixel: its accumulator is read then, residual and parameters come a cycle
    later, its sum is kept in turn c + 2, its code is ``out`` in turn c + ``latency``.

    Parameters
    ----------
    config : the engine.

    Members
    -------
    turn, active : of the pixel at hand; its flags (``Flags``), ``addr`` of its accumulators, sums of all columns.
    bias, shift, res_shift, res : of column turn - 1; res is 0 where nothing is added.
    lo, hi : the instruction's; least : out = lo.
    out, valid : a code of column turn - latency.
    """

    latency = 3 + Requantizer.latency

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        self.turns = config.cols + self.latency
        bound = signed(config.act_width + 1)
        flags = ("first_pass", "last_pass", "sum_first", "sum_last", "max_first", "least")
        super().__init__(
            {"turn": In(range(self.turns)), "active": In(1), "addr": In(range(config.acc_depth))}
            | {name: In(1) for name in flags}
            | {
                "sums": In(data.ArrayLayout(signed(config.psum_width), config.cols)),
                "bias": In(signed(config.acc_width)),
                "shift": In(config.shift_width),
                "res_shift": In(config.res_shift_width),
                "res": In(bound),
                "lo": In(bound),
                "hi": In(bound),
                "out": Out(bound),
                "valid": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, cols = self.config, self.config.cols
        bits = (cols - 1).bit_length()
        width = signed(config.acc_width)

        def column(behind: int) -> Any:
            return (self.turn - behind)[:bits]

        def its(behind: int) -> Any:
            return self.active & (self.turn >= behind) & (self.turn < behind + cols)

        # Turn c + 1: the operand and the column's sum.
        keep = its(2) & ~self.last_pass
        total, added = Signal(width, reset_less=True), Signal(signed(config.psum_width))
        kept = self._memory(
            m, "accumulators", config.acc_width, config.acc_depth * cols, Cat(column(0), self.addr),
            Cat(column(2), self.addr), total, keep,
        )  # fmt: skip
        with m.Switch(column(1)):
            for c in range(cols):
                with m.Case(c):
                    m.d.comb += added.eq(self.sums[c])
        operand, shifted = Signal(width), Signal(width)
        m.d.comb += [
            shifted.eq(self.res << self.res_shift),
            operand.eq(Mux(self.first_pass, self.bias, kept.as_signed())),
        ]
        m.d.sync += total.eq(operand + shifted + added)
        # Turn c + 2: the sum over the window.
        window, value = Signal(width), Signal(width, reset_less=True)
        before = self._memory(m, "windows", config.acc_width, cols, column(1), column(2), window, its(2))
        m.d.comb += window.eq(Mux(self.sum_first, 0, before.as_signed()) + total)
        m.d.sync += value.eq(window)
        # Turns c + 3 to c + 8: requantize. Turn c + 9: the maximum over the window.
        m.submodules.requantizer = requantizer = Requantizer(config=config)
        m.d.comb += [
            requantizer.acc.eq(value),
            requantizer.shift.eq(delay(m, self.shift, 2, name="shift")),
            requantizer.lo.eq(self.lo),
            requantizer.hi.eq(self.hi),
            requantizer.least.eq(self.least),
            self.valid.eq(its(self.latency) & self.last_pass & self.sum_last),
        ]
        greatest = self._memory(
            m,
            "maxima",
            len(self.out),
            cols,
            column(self.latency - 1),
            column(self.latency),
            self.out,
            self.valid,
        )
        new = self.max_first | (requantizer.out > greatest.as_signed())
        m.d.comb += self.out.eq(Mux(new, requantizer.out, greatest.as_signed()))
        return m

    def _memory(self, m: Module, name: str, width: int, depth: int, raddr: Any, waddr: Any, word: Any,
                wen: Any) -> Any:  # fmt: skip
        """One read port, one write port, in block RAM; what was read a cycle ago."""
        m.submodules[name] = ram = BlockMemory(width=width, depth=depth)
        m.d.comb += [ram.raddr.eq(raddr), ram.waddr.eq(waddr), ram.wdata.eq(word), ram.wen.eq(wen)]
        return ram.rdata
