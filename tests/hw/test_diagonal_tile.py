"""DiagonalTile, and TilePusher with vectors: rows of a product's tiles, in order, at the earliest cycle."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator
from systolith.hw.config import EngineConfig
from systolith.hw.diagonal_tile import DiagonalTile
from systolith.hw.tile_pusher import TilePusher

SIZES = [(1, 1), (4, 4), (2, 7), (7, 2), (3, 6)]


def rows_of(config, vector):
    """[tiles * rows] numbers: column c at bits c*wgt_width on."""
    tiles = -(-config.cols // config.rows)
    made = np.zeros((tiles * config.rows, config.cols), np.int64)
    np.fill_diagonal(made, vector)
    return [sum(int(v) << (c * config.wgt_width) for c, v in enumerate(row)) for row in made]


def run(dut, *benches):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for number, bench in enumerate(benches):
        simulator.add_testbench(bench, background=number < len(benches) - 1)
    simulator.run()


@pytest.mark.parametrize("pace", [1.0, 0.4])
@pytest.mark.parametrize(("rows", "cols"), SIZES)
def test_rows_of_tiles(rows, cols, pace):
    config = EngineConfig(rows=rows, cols=cols, wgt_width=5)
    rng, dut = random.Random(rows + cols), DiagonalTile(config=config)

    async def bench(ctx):
        for _ in range(8):
            vector = [rng.randrange(32) for _ in range(cols)]
            ctx.set(dut.valid, 1)
            ctx.set(dut.vector, sum(v << (c * 5) for c, v in enumerate(vector)))
            await ctx.delay(1e-9)
            assert ctx.get(dut.will)
            await ctx.tick()
            ctx.set(dut.valid, 0)
            ctx.set(dut.vector, rng.getrandbits(5 * cols))
            expected = rows_of(config, vector)
            for number, row in enumerate(expected):
                while rng.random() >= pace:
                    await ctx.tick()
                assert ctx.get(dut.row) == row, f"row {number} of {vector}"
                ctx.set(dut.advance, 1)
                ctx.set(dut.begin, number % rows == 0)
                await ctx.delay(1e-9)
                assert ctx.get(dut.will) == (number // rows < dut.tiles - 1), f"row {number} of {vector}"
                await ctx.tick()
                ctx.set(dut.advance, 0)
                ctx.set(dut.begin, 0)
            assert not ctx.get(dut.will)

    run(dut, bench)


@pytest.mark.parametrize("late", [0, 1, 7])
@pytest.mark.parametrize(("rows", "cols"), SIZES)
def test_a_product_between_two_others(rows, cols, late):
    """Tile, parameters, the vector's tiles, then the parameters and the tile that wait in the row memory.

    ``late``: cycles from the first pixel of a pass on, which let the next tile go.
    """
    config = EngineConfig(rows=rows, cols=cols)
    rng, dut = random.Random(rows), TilePusher(config=config)
    tiles, stream = -(-cols // rows), dut.i.stream
    behind = dut.switch_delay + dut.push_latency  # from a pass's first pixel to the next tile's first row
    width = cols * config.wgt_width
    tile = [[rng.getrandbits(width) for _ in range(rows)] for _ in range(2)]
    params = [[rng.getrandbits(width) for _ in range(config.param_rows)] for _ in range(3)]
    vector = [rng.randrange(256) for _ in range(cols)]
    got, ready, begun = [], [], []

    async def feed(ctx):
        blocks = [(1, params[0]), (0, tile[0]), (1, params[1]), (1, params[2]), (0, tile[1])]
        for param, rows_ in blocks:
            for row in rows_:
                ctx.set(stream.payload, {"data": row, "param": param})
                ctx.set(stream.valid, 1)
                await ctx.tick().until(stream.ready)
        ctx.set(stream.valid, 0)

    async def bench(ctx):
        entered = {"tile": [], "instr": []}
        given = None
        for t in range(150 + 30 * tiles * max(rows, 6)):
            tag = ctx.get(dut.tag)
            if tag:
                got.append((tag, ctx.get(dut.wgt)))
                if tag == 1:
                    begun.append(t)
            ctx.set(dut.entered_tile, t in entered["tile"])
            ctx.set(dut.entered_instr, t in entered["instr"])
            # The sequencer: a pass begins when its tile and its parameters are there.
            started = len(entered["tile"])
            counts = ready.count("tile"), ready.count("params")
            instruction = 0 if not started else 1 if started <= tiles else 2
            last = entered["tile"][-1] - 2 if started else 60
            may = counts[0] > started and counts[1] > instruction and started < tiles + 2
            if may and t >= last + max(4, late) and t not in entered["tile"]:
                entered["tile"].append(t + 3)
                if started in (0, 1, tiles + 1):
                    entered["instr"].append(t + 3)
            if counts[1] == 2 and started and given is None:
                given = t + 6
            ctx.set(dut.vector_valid, t == given)
            ctx.set(dut.vector, sum(v << (8 * c) for c, v in enumerate(vector)) if t == given else 0)
            await ctx.delay(1e-9)
            ready.extend(["tile"] * ctx.get(dut.tile_ready) + ["params"] * ctx.get(dut.param_ready))
            await ctx.tick()
        assert begun[1] == max(given + 4, entered["tile"][0] + behind), "the first tile of the vector"
        for number in range(2, tiles + 1):
            assert begun[number] == entered["tile"][number - 1] + behind, f"tile {number} of the vector"

    run(dut, feed, bench)

    def tagged(first, rows_):
        return [(first + i, row) for i, row in enumerate(rows_)]

    own = rows_of(config, vector)
    expected = tagged(rows + 1, params[0]) + tagged(1, tile[0]) + tagged(rows + 1, params[1])
    for number in range(tiles):
        expected += tagged(1, own[number * rows : (number + 1) * rows])
    assert got == expected + tagged(rows + 1, params[2]) + tagged(1, tile[1])
