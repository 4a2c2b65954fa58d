"""Taps RTL == which slots make outputs and which taps lie in the map, by arithmetic."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from systolith.hw.config import FIR_COLUMNS, EngineConfig
from systolith.hw.taps import Taps


def passes(rng):
    """Slots of random passes: rows, columns, which make outputs, where they lie in the map."""
    for _ in range(40):
        rows, columns = int(rng.integers(1, 6)), int(rng.integers(2, 8))
        first = int(rng.integers(0, min(rows, 3))), int(rng.integers(0, min(columns, 3)))
        step = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        most = [(size - 1 - low) // s + 1 for size, low, s in zip((rows, columns), first, step, strict=True)]
        count = [int(rng.integers(1, n + 1)) for n in most]
        start = int(rng.integers(-4, 5)), int(rng.integers(-3, 4))
        height, width = int(rng.integers(1, 9)), int(rng.integers(1, 9))
        yield rows, columns, first, step, count, start, height, width


@pytest.mark.parametrize(("rows", "cols"), [(6, 2), (9, 3), (11, 2)])
def test_rtl_equals_model(rows, cols):
    config = EngineConfig(rows=rows, cols=cols)
    lines = config.fir_lines
    rng = np.random.default_rng(rows)
    dut = Taps(config=config)
    stream = []  # (slot, outputs, flags in), (flags out, mask), a cycle each
    for number, (height, width, first, step, count, start, map_height, map_width) in enumerate(passes(rng)):
        last_pass = int(rng.integers(2))
        outputs = {"height": map_height, "row_last": width - 1}
        for i, axis in enumerate("yx"):
            outputs |= {
                f"{axis}_first": first[i] - 1,
                f"{axis}_step": step[i] - 2,
                f"{axis}_last": count[i] - 2,
            }
        made = [
            (first[0] + i * step[0], first[1] + j * step[1]) for i in range(count[0]) for j in range(count[1])
        ]
        for y in range(height):
            if y and rng.random() < 0.2:
                stream += [None] * int(rng.integers(1, 4))
            for x in range(width):
                flags = {"valid": 1, "pass_first": y == x == 0, "last_pass": last_pass, "first_pass": number % 2,
                         "instr_first": y == x == 0, "instr_last": 0}  # fmt: skip
                inside = 0 <= start[1] + x < map_width
                slot = {"fir": 1, "row_first": x == 0, "inside": inside, "y": (start[0] + y) % (1 << 12)}
                out = {"valid": (y, x) in made, "pass_first": (y, x) == made[0],
                       "instr_last": bool(last_pass) and (y, x) == made[-1], "instr_first": y == x == 0}  # fmt: skip
                mask = [
                    0 <= start[0] + y - up < map_height
                    and 0 <= x + j < width
                    and 0 <= start[1] + x + j < map_width
                    for up in reversed(range(lines))
                    for j in (-1, 0, 1)
                ]
                stream.append((slot, outputs, flags, out, mask))
        if rng.random() < 0.3:  # an ordinary pass between
            flags = {
                "valid": 1,
                "pass_first": 1,
                "first_pass": 1,
                "last_pass": 1,
                "instr_first": 1,
                "instr_last": 1,
            }
            stream.append(({"fir": 0}, outputs, flags, dict.fromkeys(flags, 1), None))
        stream += [None] * int(rng.integers(0, 3))
    act = rng.integers(-256, 256, (len(stream) + 8, rows))

    async def bench(ctx):
        for t in range(len(stream) + 8):
            now = stream[t] if t < len(stream) else None
            ctx.set(dut.slot, now[0] if now else {"fir": int(rng.integers(2)), "row_first": 1, "inside": 1})
            ctx.set(dut.flags_i, now[2] if now else {"valid": 0})
            if now:
                ctx.set(dut.outputs, now[1])
            for r in range(rows):
                ctx.set(dut.act_i[r], int(act[t, r]))
            before = stream[t - 1] if 0 < t <= len(stream) else None
            if before:
                for name, value in before[3].items():
                    if name == "pass_first" and not before[3]["valid"]:
                        continue  # nobody looks
                    assert ctx.get(dut.flags[name]) == value, f"{name} at cycle {t}"
            at = t - config.operand_latency
            if 0 <= at < len(stream) and stream[at]:
                mask = stream[at][4]
                assert ctx.get(dut.fir) == (mask is not None)
                got = [ctx.get(dut.act_o[r]) for r in range(rows)]
                if mask is None:
                    assert got == act[t].tolist()
                else:
                    assert [code & 1 for code in got] == mask + [0] * (rows - lines * FIR_COLUMNS), (
                        f"cycle {t}"
                    )
                    assert not any(got[lines * FIR_COLUMNS :])
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_an_array_without():
    with pytest.raises(ValueError, match="depthwise hardware, not 5 rows"):
        Taps(config=EngineConfig(rows=5, cols=4))
