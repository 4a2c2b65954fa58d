"""InFlight RTL == a queue; room is said a cycle ahead."""

import random
from collections import deque

import pytest
from amaranth.sim import Simulator
from systolith.hw.in_flight import InFlight


@pytest.mark.parametrize("depth", [2, 4, 16])
def test_rtl_equals_model(depth):
    rng, dut, queue = random.Random(depth), InFlight(width=7, depth=depth), deque()
    full = 0

    async def bench(ctx):
        nonlocal full
        room = True
        for t in range(2000):
            if queue:
                assert ctx.get(dut.o) == queue[0], f"in cycle {t}"
            busy = t // 200 % 2
            put, take = room and rng.random() < 0.8, bool(queue) and rng.random() < (0.2 if busy else 0.9)
            value = rng.randrange(128)
            ctx.set(dut.item, value)
            ctx.set(dut.put, put)
            ctx.set(dut.take, take)
            await ctx.delay(1e-9)
            room = ctx.get(dut.room)
            if take:
                queue.popleft()
            if put:
                queue.append(value)
            assert room == (len(queue) < depth), f"in cycle {t}"
            full += not room
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert full > 20


@pytest.mark.parametrize("depth", [0, 1, 3, 12])
def test_depth_is_a_power_of_two(depth):
    with pytest.raises(ValueError, match="depth must be a power of two of at least 2"):
        InFlight(width=4, depth=depth)
