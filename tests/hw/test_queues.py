"""StreamBuffer, SmallFifo, BlockFifo: what comes out is what went in."""

import random

import pytest
from systolith.hw.block_fifo import BlockFifo
from systolith.hw.small_fifo import SmallFifo
from systolith.hw.stream_buffer import StreamBuffer

UNITS = {
    "buffer": lambda: StreamBuffer(shape=16),
    "small": lambda: SmallFifo(shape=16, depth=4),
    "block": lambda: BlockFifo(width=16, depth=32),
}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(("give", "take"), [(1, 1), (0.4, 1), (1, 0.4), (0.5, 0.5)])
def test_order(bench, unit, give, take):
    items = [random.Random(1).getrandbits(16) for _ in range(400)]
    b = bench(UNITS[unit]())
    b.feed(b.dut.i, items, give)
    got = b.expect(b.dut.o, items, take)
    b.run()
    if give == take == 1:
        assert got[-1][1] - got[0][1] == len(items) - 1, "one item a cycle"


@pytest.mark.parametrize("unit", UNITS)
def test_latency(bench, unit):
    b = bench(UNITS[unit]())
    sent = []
    b.watch(b.dut.o, got := [], count=1)

    async def process(ctx):
        await ctx.tick().repeat(5)
        ctx.set(b.dut.i.payload, 7)
        ctx.set(b.dut.i.valid, 1)
        await ctx.tick().until(b.dut.i.ready)
        sent.append(b.cycle)
        ctx.set(b.dut.i.valid, 0)

    b.add(process)
    b.run()
    assert got == [(7, sent[0] + b.dut.latency)]


@pytest.mark.parametrize("depth", [0, 3, 48])
def test_depth_refused(depth):
    with pytest.raises(ValueError, match=f"depth must be a power of two of at least 2, not {depth}"):
        SmallFifo(shape=8, depth=depth)
    with pytest.raises(ValueError, match=f"depth must be a power of two of at least 2, not {depth}"):
        BlockFifo(width=8, depth=depth)
