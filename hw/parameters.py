"""``Parameters``: bias and shifts of one column."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .delay import delays

__all__ = ["Parameters"]


class Parameters(Component):
    """A block of parameter rows, collected from below the array, becomes current with ``instr_first``

    instr_first at cycle e: ``res_shift`` is the instruction's from e + 1 on, ``bias`` from e + 3, ``shift`` from e + 7:
    each just in time for its stage of the column.
    """

    bias_delay, shift_delay = 2, 6

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "wgt": In(signed(config.wgt_width)),
                "tag": In((config.rows + config.param_rows).bit_length()),
                "instr_first": In(1),
                "res_shift": Out(config.res_shift_width),
                "bias": Out(signed(config.acc_width)),
                "shift": Out(config.shift_width),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        width = config.wgt_width
        block = Signal(config.param_rows * width, reset_less=True)
        wgt, hit = Signal(width, reset_less=True), Signal(config.param_rows)
        m.d.sync += wgt.eq(self.wgt)
        for i in range(config.param_rows):
            m.d.sync += hit[i].eq(self.tag == config.rows + 1 + i)
            with m.If(hit[i]):
                m.d.sync += block[i * width : (i + 1) * width].eq(wgt)
        first = delays(m, self.instr_first, self.shift_delay, name="instr_first")
        shift_at = config.acc_width
        res_at = shift_at + config.shift_width
        with m.If(first[0]):
            m.d.sync += self.res_shift.eq(block[res_at : res_at + config.res_shift_width])
        with m.If(first[self.bias_delay]):
            m.d.sync += self.bias.eq(block[:shift_at])
        with m.If(first[self.shift_delay]):
            m.d.sync += self.shift.eq(block[shift_at:res_at])
        return m
