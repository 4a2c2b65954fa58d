"""StoreUnit == the loop nest of STORE, on an AXI memory of every pace."""

import random
from collections import deque

import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import REGIONS, STORE, encode, record_bits
from systolith.hw.store_unit import StoreUnit

BASES = {"program": 0x10000, "input": 0x30000, "output": 0x50FC0, "spill": 0x70000}


def store(config, rng, words, memory, place, **fixed):
    """A random STORE: its record; what it writes goes into ``memory``, address to byte."""
    v = {"region": rng.randrange(4), "pixels": rng.choice([1, rng.randint(1, 9), rng.randint(60, 70)]),
         "blocks": rng.choice([1, 1, 2, 3]), "base": rng.randrange(config.words),
         "block_step": rng.randrange(config.words), "offset": place} | fixed  # fmt: skip
    address = BASES[REGIONS[v["region"]]] + v["offset"]
    for b in range(v["blocks"]):
        for p in range(v["pixels"]):
            word = words[(v["base"] + p + b * v["block_step"]) % config.words]
            codes = [word >> i * config.act_width & (1 << config.act_width) - 1 for i in range(config.lanes)]
            data = b"".join(code.to_bytes(config.lane_bytes, "little") for code in codes)
            for byte in data.ljust(config.word_beats * config.port_bytes, b"\0"):
                assert address not in memory
                memory[address] = byte
                address += 1
    return int.from_bytes(encode(STORE, config, v), "little") & (1 << record_bits(STORE, config)) - 1, address


class AxiWriter:
    """The write half of a memory: address to byte, protocol checked."""

    def __init__(self, bench, config, pace=1.0, latency=10, response=0):
        self.bench, self.config, self.pace, self.latency, self.response = (
            bench,
            config,
            pace,
            latency,
            response,
        )
        self.bytes, self.bursts, self.answers, self.beats, self.responses = {}, deque(), deque(), [], []
        for process in (self.addresses, self.data, self.answer):
            bench.add(process)

    def go(self):
        return self.bench.random.random() < self.pace

    async def addresses(self, ctx):
        dut, size, offered = self.bench.dut, self.config.port_bytes, None
        while True:
            ready = self.go()
            ctx.set(dut.awready, ready)
            _, _, valid, addr, last, code, kind = await ctx.tick().sample(
                dut.awvalid, dut.awaddr, dut.awlen, dut.awsize, dut.awburst
            )
            assert offered is None or (valid and (addr, last) == offered), (
                f"address withdrawn at cycle {self.bench.cycle}"
            )
            offered = (addr, last) if valid and not ready else None
            if valid and ready:
                assert 1 << code == size and kind == 1 and addr % size == 0 and last < 64
                assert addr // 4096 == (addr + (last + 1) * size - 1) // 4096, (
                    f"burst at {addr:#x} crosses 4096 bytes"
                )
                self.bursts.append((addr, last))

    async def data(self, ctx):
        dut, size = self.bench.dut, self.config.port_bytes
        offered, n = None, 0
        while True:
            ready = self.go()
            ctx.set(dut.wready, ready)
            _, _, valid, data, last, strobe = await ctx.tick().sample(
                dut.wvalid, dut.wdata, dut.wlast, dut.wstrb
            )
            assert offered is None or (valid and data == offered), (
                f"data withdrawn at cycle {self.bench.cycle}"
            )
            offered = data if valid and not ready else None
            if valid and ready:
                addr, beats = self.bursts[0]
                assert last == (n == beats) and strobe == (1 << size) - 1
                self.beats.append(self.bench.cycle)
                for i, byte in enumerate(data.to_bytes(size, "little")):
                    self.bytes[addr + n * size + i] = byte
                n += 1
                if last:
                    self.bursts.popleft()
                    self.answers.append(self.bench.cycle + self.latency)
                    n = 0

    async def answer(self, ctx):
        dut = self.bench.dut
        while True:
            go = bool(self.answers) and self.answers[0] <= self.bench.cycle and self.go()
            ctx.set(dut.bvalid, go)
            ctx.set(dut.bresp, self.response)
            await ctx.tick()
            if go:
                assert ctx.get(dut.bready)
                self.answers.popleft()
                self.responses.append(self.bench.cycle)


def scratchpad(b, words, pace, latency=4):
    """Answers ScratchpadRead a fixed number of cycles later."""
    read, pipe = b.dut.read, deque([None] * latency)

    async def process(ctx):
        while True:
            ready = b.random.random() < pace
            ctx.set(read.request.ready, ready)
            _, _, valid, addr = await ctx.tick().sample(read.request.valid, read.request.payload.addr)
            pipe.append(addr if valid and ready else None)
            now = pipe.popleft()
            ctx.set(read.valid, now is not None)
            ctx.set(read.data, 0 if now is None else words[now])

    b.add(process)


def run(bench, config, pace, count, **fixed):
    rng = random.Random(f"{config} {pace}")
    words = [rng.getrandbits(config.lanes * config.act_width) for _ in range(config.words)]
    expected, records, place = {}, [], 0
    for _ in range(count):
        record, _ = store(config, rng, words, expected, place, **fixed)
        records.append(record)
        place += 70 * 3 * config.word_beats * config.port_bytes
    b = bench(StoreUnit(config=config))
    b.feed(b.dut.i, records, pace)
    scratchpad(b, words, pace)
    memory = AxiWriter(b, config, pace)
    b.pulses(b.dut.done, done := [])
    b.pulses(b.dut.error, errors := [])

    async def process(ctx):
        for name, value in BASES.items():
            ctx.set(getattr(b.dut, name), value)
        while len(done) < count:
            await ctx.tick()
        await ctx.tick().repeat(30)

    b.add(process, needed=True)
    b.run(60000)
    assert not errors and len(done) == count and not memory.bursts and not memory.answers
    for address in sorted(expected):
        assert memory.bytes[address] == expected[address], f"byte {address:#x}"
    assert memory.bytes.keys() == expected.keys()
    return memory, done


CONFIGS = [
    {"rows": 8, "cols": 8},
    {"rows": 5, "cols": 12, "port_width": 32},
    {"rows": 1, "cols": 1, "port_width": 128},
    {"rows": 7, "cols": 2},
    {"rows": 16, "cols": 8, "act_width": 4},
    {"rows": 12, "cols": 5, "act_width": 16, "port_width": 32},
    {"rows": 3, "cols": 7, "act_width": 16, "port_width": 128},
    {"rows": 16, "cols": 16, "port_width": 512},
]


@pytest.mark.parametrize("sizes", CONFIGS, ids=str)
@pytest.mark.parametrize("pace", [1, 0.5])
def test_stores(bench, sizes, pace):
    config = EngineConfig(**sizes, scratchpad=64 * 64 * 4)
    memory, done = run(bench, config, pace, 3)
    assert done[-1] == memory.responses[-1] + 1


def test_full_rate(bench):
    """One beat a cycle, but one where a burst begins."""
    config = EngineConfig(rows=16, cols=16, scratchpad=1 << 14)
    memory, _ = run(bench, config, 1, 1, pixels=200, blocks=1, region=0)
    assert memory.beats[-1] - memory.beats[0] <= 400 + 400 // 64 + 1


def test_error(bench):
    config = EngineConfig(scratchpad=1 << 14)
    b = bench(StoreUnit(config=config))
    words = [0] * config.words
    record, _ = store(config, random.Random(0), words, {}, 0, pixels=1, blocks=1)
    b.feed(b.dut.i, [record])
    scratchpad(b, words, 1)
    AxiWriter(b, config, response=2)
    b.pulses(b.dut.error, errors := [])

    async def process(ctx):
        while not errors:
            await ctx.tick()
        await ctx.tick().repeat(30)
        assert len(errors) == 1

    b.add(process, needed=True)
    b.run(500)
