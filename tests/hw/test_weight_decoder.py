"""WeightDecoder == the format of isa.SEGMENT, written out."""

import random

import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import MAGIC
from systolith.hw.weight_decoder import WeightDecoder


def segment(config, rng, width, n_rows):
    """Random rows: the port words they are packed into, and the rows as RowStream has them."""
    cols, full, words, rows, planes = (
        config.cols,
        config.wgt_width,
        [MAGIC | width << 8 | n_rows << 13],
        [],
        [],
    )
    for i in range(config.param_rows + n_rows):
        bits = full if i < config.param_rows else width
        values = [rng.randrange(-(1 << bits - 1), 1 << bits - 1) for _ in range(cols)]
        planes += [sum((v >> b & 1) << c for c, v in enumerate(values)) for b in range(bits)]
        data = sum(v % (1 << full) << c * full for c, v in enumerate(values))
        rows.append(data | (i < config.param_rows) << cols * full)
    if config.plane_words > 1:
        mask = (1 << config.port_width) - 1
        words += [
            plane >> i * config.port_width & mask for plane in planes for i in range(config.plane_words)
        ]
    else:
        n, junk = config.planes_per_word, config.port_width - config.planes_per_word * cols
        for i in range(0, len(planes), n):
            word = sum(plane << j * cols for j, plane in enumerate(planes[i : i + n]))
            words.append(word | rng.getrandbits(junk) << n * cols if junk else word)
    return words, rows


CONFIGS = [
    {"cols": 8},
    {"cols": 12},
    {"cols": 5, "port_width": 32},
    {"cols": 1},
    {"cols": 7, "wgt_width": 5},
    {"cols": 16, "wgt_width": 16, "acc_width": 48},
    {"cols": 40, "port_width": 32, "wgt_width": 5},
    {"cols": 70, "port_width": 32, "wgt_width": 4},
    {"cols": 16, "port_width": 128},
    {"cols": 8, "port_width": 512},
    {"cols": 33, "port_width": 64, "wgt_width": 4},
    {"cols": 3, "wgt_width": 2, "acc_width": 16},
]


@pytest.mark.parametrize("sizes", CONFIGS, ids=str)
@pytest.mark.parametrize("paces", [(1, 1), (0.6, 0.4)], ids=str)
def test_rows(bench, sizes, paces):
    config, rng = EngineConfig(**sizes), random.Random(str(sizes))
    widths = [w for w in (3, 5, 8, 16) if w <= config.wgt_width]
    segments = [(config.wgt_width, 0), (2, 1), (2, 0), *((w, rng.randint(1, 4)) for w in widths)]
    parts = [segment(config, rng, *s) for s in segments]
    b = bench(WeightDecoder(config=config))
    b.feed(b.dut.i, [w for words, _ in parts for w in words], paces[0])
    b.expect(b.dut.rows.stream, [r for _, rows in parts for r in rows], paces[1])
    b.run()


@pytest.mark.parametrize("sizes", CONFIGS, ids=str)
def test_full_rate(bench, sizes):
    """One row or one word a cycle within a segment; the next header costs five cycles more."""
    config, rng = EngineConfig(**sizes), random.Random(0)
    parts = [segment(config, rng, 2, 30) for _ in range(2)]
    b = bench(WeightDecoder(config=config))
    b.feed(b.dut.i, [w for words, _ in parts for w in words])
    got = b.expect(b.dut.rows.stream, [r for _, rows in parts for r in rows])
    b.run()
    half, per_word = len(got) // 2, config.planes_per_word / config.plane_words
    bound = config.param_rows * max(1, config.wgt_width / per_word) + 30 * max(1, 2 / per_word)
    assert got[half - 1][1] - got[0][1] < bound
    assert got[-1][1] - got[0][1] <= 2 * bound + 5


@pytest.mark.parametrize("header", [0, MAGIC ^ 1 | 4 << 8, MAGIC | 9 << 8, MAGIC | 1 << 8, MAGIC])
def test_out_of_step(bench, header):
    config, rng = EngineConfig(), random.Random(0)
    words, rows = segment(config, rng, 8, 3)
    b = bench(WeightDecoder(config=config))
    b.feed(b.dut.i, words + [header | 5 << 13] + words)
    b.expect(b.dut.rows.stream, rows)

    async def process(ctx):
        while not ctx.get(b.dut.error):
            await ctx.tick()
        await ctx.tick().repeat(50)
        assert ctx.get(b.dut.error)

    b.add(process, needed=True)
    b.run(1000)
