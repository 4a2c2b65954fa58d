"""replicas: every copy is the register; on ECP5 each is a flip-flop of its own."""

import random

import pytest
from amaranth.hdl import Cat, Module
from amaranth.lib.wiring import Component, In, Out
from amaranth.sim import Simulator
from systolith.hw.ecp5 import Ecp5
from systolith.hw.replicas import replicas
from systolith.hw.verilog import to_rtlil


class Copies(Component):
    """Three copies of a register of two bits."""

    def __init__(self):
        super().__init__({"i": In(2), "enable": In(1), "o": Out(6)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(Cat(replicas(m, self.i, 3, platform, enable=self.enable, init=2, name="copy")))
        return m


def test_copies_equal_the_register():
    rng, dut = random.Random(1), Copies()

    async def bench(ctx):
        kept = 2
        for t in range(200):
            assert ctx.get(dut.o) == kept * 0b010101, f"in cycle {t}"
            value, enable = rng.randrange(4), rng.randrange(2)
            ctx.set(dut.i, value)
            ctx.set(dut.enable, enable)
            kept = value if enable else kept
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize(("platform", "cells"), [(None, 0), (Ecp5(), 6)])
def test_cells(platform, cells):
    """Two bits, three copies; bit 1 starts at 1."""
    text = to_rtlil(Copies(), "top", platform=platform)
    assert text.count("cell \\TRELLIS_FF") == cells
    assert text.count('parameter \\REGSET "SET"') == cells // 2
