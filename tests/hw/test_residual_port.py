"""ResidualPort RTL == its contract, cycle by cycle: residuals rows + 1 cycles later, vectors where there is room."""

import random

import pytest
from amaranth.sim import Simulator
from systolith.hw.config import EngineConfig
from systolith.hw.residual_port import ResidualPort


class Model:
    """The equations: what is on the port in the cycle after ``step``."""

    def __init__(self, config):
        self.config, self.due = config, [None] * config.rows
        self.wanted = self.taken = False
        self.vector = (0, 0, 0, 0)

    def banks(self, addr, other):
        size = self.config.bank_depth
        return {addr // size, other // size} if self.config.groups > 1 else {addr // size}

    def conflict(self, pixel):
        """Must the pixel that would be read in the next cycle wait?"""
        due = self.due[-1]
        return bool(pixel and due and self.banks(*pixel) & self.banks(*due[:2]))

    def step(self, record, residual, pixel, known, started):
        """(read, is it a vector) or None: what comes on the port."""
        due = self.due.pop()
        goes = self.wanted and not due and not (pixel and self.banks(*pixel) & self.banks(*self.vector[:2]))
        made = (self.vector, True) if goes else (due, False) if due else None
        self.due.insert(0, residual)
        product = record["product"] and not record["keep"]
        self.wanted = bool(known and product and not self.taken and not goes)
        self.taken = (self.taken or goes) and not started
        base, rot = record["res_base"], record["out_rot"] // self.config.group_lanes
        self.vector = base, (base + record["res_block_step"]) % self.config.words, rot, record["res_signed"]
        return made


@pytest.mark.parametrize("busy", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (4, 4), (6, 4), (2, 5)])
def test_rtl_equals_model(rows, cols, busy):
    config = EngineConfig(rows=rows, cols=cols, scratchpad=4 * 16 * max(rows, cols), banks=4)
    rng, dut, model = random.Random(rows * 10 + cols), ResidualPort(config=config), Model(config)
    seen = {"vectors": 0, "residuals": 0, "conflicts": 0, "records": 0}

    def addresses():
        return rng.randrange(config.words), rng.randrange(config.words)

    def new_record():
        groups = range(config.groups if config.cols < config.rows else 1)
        return {
            "product": int(rng.random() < 0.7), "keep": int(rng.random() < 0.2), "res_signed": rng.randrange(2),
            "res_base": rng.randrange(config.words), "res_block_step": rng.randrange(config.words),
            "out_rot": rng.choice(groups) * config.group_lanes,
        }  # fmt: skip

    async def bench(ctx):
        record, age, done, expected = new_record(), 0, False, None
        pixel, held, conflict, moved = None, None, False, True
        for t in range(3000):
            if expected is None:
                assert not ctx.get(dut.read.valid) and not ctx.get(dut.vector), f"a read in cycle {t}"
            else:
                read, vector = expected
                found = ctx.get(dut.read)
                assert (found.addr, found.rot, found.signed) == (read[0], read[2], read[3]), f"in cycle {t}"
                assert config.groups == 1 or found.next == read[1], f"in cycle {t}"
                assert (ctx.get(dut.vector), found.valid) == (vector, not vector), f"in cycle {t}"
                seen["vectors" if vector else "residuals"] += 1
                done |= vector
            if moved:  # what was held has left, the pixel came in its place
                pixel = addresses() if rng.random() < busy else None
            residual = None
            if held and not conflict and rng.random() < 0.6:
                residual = (*addresses(), rng.randrange(config.groups), rng.randrange(2))
            coming = held if conflict else pixel
            waits = model.conflict(coming)
            seen["conflicts"] += waits
            needs = record["product"] and not record["keep"]
            started = age > 8 and (done or not needs)
            known = age > 3 and not started
            ctx.set(dut.record, record)
            for place, what in ((dut.pixel, pixel), (dut.held, held)):
                addr, after = what or addresses()
                ctx.set(place, {"valid": what is not None, "addr": addr, "next": after})
            addr, after, rot, sign = residual or (*addresses(), 0, 0)
            ctx.set(dut.residual, {"valid": residual is not None, "addr": addr, "next": after, "rot": rot,
                                   "signed": sign})  # fmt: skip
            ctx.set(dut.conflict, conflict)
            ctx.set(dut.known, known)
            ctx.set(dut.started, started)
            await ctx.delay(1e-9)
            assert ctx.get(dut.conflict_next) == waits, f"in cycle {t}"
            expected = model.step(record, residual, coming, known, started)
            held, conflict, moved = coming, waits, not conflict
            await ctx.tick()
            age += 1
            if started:
                assert done or not needs
                record, age, done = new_record(), 0, False
                seen["records"] += 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen["vectors"] > 20 and seen["records"] > 40, seen
    assert not busy or min(seen.values()) > 20, seen


def test_a_vector_waits_for_its_bank():
    """While pixels stay in its bank it is not read, in the first cycle without one it is."""
    config = EngineConfig(rows=4, cols=4, scratchpad=4 * 16 * 4, banks=4)
    dut = ResidualPort(config=config)
    seen = []

    async def bench(ctx):
        ctx.set(dut.record, {"product": 1, "res_base": 17})
        for t in range(60):
            ctx.set(dut.known, t > 0)
            ctx.set(dut.pixel, {"valid": t != 40, "addr": 16 + t % 16 if t < 45 else 0})
            if ctx.get(dut.vector):
                seen.append((t, ctx.get(dut.read.addr)))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [(41, 17)]
