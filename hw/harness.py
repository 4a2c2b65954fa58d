"""``Harness``: a component behind four pins, every bit kept alive, to place and route it alone."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, ClockDomain, ClockSignal, DomainRenamer, Module, ResetSignal, Signal
from amaranth.lib.wiring import Component, In, Out

from .reset_network import spread_reset

__all__ = ["Harness"]


class Harness(Component):
    """input bits = a shift register fed by ``si``; so = XOR of all output bits, in registered steps of four

    Nothing can be optimized away: every input can take any value, every output reaches ``so``. Paths into and out of
    the component start and end in registers beside it, as they would in a system. Its own registers have no reset:
    the wires of one would count among the component's.
    """

    def __init__(self, component: Any) -> None:
        self.component = component
        super().__init__({"si": In(1), "so": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.dut = self._with_reset(m, platform)
        previous: Any = self.si
        outputs = []
        for path, member, value in self.component.signature.flatten(self.component):
            value = value.as_value() if hasattr(value, "as_value") else value
            if member.flow == Out:
                stage = Signal(len(value), name="_".join(map(str, path)) + "_q", reset_less=True)
                m.d.sync += stage.eq(value)
                outputs += list(stage)
            else:
                stage = Signal(len(value), name="_".join(map(str, path)) + "_d", reset_less=True)
                m.d.sync += stage.eq(Cat(previous, stage[:-1]))
                m.d.comb += value.eq(stage)
                previous = stage[-1]
        level = 0
        while len(outputs) > 1:
            groups = [Cat(outputs[i : i + 4]).xor() for i in range(0, len(outputs), 4)]
            fold = Signal(len(groups), name=f"fold_{level}", reset_less=True)
            m.d.sync += fold.eq(Cat(groups))
            outputs, level = list(fold), level + 1
        m.d.comb += self.so.eq(outputs[0])
        return m

    def _with_reset(self, m: Module, platform: Any) -> Any:
        """The component, its reset as on a board."""
        m.domains.core = core = ClockDomain(local=True)
        m.d.comb += core.clk.eq(ClockSignal())
        spread_reset(m, ResetSignal(), core.rst, platform)
        return DomainRenamer("core")(self.component)
