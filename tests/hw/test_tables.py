"""Tables RTL == the equations of its docstring: every code of every cycle, entries written meanwhile."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from systolith.hw.config import EngineConfig
from systolith.hw.tables import Tables


class Model:
    """entry[n][c], and codes through it; undefined where an entry is read as it is written."""

    def __init__(self, config):
        self.config = config
        self.entries = np.zeros((1 << config.table_addr_width, config.cols), np.int64)

    def write(self, addr, data, shared):
        for c in range(self.config.cols):
            self.entries[addr, c] = data[0] if shared else data[c]

    def number(self, slot, code):
        bits = self.config.table_bits
        return slot << bits | code & (1 << bits) - 1

    def look_up(self, codes, table, slot):
        if not table:
            return codes.copy()
        return np.array([self.entries[self.number(slot, int(code)), c] for c, code in enumerate(codes)])


def packed(codes, width):
    return sum(int(code) << i * width for i, code in enumerate(codes))


@pytest.mark.parametrize("sizes", [
    dict(rows=4, cols=4), dict(rows=3, cols=5, tables=1), dict(rows=7, cols=2, tables=2),
    dict(rows=1, cols=1, tables=64), dict(rows=2, cols=6, act_width=16, tables=4), dict(rows=5, cols=3, act_width=2),
    dict(rows=8, cols=3, act_width=5, tables=16),
], ids=str)  # fmt: skip
def test_rtl_equals_model(sizes):
    config = EngineConfig(**sizes)
    rng = np.random.default_rng(config.cols)
    width, cycles = config.act_width, 4000
    dut, model = Tables(config=config), Model(config)
    top = 1 << width
    want, got = [], []
    # Few numbers, so that what is written is read again soon; never in the cycles around the write.
    numbers = rng.integers(0, 1 << config.table_addr_width, 6)

    async def bench(ctx):
        busy = []  # numbers written in the cycles before
        for cycle in range(cycles):
            write = rng.random() < (0.9 if cycle < 40 else 0.2)
            addr, shared = int(rng.choice(numbers)), int(rng.random() < 0.4)
            data = rng.integers(0, top, config.lanes)
            codes = rng.integers(0, top, config.cols)
            slot, table = int(rng.integers(0, config.tables)), int(rng.random() < 0.7)
            if rng.random() < 0.8:
                number = int(rng.choice(numbers))
                slot, low = number >> config.table_bits, number % (1 << config.table_bits)
                codes = codes >> config.table_bits << config.table_bits | low
            read = {model.number(slot, int(code)) for code in codes}
            busy = [*busy, addr if write else -1][-2:]
            if table and read & set(busy):
                table = 0
            valid, last = int(rng.random() < 0.5), int(rng.random() < 0.5)
            ctx.set(dut.codes, packed(codes, width))
            ctx.set(dut.valid, valid)
            ctx.set(dut.last, last)
            ctx.set(dut.about, {"table": table, "slot": slot})
            ctx.set(dut.write, write)
            ctx.set(dut.word, {"addr": addr, "data": packed(data, width), "shared": shared, "table": write})
            got.append((ctx.get(dut.codes_o), ctx.get(dut.valid_o), ctx.get(dut.last_o)))
            want.append((packed(model.look_up(codes, table, slot), width), valid, last))
            if write:
                model.write(addr, data, shared)
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert Tables.latency == config.table_latency
    for cycle, expected in enumerate(want[: -Tables.latency]):
        assert got[cycle + Tables.latency] == expected, f"codes of cycle {cycle}"
    assert sum(codes != 0 for codes, _, _ in want) > cycles // 2 or width < 4


def test_an_entry_is_seen_at_once():
    """Written in one cycle, looked up in the next."""
    config = EngineConfig(rows=2, cols=2, tables=2)
    dut, seen = Tables(config=config), []

    async def bench(ctx):
        ctx.set(dut.write, 1)
        ctx.set(dut.word, {"addr": 256 + 7, "data": 0x2A15})
        await ctx.tick()
        ctx.set(dut.write, 0)
        ctx.set(dut.codes, 0x0707)
        ctx.set(dut.about, {"table": 1, "slot": 1})
        await ctx.tick().repeat(Tables.latency)
        seen.append(ctx.get(dut.codes_o))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [0x2A15]


def test_refusal():
    with pytest.raises(ValueError, match="tables must not be 0"):
        Tables(config=EngineConfig(tables=0))
