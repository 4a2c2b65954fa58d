"""``Column``: what stands below one column of the array."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from .accumulator import Accumulator
from .config import EngineConfig
from .delay import delay, delays
from .parameters import Parameters
from .pixel import Bounds, Flags
from .requantizer import Requantizer

__all__ = ["Column"]


class Column(Component):
    """sum = acc + psum, v = sum over the window of sum, q = requantize(v), out = max over the window of q
    codes_sum = sum of q since max_first

    ``flags``, ``addr`` and the residual code at cycle e; ``psum`` at e + 4; ``out``, ``out_valid`` and ``out_last``
    (the instruction's last) at e + 14; so are, for a cycle, ``codes_sum`` and ``mean_end`` of pool MEAN, which has no
    ``out_valid``. ``bounds`` is the instruction's from the ``bounds_take`` at e + 10 on.

    Latency: 14 cycles: residual shift and bias beside the accumulator's read (4), accumulate (2), window sum (1),
    requantizer (6), window maximum (1).
    """

    latency = Accumulator.latency + 1 + Requantizer.latency + 1
    psum_delay = Accumulator.psum_delay
    bounds_delay = Accumulator.latency + Requantizer.bounds_latency

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "flags": In(Flags),
                "addr": In(range(config.acc_depth)),
                "res": In(signed(config.act_width + 1)),
                "psum": In(signed(config.psum_width)),
                "wgt": In(signed(config.wgt_width)),
                "tag": In((config.rows + config.param_rows).bit_length()),
                "bounds_i": In(Bounds(config)),
                "bounds": Out(Bounds(config)),
                "bounds_take": Out(1),
                "out": Out(signed(config.act_width + 1)),
                "out_valid": Out(1),
                "out_last": Out(1),
                "codes_sum": Out(signed(config.mean_width)),
                "mean_end": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.parameters = parameters = Parameters(config=config)
        m.submodules.accumulator = accumulator = Accumulator(config=config)
        m.submodules.requantizer = requantizer = Requantizer(config=config)
        flags = delays(m, self.flags, self.latency - 1, name="flags")
        m.d.comb += [
            parameters.wgt.eq(self.wgt),
            parameters.tag.eq(self.tag),
            parameters.instr_first.eq(self.flags.instr_first),
            accumulator.flags.eq(self.flags),
            accumulator.addr.eq(self.addr),
            accumulator.psum.eq(self.psum),
            accumulator.init.eq(self._init(m, parameters)),
        ]
        # Cycle 6: sum over the window.
        at_sum = flags[Accumulator.latency]
        total = Signal(signed(config.acc_width), reset_less=True)
        with m.If(at_sum.valid):
            m.d.sync += total.eq(Mux(at_sum.sum_first, 0, total) + accumulator.sum)
        # Cycles 7 to 12: requantize, with this column's bounds.
        m.d.comb += self.bounds_take.eq(flags[self.bounds_delay].instr_first)
        with m.If(self.bounds_take):
            m.d.sync += self.bounds.eq(self.bounds_i)
        m.d.comb += [
            requantizer.acc.eq(total),
            requantizer.shift.eq(parameters.shift),
            requantizer.lo.eq(self.bounds.lo),
            requantizer.hi.eq(self.bounds.hi),
            requantizer.least.eq(flags[self.bounds_delay + 1].skip),
        ]
        # Cycle 13: maximum over the window, sum of codes.
        at_max = flags[self.latency - 1]
        done = at_max.valid & at_max.last_pass & at_max.sum_last
        # The choice is no part of the enable, whose way is longer.
        new = at_max.max_first | (requantizer.out > self.out)
        chosen = (requantizer.out & new.replicate(len(self.out))) | (
            self.out & (~new).replicate(len(self.out))
        )
        with m.If(done):
            m.d.sync += self.out.eq(chosen)
        with m.If(done if config.means else 0):
            m.d.sync += self.codes_sum.eq(Mux(at_max.max_first, 0, self.codes_sum) + requantizer.out)
        m.d.sync += [
            self.out_valid.eq(done & at_max.max_last & ~at_max.mean),
            self.out_last.eq(done & at_max.instr_last),
            self.mean_end.eq(done & at_max.instr_last & at_max.mean),
        ]
        return m

    def _init(self, m: Module, parameters: Parameters) -> Signal:
        """bias + (res << res_shift) at cycle 4: two stages of the shifter, one addition."""
        width = self.config.acc_width
        res = delay(m, self.res, 1, name="res")
        coarse, fine = Signal(signed(width), reset_less=True), Signal(signed(width), reset_less=True)
        init = Signal(signed(width), reset_less=True)
        amount = delay(m, parameters.res_shift[:2], 1, name="res_shift_low")
        m.d.sync += [
            coarse.eq(res << Cat(Const(0, 2), parameters.res_shift[2:])),
            fine.eq(coarse << amount),
            init.eq(fine + parameters.bias),
        ]
        return init
