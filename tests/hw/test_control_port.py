"""ControlPort: every register of the map, the engine's state, the watchdog."""

import random

import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.control_port import ControlPort
from systolith.hw.registers import IDENTITY, MAP

ADDRESS = {r.name: r.address for r in MAP}
OWN = ("id", "hash", "status", "cycles", "geometry")


class Host:
    """AXI4-Lite accesses with the channels apart from each other."""

    def __init__(self, bench, ctx):
        self.bus, self.ctx, self.random = bench.dut.bus, ctx, bench.random

    async def until(self, *signals):
        """Ticks until all were sampled high; returns the cycle's rdata."""
        while True:
            _, _, data, *values = await self.ctx.tick().sample(self.bus.rdata, *signals)
            if all(values):
                return data

    async def write(self, address, value, strobe=15, early=0):
        ctx, bus = self.ctx, self.bus
        ctx.set(bus.awaddr, address)
        ctx.set(bus.awvalid, early >= 0)
        ctx.set(bus.wdata, value)
        ctx.set(bus.wstrb, strobe)
        ctx.set(bus.wvalid, early <= 0)
        for _ in range(abs(early)):
            await ctx.tick()
        ctx.set(bus.awvalid, 1)
        ctx.set(bus.wvalid, 1)
        await self.until(bus.awready, bus.wready)
        ctx.set(bus.awvalid, 0)
        ctx.set(bus.wvalid, 0)
        for _ in range(self.random.randrange(3)):
            await ctx.tick()
        ctx.set(bus.bready, 1)
        await self.until(bus.bvalid)
        ctx.set(bus.bready, 0)

    async def read(self, address):
        ctx, bus = self.ctx, self.bus
        ctx.set(bus.araddr, address)
        ctx.set(bus.arvalid, 1)
        await self.until(bus.arready)
        ctx.set(bus.arvalid, 0)
        for _ in range(self.random.randrange(6)):
            await ctx.tick()
        ctx.set(bus.rready, 1)
        data = await self.until(bus.rvalid)
        ctx.set(bus.rready, 0)
        return data


def run(bench, config, script, limit=6000):
    b = bench(ControlPort(config=config))

    async def process(ctx):
        await script(b, ctx, Host(b, ctx))

    b.add(process, needed=True)
    b.run(limit)


async def start(b, ctx, host, **registers):
    for name, value in registers.items():
        await host.write(ADDRESS[name], value)
    await host.write(ADDRESS["control"], 1)
    assert ctx.get(b.dut.busy) and not ctx.get(b.dut.done)


@pytest.mark.parametrize("widths", [{}, {"memory_width": 15, "count_width": 20}], ids=("wide", "narrow"))
def test_registers(bench, widths):
    config, rng = EngineConfig(rows=5, cols=12, **widths), random.Random(0)

    async def script(b, ctx, host):
        expected = {"id": IDENTITY, "hash": config.hash, "control": 0, "status": 0, "cycles": 0,
                    "geometry": 5 | 12 << 8 | 8 << 16 | 8 << 24}  # fmt: skip
        for r in MAP:
            if r.access == "rw":
                value = rng.getrandbits(32)
                expected[r.name] = value & (1 << r.bits(config)) - 1
                await host.write(r.address, value, early=rng.randint(-2, 2))
            elif r.name not in expected:
                expected[r.name] = rng.getrandbits(r.bits(config))
                ctx.set(getattr(b.dut, r.name), expected[r.name])
        for r in MAP:
            assert await host.read(r.address) == expected[r.name], r.name
            if r.access == "rw":
                assert ctx.get(getattr(b.dut, r.name)) == expected[r.name], r.name
            elif r.name != "control":
                await host.write(r.address, 0xFFFFFFFF)
                assert await host.read(r.address) == expected[r.name], f"{r.name} was written"
        for address in (0x68, 0x80, 0x100, 0xFFC):
            assert await host.read(address) == 0
            await host.write(address, 0xFFFFFFFF)
        await host.write(ADDRESS["images"], 0x11223344)
        await host.write(ADDRESS["images"], 0xAABBCCDD, strobe=0b0101)
        assert await host.read(ADDRESS["images"]) == 0x11BB33DD & (1 << config.count_width) - 1

    run(bench, config, script)


def test_run(bench):
    """Busy from start to finished; the cycles between are counted; a second start begins again."""

    async def script(b, ctx, host):
        d = b.dut
        for cycles in (20, 35):
            await start(b, ctx, host, images=3, irq_enable=1)
            assert await host.read(ADDRESS["status"]) == 1 and not ctx.get(d.irq)
            await host.write(ADDRESS["images"], 9)  # ignored while busy
            await host.write(ADDRESS["control"], 1)
            before = await host.read(ADDRESS["cycles"])
            for _ in range(cycles):
                await ctx.tick()
            assert before < await host.read(ADDRESS["cycles"])
            ctx.set(d.finished, 1)
            await ctx.tick()
            ctx.set(d.finished, 0)
            assert not ctx.get(d.busy) and ctx.get(d.done)
            await ctx.tick()
            assert ctx.get(d.irq)
            assert await host.read(ADDRESS["status"]) == 2
            assert await host.read(ADDRESS["images"]) == 3

    run(bench, EngineConfig(), script)


def test_cycles(bench):
    b = bench(ControlPort(config=EngineConfig()))
    b.pulses(b.dut.start, starts := [])

    async def process(ctx):
        host = Host(b, ctx)
        await host.write(ADDRESS["control"], 1)
        for _ in range(50):
            await ctx.tick()
        ctx.set(b.dut.finished, 1)
        await ctx.tick()
        assert await host.read(ADDRESS["cycles"]) == finished[0] - starts[0]

    b.pulses(b.dut.finished, finished := [])
    b.add(process, needed=True)
    b.run()


FAULTS = ["bad_opcode", "bad_config", "bad_weights", "bad_read", "bad_write"]


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(bench, fault):
    """The first error is kept, halts the engine and refuses a new start."""

    async def script(b, ctx, host):
        d = b.dut
        for name in FAULTS:  # nothing counts before start
            ctx.set(getattr(d, name), 1)
        await ctx.tick().repeat(3)
        for name in FAULTS:
            ctx.set(getattr(d, name), 0)
        assert await host.read(ADDRESS["status"]) == 0
        await start(b, ctx, host, irq_enable=1)
        ctx.set(getattr(d, fault), 1)
        ctx.set(d.bad_write, 1)
        ctx.set(d.finished, 1)
        await ctx.tick()
        ctx.set(d.bad_write, 0)
        assert ctx.get(d.halt) and not ctx.get(d.busy) and not ctx.get(d.done)
        ctx.set(d.bad_opcode, 1)
        await ctx.tick()
        assert ctx.get(d.irq)
        await host.write(ADDRESS["control"], 1)
        assert await host.read(ADDRESS["status"]) == FAULTS.index(fault) + 1 << 8

    run(bench, EngineConfig(), script)


@pytest.mark.parametrize("watchdog", [0, 1, 10])
def test_watchdog(bench, watchdog):
    async def script(b, ctx, host):
        d = b.dut
        await host.write(ADDRESS["watchdog"], watchdog)
        ctx.set(d.activity, 1)
        await start(b, ctx, host)
        for _ in range(60):
            await ctx.tick()
        ctx.set(d.activity, 0)
        waited = 0
        while not ctx.get(d.halt) and waited < 100:
            await ctx.tick()
            waited += 1
        assert waited == (100 if watchdog == 0 else watchdog + 2)
        assert await host.read(ADDRESS["status"]) == (1 if watchdog == 0 else 6 << 8)

    run(bench, EngineConfig(), script)
