"""MemoryReader, BurstReader and StreamReader against memories of every pace."""

import random

import pytest
from systolith.hw.burst_reader import BurstReader
from systolith.hw.config import EngineConfig
from systolith.hw.memory_reader import MemoryReader
from systolith.hw.stream_reader import StreamReader

PORTS = [32, 64, 128, 512]


def words(content, width, start, count):
    """Port words of the memory."""
    size = width // 8
    return [int.from_bytes(content[start + i * size :][:size], "little") for i in range(count)]


@pytest.mark.parametrize("width", PORTS)
@pytest.mark.parametrize(("pace", "busy", "take"), [(1, 1, 1), (0.5, 0.3, 0.7)])
def test_bursts(bench, width, pace, busy, take):
    rng = random.Random(width)
    size, content = width // 8, rng.randbytes(1 << 16)
    b = bench(BurstReader(config=EngineConfig(port_width=width), depth=128))
    commands, expected = [], []
    for beats in [1, 64, 65, 63, 130, 2, *(rng.randint(1, 40) for _ in range(4))]:
        start = rng.randrange(0, len(content) // size - beats)
        commands.append(start * size | beats << 32)
        expected += words(content, width, start * size, beats)
    b.feed(b.dut.command, commands)
    b.memory(b.dut.client, content, width, pace=pace, busy=busy)
    b.expect(b.dut.o, expected, take)
    b.run()


def test_room(bench):
    """Nothing is asked for that the FIFO has no room for; all of the room is used."""
    content = bytes(1 << 16)
    b = bench(StreamReader(config=EngineConfig(), depth=512))
    b.memory(b.dut.client, content, 64, requests=(requests := []))

    async def process(ctx):
        ctx.set(b.dut.beats, 1000)
        ctx.set(b.dut.repeats, 3)
        ctx.set(b.dut.start, 1)
        await ctx.tick()
        start = b.cycle
        ctx.set(b.dut.start, 0)
        await ctx.tick().repeat(1000)
        assert requests[0][2] - start == 5
        assert [r[1] for r in requests] == [64] * 8
        assert [r[2] - requests[0][2] for r in requests[:4]] == [0, 3, 6, 9]

    b.add(process, needed=True)
    b.run()


@pytest.mark.parametrize(("beats", "repeats"), [(1, 5), (64, 3), (100, 4), (300, 2), (7, 0), (0, 7)])
@pytest.mark.parametrize(("pace", "take"), [(1, 1), (0.6, 0.6)])
def test_stream(bench, beats, repeats, pace, take):
    content = random.Random(3).randbytes(1 << 15)
    b = bench(StreamReader(config=EngineConfig(), depth=128))
    b.memory(b.dut.client, content, 64, pace=pace)
    start, expected = [], words(content, 64, 8192, beats) * repeats

    async def process(ctx):
        for name, value in (
            ("base", 8192),
            ("beats", beats),
            ("repeats", repeats),
            ("start", 1),
        ):
            ctx.set(getattr(b.dut, name), value)
        await ctx.tick()
        start.append(b.cycle)
        for name in ("base", "beats", "repeats", "start"):
            ctx.set(getattr(b.dut, name), 0)

    b.add(process)
    got = b.expect(b.dut.o, expected, take)
    b.run()
    if pace == take == 1 and beats >= 64:
        assert got[-1][1] - got[0][1] == len(expected) - 1, "a gap in the stream"


@pytest.mark.parametrize("clients", [1, 2, 3, 5])
@pytest.mark.parametrize(("pace", "busy"), [(1, 1), (0.7, 0.4)])
def test_arbiter(bench, clients, pace, busy):
    rng, width = random.Random(clients), 64
    content = rng.randbytes(1 << 15)
    b = bench(MemoryReader(config=EngineConfig(), clients=clients, outstanding=4))
    dut, pending, under_way, most, order = b.dut, [], [0], [0], []

    async def asked(ctx):
        while True:
            ready = rng.random() < busy
            ctx.set(dut.arready, ready)
            _, _, valid, addr, last = await ctx.tick().sample(dut.arvalid, dut.araddr, dut.arlen)
            if valid and ready:
                pending.append((addr, last, b.cycle + 30))
                under_way[0] += 1
                most[0] = max(most[0], under_way[0])

    async def answered(ctx):
        while True:
            ctx.set(dut.rvalid, 0)
            if not pending or pending[0][2] > b.cycle:
                await ctx.tick()
                continue
            addr, last, _ = pending.pop(0)
            for i in range(last + 1):
                while rng.random() >= pace:
                    ctx.set(dut.rvalid, 0)
                    await ctx.tick()
                ctx.set(dut.rvalid, 1)
                ctx.set(dut.rlast, i == last)
                ctx.set(dut.rdata, words(content, width, addr + 8 * i, 1)[0])
                await ctx.tick()
            under_way[0] -= 1

    b.add(asked)
    b.add(answered)
    for index in range(clients):
        bursts = [(rng.randrange(0, 4000) * 8, rng.choice([1, 2, 5, 16])) for _ in range(20)]
        expected = [w for addr, beats in bursts for w in words(content, width, addr, beats)]
        client = dut.client[index]
        b.feed(client.request, [addr | (beats - 1) << 32 for addr, beats in bursts])

        async def beats(ctx, client=client, expected=expected, index=index):
            for n, word in enumerate(expected):
                (data,) = await ctx.tick().sample(client.data).until(client.valid)
                assert data == word, (
                    f"client {index}, beat {n}, cycle {b.cycle}: expected {word:#x}, got {data:#x}"
                )
                order.append(index)

        b.add(beats, needed=True)
    b.run()
    assert most[0] <= 4 + 1
    assert set(order[: len(order) // 2]) == set(range(clients)), "a client starves"


def test_read_error(bench):
    b = bench(MemoryReader(config=EngineConfig()))
    b.pulses(b.dut.error, errors := [])

    async def process(ctx):
        for valid, code in [(0, 2), (1, 0), (1, 2), (1, 0), (0, 3)]:
            ctx.set(b.dut.rvalid, valid)
            ctx.set(b.dut.rresp, code)
            await ctx.tick()
        await ctx.tick().repeat(3)

    b.add(process, needed=True)
    b.run()
    assert len(errors) == 1


def test_refused():
    with pytest.raises(ValueError, match="clients must be in 1..16, not 0"):
        MemoryReader(config=EngineConfig(), clients=0)
    with pytest.raises(ValueError, match="depth must be a power of two of at least 64, not 32"):
        BurstReader(config=EngineConfig(), depth=32)
