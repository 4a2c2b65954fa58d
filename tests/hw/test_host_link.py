"""The serial link's commands, byte by byte: registers, memory, reset, and what a host may do wrong."""

import pytest
from amaranth.hdl import Elaboratable, Module
from amaranth.lib.wiring import Out
from systolith.hw import link
from systolith.hw.config import EngineConfig
from systolith.hw.host_link import HostLink
from systolith.hw.onchip_memory import OnChipMemory

CONFIG = EngineConfig(rows=2, cols=2, port_width=64)
WORDS = 64


class Pair(Elaboratable):
    """The link and the memory, as ``OnChip`` joins them."""

    def __init__(self, config=CONFIG, first=1000):
        self.link = HostLink(config=config, words=WORDS, patience=64)
        self.memory = OnChipMemory(config=config, words=WORDS, init=range(first, first + WORDS))

    def elaborate(self, platform):
        m = Module()
        m.submodules.link, m.submodules.memory = self.link, self.memory
        for name, member in self.link.signature.members.items():
            if name.startswith("host_"):
                ours, theirs = getattr(self.link, name), getattr(self.memory, name)
                m.d.comb += theirs.eq(ours) if member.flow == Out else ours.eq(theirs)
        return m


async def until(ctx, condition):
    """Cycles up to one in which it holds."""
    value = 0
    while not value:
        _, _, value = await ctx.tick().sample(condition)


def frame(opcode, address=0, argument=0, data=b""):
    return bytes([opcode]) + address.to_bytes(4, "little") + argument.to_bytes(4, "little") + data


def total(*parts):
    return sum(map(sum, parts)) & 0xFF


def registers(run, content, pace=0.5):
    """A control port of registers in ``content``; AW and W in any order."""
    ctl = run.dut.link.ctl

    async def write(ctx):
        while True:
            await until(ctx, ctl.awvalid & ctl.wvalid)
            while run.random.random() > pace:
                await ctx.tick()
            address, value = ctx.get(ctl.awaddr), ctx.get(ctl.wdata)
            assert ctx.get(ctl.wstrb) == 15
            first, second = run.random.sample((ctl.awready, ctl.wready), 2)
            for ready in (first, second):
                ctx.set(ready, 1)
                await ctx.tick()
                ctx.set(ready, 0)
            assert not ctx.get(ctl.awvalid) and not ctx.get(ctl.wvalid)
            content[address] = value
            ctx.set(ctl.bvalid, 1)
            await until(ctx, ctl.bready)
            ctx.set(ctl.bvalid, 0)

    async def read(ctx):
        while True:
            await until(ctx, ctl.arvalid)
            ctx.set(ctl.arready, 1)
            address = ctx.get(ctl.araddr)
            await ctx.tick()
            ctx.set(ctl.arready, 0)
            while run.random.random() > pace:
                await ctx.tick()
            ctx.set(ctl.rdata, content[address])
            ctx.set(ctl.rvalid, 1)
            await until(ctx, ctl.rready)
            ctx.set(ctl.rvalid, 0)

    run.add(write)
    run.add(read)


def exchange(bench, sent, answers, pace=1.0, content=None, pair=None):
    """Send bytes; the answer must be exactly these."""
    pair = pair or Pair()
    run = bench(pair)
    registers(run, {} if content is None else content)
    run.feed(pair.link.i, sent, pace)
    run.expect(pair.link.o, answers, pace)
    return run, pair


@pytest.mark.parametrize("pace", [1.0, 0.3])
def test_registers(bench, pace):
    content = {0x40: 0x89ABCDEF}
    write, read = frame(link.WRITE_REGISTER, 0x28, 0x12345678), frame(link.READ_REGISTER, 0x40)
    got = (0x89ABCDEF).to_bytes(4, "little")
    again = (0x12345678).to_bytes(4, "little")
    back = frame(link.READ_REGISTER, 0x28)
    answers = [total(write), *got, total(read, got), *again, total(back, again)]
    run, _ = exchange(bench, write + read + back, answers, pace, content)
    run.run()
    assert content[0x28] == 0x12345678


@pytest.mark.parametrize("pace", [1.0, 0.3])
def test_memory(bench, pace):
    data = bytes(range(200, 224))
    write = frame(link.WRITE_MEMORY, 8 * 5, 3, data)
    read = frame(link.READ_MEMORY, 8 * 4, 5)
    got = (1004).to_bytes(8, "little") + data + (1008).to_bytes(8, "little")
    run, _ = exchange(bench, write + read, [total(write), *got, total(read, got)], pace)
    run.run()


@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_port_of_any_width(bench, width):
    """Registers have 32 bits where a word of memory has fewer, too."""
    size = width // 8
    pair = Pair(EngineConfig(rows=1, cols=1, port_width=width, fold_width=0), first=100)
    data = bytes(range(200, 200 + 3 * size))
    write, read = frame(link.WRITE_MEMORY, 5 * size, 3, data), frame(link.READ_MEMORY, 4 * size, 5)
    got = (104).to_bytes(size, "little") + data + (108).to_bytes(size, "little")
    register = frame(link.READ_REGISTER, 0x40)
    value = (0x89ABCDEF).to_bytes(4, "little")
    answers = [total(write), *got, total(read, got), *value, total(register, value)]
    run, _ = exchange(bench, write + read + register, answers, 0.7, {0x40: 0x89ABCDEF}, pair)
    run.run()


def test_no_words_and_unknown_commands(bench):
    frames = [
        frame(link.WRITE_MEMORY, 8, 0),
        frame(link.READ_MEMORY, 8, 0),
        frame(0x77, 1, 2),
        frame(link.RESET),
    ]
    answers = [total(frames[0]), total(frames[1]), total(frames[2]) ^ 0xFF, total(frames[3])]
    run, pair = exchange(bench, b"".join(frames), answers)
    resets = []
    run.pulses(pair.link.reset, resets)
    run.run()
    assert len(resets) == 8 and resets == list(range(resets[0], resets[0] + 8))


@pytest.mark.parametrize(
    "broken", [frame(link.READ_MEMORY, 8, 1)[:4], frame(link.WRITE_MEMORY, 8, 2, b"12345")]
)
def test_a_command_that_stops_is_forgotten(bench, broken):
    pair = Pair()
    run = bench(pair)
    registers(run, {})
    read = frame(link.READ_MEMORY, 8, 1)
    got = (1001).to_bytes(8, "little")

    async def send(ctx):
        for part, pause in ((broken, 100), (read, 0)):
            for byte in part:
                ctx.set(pair.link.i.payload, byte)
                ctx.set(pair.link.i.valid, 1)
                await until(ctx, pair.link.i.ready)
                ctx.set(pair.link.i.valid, 0)
            for _ in range(pause):
                await ctx.tick()

    run.add(send)
    run.expect(pair.link.o, [*got, total(read, got)])
    run.run()


def test_patience_is_checked():
    with pytest.raises(ValueError, match="patience must be a power of two of at least 16, not 100"):
        HostLink(config=CONFIG, words=WORDS, patience=100)
