"""SystolicArray RTL == matrix product, tiles following each other at the bound its docstring states."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from systolith.hw.array import SystolicArray
from systolith.hw.config import FIR_COLUMNS, EngineConfig


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (3, 5), (4, 4), (7, 2), (8, 8)])
@pytest.mark.parametrize("extra", [0, 3])
def test_rtl_equals_model(rows, cols, extra):
    """Tiles enter every ``rows + extra`` cycles and are switched to at the first cycle allowed."""
    config = EngineConfig(rows=rows, cols=cols)
    rng = np.random.default_rng(rows * 100 + cols)
    tiles = rng.integers(-128, 128, (6, rows, cols))
    tiles[0], tiles[1] = -128, 127
    period = rows + extra
    starts = [rows + 1 + k * period for k in range(len(tiles))]
    cycles = starts[-1] + period
    act = rng.integers(-256, 256, (cycles, rows))
    act[starts[0] : starts[1]] = -256
    dut = SystolicArray(config=config)
    got = np.zeros((cycles + dut.latency + cols, cols), np.int64)

    async def bench(ctx):
        for t in range(len(got)):
            if t < cycles:
                for r in range(rows):
                    ctx.set(dut.act[r], int(act[t, r]))
            ctx.set(dut.switch, t in starts)
            k, r = divmod(t, period)
            valid = k < len(tiles) and r < rows
            ctx.set(dut.tag, r + 1 if valid else 0)
            for c in range(cols):
                ctx.set(dut.wgt[c], int(tiles[k, r, c]) if valid else int(rng.integers(-128, 128)))
                got[t, c] = ctx.get(dut.psum[c])
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    for k, start in enumerate(starts):
        want = act[start : start + period] @ tiles[k]
        for c in range(cols):
            at = start + dut.latency + c
            assert np.array_equal(got[at : at + period, c], want[:, c]), (
                f"tile {k}, column {c}, from cycle {at}"
            )


@pytest.mark.parametrize(("rows", "cols"), [(6, 3), (9, 2), (11, 4)])
def test_depthwise_and_ordinary_tiles_in_turn(rows, cols):
    """In a depthwise pass bit 0 of an activation chooses the line's code or 0; rows below the lines see the rest."""
    config = EngineConfig(rows=rows, cols=cols)
    taps, lines = FIR_COLUMNS * config.fir_lines, config.fir_lines
    rng = np.random.default_rng(rows)
    tiles = rng.integers(-128, 128, (6, rows, cols))
    starts = [rows + 1 + k * rows for k in range(len(tiles))]
    cycles = starts[-1] + rows
    fir = np.array([max(0, (t - starts[0]) // rows) % 2 for t in range(cycles)])
    act = rng.integers(-256, 256, (cycles, rows))
    act[fir == 1, taps:] = 0
    code = rng.integers(-256, 256, (cycles + rows + 2, lines, cols))
    dut = SystolicArray(config=config)
    got = np.zeros((cycles + dut.latency + cols, cols), np.int64)

    async def bench(ctx):
        for t in range(len(got)):
            if t < cycles:
                ctx.set(dut.fir, int(fir[t]))
                for r in range(rows):
                    ctx.set(dut.act[r], int(act[t, r]))
            ctx.set(dut.switch, t in starts)
            k, r = divmod(t, rows)
            ctx.set(dut.tag, r + 1 if k < len(tiles) else 0)
            for c in range(cols):
                ctx.set(dut.wgt[c], int(tiles[k, r, c]) if k < len(tiles) else 0)
                for line in range(lines):
                    ctx.set(dut.line[line][c], int(code[min(t, len(code) - 1), line, c]))
                got[t, c] = ctx.get(dut.psum[c])
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    for k, start in enumerate(starts):
        for t in range(start, start + rows):
            for c in range(cols):
                seen = [
                    code[t + 1 + r, r // FIR_COLUMNS, c] * (act[t, r] & 1)
                    if fir[t] and r < taps
                    else act[t, r]
                    for r in range(rows)
                ]
                want = int(seen @ tiles[k, :, c])
                assert got[t + dut.latency + c, c] == want, f"tile {k}, column {c}, cycle {t}"


def test_parameter_rows_come_out_below():
    config = EngineConfig(rows=3, cols=2)
    dut = SystolicArray(config=config)
    seen = []

    async def bench(ctx):
        for t in range(30):
            ctx.set(dut.tag, 4 + t if t < config.param_rows else 0)
            for c in range(2):
                ctx.set(dut.wgt[c], t - 10 * c)
                if ctx.get(dut.tag_o[c]):
                    seen.append((t, c, ctx.get(dut.tag_o[c]), ctx.get(dut.wgt_o[c])))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert sorted(seen) == sorted(
        (t + 3 + c, c, 4 + t, t - 10 * c) for t in range(config.param_rows) for c in range(2)
    )
