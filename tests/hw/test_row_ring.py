"""RowRing RTL == the slots so many rows before, with pauses between rows."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from systolith.hw.config import FIR_COLUMNS, EngineConfig
from systolith.hw.row_ring import RowRing


@pytest.mark.parametrize(("rows", "depth"), [(6, 16), (8, 64), (9, 16), (10, 64), (16, 32)])
def test_rtl_equals_model(rows, depth):
    """The shortest rows, the longest ones, and some between."""
    config = EngineConfig(rows=rows, cols=3, fir_depth=depth)
    lines, widest = config.fir_lines, config.fir_width
    rng = np.random.default_rng(depth + rows)
    dut = RowRing(config=config)
    slots = {}  # cycle -> (row of its stream, column, codes)
    streams = []
    cycle = 5
    for width in (2, widest, 3, min(7, widest), 2, widest):
        stream = rng.integers(-256, 256, (8, width, config.cols))
        for row in range(len(stream)):
            for column in range(width):
                slots[cycle] = (len(streams), row, column)
                cycle += 1
            cycle += int(rng.integers(0, 12)) * int(rng.random() < 0.3)
        streams.append(stream)
        cycle += int(rng.integers(0, 3))
    checked = 0

    async def bench(ctx):
        nonlocal checked
        for t in range(cycle + 20):
            now = slots.get(t)
            ctx.set(dut.valid, now is not None)
            ctx.set(dut.row_last, streams[now[0]].shape[1] - 1 if now else int(rng.integers(depth)))
            before = slots.get(t - config.operand_latency)
            for c in range(config.cols):
                code = streams[before[0]][before[1], before[2], c] if before else rng.integers(-256, 256)
                ctx.set(dut.code[c], int(code))
            for line in range(lines):
                at = t - config.operand_latency - RowRing.line_delay - FIR_COLUMNS * line
                if at in slots and slots[at][1] >= lines - 1 - line:
                    stream, row, column = slots[at]
                    want = streams[stream][row - (lines - 1 - line), column]
                    got = [ctx.get(dut.line[line][c]) for c in range(config.cols)]
                    assert got == want.tolist(), f"line {line} of row {row}, slot {column} at cycle {t}"
                    checked += 1
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert checked > lines * 40


@pytest.mark.parametrize("config", [EngineConfig(rows=5, cols=4), EngineConfig(rows=9, cols=4, fir_depth=0)])
def test_an_array_without(config):
    with pytest.raises(ValueError, match="depthwise hardware, not"):
        RowRing(config=config)
