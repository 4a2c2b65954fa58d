"""``Taps``: what a depthwise pass adds to its slots: which make outputs, which taps count."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from .config import FIR_COLUMNS, EngineConfig
from .delay import delay
from .pixel import Flags, Outputs, Slot

__all__ = ["Taps"]


class Taps(Component):
    """flags.valid = slot (y, x) is y_first + i * y_step, x_first + j * x_step of an i in 0..y_last, a j in 0..x_last
    mask[r] = 0 <= y + r // 3 - fir_lines + 1 < height and slot x + r % 3 - 1 of the row is there and inside of the map

    ``slot``, ``outputs`` and ``flags_i`` are those of a cycle t, of which the first and last flags are corrected: they
    go to the first and last slot that makes an output (``instr_first`` stays). Those of other instructions pass.
    ``act_o`` is ``act_i``, the pixel's operands, for these; in a depthwise pass, ``fir``, bit 0 of row r is mask[r].

    Latency: 1 cycle from ``flags_i`` to ``flags``; ``act_i``, ``act_o`` and ``fir`` are those of t + operand_latency.
    """

    latency = 1

    def __init__(self, *, config: EngineConfig) -> None:
        if not config.fir_lines:
            raise ValueError(
                f"config must have depthwise hardware, not {config.rows} rows, fir_depth {config.fir_depth}"
            )
        self.config = config
        act = data.ArrayLayout(signed(config.act_width + 1), config.rows)
        super().__init__(
            {
                "slot": In(Slot(config)),
                "outputs": In(Outputs(config)),
                "flags_i": In(Flags),
                "flags": Out(Flags),
                "act_i": In(act),
                "act_o": Out(act),
                "fir": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        slot, given = self.slot, self.flags_i
        valid = Signal()
        m.d.comb += valid.eq(given.valid & slot.fir)
        row, row_end = self._axis(m, "y", given.pass_first, valid & slot.row_first)
        column, column_end = self._axis(m, "x", slot.row_first, valid)
        row_now, row_end_now = Signal(), Signal()  # those of the row's first slot hold for all of it
        with m.If(valid & slot.row_first):
            m.d.sync += [row_now.eq(row), row_end_now.eq(row_end)]
        out, waiting = Signal(), Signal()
        m.d.comb += out.eq(valid & column & Mux(slot.row_first, row, row_now))
        with m.If(valid):
            m.d.sync += waiting.eq(~out & (given.pass_first | waiting))
        m.d.sync += self.flags.eq(given)
        with m.If(slot.fir):
            m.d.sync += [
                self.flags.valid.eq(out),
                self.flags.pass_first.eq(given.pass_first | waiting),
                self.flags.instr_last.eq(
                    out & column_end & Mux(slot.row_first, row_end, row_end_now) & given.last_pass
                ),
            ]
        self._act(m, self._mask(m))
        return m

    def _axis(self, m: Module, axis: str, restart: Any, advance: Any) -> tuple[Signal, Signal]:
        """Does this row or column make outputs; is it the last one? Signs of counters say so."""
        first, step, last = (self.outputs[f"{axis}_{what}"] for what in ("first", "step", "last"))
        coord = signed(self.config.coord_width)
        wait, left = Signal(coord, name=f"{axis}_wait"), Signal(coord, name=f"{axis}_left")
        over = Signal(name=f"{axis}_over")
        now, more = Signal.like(wait, name=f"{axis}_now"), Signal.like(left, name=f"{axis}_more")
        live, end = Signal(name=f"{axis}_live"), Signal(name=f"{axis}_end")
        m.d.comb += [
            now.eq(Mux(restart, first, wait)),
            more.eq(Mux(restart, last, left)),
            live.eq(now[-1] & (restart | ~over)),
            end.eq(live & more[-1]),
        ]
        with m.If(advance):
            m.d.sync += [
                wait.eq(Mux(now[-1], step, now - 1)),
                left.eq(Mux(live, more - 1, more)),
                over.eq(end | (over & ~restart)),
            ]
        return live, end

    def _mask(self, m: Module) -> Signal:
        """One bit a tap, ``operand_latency`` cycles after the slot."""
        lines = self.config.fir_lines
        # Cycle t + 1: rows of the lines; the slot's neighbours stand before and behind it.
        height = delay(m, self.outputs.height, 1, name="height")
        here = Signal()
        m.d.comb += here.eq(self.flags_i.valid & self.slot.inside)
        inside, row_first = (
            delay(m, here, 1, name="inside"),
            delay(m, self.slot.row_first, 1, name="row_first"),
        )
        row_in, column_in = Signal(lines), Signal(FIR_COLUMNS)
        for line in range(lines):
            y = Signal(self.config.coord_width, name=f"y_{line}")
            m.d.sync += [y.eq(self.slot.y - (lines - 1 - line)), row_in[line].eq(y < height)]
        # Cycle t + 2: each row, each column.
        before = delay(m, inside, 1, name="before")
        m.d.sync += column_in.eq(Cat(before & ~row_first, inside, here & ~self.slot.row_first))
        # Cycle t + 3: each tap.
        mask = Signal(lines * FIR_COLUMNS)
        m.d.sync += mask.eq(
            Cat(row_in[r // FIR_COLUMNS] & column_in[r % FIR_COLUMNS] for r in range(len(mask)))
        )
        result: Signal = delay(m, mask, self.config.operand_latency - 3, name="mask")
        return result

    def _act(self, m: Module, mask: Signal) -> None:
        m.d.comb += self.fir.eq(delay(m, self.slot.fir, self.config.operand_latency, name="fir"))
        for row in range(self.config.rows):
            code = self.act_i[row].as_unsigned()
            instead = Cat(mask[row], code[1:]) if row < len(mask) else 0
            m.d.comb += self.act_o[row].eq(Mux(self.fir, instead, code).as_signed())
