"""Gearbox == slices of the sequence of units."""

import random

import pytest
from amaranth.hdl import Module
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, Out, connect, flipped
from systolith.hw.gearbox import Gearbox
from systolith.hw.small_fifo import SmallFifo


class Boxed(Component):
    """The gearbox and the queue behind it."""

    def __init__(self, **sizes):
        self.gearbox = Gearbox(**sizes)
        self.item = data.StructLayout(
            {"data": sizes["unit_width"] * sizes["max_out"], "tag": sizes["tag_width"]}
        )
        signature = self.gearbox.signature.members
        super().__init__(
            {"i": signature["i"], "request": signature["request"], "o": Out(stream.Signature(self.item))}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.gearbox = gearbox = self.gearbox
        m.submodules.queue = queue = SmallFifo(shape=self.item, depth=gearbox.credits)
        connect(m, flipped(self.i), gearbox.i)
        connect(m, flipped(self.request), gearbox.request)
        connect(m, flipped(self.o), queue.o)
        m.d.comb += [
            queue.i.valid.eq(gearbox.o_valid),
            queue.i.payload.data.eq(gearbox.o_data),
            queue.i.payload.tag.eq(gearbox.o_tag),
            gearbox.credit.eq(self.o.valid & self.o.ready),
        ]
        return m


def script(rng, unit_width, in_units, max_out, tag_width, count, full=False):
    """Random requests, the words they take and the items they give."""
    words, requests, items, word, left = [], [], [], [], []
    limit = max(max_out, in_units)
    for tag in range(count):
        drop = not full and rng.random() < 0.2
        n = max_out if full else rng.choice([rng.randint(0, limit if drop else max_out), max_out])
        flush = not full and rng.random() < 0.2
        taken = []
        for _ in range(n):
            if not left:
                word = [rng.getrandbits(unit_width) for _ in range(in_units)]
                words.append(sum(u << i * unit_width for i, u in enumerate(word)))
                left = list(word)
            taken.append(left.pop(0))
        if flush:
            left = []
        tag %= 1 << tag_width
        split = {"n": n, "whole": n // in_units, "rest": n % in_units}
        requests.append({**split, "drop": drop, "flush": flush, "tag": tag})
        if not drop:
            value = sum(u << i * unit_width for i, u in enumerate(taken))
            items.append(value | tag << (unit_width * max_out))
    return words, requests, items


def pack(gearbox, requests):
    """Requests as integers."""
    shape = gearbox.request.payload.shape()
    return [shape.const(r).as_value().value for r in requests]


SIZES = [
    (8, 8, 16),
    (8, 8, 8),
    (12, 5, 8),
    (8, 4, 16),
    (7, 9, 8),
    (5, 12, 3),
    (8, 16, 1),
    (3, 1, 8),
    (8, 2, 12),
    (16, 4, 7),
    (8, 64, 12),
    (1, 1, 1),
]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("paces", [(1, 1, 1), (0.5, 0.7, 0.4)], ids=str)
def test_items(bench, sizes, paces):
    unit_width, in_units, max_out = sizes
    names = {"unit_width": unit_width, "in_units": in_units, "max_out": max_out, "tag_width": 5}
    words, requests, items = script(random.Random(str(sizes)), **names, count=60)
    b = bench(Boxed(**names))
    b.feed(b.dut.i, words, paces[0])
    b.feed(b.dut.request, pack(b.dut.gearbox, requests), paces[1])
    b.expect(b.dut.o, items, paces[2])
    b.run()


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_full_rate(bench, sizes):
    unit_width, in_units, max_out = sizes
    names = {"unit_width": unit_width, "in_units": in_units, "max_out": max_out, "tag_width": 5}
    count = 1 + 60 * in_units // max(in_units, max_out)
    words, requests, items = script(random.Random(2), **names, count=count, full=True)
    b = bench(Boxed(**names))
    b.feed(b.dut.i, words)
    b.feed(b.dut.request, pack(b.dut.gearbox, requests))
    got = b.expect(b.dut.o, items)
    b.run()
    assert got[-1][1] - got[0][1] <= max(len(items) - 1, (len(items) - 1) * max_out // in_units + 1)


@pytest.mark.parametrize("name", ["unit_width", "in_units", "max_out", "tag_width"])
def test_refused(name):
    sizes = {"unit_width": 8, "in_units": 8, "max_out": 8} | {name: 0}
    with pytest.raises(ValueError, match=f"{name} must be a positive integer, not 0"):
        Gearbox(**sizes)


def test_credits_refused():
    with pytest.raises(ValueError, match="credits must be at least 4, not 3"):
        Gearbox(unit_width=8, in_units=8, max_out=8, credits=3)
