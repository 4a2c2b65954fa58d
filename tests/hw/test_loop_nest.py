"""LoopNest RTL == four nested loops over strides."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from systolith.hw.config import EngineConfig
from systolith.hw.isa import steps
from systolith.hw.loop_nest import LOOPS, STEPS, LoopNest


def model(counts, strides, starts):
    """Positions in order, oy outermost."""
    for oy in range(counts[3]):
        for ox in range(counts[2]):
            for wy in range(counts[1]):
                for wx in range(counts[0]):
                    index = (wx, wy, ox, oy)
                    yield {
                        n: starts[n] + sum(i * s for i, s in zip(index, strides[n], strict=True))
                        for n in strides
                    }


def start_of(fields, starts, modulo):
    """As ``PassGenerator`` prepares it."""
    counts = [fields[f"{loop}_last"] for loop in LOOPS]
    first = next((i for i, count in enumerate(counts) if count), None)
    start = {name: sum((count == n) << i for i, count in enumerate(counts))
             for n, name in enumerate(("zero", "one"))}  # fmt: skip
    left = [count - (i == first) for i, count in enumerate(counts)]
    ended = [n <= 0 for n in left]
    start |= {
        "ended": sum(n << i for i, n in enumerate(ended)),
        "moves": min(3, [*ended, False].index(False)),
    }
    start |= {"ending": sum((n == 1) << i for i, n in enumerate(left))}
    start |= {"left": [max(0, count - (i == first)) for i, count in enumerate(counts)]}
    start |= {step: 0 if first is None else fields[f"{step}_{LOOPS[first]}"] for step in STEPS}
    start |= {name: starts[name] for name in ("y", "x", "addr")} | {"next": (starts["addr"] + 5) % modulo}
    return start | {"res_addr": fields["res_base"], "res_next": fields["res_base"] + fields["res_block_step"]}


@pytest.mark.parametrize(("rows", "cols"), [(4, 4), (3, 5)])
@pytest.mark.parametrize("pauses", [False, True])
def test_rtl_equals_model(rows, cols, pauses):
    config = EngineConfig(rows=rows, cols=cols)
    rng = np.random.default_rng(rows)
    dut = LoopNest(config=config)
    modulo = config.words

    async def bench(ctx):
        for _ in range(25):
            counts = [int(n) for n in rng.integers(1, 5, 4)]
            strides = {n: [int(s) for s in rng.integers(-9, 10, 4)] for n in ("x", "y", "addr", "res_addr")}
            starts = {
                "x": -3,
                "y": int(rng.integers(-5, 5)),
                "addr": int(rng.integers(0, modulo)),
                "res_addr": 7,
            }
            fields = {f"{loop}_last": c - 1 for loop, c in zip(LOOPS, counts, strict=True)}
            for name, prefix in (
                ("x", "x_step"),
                ("y", "y_step"),
                ("addr", "addr_step"),
                ("res_addr", "res_step"),
            ):
                for loop, step in zip(LOOPS, steps(strides[name], counts), strict=True):
                    fields[f"{prefix}_{loop}"] = step if name in "xy" else step % modulo
            fields |= {"res_base": 7, "res_block_step": 11}
            ctx.set(dut.fields, fields)
            ctx.set(dut.start, start_of(fields, starts, modulo))
            ctx.set(dut.load, 3)
            ctx.set(dut.go, 3)
            await ctx.tick()
            ctx.set(dut.load, 0)
            want = list(model(counts, strides, starts))
            for i, position in enumerate(want):
                while pauses and rng.random() < 0.4:
                    ctx.set(dut.go, 0)
                    await ctx.tick()
                assert ctx.get(dut.y) == position["y"], f"pixel {i} of {counts}"
                assert ctx.get(dut.x) == position["x"], f"pixel {i} of {counts}"
                assert ctx.get(dut.addr) == position["addr"] % modulo, f"pixel {i} of {counts}"
                assert ctx.get(dut.res_addr) == position["res_addr"] % modulo, f"pixel {i} of {counts}"
                if config.groups > 1:
                    assert ctx.get(dut.next) == (position["addr"] + 5) % modulo
                    assert ctx.get(dut.res_next) == (position["res_addr"] + 11) % modulo
                window = counts[0] * counts[1]
                assert ctx.get(dut.window_first) == (i % window == 0)
                assert ctx.get(dut.window_last) == (i % window == window - 1)
                assert ctx.get(dut.last) == (i == len(want) - 1)
                ctx.set(dut.go, 3)
                assert i == len(want) - 1 or ctx.get(dut.last_next) == (i == len(want) - 2)
                await ctx.tick()
            ctx.set(dut.go, 0)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
