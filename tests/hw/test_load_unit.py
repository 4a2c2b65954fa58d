"""LoadUnit == the loop nest of LOAD."""

import random
from math import ceil

import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.interfaces import load_word
from systolith.hw.isa import FOLD_CHANNELS, LOAD, REGIONS, encode, record_bits
from systolith.hw.load_unit import LoadUnit
from systolith.hw.load_writer import LoadWriter
from systolith.hw.regions import Regions

BASES = {"program": 0x1000, "input": 0x3000, "output": 0x5000, "spill": 0x7000}


def word(config, v, offset, data):
    """As an integer: address, data, table, shared."""
    bits = load_word(config)["addr"].width
    flags = v.get("table", 0) | (v["tail"] == 1) << 1
    return (v["base"] + offset) % (1 << bits) | data << bits | flags << bits + config.lanes * config.act_width


def load(config, rng, content, **fixed):
    """A random LOAD: the record as an integer, and the words it writes as integers (address, data, flags)."""
    lanes, size, width = config.lanes, config.lane_bytes, config.act_width
    per_word = config.port_bytes // size
    v = (
        dict(
            region=rng.randrange(4),
            pixels=rng.randint(1, 9),
            blocks=rng.choice([1, 1, 2, 3]),
            tail=rng.randint(1, lanes),
            skip=rng.randrange(per_word),
            offset=rng.randrange(64) * config.port_bytes,
            base=rng.randrange(config.words),
            block_step=rng.randrange(config.words),
        )
        | fixed
    )
    if v.get("table"):
        v |= {"blocks": 1, "tail": rng.choice([1, rng.randint(1, config.cols)])}
        v["base"] = rng.randrange((1 << config.table_addr_width) - v["pixels"] + 1)
    pixel = (v["blocks"] - 1) * lanes + v["tail"]
    v["beats"] = ceil((v["skip"] + v["pixels"] * pixel) / per_word)
    start = BASES[REGIONS[v["region"]]] + v["offset"] + v["skip"] * size
    elements = (
        int.from_bytes(content[a : a + size], "little") % (1 << width)
        for a in range(start, len(content), size)
    )
    words = []
    for p in range(v["pixels"]):
        for b in range(v["blocks"]):
            n = v["tail"] if b == v["blocks"] - 1 else lanes
            data = sum(next(elements) << i * width for i in range(n))
            words.append(word(config, v, p + b * v["block_step"], data))
    record = int.from_bytes(encode(LOAD, config, v), "little") & (1 << record_bits(LOAD, config)) - 1
    return record, words


def folded(config, rng, content, lines, **fixed):
    """A random LOAD with fold, likewise. ``lines``: the rows above, as the LOADs before have left them."""
    lanes, size, width = config.lanes, config.lane_bytes, config.act_width
    per_word = config.port_bytes // size
    columns, tail = rng.randint(1, 9), rng.randint(1, min(FOLD_CHANNELS, lanes))
    above = rng.choice([0, 0, 1, 2, 2]) if config.fold_width else 0
    zeros = rng.choice([0, 0, 1, 2, 7])
    v = (
        dict(
            region=rng.randrange(4),
            pixels=rng.randint(1, 4) * columns,
            blocks=rng.randint(1, ceil(config.fold_elements / lanes)),
            tail=tail,
            skip=rng.randrange(per_word),
            offset=rng.randrange(64) * config.port_bytes,
            base=rng.randrange(config.words),
            block_step=rng.randrange(config.words),
            fold=1,
            row_last=columns - 1,
            before=rng.randint(0, min(15, columns - 1)),
            zeros=max(zeros, 3 - columns) if above else zeros,
            rows_above=above,
            rows_held=rng.randint(0, above),
            rows_zero=rng.randint(0, 2) if above else 0,
        )
        | (_turns(config, rng, columns) if config.fold_turns and rng.random() < 0.4 else {})
        | fixed
    )
    columns, tail, above = v["row_last"] + 1, v["tail"], v["rows_above"]
    height, whole = v["pixels"] // columns + v["rows_zero"], columns + v["zeros"]
    v.setdefault("rows_before", rng.randint(0, min(2, height - 1)) if above else 0)
    if any((i, x, tail) not in lines for i in range(v["rows_held"]) for x in range(whole)):
        v["rows_held"] = 0  # no row of that many pixels, and channels, was there
    v["beats"] = ceil((v["skip"] + v["pixels"] * tail) / per_word)
    start = BASES[REGIONS[v["region"]]] + v["offset"] + v["skip"] * size
    elements = (
        int.from_bytes(content[a : a + size], "little") % (1 << width)
        for a in range(start, len(content), size)
    )
    words, n = [], 0
    for y in range(height):
        row = []
        for x in range(whole):
            inside = x < columns and y < v["pixels"] // columns
            pixel = [next(elements) if inside else 0 for _ in range(tail)]
            held = [
                lines.get((i, x, tail), []) if y + v["rows_held"] > i else [0] * tail for i in range(above)
            ]
            row.append(pixel + [code for line in held for code in line])
            if above:
                for old in [key for key in lines if key[1] == x and key[2] != tail]:
                    del lines[old]
                lines[1, x, tail], lines[0, x, tail] = lines.get((0, x, tail), [0] * tail), pixel
        for x in range(v["before"], whole):
            if y < v["rows_before"]:
                continue
            window = [code for j in range(x + 1) for code in row[x - j]][: config.fold_elements]
            window += [0] * (v["blocks"] * lanes)
            if v.get("turns"):
                window = in_turns(row, x, (n // (whole - v["before"]) + v["second"]) % 2, v["half"], lanes)
            for b in range(v["blocks"]):
                data = sum(code << i * width for i, code in enumerate(window[b * lanes : (b + 1) * lanes]))
                words.append(word(config, v, n + b * v["block_step"], data))
            n += 1
    record = int.from_bytes(encode(LOAD, config, v), "little") & (1 << record_bits(LOAD, config)) - 1
    return record, words


def _turns(config, rng, columns):
    """What is different where words take turns."""
    return dict(
        turns=1, second=rng.randint(0, 1), half=rng.randint(0, 1), tail=6, rows_above=2, blocks=1,
        rows_held=rng.randint(0, 2), zeros=max(rng.randint(0, 2), 3 - columns), rows_zero=rng.randint(0, 2),
    )  # fmt: skip


def in_turns(row, x, turn, half, lanes):
    """9 elements of the pixels x - 1 and x, oldest first, then more of the row above, or of the one above that."""
    both = [(row[x - 1] if x else [0] * 18)[6 * i : 6 * i + 6] + row[x][6 * i : 6 * i + 6] for i in range(3)]
    own, above, top = (elements[3 * half :][:9] for elements in both)
    more = min(lanes - 9, 9)
    return own + (top[9 - more :] if turn else above[:more]) + [0] * lanes


def either(config, rng, content, lines):
    """A random LOAD, with fold or without, of words or of tables."""
    if rng.random() < 0.5:
        return folded(config, rng, content, lines)
    return load(config, rng, content, table=int(config.tables > 0 and rng.random() < 0.5))


def bench_of(bench, config, content, loads, paces=(1, 1, 1), depth=512, **memory):
    b = bench(LoadUnit(config=config, depth=depth))
    b.feed(b.dut.i, [record for record, _ in loads], paces[0])
    b.memory(b.dut.client, content, config.port_width, pace=paces[1], **memory)
    got = b.expect(b.dut.write.stream, [w for _, words in loads for w in words], paces[2])
    b.pulses(b.dut.done, done := [])

    async def regions(ctx):
        for name, value in BASES.items():
            ctx.set(getattr(b.dut, name), value)

    b.add(regions)
    return b, got, done


CONFIGS = [dict(rows=8, cols=8), dict(rows=5, cols=12, port_width=32), dict(rows=1, cols=1, port_width=128),
           dict(rows=7, cols=2), dict(rows=16, cols=8, act_width=4), dict(rows=12, cols=5, act_width=16, port_width=32),
           dict(rows=3, cols=7, act_width=16, port_width=128, scratchpad=1024), dict(rows=16, cols=16, port_width=512),
           dict(rows=16, cols=4, fold_width=0, tables=0),
           dict(rows=32, cols=32, port_width=32, fold_width=16)]  # fmt: skip


@pytest.mark.parametrize("sizes", CONFIGS, ids=str)
@pytest.mark.parametrize("paces", [(1, 1, 1), (0.5, 0.5, 0.5)], ids=str)
def test_loads(bench, sizes, paces):
    config, rng = EngineConfig(**sizes), random.Random(str(sizes))
    content = rng.randbytes(1 << 16)
    lines = {}
    loads = [either(config, rng, content, lines) for _ in range(20)]
    b, got, done = bench_of(bench, config, content, loads, paces)
    b.run(40000)
    ends, n = [], 0
    for _, words in loads:
        n += len(words)
        ends.append(got[n - 1][1] + 1)
    assert done == ends, "done is the cycle after the last word"


@pytest.mark.parametrize("sizes", CONFIGS[:2] + CONFIGS[4:], ids=str)
def test_full_rate(bench, sizes):
    """Whichever binds, beats or words; instructions follow each other without a gap."""
    config, rng = EngineConfig(**sizes), random.Random(1)
    content = rng.randbytes(1 << 16)
    pixels = 60 * config.port_bytes // config.word_bytes + 20
    loads = [load(config, rng, content, pixels=pixels, blocks=1, tail=config.lanes, skip=0) for _ in range(4)]
    b, got, _ = bench_of(bench, config, content, loads)
    b.run(40000)
    beats = sum(ceil(pixels * config.word_bytes / config.port_bytes) for _ in loads)
    words = sum(len(w) + 1 for _, w in loads)
    assert got[-1][1] - got[0][1] <= max(beats, words)


@pytest.mark.parametrize("above, blocks, tail", [(0, 1, 3), (2, 1, 3), (2, 2, 3), (0, 1, 6), (2, 1, 6)])
def test_folded_rate(bench, above, blocks, tail):
    """A pixel or a word a cycle, whichever binds, zeros among the pixels; pairs of pixels, too, in turns."""
    config, rng, lines = EngineConfig(rows=16, cols=16), random.Random(1), {}
    content = rng.randbytes(1 << 16)
    turns = dict(turns=int(tail == 6 and above == 2), second=0, half=0)
    sizes = turns | dict(
        pixels=96, row_last=31, tail=tail, before=1, zeros=1, blocks=blocks, rows_above=above
    )
    loads = [
        folded(config, rng, content, lines, **sizes, rows_held=0, rows_before=0, rows_zero=0)
        for _ in range(3)
    ]
    b, got, _ = bench_of(bench, config, content, loads)
    b.run(40000)
    assert got[-1][1] - got[0][1] <= 3 * (3 * (1 + 32 * blocks) + blocks)


@pytest.mark.parametrize("sizes", [dict(rows=8, cols=8), dict(rows=3, cols=4, port_width=256)], ids=str)
def test_rows_that_are_held(bench, sizes):
    """An image in several LOADs, others between them: rows above come from the LOAD before, in any number."""
    config, rng, lines = EngineConfig(**sizes), random.Random(7), {}
    content = rng.randbytes(1 << 16)
    loads = []
    for above in (2, 1, 2):
        tail, columns, zeros = rng.randint(1, 3), rng.choice([1, 3, 5]), 2
        for first in (True, False, False, False):
            shape = dict(
                tail=tail, row_last=columns - 1, zeros=zeros, before=0, rows_above=above, rows_zero=0
            )
            held = 0 if first else rng.randint(1, above)
            rows = rng.randint(1, 2) + first
            loads.append(
                folded(
                    config, rng, content, lines, **shape, pixels=columns * rows, rows_held=held, rows_before=0
                )
            )
            assert first or lines, "rows were there"
            loads.append(rng.choice([load(config, rng, content), folded(config, rng, content, lines, rows_above=0,
                                     rows_held=0, rows_before=0, rows_zero=0)]))  # fmt: skip
    b, _, _ = bench_of(bench, config, content, loads)
    b.run(40000)


def test_latency(bench):
    config, rng = EngineConfig(), random.Random(1)
    content = rng.randbytes(1 << 16)
    loads = [load(config, rng, content, pixels=1, blocks=1, skip=0, tail=8)]
    b, got, _ = bench_of(bench, config, content, loads, latency=30, requests=(requests := []))
    taken = []

    async def process(ctx):
        await ctx.tick().until(b.dut.i.valid & b.dut.i.ready)
        taken.append(b.cycle)

    b.add(process)
    b.run()
    assert requests[0][2] - taken[0] == 5
    beat = requests[0][2] + 30 + 1  # the edge that samples it
    assert got[0][1] - beat == 4 + LoadWriter(config=config).latency


def test_regions(bench):
    b = bench(Regions(config=EngineConfig()))

    async def process(ctx):
        d = b.dut
        for name, value in dict(
            program_addr=7, input_addr=100, input_stride=3, output_addr=200, output_stride=5, spill_addr=9
        ).items():
            ctx.set(getattr(d, name), value)
        for _ in range(2):
            ctx.set(d.start, 1)
            await ctx.tick()
            ctx.set(d.start, 0)
            for i in range(4):
                assert [ctx.get(x) for x in (d.program, d.input, d.output, d.spill)] == [
                    7,
                    100 + 3 * i,
                    200 + 5 * i,
                    9,
                ]
                await ctx.tick()
                ctx.set(d.advance, 1)
                await ctx.tick()
                ctx.set(d.advance, 0)

    b.add(process, needed=True)
    b.run()
