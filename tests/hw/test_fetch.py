"""Fetch: every record to its unit's queue; what is wrong is refused."""

import random

import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.fetch import Fetch
from systolith.hw.isa import COMPUTE, CONFIG, LOAD, STORE, encode, record_words

COUNTS = {"n_load": 3, "n_compute": 77777, "n_store": 100001}


def words(config, data):
    size = config.port_bytes
    return [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]


def random_record(config, rng, opcode):
    size = record_words(config) * config.port_bytes
    return words(config, bytes([opcode | rng.randrange(16) << 4]) + rng.randbytes(size - 1))


def config_record(config, **changes):
    return words(config, encode(CONFIG, config, {"hash": config.hash, **COUNTS, **changes}))


@pytest.mark.parametrize("width", [32, 64, 128, 512])
@pytest.mark.parametrize("paces", [(1, 1), (0.5, 0.4)], ids=str)
def test_routes(bench, width, paces):
    config, rng = EngineConfig(port_width=width), random.Random(width)
    program, expected = [], {u: [] for u in ("load", "compute", "store")}
    for _ in range(3):
        program += config_record(config)
        for _ in range(8):
            unit = rng.choice([LOAD, COMPUTE, STORE])
            record = random_record(config, rng, unit.opcode)
            program += record
            expected[unit.unit] += record
    b = bench(Fetch(config=config))
    b.feed(b.dut.i, program, paces[0])
    for unit, stream in expected.items():
        b.expect(getattr(b.dut, unit), stream, paces[1])

    async def process(ctx):
        await ctx.tick().until(b.dut.configured)
        for name, value in COUNTS.items():
            assert ctx.get(getattr(b.dut, name)) == value

    b.add(process, needed=True)
    b.run()


@pytest.mark.parametrize("width", [32, 64, 512])
@pytest.mark.parametrize(
    ("fault", "error"), [("opcode", "bad_opcode"), ("hash", "bad_config"), ("no config", "bad_config")]
)
def test_refused(bench, width, fault, error):
    """The error shows, nothing after it goes out, and start begins again."""
    config, rng = EngineConfig(port_width=width), random.Random(1)
    load = random_record(config, rng, LOAD.opcode)
    start = {
        "opcode": config_record(config) + load + random_record(config, rng, 0),
        "hash": config_record(config, hash=config.hash ^ 1 << 31),
        "no config": [],
    }
    b = bench(Fetch(config=config))
    program = start[fault]
    got = []
    for unit in ("load", "compute", "store"):
        b.watch(getattr(b.dut, unit), got)
    rest = len(program) + 2 * len(load)
    b.feed(b.dut.i, program + load + load)

    async def process(ctx):
        await ctx.tick().until(getattr(b.dut, error))
        await ctx.tick().repeat(rest)
        assert ctx.get(getattr(b.dut, error))
        assert [w for w, _ in got] == (load if fault == "opcode" else [])
        assert ctx.get(b.dut.bad_opcode) + ctx.get(b.dut.bad_config) == 1
        ctx.set(b.dut.start, 1)
        await ctx.tick()
        ctx.set(b.dut.start, 0)
        assert (
            not ctx.get(b.dut.bad_opcode) and not ctx.get(b.dut.bad_config) and not ctx.get(b.dut.configured)
        )

    b.add(process, needed=True)
    b.run()
