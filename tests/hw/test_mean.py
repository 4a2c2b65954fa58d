"""Mean RTL == quant.arithmetic: every column's sum, at the cycle it is there and no other."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from systolith.hw.config import EngineConfig
from systolith.hw.mean import Mean, mean_latency
from systolith.quant.arithmetic import requantize


def vectors(config, rng, count):
    """[count, cols] sums and the fields of each: random ones, ends of every range, ties."""
    width, most = config.mean_width, config.acc_width + config.max_left_shift
    low, top = -(1 << width - 1), 1 << config.wgt_width - 1
    sums = rng.integers(low, -low, (count, config.cols)) >> rng.integers(0, width, (count, 1))
    sums[0], sums[1] = low, -low - 1
    weights = rng.integers(-top, top, count)
    weights[:6] = (top - 1, -top, -top, 1, -1, 0)
    ends = np.resize([0, config.max_left_shift, most, config.max_left_shift + 1], count)
    shifts = np.where(rng.random(count) < 0.4, ends, rng.integers(0, most + 1, count))
    bound = 1 << config.act_width
    lo = rng.integers(-bound, 1, count)
    hi = np.where(rng.random(count) < 0.5, bound - 1, rng.integers(0, bound, count))
    return sums, weights, shifts, lo, hi


def wrapped(values, bits):
    """Python integers: the low bits as two's complement."""
    return np.array([(int(v) + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1) for v in values], np.int64)


@pytest.mark.parametrize(
    ("cols", "widths"),
    [(1, {}), (2, {}), (5, {}), (12, {"acc_depth": 64}), (32, {}), (3, {"acc_width": 17, "acc_depth": 4096})]
    + [(4, {"act_width": 16, "wgt_width": 16, "acc_width": 48, "acc_depth": 1 << 16})]
    + [(3, {"act_width": 2, "wgt_width": w, "acc_width": 24}) for w in (2, 3, 5)],
)
def test_rtl_equals_model(cols, widths):
    config = EngineConfig(rows=2, cols=cols, **widths)
    rng = np.random.default_rng(cols)
    count = 40 if cols > 5 else 120
    sums, weights, shifts, lo, hi = vectors(config, rng, count)
    dut, got = Mean(config=config), []
    period = mean_latency(config) + 1  # the soonest that the sequencer lets them come
    noise = rng.integers(-(1 << config.mean_width - 1), 1 << config.mean_width - 1, (period, cols))

    async def bench(ctx):
        """Column c's sum is there for one cycle, c cycles after the end; another value before and after."""
        shown = 0
        for cycle in range((count + 1) * period):
            n, at = divmod(cycle, period)
            ctx.set(dut.end, at == 0 and n < count)
            for c in range(cols):
                ctx.set(dut.sums[c], int(sums[n, c] if at == c and n < count else noise[at, c]))
            k = min(shown, count - 1)
            fields = {"weight": weights[k], "shift": shifts[k], "lo": lo[k], "hi": hi[k]}
            ctx.set(dut.fields, {name: int(value) for name, value in fields.items()})
            if ctx.get(dut.valid):
                got.append((cycle, ctx.get(dut.codes)))
                shown += 1
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert len(got) == count
    mask = (1 << config.act_width) - 1
    for n, (cycle, codes) in enumerate(got):
        assert cycle == n * period + dut.latency
        products = wrapped([int(s) * int(weights[n]) for s in sums[n]], config.acc_width)
        want = requantize(products, int(shifts[n]) - config.max_left_shift, int(lo[n]), int(hi[n]))
        for c in range(cols):
            assert codes >> c * config.act_width & mask == want[c] & mask, (
                f"word {n}, column {c}: sum {sums[n, c]}, weight {weights[n]}, shift {shifts[n]}"
            )
