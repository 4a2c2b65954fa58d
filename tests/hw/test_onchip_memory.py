"""The memory on the chip: bursts of the engine and words of the host against a list, with everything at once."""

import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.onchip_memory import OnChipMemory, memory_parts

CONFIG = EngineConfig(rows=2, cols=2, port_width=32)
WORDS = 200


def axi_read(run, bursts, got):
    """Ask for bursts (word, beats), the next as soon as one is taken; collect (data, resp, last, cycle)."""
    axi = run.dut.axi
    total = sum(beats for _, beats in bursts)

    async def ask(ctx):
        for word, beats in bursts:
            ctx.set(axi.araddr, 4 * word)
            ctx.set(axi.arlen, beats - 1)
            ctx.set(axi.arvalid, 1)
            ready = False
            while not ready:
                _, _, ready = await ctx.tick().sample(axi.arready)
        ctx.set(axi.arvalid, 0)

    async def take(ctx):
        ctx.set(axi.rready, 1)
        while len(got) < total:
            _, _, valid, *beat = await ctx.tick().sample(axi.rvalid, axi.rdata, axi.rresp, axi.rlast)
            if valid:
                got.append((*beat, run.cycle))

    run.add(ask)
    run.add(take, needed=True)


def test_bursts_come_without_gaps_and_hold_the_contents(bench):
    init = [3 * i + 1 for i in range(100)]
    run = bench(OnChipMemory(config=CONFIG, words=WORDS, init=init))
    bursts, got = [(0, 64), (90, 20), (5, 1), (6, 1), (199, 1)], []
    axi_read(run, bursts, got)
    run.run()
    words = [word + i for word, beats in bursts for i in range(beats)]
    assert [beat[0] for beat in got] == [init[word] if word < 100 else 0 for word in words]
    assert [beat[2] for beat in got] == [i == beats - 1 for _, beats in bursts for i in range(beats)]
    assert all(beat[1] == 0 for beat in got)
    assert [beat[3] for beat in got] == list(range(got[0][3], got[0][3] + len(words)))


def test_addresses_beyond_the_memory_are_errors(bench):
    dut = OnChipMemory(config=CONFIG, words=WORDS, init=range(WORDS))
    run, got, responses = bench(dut), [], []
    axi_read(run, [(198, 4), (0, 1), (1 << 20, 1)], got)
    axi = dut.axi

    async def write(ctx):
        for word, beats in ((198, 3), (0, 1), (1 << 20, 1)):
            ctx.set(axi.awaddr, 4 * word)
            ctx.set(axi.awvalid, 1)
            await ctx.tick().until(axi.awready)
            ctx.set(axi.awvalid, 0)
            ctx.set(axi.wvalid, 1)
            for beat in range(beats):
                ctx.set(axi.wlast, beat == beats - 1)
                await ctx.tick().until(axi.wready)
            ctx.set(axi.wvalid, 0)
            ctx.set(axi.bready, 1)
            (resp,) = await ctx.tick().sample(axi.bresp).until(axi.bvalid)
            responses.append(resp)

    run.add(write, needed=True)
    run.run()
    assert [beat[1] for beat in got] == [0, 0, 3, 3, 0, 3]
    assert responses == [3, 0, 3]


@pytest.mark.parametrize("seed", range(3))
def test_host_and_engine_at_the_same_time(bench, seed):
    """The engine writes and reads the lower half, the host the upper one; all of it is read back at the end."""
    dut = OnChipMemory(config=CONFIG, words=WORDS, init=range(WORDS))
    run = bench(dut, seed)
    axi, content = dut.axi, list(range(WORDS))
    wrong, done = [], []

    async def host(ctx):
        for _ in range(300):
            word, write = run.random.randrange(100, WORDS), run.random.random() < 0.5
            data = run.random.getrandbits(32)
            ctx.set(dut.host_addr, word)
            ctx.set(dut.host_write, write)
            ctx.set(dut.host_wdata, data)
            ctx.set(dut.host_valid, 1)
            await ctx.tick().until(dut.host_ready)
            ctx.set(dut.host_valid, 0)
            if write:
                content[word] = data
                continue
            (got,) = await ctx.tick().sample(dut.host_rdata).until(dut.host_rvalid)
            if got != content[word]:
                wrong.append((word, got, content[word]))
        done.append("host")

    async def write(ctx):
        ctx.set(axi.bready, 1)
        for _ in range(30):
            first, beats = run.random.randrange(50), run.random.randrange(1, 16)
            ctx.set(axi.awaddr, 4 * first)
            ctx.set(axi.awvalid, 1)
            await ctx.tick().until(axi.awready)
            ctx.set(axi.awvalid, 0)
            for beat in range(beats):
                while run.random.random() < 0.3:
                    await ctx.tick()
                content[first + beat] = run.random.getrandbits(32)
                ctx.set(axi.wdata, content[first + beat])
                ctx.set(axi.wlast, beat == beats - 1)
                ctx.set(axi.wvalid, 1)
                await ctx.tick().until(axi.wready)
                ctx.set(axi.wvalid, 0)
            await ctx.tick().until(axi.bvalid)
        done.append("engine")

    async def finish(ctx):
        while len(done) < 2:
            await ctx.tick()
        ctx.set(axi.rready, 1)
        ctx.set(axi.arlen, WORDS - 1)
        ctx.set(axi.arvalid, 1)
        await ctx.tick().until(axi.arready)
        ctx.set(axi.arvalid, 0)
        for word in range(WORDS):
            (got,) = await ctx.tick().sample(axi.rdata).until(axi.rvalid)
            if got != content[word]:
                wrong.append((word, got, content[word]))

    run.add(host)
    run.add(write)
    run.add(finish, needed=True)
    run.run()
    assert not wrong, "word, got, wanted: " + str(wrong[:5])


def test_bad_sizes():
    with pytest.raises(ValueError, match=r"words must be 2..2\*\*28, not 1"):
        OnChipMemory(config=CONFIG, words=1)
    with pytest.raises(ValueError, match="init must be at most 4 words, not 5"):
        OnChipMemory(config=CONFIG, words=4, init=range(5))


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (2, [512]), (512, [512]), (513, [512, 512]), (4096, [4096]), (11000, [8192, 2048, 1024]),
        (12288, [8192, 4096]), (16384, [16384]), (40000, [16384, 16384, 4096, 2048, 2048]),
    ],
)  # fmt: skip
def test_parts_fall_and_begin_at_multiples_of_themselves(words, parts):
    assert memory_parts(words) == parts and sum(parts) >= words


def test_parts_hold_their_own_words(bench):
    """Contents, and what the engine writes across both borders."""
    words, init = 1500, [7 * i + 5 for i in range(1400)]
    assert memory_parts(words) == [1024, 512]
    dut = OnChipMemory(config=CONFIG, words=words, init=init)
    run, got = bench(dut), []
    content = init + [0] * (words - len(init))
    axi = dut.axi

    async def write(ctx):
        ctx.set(axi.bready, 1)
        for first in (1020, 1395):
            ctx.set(axi.awaddr, 4 * first)
            ctx.set(axi.awvalid, 1)
            await ctx.tick().until(axi.awready)
            ctx.set(axi.awvalid, 0)
            for beat in range(8):
                content[first + beat] = run.random.getrandbits(32)
                ctx.set(axi.wdata, content[first + beat])
                ctx.set(axi.wlast, beat == 7)
                ctx.set(axi.wvalid, 1)
                await ctx.tick().until(axi.wready)
            ctx.set(axi.wvalid, 0)
            await ctx.tick().until(axi.bvalid)
        ctx.set(axi.rready, 1)
        for first in range(0, words, 250):
            ctx.set(axi.araddr, 4 * first)
            ctx.set(axi.arlen, 249)
            ctx.set(axi.arvalid, 1)
            await ctx.tick().until(axi.arready)
            ctx.set(axi.arvalid, 0)
            for _ in range(250):
                got.append((await ctx.tick().sample(axi.rdata).until(axi.rvalid))[0])

    run.add(write, needed=True)
    run.run()
    assert got == content
