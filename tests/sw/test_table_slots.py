"""Slots of tables: which LOADs come where among the COMPUTEs."""

from itertools import pairwise

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import COMPUTE, LOAD, record_words
from systolith.quant.network import IntArray
from systolith.sw.dependencies import add_waits
from systolith.sw.program import STRIDE
from systolith.sw.step import Step
from systolith.sw.table_slots import place_tables

COUNTS = {f"{loop}_last": 0 for loop in ("kb", "ky", "kx", "wx", "wy", "ox", "oy")}


def compute(table: IntArray | None, cycles: int = 1000) -> Step:
    return Step(instruction=COMPUTE, values=COUNTS | {"ox_last": cycles - 1}, reads=[(0, 9)], table=table)


def load(first: int) -> Step:
    return Step(instruction=LOAD, values={"pixels": 9}, writes=[(first, first + 9)])


def tables(count: int, rows: int = 1) -> list[IntArray]:
    return list(np.random.default_rng(count).integers(-128, 128, (count, rows, 256)))


def placed(steps: list[Step], config: EngineConfig) -> list[tuple[str, int]]:
    """LOADs of tables and the COMPUTEs that have one, with their slots; others with -1."""
    made, _ = place_tables(steps, config)
    found = []
    for step in made:
        v = step.values
        slot = v.get("slot", 0) if step.instruction is COMPUTE else v.get("base", 0) >> config.table_bits
        found.append((step.instruction.name, slot if v.get("table") else -1))
    return found


def holds(steps: list[Step], config: EngineConfig) -> None:
    """Every COMPUTE finds its table in its slot; waits say so."""
    made, blob = place_tables(steps, config)
    add_waits(made, config.words + config.tables)
    start = -(-record_words(config) * config.port_bytes * (len(made) + 1) // STRIDE) * STRIDE
    inside: dict[int, tuple[int, IntArray]] = {}
    loads = 0
    for step in made:
        v = step.values
        if step.instruction is LOAD:
            loads += 1
            if v.get("table"):
                assert step.table is not None
                size = step.table.size
                data = np.frombuffer(blob, np.int8, size, v["offset"] - start).reshape(-1, len(step.table))
                assert np.array_equal(data.T, step.table) and v["offset"] % config.port_bytes == 0
                assert v["beats"] * config.port_bytes >= size and v["pixels"] == 256
                inside[v["base"] >> 8] = loads, step.table
        elif step.table is not None:
            number, there = inside[v["slot"]]
            assert there is step.table or np.array_equal(there, step.table)
            assert v["wait_load"] >= number
    last = [step for step in made if step.instruction is LOAD and step.values["last"]]
    assert last == [step for step in made if step.instruction is LOAD][-1:]


def test_nothing_to_do() -> None:
    steps = [load(0), compute(None)]
    assert place_tables(steps, EngineConfig()) == (steps, b"")
    assert place_tables(steps, EngineConfig(tables=0)) == (steps, b"")


def test_the_first_one_comes_before_the_rest_of_the_image() -> None:
    (table,) = tables(1)
    found = placed([load(0), load(9), compute(table), compute(table)], EngineConfig(tables=1))
    assert found == [("load", -1), ("load", 0), ("load", -1), ("compute", 0), ("compute", 0)]


def test_others_hide_behind_the_computes_before() -> None:
    (table,) = tables(1)
    found = placed([compute(None), compute(None), compute(None), compute(table)], EngineConfig(tables=1))
    assert [name for name, _ in found] == ["compute", "compute", "load", "compute", "compute"]


def test_halves() -> None:
    """Enough slots: what is used at the end is not what the next image needs first."""
    one, other = tables(2)
    steps = [compute(table) for table in (one, other, one, other, one, other)]
    assert [slot for name, slot in placed(steps, EngineConfig(tables=4)) if name == "compute"] == [
        0,
        1,
        0,
        2,
        3,
        2,
    ]
    few = placed([compute(table) for table in (one, other, one, other)], EngineConfig(tables=2))
    assert [slot for name, slot in few if name == "compute"] == [0, 1, 0, 1]
    assert sum(name == "load" for name, _ in few) == 2


def test_a_slot_that_has_long_been_free() -> None:
    """Not the one that the COMPUTE just before uses, though it is needed again last."""
    a, b, c = tables(3)
    steps = [compute(table) for table in (a, b, c, a, b, c)]
    slots = [slot for name, slot in placed(steps, EngineConfig(tables=2)) if name == "compute"]
    assert all(one != other for one, other in pairwise(slots))


@pytest.mark.parametrize("count", [1, 2, 4, 8, 64])
@pytest.mark.parametrize("seed", range(6))
def test_any_order(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    found = [*tables(7), *tables(5, 8), None]
    steps: list[Step] = []
    for _ in range(40):
        table = found[int(rng.integers(len(found)))]
        steps.append(compute(table, int(rng.choice([1, 30, 700, 5000]))))
        if rng.random() < 0.3:
            steps.append(load(100))
    holds([load(0), *steps], EngineConfig(tables=count, scratchpad=16 * 1024))
