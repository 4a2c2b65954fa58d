"""``bench``: drive, watch and time the streams of one unit in Amaranth's simulator."""

import random
import sys
from collections import deque
from pathlib import Path

import pytest
from amaranth.hdl import Value
from amaranth.sim import Simulator

sys.path.insert(0, str(Path(__file__).parent))  # lowering_bench


class Bench:
    """One unit under test; processes run until the collectors have what they expect."""

    def __init__(self, dut, seed=0):
        self.dut, self.random = dut, random.Random(seed)
        self.sim = Simulator(dut)
        self.sim.add_clock(1e-8)
        self.cycle, self.waiting = 0, 0
        self.sim.add_process(self._count)

    async def _count(self, ctx):
        async for _ in ctx.tick():
            self.cycle += 1

    def add(self, process, needed=False):
        """A testbench; the run ends when the needed ones have."""
        self.waiting += needed

        async def wrapped(ctx):
            await process(ctx)
            self.waiting -= needed

        self.sim.add_testbench(wrapped, background=True)

    def feed(self, port, items, pace=1.0):
        """Offer the items, each after a random pause; payloads as integers."""

        async def process(ctx):
            for item in items:
                while self.random.random() >= pace:
                    await ctx.tick()
                ctx.set(Value.cast(port.payload), item)
                ctx.set(port.valid, 1)
                ready = False
                while not ready:
                    _, _, ready = await ctx.tick().sample(port.ready)
                ctx.set(port.valid, 0)
                ctx.set(Value.cast(port.payload), 0)

        self.add(process)

    def watch(self, port, got, pace=1.0, count=None):
        """Append (payload, cycle) of each transfer to ``got``; a payload on offer must stay."""

        async def process(ctx):
            offered = None
            while count is None or len(got) < count:
                ready = self.random.random() < pace
                ctx.set(port.ready, ready)
                _, _, valid, payload = await ctx.tick().sample(port.valid, Value.cast(port.payload))
                assert offered is None or (valid and payload == offered), (
                    f"payload withdrawn at cycle {self.cycle}"
                )
                offered = payload if valid and not ready else None
                if valid and ready:
                    got.append((payload, self.cycle))
            ctx.set(port.ready, 0)

        self.add(process, needed=count is not None)

    def expect(self, port, items, pace=1.0):
        """Take as many items as there are and compare each; returns the list of (payload, cycle)."""
        items, got = list(items), []

        async def process(ctx):
            offered, n = None, 0
            while n < len(items):
                ready = self.random.random() < pace
                ctx.set(port.ready, ready)
                _, _, valid, payload = await ctx.tick().sample(port.valid, Value.cast(port.payload))
                assert offered is None or (valid and payload == offered), (
                    f"payload withdrawn at cycle {self.cycle}"
                )
                offered = payload if valid and not ready else None
                if valid and ready:
                    assert payload == items[n], (
                        f"item {n}, cycle {self.cycle}: expected {items[n]:#x}, got {payload:#x}"
                    )
                    got.append((payload, self.cycle))
                    n += 1
            ctx.set(port.ready, 1)
            for _ in range(50):
                _, _, valid, payload = await ctx.tick().sample(port.valid, Value.cast(port.payload))
                assert not valid, f"an item too many at cycle {self.cycle}: {payload:#x}"

        self.add(process, needed=True)
        return got

    def pulses(self, signal, cycles):
        """Append the cycles at which the signal is high."""

        async def process(ctx):
            while True:
                _, _, value = await ctx.tick().sample(signal)
                if value:
                    cycles.append(self.cycle)

        self.add(process)

    def memory(self, client, content, width, latency=30, pace=1.0, requests=None, busy=1.0):
        """Serve a ReadClient from bytes: in order, ``latency`` cycles, one beat a cycle at most."""
        size, pending = width // 8, deque()

        async def requested(ctx):
            while True:
                ready = self.random.random() < busy
                ctx.set(client.request.ready, ready)
                payload = client.request.payload
                _, _, valid, addr, last = await ctx.tick().sample(
                    client.request.valid, payload.addr, payload.last
                )
                if valid and ready:
                    end = addr + (last + 1) * size
                    assert addr % size == 0, f"address {addr:#x} is not aligned"
                    assert addr // 4096 == (end - 1) // 4096, f"burst at {addr:#x} crosses 4096 bytes"
                    assert last < 64, f"burst of {last + 1} beats"
                    if requests is not None:
                        requests.append((addr, last + 1, self.cycle))
                    pending.extend((self.cycle + latency, a) for a in range(addr, end, size))

        async def answered(ctx):
            while True:
                go = bool(pending) and pending[0][0] <= self.cycle and self.random.random() < pace
                ctx.set(client.valid, go)
                if go:
                    addr = pending.popleft()[1]
                    ctx.set(client.data, int.from_bytes(content[addr : addr + size], "little"))
                else:
                    ctx.set(client.data, self.random.getrandbits(width))
                await ctx.tick()

        self.add(requested)
        self.add(answered)

    def run(self, limit=20000):
        """Until the needed processes are done; a stream that stalls fails."""

        async def process(ctx):
            for _ in range(limit):
                await ctx.tick()
                if not self.waiting:
                    return
            raise AssertionError(f"no end within {limit} cycles")

        self.sim.add_testbench(process)
        self.sim.run()
        return self.cycle


@pytest.fixture
def bench():
    """The class ``Bench``."""
    return Bench


def pytest_configure(config):
    """Constructors that refuse their parameters leave an object behind that was never elaborated."""
    config.addinivalue_line("filterwarnings", "ignore:.*created but never used")
