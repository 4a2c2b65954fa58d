"""Waits: each hazard by hand. (``tests/sim/test_disorder.py`` tries them on networks.)"""

from systolith.hw.isa import COMPUTE, LOAD, NO_WAIT, STORE, Instruction
from systolith.sw.dependencies import add_waits, counts
from systolith.sw.step import Step


def step(
    instruction: Instruction,
    reads: list[tuple[int, int]] | None = None,
    writes: list[tuple[int, int]] | None = None,
) -> Step:
    return Step(instruction=instruction, values={}, reads=reads or [], writes=writes or [])


def waits(*steps: Step) -> list[tuple[int, int, int]]:
    add_waits(steps, 64)
    return [(s.values["wait_load"], s.values["wait_compute"], s.values["wait_store"]) for s in steps]


def test_chain_of_one_image() -> None:
    assert waits(
        step(LOAD, writes=[(0, 8)]),
        step(COMPUTE, reads=[(0, 4)], writes=[(8, 16)]),
        step(COMPUTE, reads=[(8, 16)], writes=[(16, 24)]),
        step(STORE, reads=[(16, 24)]),
    ) == [
        (NO_WAIT, -1, NO_WAIT),  # the COMPUTE of the image before has read its input
        (1, NO_WAIT, NO_WAIT),
        (NO_WAIT, 1, 0),  # read after write; what it overwrites was stored, one image ago
        (NO_WAIT, 2, NO_WAIT),
    ]


def test_compute_waits_for_no_reader_of_its_own_unit() -> None:
    result = waits(
        step(COMPUTE, reads=[(0, 4)], writes=[(8, 12)]),
        step(COMPUTE, reads=[(32, 40)], writes=[(0, 4)]),
    )
    assert result == [(NO_WAIT, 0, NO_WAIT), (NO_WAIT, NO_WAIT, NO_WAIT)]


def test_loads_wait_for_stores_of_what_they_overwrite() -> None:
    result = waits(
        step(LOAD, writes=[(0, 8)]),
        step(LOAD, writes=[(8, 16)]),
        step(STORE, reads=[(8, 9)]),
    )
    assert result == [(NO_WAIT, NO_WAIT, NO_WAIT), (NO_WAIT, NO_WAIT, 0), (2, NO_WAIT, NO_WAIT)]


def test_memory_is_read_after_it_was_written_and_written_after_it_was_read() -> None:
    steps = [
        Step(instruction=STORE, values={}, memory_writes=[(0, 4)]),
        Step(instruction=STORE, values={}, memory_writes=[(4, 8)]),
        Step(instruction=LOAD, values={}, memory_reads=[(2, 4)]),
        Step(instruction=LOAD, values={}, memory_reads=[(3, 6)]),
    ]
    add_waits(steps, 8, 8)
    assert [(s.values["wait_load"], s.values["wait_store"]) for s in steps] == [
        (0, NO_WAIT),  # the second LOAD of the image before has read word 3
        (0, NO_WAIT),
        (NO_WAIT, 1),
        (NO_WAIT, 2),
    ]


def test_counts() -> None:
    assert counts([step(LOAD), step(COMPUTE), step(COMPUTE)]) == {"load": 1, "compute": 2, "store": 0}
