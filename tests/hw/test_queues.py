"""StreamBuffer, SmallFifo, CreditFifo, BlockFifo: what comes out is what went in."""

import random

import pytest
from amaranth.hdl import Elaboratable, Fragment, Module
from systolith.hw.block_fifo import BlockFifo
from systolith.hw.credit_fifo import CreditFifo
from systolith.hw.ecp5 import Ecp5
from systolith.hw.ice40 import Ice40
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


@pytest.mark.parametrize(("give", "take"), [(1, 1), (0.4, 1), (1, 0.4), (0.5, 0.5)])
@pytest.mark.parametrize("depth", [2, 16])
def test_credits(bench, depth, give, take):
    """A CreditFifo of several slices never holds more than ``depth`` items, and holds that many."""
    rng = random.Random(3)
    items = [rng.getrandbits(70) for _ in range(300)]
    dut = CreditFifo(shape=70, depth=depth)
    b = bench(dut)
    got = b.expect(dut.o, items, take)
    sent, levels = [], []

    async def process(ctx):
        for item in items:
            while len(sent) - len(got) >= depth or rng.random() >= give:
                ctx.set(dut.i_valid, 0)
                await ctx.tick()
            ctx.set(dut.i_payload, item)
            ctx.set(dut.i_valid, 1)
            await ctx.tick()
            sent.append(b.cycle)
            levels.append(len(sent) - len(got))
        ctx.set(dut.i_valid, 0)

    b.add(process)
    b.run()
    if give == 1 and take < 1:
        assert max(levels) >= depth


@pytest.mark.parametrize("depth", [0, 3, 48])
def test_depth_refused(depth):
    with pytest.raises(ValueError, match=f"depth must be a power of two of at least 2, not {depth}"):
        SmallFifo(shape=8, depth=depth)
    with pytest.raises(ValueError, match=f"depth must be a power of two of at least 2, not {depth}"):
        CreditFifo(shape=8, depth=depth)
    with pytest.raises(ValueError, match=f"depth must be a power of two of at least 2, not {depth}"):
        BlockFifo(width=8, depth=depth)


class Beside(Elaboratable):
    """The generic queue and a family's, fed alike."""

    def __init__(self, make, family):
        self.one, self.other, self.family = make(), make(), family

    def elaborate(self, platform):
        m = Module()
        m.submodules.one, m.submodules.other = self.one, Fragment.get(self.other, self.family)
        m.d.comb += [
            self.other.i.valid.eq(self.one.i.valid),
            self.other.i.payload.eq(self.one.i.payload),
            self.other.o.ready.eq(self.one.o.ready),
        ]
        return m


FAMILIES = {
    "ice40 small": (lambda: SmallFifo(shape=9, depth=8), Ice40()),
    "ice40 block": (lambda: BlockFifo(width=9, depth=32), Ice40()),
    "ecp5 small, 2 items": (lambda: SmallFifo(shape=9, depth=2), Ecp5()),
    "ecp5 small, 4 items": (lambda: SmallFifo(shape=9, depth=4), Ecp5()),
}
"""Queues in block RAM alone; in a distributed RAM of more words than there are items."""


@pytest.mark.parametrize("unit", FAMILIES)
@pytest.mark.parametrize("seed", range(4))
def test_queues_of_a_family_equal_the_generic_ones(bench, unit, seed):
    """The same readiness, the same items, cycle by cycle, full, empty and between."""
    both = Beside(*FAMILIES[unit])
    b, rng = bench(both), random.Random(seed)

    async def process(ctx):
        one, other = both.one, both.other
        seen = set()
        for cycle in range(1200):
            pace = (0.95, 0.2), (0.2, 0.95), (0.9, 0.9), (1, 0), (0, 1)
            give, take = pace[cycle // 60 % len(pace)]
            ctx.set(one.i.valid, rng.random() < give)
            ctx.set(one.i.payload, rng.getrandbits(9))
            ctx.set(one.o.ready, rng.random() < take)
            _, _, *now = await ctx.tick().sample(
                one.i.ready, other.i.ready, one.o.valid, other.o.valid, one.o.payload, other.o.payload
            )
            assert now[0] == now[1] and now[2] == now[3], f"cycle {cycle}: {now}"
            assert not now[2] or now[4] == now[5], f"cycle {cycle}: {now}"
            seen.add((now[0], now[2]))
        assert len(seen) == 4 or (seen == {(1, 0), (1, 1), (0, 1)})

    b.add(process, needed=True)
    b.run()
