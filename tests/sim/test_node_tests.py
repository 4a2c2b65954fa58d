"""ONNX's backend node tests that the reader takes, on an engine: reference == instruction-set simulator == RTL.

How they become networks, and how near they are to ONNX's own results: ``tests/sw/test_node_tests.py``.
"""

import pytest
from engine_bench import Expected, Run, run
from node_runs import Ran, ran
from systolith.hw.config import EngineConfig
from systolith.sw.compiler import compile_network

ENGINE = EngineConfig(
    rows=2,
    cols=3,
    port_width=128,
    act_width=16,
    wgt_width=16,
    acc_width=48,
    acc_depth=32,
    scratchpad=512 * 2 * 3,
)
"""Of ``test_networks``, so that one simulation is built; maps of 32x32 do not find room in it."""

MOST = 4000
"""Values of a case's image and results: larger ones are left to the instruction-set simulator."""


@pytest.fixture(scope="module")
def expected() -> dict[str, Expected]:
    """Compiled, and every code of every layer equal in the simulator, of two images at most."""
    found = {}
    for name, case in ran().items():
        try:
            program = compile_network(case.network, ENGINE)
        except ValueError as error:
            assert name.startswith("test_mish") and "10000 rows, at most 2047 fit" in str(error), error
            continue
        found[name] = Expected(case.network, program, case.codes[:2])
    return found


def test_every_case_in_the_instruction_set_simulator(expected: dict[str, Expected]) -> None:
    """All of them compile; ``Expected`` has compared every code."""
    assert len(expected) >= 170
    assert any(
        not tensor.resident for right in expected.values() for tensor in right.program.tensors.values()
    )


def small(case: Ran) -> bool:
    return sum(values.size for values in (case.codes[:1], *case.result)) <= MOST


def test_in_rtl(expected: dict[str, Expected]) -> None:
    chosen = {name: right for name, right in expected.items() if small(ran()[name])}
    assert len(chosen) > 100
    outcomes = run([Run(program=right.program, codes=right.codes[:1]) for right in chosen.values()])
    for (name, right), outcome in zip(chosen.items(), outcomes, strict=True):
        right.check(outcome, 1, name)
