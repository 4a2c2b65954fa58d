"""The waits are sufficient, in any order they allow; and the test would notice a missing one."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import NO_WAIT
from systolith.quant.network import QuantizedNetwork
from systolith.sim.disorder import DisorderedSimulator
from systolith.sim.iss import EngineError
from systolith.sim.random_network import random_codes, random_network
from systolith.sim.trace import simulate
from systolith.sw import compiler, dependencies, layout
from systolith.sw.program import Program
from systolith.sw.step import Step

Maker = Callable[[int], tuple[QuantizedNetwork, EngineConfig]]

ARRAYS = [(1, 1), (3, 5), (4, 4), (8, 8), (7, 2)]


def make(seed: int) -> tuple[QuantizedNetwork, EngineConfig]:
    """A network in little scratchpad, so that tensors share words."""
    rows, cols = ARRAYS[seed % len(ARRAYS)]
    config = EngineConfig(rows=rows, cols=cols, acc_depth=16, scratchpad=64 * 16 * max(rows, cols))
    return random_network(seed, 5, size=8), config


def make_spilled(seed: int) -> tuple[QuantizedNetwork, EngineConfig]:
    """A network with maps that no scratchpad of 64 words holds."""
    rows, cols = ARRAYS[seed % len(ARRAYS)]
    config = EngineConfig(rows=rows, cols=cols, acc_depth=16, scratchpad=64 * max(rows, cols))
    while True:
        network = random_network(seed, 4, size=12, channels=8)
        seed += 100
        try:
            program = compiler.compile_network(network, config)
        except ValueError as error:
            assert "--scratchpad" in str(error) or "--acc-width" in str(error)
            continue
        if program.spill_bytes:
            return network, config


def differs(program: Program, network: QuantizedNetwork, seeds: int) -> bool:
    codes = random_codes(network, 0, 3)
    expected = simulate(program, codes)
    for seed in range(seeds):
        made = simulate(program, codes, partial(DisorderedSimulator, seed=seed))
        if any(
            not np.array_equal(made[i][name], expected[i][name]) for i in range(3) for name in expected[i]
        ):
            return True
    return False


def make_products(seed: int) -> tuple[QuantizedNetwork, EngineConfig]:
    """A network with products."""
    _, config = make(seed)
    return random_network(seed, 3, size=4, kinds=("excite", "product", "conv")), config


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_products_gives_the_same_codes(seed: int) -> None:
    network, config = make_products(seed)
    assert not differs(compiler.compile_network(network, config), network, 4)


@pytest.mark.parametrize("seed", range(10))
def test_any_order_gives_the_same_codes(seed: int) -> None:
    network, config = make(seed)
    assert not differs(compiler.compile_network(network, config), network, 3)


@pytest.mark.parametrize("seed", range(10))
def test_any_order_gives_the_same_codes_through_external_memory(seed: int) -> None:
    network, config = make_spilled(seed)
    assert not differs(compiler.compile_network(network, config), network, 3)


@pytest.mark.parametrize(
    ("waiting", "unit", "make"),
    [
        ("compute", "load", make),
        ("compute", "compute", make),
        ("compute", "store", make),
        ("load", "compute", make),
        ("store", "compute", make),
        ("load", "store", make_spilled),
    ],
)
def test_missing_waits_are_noticed(
    waiting: str, unit: str, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(steps: Sequence[Step], *words: int) -> None:
        dependencies.add_waits(steps, *words)
        for step in steps:
            if step.instruction.unit == waiting:
                step.values[f"wait_{unit}"] = NO_WAIT

    made = [make(seed) for seed in range(6)]
    monkeypatch.setattr(layout, "add_waits", without)
    assert any(differs(compiler.compile_network(network, config), network, 3) for network, config in made)


def test_deadlock_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def impossible(steps: Sequence[Step], *words: int) -> None:
        dependencies.add_waits(steps, *words)
        steps[0].values["wait_store"] = 1

    monkeypatch.setattr(layout, "add_waits", impossible)
    network, config = make(2)
    program = compiler.compile_network(network, config)
    with pytest.raises(EngineError, match=r"load 0 \(record 1, iteration 0\).*none can ever start"):
        simulate(program, random_codes(network, 0), DisorderedSimulator)
