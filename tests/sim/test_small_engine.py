"""Engines for small FPGAs: references == instruction-set simulator == RTL == cycle model, whatever is left out."""

from typing import Any

import pytest
from engine_bench import Expected, Run, check_timing, run
from systolith.hw.config import EngineConfig
from systolith.sim.random_network import random_codes, random_network
from systolith.sim.rtl import Stalls
from systolith.sw.compiler import compile_network

KINDS = ("conv", "conv", "maxpool", "avgpool", "mean", "add", "upsample", "border", "branch")

SMALL: dict[str, Any] = {
    "acc_depth": 32, "scratchpad": 4096, "banks": 2, "fold_width": 0, "fir_depth": 0, "tables": 0, "coord_width": 7,
    "wait_width": 13, "memory_width": 18, "count_width": 24, "means": False, "products": False, "folds": False,
    "bank_stages": 0,
}  # fmt: skip


def small(rows: int, cols: int, **about: Any) -> EngineConfig:
    return EngineConfig(**{"rows": rows, "cols": cols} | SMALL | about)


CONFIGS = [
    small(2, 2, port_width=16, acc_width=24, lookahead=False),
    small(1, 1, port_width=8, acc_width=20, lookahead=False, scratchpad=2048, fifo_depth=64),
    small(3, 2, port_width=32, fifo_depth=128),
    small(2, 3, port_width=16, lookahead=False, products=True, means=True, fir_depth=16),
    small(8, 3, port_width=32, products=True, means=True, scratchpad=8192, bank_stages=1),
    small(
        6, 2, port_width=16, lookahead=False, fir_depth=64, folds=True, tables=2, means=True, products=True
    ),
]


def name(config: EngineConfig) -> str:
    return f"{config.rows}x{config.cols}-{config.port_width}-{'ahead' if config.lookahead else 'alone'}"


@pytest.mark.parametrize("config", CONFIGS, ids=name)
def test_networks(config: EngineConfig) -> None:
    """Every layer's codes and every counter, also with a memory that pauses."""
    runs, expected = [], []
    kinds = KINDS + ("table", "depthwise", "depthwise") * bool(config.tables) + ("excite",) * config.products
    for seed in range(14):
        network = random_network(seed, 4, kinds=kinds, channels=7, size=8)
        try:
            program = compile_network(network, config)
        except ValueError as error:
            assert "accumulator" in str(error) or "room" in str(error) or "acc_depth" in str(error), error
            continue
        codes = random_codes(network, seed, 2)
        expected.append(Expected(network, program, codes))
        stalls = Stalls(
            seed=seed + 1, read_address=60, read_data=60, write_address=60, write_data=60, response=60
        )
        latency = (1, 3, 30, 77)[seed % 4]
        runs += [
            Run(program=program, codes=codes, mem_latency=latency),
            Run(program=program, codes=codes, stalls=stalls),
        ]
    assert len(expected) > 7
    outcomes = run(runs)
    for number, one in enumerate(expected):
        one.check(outcomes[2 * number], 2, one.network.name)
        one.check(outcomes[2 * number + 1], 2, f"{one.network.name}, pauses")
        check_timing(runs[2 * number], outcomes[2 * number], one.network.name)
