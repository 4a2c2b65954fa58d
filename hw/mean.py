"""``Mean``: the sums of an instruction's codes become one word, pool MEAN."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .delay import delay, delays
from .pixel import MeanFields
from .requantizer import Requantizer

__all__ = ["Mean", "mean_latency"]


def mean_latency(config: EngineConfig) -> int:
    """Cycles from the sum of column 0 to the word of all columns."""
    return 2 * config.cols + Requantizer.latency + (config.wgt_width - 1).bit_length()


class Mean(Component):
    """codes[c] = clamp(round_half_even(sums[c] * weight >> shift), lo, hi) for every column c, one after the other

    ``end`` comes with the sum of column 0; that of column c is there c cycles later and need not stay. Sums move from
    column to column towards column 0, one a cycle; each starts a cycle after the one on its left and has a column
    more to go, so they arrive every second cycle, and one multiplier of shifted additions and one requantizer serve
    all. The next ``end`` comes more than ``latency`` cycles later. The product wraps at acc_width bits; the compiler
    proves that it does not. ``fields`` are those of the oldest instruction whose word is not there yet; ``valid`` drops
    them.

    Latency: from ``end`` to the word 2 * cols + 6 cycles and those of the product. ``behind``: so many cycles after the
    codes of the instruction's last pixel would have left ``Columns``.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        self.product_latency = (config.wgt_width - 1).bit_length()
        self.latency = mean_latency(config)
        self.behind = self.latency - (config.cols - 1)
        super().__init__(
            {
                "sums": In(data.ArrayLayout(signed(config.mean_width), config.cols)),
                "end": In(1),
                "fields": In(MeanFields(config)),
                "codes": Out(config.cols * config.act_width),
                "valid": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.requantizer = requantizer = Requantizer(config=config)
        total, present, last = self._gather(m)
        fields = delay(m, self.fields, 1, name="fields")
        m.d.comb += [
            requantizer.acc.eq(self._product(m, total, fields.weight)),
            requantizer.shift.eq(fields.shift),
            requantizer.lo.eq(fields.lo),
            requantizer.hi.eq(fields.hi),
        ]
        cycles = self.product_latency + Requantizer.latency
        # The word fills from the top: column 0 comes first and ends in lane 0.
        with m.If(delay(m, present, cycles, name="present")):
            code = requantizer.out[: config.act_width]
            m.d.sync += self.codes.eq(Cat(self.codes, code)[config.act_width :])
        m.d.sync += self.valid.eq(delay(m, last, cycles, name="last"))
        return m

    def _gather(self, m: Module) -> tuple[Any, Any, Any]:
        """The sum that arrives, whether there is one, whether it is the last column's."""
        config = self.config
        ends = delays(m, self.end, config.cols - 1, name="end")
        total: Any = Const(0, signed(config.mean_width))
        present: Any = Const(0)
        for c in reversed(range(config.cols)):
            own = Signal(signed(config.mean_width), name=f"own_{c}")
            moved = Signal.like(own, name=f"moved_{c}", reset_less=True)
            there = Signal(name=f"there_{c}")
            m.d.comb += own.eq(self.sums[c])
            m.d.sync += [moved.eq(Mux(ends[c], own, total)), there.eq(ends[c] | present)]
            total, present = moved, there
        # The last column's sum has as many columns to go as ``end`` has gone.
        return total, present, delay(m, ends[-1], config.cols, name="final")

    def _product(self, m: Module, total: Any, weight: Any) -> Any:
        """total * weight: half as many terms after each cycle; the weight's highest bit counts negatively."""
        width, bits = signed(self.config.acc_width), self.config.wgt_width
        terms: list[Any] = [Mux(weight[i], total << i, 0) for i in range(bits)]
        for stage in range(self.product_latency):
            sums = []
            for i in range(0, len(terms), 2):
                part = Signal(width, name=f"product_{stage}_{i // 2}", reset_less=True)
                one, *rest = terms[i : i + 2]
                if stage or i + 2 < bits:
                    m.d.sync += part.eq(sum(rest, one))
                else:
                    m.d.sync += part.eq(one - rest[0] if rest else -one)
                sums.append(part)
            terms = sums
        return terms[0]
