"""``BoardClock``: the oscillator's clock, or a PLL's, as the domain ``sync`` of a board."""

from __future__ import annotations

from math import ceil
from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Const, Elaboratable, Instance, Module, Signal
from amaranth.lib.io import Buffer

from .pll import Pll

__all__ = ["BoardClock"]

_SETTLED = 15e-6
"""Seconds after the lock: an iCE40's block RAM answers 0 before."""


class BoardClock(Elaboratable):
    """sync = pll(oscillator); hold = 1 from the configuration until 15 us after the PLL has locked, and without lock

    The parent defines ``sync``, reset-less: what must not run on an unsteady clock is to be reset by ``hold``, which an
    unlocked PLL sets at once.

    Parameters
    ----------
    pll : the setting; its source is the platform's default clock.

    Members
    -------
    hold : 1 while nothing may run.
    """

    def __init__(self, pll: Pll) -> None:
        self.pll = pll
        self.hold = Signal(init=1)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        clock, locked = Signal(), Signal()
        pin = platform.request(platform.default_clk, dir="-")
        if self.pll.kind.cell == "SB_PLL40_PAD":
            m.submodules.pll = _ice40(self.pll, pin.io, clock, locked)
        else:
            m.submodules.pin = buffer = Buffer("i", pin)
            cell = {"EHXPLLL": _ecp5, "rPLL": _gowin}[self.pll.kind.cell]
            m.submodules.pll = cell(self.pll, buffer.i, clock, locked)
        m.domains.lock = lock = ClockDomain(async_reset=True, local=True)
        m.d.comb += [ClockSignal("sync").eq(clock), lock.clk.eq(clock), lock.rst.eq(~locked)]
        cycles = ceil(_SETTLED * self.pll.mhz * 1e6)
        count = Signal(range(cycles + 1))
        with m.If(count != cycles):
            m.d.lock += count.eq(count + 1)
        with m.Else():
            m.d.lock += self.hold.eq(0)
        return m


def _ecp5(pll: Pll, source: Any, clock: Signal, locked: Signal) -> Instance:
    """Feedback by CLKOP at the detector's frequency, the clock on CLKOS: finer than the clock as its own feedback."""
    feedback = Signal()
    idle = (
        "RST",
        "STDBY",
        "PHASESEL0",
        "PHASESEL1",
        "PHASEDIR",
        "PHASESTEP",
        "PHASELOADREG",
        "PLLWAKESYNC",
        "ENCLKOP",
    )
    return Instance(
        "EHXPLLL",
        **{f"a_{name}": value for name, value in (("ICP_CURRENT", "12"), ("LPF_RESISTOR", "8"))},
        **{f"p_OUTDIVIDER_MUX{letter}": f"DIV{letter}" for letter in "ABCD"},
        **{f"p_{name}": "DISABLED" for name in ("PLLRST_ENA", "INTFB_WAKE", "STDBY_ENABLE", "DPHASE_SOURCE")},
        p_FEEDBK_PATH="CLKOP",
        p_CLKI_DIV=pll.reference,
        p_CLKFB_DIV=1,
        p_CLKOP_ENABLE="ENABLED",
        p_CLKOP_DIV=pll.feedback,
        p_CLKOP_CPHASE=pll.feedback - 1,
        p_CLKOP_FPHASE=0,
        p_CLKOS_ENABLE="ENABLED",
        p_CLKOS_DIV=pll.output,
        p_CLKOS_CPHASE=pll.output - 1,
        p_CLKOS_FPHASE=0,
        **{f"i_{name}": Const(0) for name in idle},
        i_CLKI=source,
        i_CLKFB=feedback,
        o_CLKOP=feedback,
        o_CLKOS=clock,
        o_LOCK=locked,
    )


def _ice40(pll: Pll, pad: Any, clock: Signal, locked: Signal) -> Instance:
    """The pad of the oscillator belongs to the PLL."""
    filters = (17, 26, 44, 66, 101)
    return Instance(
        "SB_PLL40_PAD",
        p_FEEDBACK_PATH="SIMPLE",
        p_DIVR=Const(pll.reference - 1, 4),
        p_DIVF=Const(pll.feedback - 1, 7),
        p_DIVQ=Const(pll.output.bit_length() - 1, 3),
        p_FILTER_RANGE=Const(1 + sum(pll.detector >= top for top in filters), 3),
        i_PACKAGEPIN=pad,
        i_RESETB=Const(1),
        i_BYPASS=Const(0),
        o_PLLOUTGLOBAL=clock,
        o_LOCK=locked,
    )


def _gowin(pll: Pll, source: Any, clock: Signal, locked: Signal) -> Instance:
    idle = (("RESET", 1), ("RESET_P", 1), ("CLKFB", 1), ("FBDSEL", 6), ("IDSEL", 6), ("ODSEL", 6), ("PSDA", 4),
            ("DUTYDA", 4), ("FDLY", 4))  # fmt: skip
    return Instance(
        "rPLL",
        p_FCLKIN=f"{pll.source:g}",
        p_IDIV_SEL=pll.reference - 1,
        p_FBDIV_SEL=pll.feedback - 1,
        p_ODIV_SEL=pll.output,
        **{f"p_DYN_{name}": "false" for name in ("IDIV_SEL", "FBDIV_SEL", "ODIV_SEL", "DA_EN")},
        p_CLKFB_SEL="internal",
        **{f"i_{name}": Const(0, width) for name, width in idle},
        i_CLKIN=source,
        o_CLKOUT=clock,
        o_LOCK=locked,
    )
