"""TilePusher RTL == its timing contract: tags in order, at the earliest cycle that is correct, never before."""

from itertools import pairwise

import pytest
from amaranth.sim import Simulator
from systolith.hw.config import EngineConfig
from systolith.hw.tile_pusher import TilePusher


@pytest.mark.parametrize("stages", [0, 1])
@pytest.mark.parametrize("rows", [1, 3, 6, 7, 8, 16])
def test_short_passes_follow_each_other_every_rows_cycles(rows, stages):
    """The sequencer starts as soon as it is told: the period is max(rows, 6), 7 with a register in front of banks."""
    config = EngineConfig(rows=rows, cols=2, bank_stages=stages)
    operand = config.operand_latency
    dut = TilePusher(config=config)
    tiles, tags, starts, first_rows = 8, [], [], []
    stream = dut.i.stream

    async def feed(ctx):
        blocks = [(1, config.param_rows)] + [(0, rows)] * tiles
        for param, count in blocks:
            for i in range(count):
                ctx.set(stream.payload, {"data": i, "param": param})
                ctx.set(stream.valid, 1)
                await ctx.tick().until(stream.ready)
        ctx.set(stream.valid, 0)

    async def bench(ctx):
        available, start, before, came = 0, False, False, 0
        for t in range(60 + 8 * max(rows, 6)):
            tag = ctx.get(dut.tag)
            if tag:
                tags.append(tag)
                assert ctx.get(dut.wgt) == (tag - 1 if tag <= rows else tag - 1 - rows)
            if tag == 1:
                first_rows.append(t)
            ctx.set(dut.entered_tile, before)
            before, start = start, available > 0 and t > 40
            await ctx.delay(1e-9)
            available += came - start
            came = ctx.get(dut.tile_ready)  # said a cycle ahead
            if start:
                starts.append(t)
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed, background=True)
    simulator.add_testbench(bench)
    simulator.run()
    params = [rows + 1 + i for i in range(config.param_rows)]
    assert tags == params + list(range(1, rows + 1)) * tiles
    assert len(starts) == tiles
    assert {b - a for a, b in pairwise(starts)} == {max(rows, operand + 1)}
    for start, row in zip(starts, first_rows[1:], strict=False):
        assert row == start + operand + 1, "the next tile enters one cycle before the switch"
    for start, row in zip(starts, first_rows, strict=True):
        assert start + operand + 2 >= row + rows + 1, "the switch comes after the tile's last row"


def test_parameters_wait_for_the_instruction_before():
    config = EngineConfig(rows=2, cols=1)
    dut = TilePusher(config=config)
    seen = []

    async def bench(ctx):
        stream = dut.i.stream
        started = None
        queue = [i for _ in range(2) for i in range(config.param_rows)]
        for t in range(80):
            ctx.set(stream.valid, bool(queue))
            if queue:
                ctx.set(stream.payload, {"data": queue[0], "param": 1})
            if ctx.get(dut.tag) == 3:
                seen.append(t)
            ctx.set(dut.entered_instr, t == 52)
            started = 50
            taken = queue and ctx.get(stream.ready)
            await ctx.tick()
            if taken:
                queue.pop(0)
        assert (
            len(seen) == 2
            and seen[0] < started
            and seen[1] == started + 2 + dut.param_delay + dut.push_latency
        )

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
