"""``PE``: one multiplier of the array with its two weight registers."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from .config import FIR_COLUMNS, EngineConfig
from .multiplier import Multiplier
from .replicas import replicas

__all__ = ["PE"]


class PE(Component):
    """psum_o(t+6) = psum_i(t+5) + act_i(t) * weight, weight = the shadow if switch_i(t), else as before.

    Activations and ``switch`` hop to the right, weights with their tag and partial sums downwards, one register
    a hop. A weight whose tag is ``row + 1`` goes to the shadow register two cycles later; ``switch`` moves the
    shadow into the active register in time for the very activation it travels with. There is no enable: the
    array never stops, a bubble is an activation that nobody accumulates.

    In a row that takes part in depthwise passes an activation with ``fir_i`` says in bit 0 whether the code on
    ``line``, one cycle later, counts in its place: act_i(t) = line(t+1) if bit 0 else 0.

    Latency: 6 cycles from an activation to its partial sum, 1 cycle a hop.

    Parameters
    ----------
    config : widths.
    row : index of the PE's row, its tag less one.
    """

    latency = Multiplier.latency + 3

    def __init__(self, *, config: EngineConfig, row: int) -> None:
        if not 0 <= row < config.rows:
            raise ValueError(f"row must be in 0..{config.rows - 1}, not {row!r}")
        self.config, self.row = config, row
        tag_width = (config.rows + config.param_rows).bit_length()
        act, wgt, psum = signed(config.act_width + 1), signed(config.wgt_width), signed(config.psum_width)
        self.taps = row < FIR_COLUMNS * config.fir_lines
        super().__init__(
            ({"line": In(act), "fir_i": In(1), "fir_o": Out(1)} if self.taps else {})
            | {
                "act_i": In(act),
                "act_o": Out(act),
                "switch_i": In(1),
                "switch_o": Out(1),
                "wgt_i": In(wgt),
                "wgt_o": Out(wgt),
                "tag_i": In(tag_width),
                "tag_o": Out(tag_width),
                "psum_i": In(psum),
                "psum_o": Out(psum),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # Weights: pass on, and keep the one that is ours.
        hit = Signal()
        shadow = Signal.like(self.wgt_i, reset_less=True)
        active = Signal.like(self.wgt_i, reset_less=True)
        m.d.sync += [self.wgt_o.eq(self.wgt_i), self.tag_o.eq(self.tag_i), hit.eq(self.tag_i == self.row + 1)]
        with m.If(hit):
            m.d.sync += shadow.eq(self.wgt_o)
        # Cycle 0: the activation and the weight that goes with it.
        m.d.sync += self.act_o.eq(self.act_i)
        m.d.comb += self.switch_o.eq(_own(m, self.switch_i, platform, "switch"))
        with m.If(self.switch_i):
            m.d.sync += active.eq(shadow)
        # Cycles 1 to 3: the DSP; cycle 4: from its output register into the fabric.
        m.submodules.multiplier = multiplier = Multiplier(a_width=len(self.act_i), b_width=len(self.wgt_i))
        product = Signal.like(multiplier.p, reset_less=True)
        m.d.comb += [multiplier.a.eq(self.act_o), multiplier.b.eq(active)]
        if self.taps:
            m.d.comb += self.fir_o.eq(_own(m, self.fir_i, platform, "fir"))
            with m.If(self.fir_o):
                m.d.comb += multiplier.a.eq(Mux(self.act_o[0], self.line, 0))
        m.d.sync += product.eq(multiplier.p)
        # Cycle 5: the partial sum.
        m.d.sync += self.psum_o.eq(self.psum_i + product)
        return m


def _own(m: Module, value: Any, platform: Any, name: str) -> Any:
    """A register for this PE alone: PEs on a diagonal have the same value, and one for all would be far from each."""
    return replicas(m, value, 1, platform, name=name)[0]
