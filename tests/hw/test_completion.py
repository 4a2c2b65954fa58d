"""Completion: counts, and finished exactly when all images are."""

import random

import pytest
from systolith.hw.completion import Completion
from systolith.hw.config import EngineConfig

UNITS = ("load", "compute", "store")


@pytest.mark.parametrize("images", [0, 1, 3])
@pytest.mark.parametrize("counts", [(1, 1, 1), (3, 5, 2), (0, 4, 1), (7, 0, 1)], ids=str)
def test_counts(bench, images, counts):
    b, rng = bench(Completion(config=EngineConfig())), random.Random(images)

    async def process(ctx):
        d = b.dut
        for _ in range(2):
            total = dict.fromkeys(UNITS, 0)
            ctx.set(d.images, images)
            ctx.set(d.start, 1)
            ctx.set(d.configured, 0)
            await ctx.tick()
            ctx.set(d.start, 0)
            assert not ctx.get(d.finished)
            await ctx.tick()
            assert ctx.get(d.finished) == (images == 0)
            for unit, n in zip(UNITS, counts, strict=True):
                ctx.set(getattr(d, f"n_{unit}"), n)
            ctx.set(d.configured, 1)
            goal = {unit: images * n for unit, n in zip(UNITS, counts, strict=True)}
            for _ in range(5):
                await ctx.tick()
            while total != goal:
                assert not ctx.get(d.finished), f"{total} of {goal}"
                for unit in UNITS:
                    done = total[unit] < goal[unit] and rng.random() < 0.7
                    ctx.set(getattr(d, f"{unit}_done"), done)
                    total[unit] += done
                await ctx.tick()
                assert [ctx.get(getattr(d, f"{unit}s")) for unit in UNITS] == list(total.values())
                assert [ctx.get(getattr(d.progress, unit)) for unit in UNITS] == list(total.values())
            for unit in UNITS:
                ctx.set(getattr(d, f"{unit}_done"), 0)
            waited = 1
            while not ctx.get(d.finished):
                await ctx.tick()
                waited += 1
                assert waited < 20
            assert waited <= 5 + images

    b.add(process, needed=True)
    b.run()
