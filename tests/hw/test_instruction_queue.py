"""InstructionQueue: records out in order, each once its waits hold, a constant number of cycles later."""

import random

import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.instruction_queue import InstructionQueue
from systolith.hw.isa import COMPUTE, LOAD, STORE, encode, layout, no_wait, record_bits, record_words

UNITS = ("load", "compute", "store")


def record(instruction, config, rng, **header):
    """A random record: its port words and its bits as the layout has them."""
    values = {}
    for field, _, bits in layout(instruction, config):
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if field.signed else (0, (1 << bits) - 1)
        values[field.name] = rng.randint(low, high)
    values |= {"opcode": instruction.opcode, "last": 0, **header}
    data = encode(instruction, config, values)
    size = config.port_bytes
    words = [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]
    return words, int.from_bytes(data, "little") & (1 << record_bits(instruction, config)) - 1


def waits(config, **given):
    return {f"wait_{unit}": given.get(unit, no_wait(config)) for unit in UNITS}


@pytest.mark.parametrize("instruction", [LOAD, COMPUTE, STORE], ids=lambda i: i.name)
@pytest.mark.parametrize("width", [8, 16, 32, 64, 128, 512])
@pytest.mark.parametrize(("give", "take"), [(1, 1), (0.6, 0.3)])
def test_records(bench, instruction, width, give, take):
    config, rng = EngineConfig(port_width=width, lookahead=give == 1), random.Random(width)
    records = [record(instruction, config, rng, **waits(config)) for _ in range(12)]
    b = bench(InstructionQueue(config=config, instruction=instruction, depth=64))
    b.feed(b.dut.i, [w for words, _ in records for w in words], give)
    b.expect(b.dut.o, [bits for _, bits in records], take)
    b.run()


@pytest.mark.parametrize("seed", range(6))
def test_waits(bench, seed):
    """Against the rule, with random counts, over many iterations and the counters' wrap."""
    config, rng = EngineConfig(wait_width=20 - seed % 3), random.Random(seed)
    n = {unit: rng.randint(1, (1 << config.wait_width - 3) - 1) for unit in UNITS}
    b = bench(InstructionQueue(config=config, instruction=LOAD, depth=64))
    dut, records, thresholds, count = b.dut, [], [], 40
    base = dict.fromkeys(UNITS, 0)
    for i in range(count):
        last = i % 3 == 2
        wait = {unit: rng.choice([no_wait(config), rng.randint(-n[unit], n[unit])]) for unit in UNITS}
        records.append(record(LOAD, config, rng, last=last, **waits(config, **wait)))
        thresholds.append({unit: base[unit] + wait[unit] for unit in UNITS})
        if last:
            base = {unit: base[unit] + n[unit] for unit in UNITS}
    b.feed(dut.i, [w for words, _ in records for w in words])
    b.pulses(dut.iteration_end, ends := [])
    shown = dict.fromkeys(UNITS, 0)  # true counts, as they stand since cycle `since`
    since = dict.fromkeys(UNITS, 0)
    last_taken = []

    async def process(ctx):
        for unit in UNITS:
            ctx.set(getattr(dut, f"n_{unit}"), n[unit])
        taken, held = 0, 0
        valid_since = None
        while taken < count:
            for unit in UNITS:
                goal = thresholds[taken][unit]
                if shown[unit] < goal and rng.random() < 0.1:
                    shown[unit] = goal if rng.random() < 0.5 else rng.randint(shown[unit], goal)
                    since[unit] = b.cycle + 1  # the edge that first samples it
                ctx.set(getattr(dut.progress, unit), shown[unit] % (1 << config.wait_width))
            ready = rng.random() < 0.3
            ctx.set(dut.o.ready, ready)
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload.as_value())
            met = all(shown[unit] >= thresholds[taken][unit] for unit in UNITS)
            changed = max(since.values())
            assert not valid or met, f"record {taken} too early, cycle {b.cycle}"
            if valid:
                assert payload == records[taken][1], f"record {taken}, cycle {b.cycle}"
                valid_since = valid_since or b.cycle
                if valid_since == b.cycle and held:
                    assert b.cycle >= changed + 1
                    if changed > held + 12:  # it was certainly there: only the counts held it back
                        assert b.cycle == changed + 1, (
                            f"record {taken}: {b.cycle - changed} cycles after its counts"
                        )
            if valid and ready:
                if records[taken][1] >> 4 & 1:
                    last_taken.append(b.cycle)
                taken, held, valid_since = taken + 1, b.cycle, None
        await ctx.tick().repeat(3)

    b.add(process, needed=True)
    b.run(40000)
    assert ends == [c + 1 for c in last_taken]


def test_latencies(bench):
    config, rng = EngineConfig(), random.Random(0)
    records = [record(LOAD, config, rng, **waits(config)) for _ in range(2)]
    b = bench(InstructionQueue(config=config, instruction=LOAD, depth=64))
    words = [w for r, _ in records for w in r]
    seen = []

    async def process(ctx):
        for word in words:
            ctx.set(b.dut.i.payload, word)
            ctx.set(b.dut.i.valid, 1)
            await ctx.tick().until(b.dut.i.ready)
            seen.append(b.cycle)
        ctx.set(b.dut.i.valid, 0)

    async def out(ctx):
        await ctx.tick().until(b.dut.o.valid)
        first = b.cycle
        await ctx.tick().repeat(40)
        ctx.set(b.dut.o.ready, 1)
        await ctx.tick()
        taken = b.cycle
        await ctx.tick().until(b.dut.o.valid)
        assert first - seen[record_words(config) - 1] == 8
        assert b.cycle - taken == 3

    b.add(process)
    b.add(out, needed=True)
    b.run()


def test_start(bench):
    """Thresholds count from 0 again."""
    config, rng = EngineConfig(), random.Random(0)
    records = [record(LOAD, config, rng, **waits(config, load=0), last=1) for _ in range(2)]
    b = bench(InstructionQueue(config=config, instruction=LOAD, depth=64))

    async def process(ctx):
        ctx.set(b.dut.n_load, 5)
        ctx.set(b.dut.o.ready, 1)
        await ctx.tick().until(b.dut.o.valid)
        await ctx.tick().repeat(5)
        ctx.set(b.dut.start, 1)
        await ctx.tick()
        ctx.set(b.dut.start, 0)
        for word in records[1][0]:
            ctx.set(b.dut.i.payload, word)
            ctx.set(b.dut.i.valid, 1)
            await ctx.tick().until(b.dut.i.ready)
        ctx.set(b.dut.i.valid, 0)
        await ctx.tick().until(b.dut.o.valid)

    b.feed(b.dut.i, records[0][0])
    b.add(process, needed=True)
    b.run(500)


def test_halt(bench):
    """A record that is valid stays so; none becomes valid after it."""
    config, rng = EngineConfig(), random.Random(2)
    b = bench(InstructionQueue(config=config, instruction=STORE, depth=64))
    dut = b.dut
    records = [record(STORE, config, rng, **waits(config)) for _ in range(3)]
    b.feed(dut.i, [w for words, _ in records for w in words])

    async def process(ctx):
        while not ctx.get(dut.o.valid):
            await ctx.tick()
        ctx.set(dut.halt, 1)
        for _ in range(40):
            assert ctx.get(dut.o.valid)
            await ctx.tick()
        ctx.set(dut.o.ready, 1)
        await ctx.tick()
        for _ in range(40):
            assert not ctx.get(dut.o.valid), "a record after the halt"
            await ctx.tick()

    b.add(process, needed=True)
    b.run()
