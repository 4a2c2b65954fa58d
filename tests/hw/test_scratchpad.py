"""Scratchpad and Operand RTL == an array of words, all ports busy, compute first."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import Component
from amaranth.sim import Simulator
from systolith.hw.config import EngineConfig
from systolith.hw.operand import Operand
from systolith.hw.scratchpad import Scratchpad


class Reads(Component):
    """A scratchpad with the operand unit behind its pixel port."""

    def __init__(self, config):
        self.scratchpad, self.operand = Scratchpad(config=config), Operand(config=config, count=config.rows)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.scratchpad, m.submodules.operand = self.scratchpad, self.operand
        m.d.comb += [
            self.operand.read.eq(self.scratchpad.pixel),
            self.operand.word.eq(self.scratchpad.pixel_data),
        ]
        return m


def lanes_of(config, word):
    return [int(word) >> (i * config.act_width) & ((1 << config.act_width) - 1) for i in range(config.lanes)]


@pytest.mark.parametrize(("rows", "cols", "stages"), [(4, 4, 1), (3, 5, 1), (4, 2, 0), (2, 6, 1), (4, 4, 0)])
def test_rtl_equals_model(rows, cols, stages):
    config = EngineConfig(
        rows=rows, cols=cols, scratchpad=4 * 16 * max(rows, cols), act_width=8, bank_stages=stages
    )
    rng = np.random.default_rng(rows * 10 + cols)
    dut = Reads(config)
    pad = dut.scratchpad
    memory = np.zeros((config.words, config.lanes), np.int64)
    pending, expected, answers = {}, {}, []
    low = config.bank_depth.bit_length() - 1
    counts = {"load": 0, "store": 0, "load_waits": 0, "store_waits": 0}

    def word(values):
        return sum(int(v) << (i * config.act_width) for i, v in enumerate(values))

    def some():
        return int(rng.integers(0, config.words))

    def group(lane):
        return lane // config.group_lanes

    async def bench(ctx):
        load = store = None
        for t in range(2500):
            # What the model saw two cycles ago is in memory for reads presented now.
            for addr, lane, value in pending.pop(t, []):
                memory[addr, lane] = value
            pixel = {"valid": int(rng.random() < 0.7), "addr": some(), "next": some(),
                     "rot": int(rng.integers(0, config.groups)), "signed": int(rng.integers(0, 2))}  # fmt: skip
            ctx.set(pad.pixel, pixel)
            writes = {"valid": int(rng.random() < 0.6), "addr": some(), "next": some()}
            enable, wrapped = (
                int(rng.integers(0, 1 << config.groups)),
                int(rng.integers(0, 1 << config.groups)),
            )
            if config.groups == 1:
                enable, wrapped = 1, 0
            data = rng.integers(0, 256, config.lanes)
            ctx.set(pad.output, writes | {"enable": enable, "wrapped": wrapped, "data": word(data)})
            load = load or (
                {"addr": some(), "data": word(rng.integers(0, 256, config.lanes))} if t % 3 else None
            )
            store = store or ({"addr": some()} if t % 2 else None)
            ctx.set(pad.load.stream.valid, load is not None)
            ctx.set(pad.store.request.valid, store is not None)
            if load:
                ctx.set(pad.load.stream.payload, load)
            if store:
                ctx.set(pad.store.request.payload, store)
            await ctx.delay(1e-7)
            load_taken = load and ctx.get(pad.load.stream.ready)
            store_taken = store and ctx.get(pad.store.request.ready)
            # The pixel.
            out = np.zeros(rows, np.int64)
            lane = [(pixel["rot"] * config.group_lanes + r) for r in range(rows)]
            if pixel["valid"]:
                for r, i in enumerate(lane):
                    code = memory[pixel["next"] if i >= config.lanes else pixel["addr"], i % config.lanes]
                    out[r] = code - 256 if pixel["signed"] and code > 127 else code
            expected[t + config.operand_latency] = out
            # Compute goes first, bank by bank and group by group.
            reads = [
                (pixel["next"] if g < pixel["rot"] else pixel["addr"]) >> low for g in range(config.groups)
            ]
            if store:
                blocked = pixel["valid"] and store["addr"] >> low in reads
                assert bool(store_taken) == (not blocked), f"store at cycle {t}"
                counts["store_waits"] += bool(blocked)
            if store_taken:
                answers.append((t + config.scratchpad_latency, [int(v) for v in memory[store["addr"]]]))
                store = None
                counts["store"] += 1
            targets = []
            for i in range(config.lanes):
                addr = writes["next"] if wrapped >> group(i) & 1 else writes["addr"]
                if writes["valid"] and enable >> group(i) & 1:
                    pending.setdefault(t + 1, []).append((addr, i, int(data[i])))
                    targets.append(addr >> low)
            if load:
                assert bool(load_taken) == (load["addr"] >> low not in targets), f"load at cycle {t}"
                counts["load_waits"] += not load_taken
            if load_taken:
                for i, value in enumerate(lanes_of(config, load["data"])):
                    pending.setdefault(t + 1, []).append((load["addr"], i, value))
                load = None
                counts["load"] += 1
            if t in expected:
                got = [ctx.get(dut.operand.out[r]) for r in range(rows)]
                assert got == [int(v) for v in expected.pop(t)], f"pixel at cycle {t}"
            if ctx.get(pad.store.valid):
                at, values = answers.pop(0)
                assert at == t and lanes_of(config, ctx.get(pad.store.data)) == values, (
                    f"store's word at cycle {t}"
                )
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert min(counts.values()) > 50, f"the corners were not met: {counts}"
