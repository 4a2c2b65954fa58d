"""A sketch against the program it stands for: plan, sizes and memory map equal, refusals word for word."""

from dataclasses import replace

import pytest
from systolith.hw.config import EngineConfig
from systolith.sim.random_network import random_network
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.machine import simulate
from systolith.sw.cycle_model.plan import plan
from systolith.sw.sketch import sketch

CONFIGS = [
    EngineConfig(rows=4, cols=4),
    EngineConfig(rows=4, cols=6, port_width=16, scratchpad=1024, acc_depth=64),
    EngineConfig(rows=16, cols=5, port_width=128, tables=0, fold_width=0),
    EngineConfig(rows=8, cols=8, port_width=32, fir_depth=0, scratchpad=4096),
]


@pytest.mark.parametrize("config", CONFIGS, ids=EngineConfig.describe)
@pytest.mark.parametrize("seed", range(8))
def test_is_the_programs(seed: int, config: EngineConfig) -> None:
    network = random_network(seed, layers=6, size=12)
    program, found = compile_network(network, config), sketch(network, config)
    planned = plan(program)
    assert found.sizes == program.sizes
    assert found.registers(3) == program.registers(3)
    assert (found.computes, found.layers, found.tensors) == (
        program.computes,
        program.layers,
        program.tensors,
    )
    assert (found.plan.route, found.plan.segments) == (planned.route, planned.segments)
    for unit, records in planned.records.items():
        assert [r.values for r in found.plan.records[unit]] == [r.values for r in records], unit
    assert simulate(found, 2, 30, found.plan) == simulate(program, 2, 30)


@pytest.mark.parametrize(
    "config, message",
    [
        (EngineConfig(rows=4, cols=4, memory_width=12), "memory"),
        (EngineConfig(rows=4, cols=4, wait_width=8), "wait_width"),
    ],
)
def test_refuses_as_the_compiler(config: EngineConfig, message: str) -> None:
    network = random_network(1, layers=6, size=40)
    with pytest.raises(ValueError, match=message) as expected:
        compile_network(network, config)
    with pytest.raises(ValueError, match=message) as found:
        sketch(network, config)
    assert str(found.value) == str(expected.value)


def test_refuses_fields_as_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that no field holds, which the compiler's own checks let through."""
    from systolith.sw import operations

    config, network = EngineConfig(rows=4, cols=4), random_network(1, layers=4, size=10)
    original = operations._operation

    def late(*args: object) -> operations.Operation:
        return replace(original(*args), hi=1 << 12)  # type: ignore[arg-type]

    monkeypatch.setattr(operations, "_operation", late)
    message = "hi must fit in 9 signed bits, not 4096"
    with pytest.raises(ValueError, match=message) as expected:
        compile_network(network, config)
    with pytest.raises(ValueError, match=message) as found:
        sketch(network, config)
    assert str(found.value) == str(expected.value)


def test_an_outline_has_no_plan() -> None:
    found = sketch(random_network(1, layers=3, size=8), CONFIGS[0])
    with pytest.raises(ValueError, match="has no records: compile it, or give its plan"):
        plan(found)
    with pytest.raises(NotImplementedError):
        super(type(found), found).sizes  # noqa: B018
