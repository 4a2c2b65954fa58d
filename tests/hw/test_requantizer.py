"""Requantizer RTL == quant.arithmetic.requantize."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from systolith.hw.config import EngineConfig
from systolith.hw.requantizer import Requantizer
from systolith.quant.arithmetic import requantize


def corners(config, rng, count):
    width, most = config.acc_width, config.acc_width + config.max_left_shift
    acc = rng.integers(-(1 << (width - 1)), 1 << (width - 1), count)
    acc >>= rng.integers(0, width, count)
    shift = rng.integers(0, most + 1, count)
    # Ties, and the ends of every range.
    ties = rng.random(count) < 0.3
    s = np.clip(shift - config.max_left_shift, 1, 30)
    acc[ties] = (acc[ties] >> s[ties] << s[ties]) + (1 << (s[ties] - 1))
    ends = [(a, s) for a in (-(1 << (width - 1)), (1 << (width - 1)) - 1, -1, 0, 1) for s in range(most + 1)]
    acc = np.concatenate([acc, [a for a, _ in ends]])
    shift = np.concatenate([shift, [s for _, s in ends]])
    limit = 1 << (width - 1)
    return np.clip(acc, -limit, limit - 1), shift


@pytest.mark.parametrize(("act_width", "acc_width"), [(8, 32), (4, 20), (16, 48), (2, 24)])
def test_rtl_equals_model(act_width, acc_width):
    config = EngineConfig(act_width=act_width, acc_width=acc_width, wgt_width=4)
    rng = np.random.default_rng(act_width)
    acc, shift = corners(config, rng, 1500)
    n, top = len(acc), 1 << act_width
    lo = rng.integers(-(top >> 1), 1, n)
    hi = np.where(lo < 0, rng.integers(0, top >> 1, n), rng.integers(0, top, n))
    least = rng.random(n) < 0.05
    dut = Requantizer(config=config)
    got = []

    async def bench(ctx):
        for i in range(n + dut.latency):
            if i < n:
                ctx.set(dut.acc, int(acc[i]))
                ctx.set(dut.shift, int(shift[i]))
            j = i - dut.bounds_latency
            if 0 <= j < n:
                ctx.set(dut.lo, int(lo[j]))
                ctx.set(dut.hi, int(hi[j]))
                ctx.set(dut.least, int(least[j]))
            if i >= dut.latency:
                got.append(ctx.get(dut.out))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    for i in range(n):
        s = int(shift[i]) - config.max_left_shift
        want = lo[i] if least[i] else requantize(acc[i : i + 1], s, int(lo[i]), int(hi[i]))[0]
        assert got[i] == want, f"vector {i}: acc {acc[i]}, s {s}, bounds {lo[i]}..{hi[i]}"
