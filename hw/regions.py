"""``Regions``: where a unit's offsets count from, iteration by iteration."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig

__all__ = ["Regions"]

_PORTS = ("program_addr", "input_addr", "input_stride", "output_addr", "output_stride", "spill_addr")


class Regions(Component):
    """input = input_addr + i * input_stride, output = output_addr + i * output_stride in iteration i.

    One for each unit that uses memory, since units run ahead of each other by more than an iteration.

    Latency: 1 cycle from ``start`` and ``advance``.

    Parameters
    ----------
    config : the engine.

    Members
    -------
    start : one cycle; iteration 0.
    advance : one cycle; the next iteration (InstructionQueue.iteration_end).
    *_addr, *_stride : the control port's registers.
    program, input, output, spill : byte addresses, in the order of ``isa.REGIONS``.
    """

    latency = 1

    def __init__(self, *, config: EngineConfig) -> None:
        super().__init__(
            {"start": In(1), "advance": In(1)}
            | {name: In(config.memory_width) for name in _PORTS}
            | {name: Out(config.memory_width) for name in ("program", "input", "output", "spill")}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += [self.program.eq(self.program_addr), self.spill.eq(self.spill_addr)]
        for region, first, stride in (
            (self.input, self.input_addr, self.input_stride),
            (self.output, self.output_addr, self.output_stride),
        ):
            with m.If(self.start):
                m.d.sync += region.eq(first)
            with m.Elif(self.advance):
                m.d.sync += region.eq(region + stride)
        return m
