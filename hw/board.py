"""``Board``: the top of an FPGA board, ``OnChip`` on the pins of an Amaranth platform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import ClockDomain, Elaboratable, Module
from amaranth.lib.io import Buffer

from .board_clock import BoardClock
from .config import EngineConfig
from .link import BAUD
from .onchip import OnChip
from .pll import Pll

__all__ = ["Board", "divisor"]


def divisor(clock: float, baud: int = BAUD) -> int:
    """Cycles of a bit at ``clock`` Hz; raises ValueError where they miss the rate by more than 2 %."""
    cycles = round(clock / baud)
    if cycles < 4 or abs(clock / cycles / baud - 1) > 0.02:
        raise ValueError(
            f"baud must be a whole part of {clock / 1e6:g} MHz, within 2 %, not {baud}: try 115200"
        )
    return cycles


class Board(Elaboratable):
    """platform's clock and reset; its UART 0 is the link; its LED 0, if ``led``, shines when a batch is done

    The clock is the board's oscillator, as the platform makes it ``sync``, or a PLL's. Registers start with their
    values from the bitstream; those that could see a clock before it is steady are held in reset until then.

    Parameters
    ----------
    config, words, init : as of ``OnChip``.
    pll : makes the clock; None: the oscillator's.
    baud : bits a second on the link.
    led : whether the board has a light to spare.
    """

    def __init__(
        self,
        config: EngineConfig,
        *,
        words: int,
        init: Sequence[int] = (),
        pll: Pll | None = None,
        baud: int = BAUD,
        led: bool = True,
    ) -> None:
        self.config, self.words, self.init = config, words, init
        self.pll, self.baud, self.led = pll, baud, led

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        clock = platform.default_clk_frequency if self.pll is None else self.pll.mhz * 1e6
        cycles = divisor(clock, self.baud)
        m.submodules.onchip = chip = OnChip(self.config, words=self.words, init=self.init, divisor=cycles)
        if self.pll is not None:
            m.domains.sync = ClockDomain(reset_less=True)
            m.submodules.clock = source = BoardClock(self.pll)
            m.d.comb += chip.hold.eq(source.hold)
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = Buffer("i", uart.rx)
        m.submodules.tx = tx = Buffer("o", uart.tx)
        m.d.comb += [chip.rx.eq(rx.i), tx.o.eq(chip.tx)]
        if self.led:
            m.submodules.led = led = Buffer("o", platform.request("led", 0, dir="-"))
            m.d.comb += led.o.eq(chip.irq)
        return m
