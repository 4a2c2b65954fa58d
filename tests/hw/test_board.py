"""An ECP5 board as it is placed == the integer reference: PLL, program in the cells of the block RAM, serial line."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from amaranth.back import verilog
from amaranth.hdl import Module
from amaranth.lib.io import SimulationPort
from amaranth.lib.wiring import Component, In, Out
from systolith.hw.board import Board
from systolith.hw.config import EngineConfig
from systolith.hw.ecp5 import Ecp5
from systolith.hw.pll import PLLS, nearest_clock
from systolith.sim import onchip
from systolith.sim.onchip import run_onchip
from systolith.sim.random_network import random_codes, random_network
from systolith.sw import integer_reference
from systolith.sw.compiler import compile_network
from systolith.sw.onchip_image import contents, needed_words

CONFIG = EngineConfig(
    rows=2, cols=2, scratchpad=1024, acc_depth=16, port_width=32, fold_width=0, fir_depth=0, tables=0
)
SEED = 28
CELLS = Path(onchip.__file__).parent / "cells" / "ecp5.v"
SETTLED = 2500
"""Cycles of the bench until the PLL has locked and the board has waited 15 us."""


class Pins(Ecp5):
    """A platform whose pins are signals."""

    default_clk, default_clk_frequency = "clk25", 25e6

    def __init__(self) -> None:
        self.clock, self.rx = (SimulationPort("i", 1, name=name) for name in ("clock", "rx"))
        self.tx, self.led = (SimulationPort("o", 1, name=name) for name in ("tx", "led"))

    def request(self, name: str, number: int = 0, *, dir: str) -> Any:
        assert number == 0 and dir == "-"
        return {"clk25": self.clock, "led": self.led, "uart": SimpleNamespace(rx=self.rx, tx=self.tx)}[name]


class Placed(Component):
    """The board between its pins."""

    def __init__(self, board: Board, pins: Pins) -> None:
        self.board, self.pins = board, pins
        super().__init__({"oscillator": In(1), "rx": In(1), "tx": Out(1), "irq": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.board, pins = self.board, self.pins
        m.d.comb += [pins.clock.i.eq(self.oscillator), pins.rx.i.eq(self.rx)]
        m.d.comb += [self.tx.eq(pins.tx.o), self.irq.eq(pins.led.o)]
        return m


@pytest.mark.slow
def test_results_equal_the_integer_reference() -> None:
    """The clock is twice the oscillator's; before it is steady nothing may run; a first run is reset."""
    network = random_network(SEED, 3, act_width=8, wgt_width=8, channels=8, size=10)
    program = compile_network(network, CONFIG)
    pins, pll = Pins(), nearest_clock(PLLS["ecp5"], 25, 50)
    board = Board(CONFIG, words=needed_words(program), init=contents(program), pll=pll, baud=6_250_000)
    text = verilog.convert(Placed(board, pins), name="board", platform=pins, emit_src=False)
    assert text.count("INITVAL_3F") >= 8 and "EHXPLLL" in text and "MULT18X18D" in text
    around = Path(__file__).with_name("board.v").read_text()
    codes = random_codes(network, SEED)
    (result,) = run_onchip(
        program, [codes], divisor=16, reset=SETTLED, reset_after=100,
        sources={"board.v": text, "around.v": around, "cells.v": CELLS.read_text()},
    )  # fmt: skip
    wanted = integer_reference.run(network, codes)
    for name, code in result.outputs[0].items():
        assert np.array_equal(code, wanted[name][0]), name
