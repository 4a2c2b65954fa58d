"""``Gowin``: multipliers as primitives of Gowin's GW2A and GW1N; its memories are inferred."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal, signed

if TYPE_CHECKING:
    from .multiplier import Multiplier

__all__ = ["Gowin"]

_SIZES = (9, 18)
"""Bits of an operand: MULT9X9, MULT18X18."""

_REGISTERS = ("AREG", "BREG", "PIPE_REG", "OUT_REG")


class Gowin:
    """The GW2A and GW1N families as the ``platform`` of ``elaborate``; to be mixed into a board's platform, too.

    Memories stay generic: yosys infers block RAM without its output register, which some of these chips do not have
    for all widths (apicula, doc/bsram-fix.md), and distributed RAM for queues.
    """

    family = "gowin"

    def lower_multiplier(self, multiplier: Multiplier) -> Module | None:
        """One MULT9X9 or MULT18X18 with all of its registers; operands of up to 18 bits.

        yosys infers the cell without them: 51 flip-flops a multiplier of 9 by 8 bits.
        """
        width = max(len(multiplier.a), len(multiplier.b))
        size = next((size for size in _SIZES if width <= size), None)
        if size is None:
            return None
        m = Module()
        a, b = Signal(signed(size)), Signal(signed(size))
        product = Signal(2 * size)
        m.d.comb += [a.eq(multiplier.a), b.eq(multiplier.b), multiplier.p.eq(product)]
        m.submodules.dsp = Instance(
            f"MULT{size}X{size}",
            **{f"p_{name}": Const(1) for name in _REGISTERS},
            **{f"p_{name}": Const(0) for name in ("ASIGN_REG", "BSIGN_REG", "SOA_REG")},
            p_MULT_RESET_MODE="SYNC",
            i_CLK=ClockSignal(),
            i_CE=Const(1),
            i_RESET=Const(0),
            i_A=a,
            i_B=b,
            i_ASIGN=Const(1),
            i_BSIGN=Const(1),
            i_SIA=Const(0, size),
            i_SIB=Const(0, size),
            i_ASEL=Const(0),
            i_BSEL=Const(0),
            o_DOUT=product,
        )
        return m
