"""The engine that does one thing after the other: references == instruction-set simulator == RTL == cycle model."""

from typing import Any

import numpy as np
import pytest
from engine_bench import Expected, Outcome, Run, run
from systolith.hw.config import EngineConfig
from systolith.sim.random_network import random_codes, random_network
from systolith.sim.rtl import Stalls
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.machine import simulate

KINDS = ("conv", "conv", "maxpool", "avgpool", "mean", "add", "upsample", "border", "branch")

SERIAL: dict[str, Any] = {
    "rows": 8, "cols": 8, "port_width": 8, "fold_width": 0, "fir_depth": 0, "tables": 0, "profile": False,
    "means": False, "products": False, "folds": False, "lookahead": False, "serial": True, "banks": 2,
    "wait_width": 16, "memory_width": 18, "count_width": 24, "fifo_depth": 64,
}  # fmt: skip

CONFIGS = [
    EngineConfig(**SERIAL, acc_width=24, acc_depth=32, scratchpad=4096, coord_width=8),
    EngineConfig(**SERIAL, acc_width=32, acc_depth=64, scratchpad=2048, coord_width=7),
]


def check_timing(job: Run, outcome: Outcome, what: str) -> None:
    """The cycle model's cycles are the engine's, and so is the last write of every COMPUTE."""
    assert outcome.trace is not None
    timing = simulate(job.program, len(job.codes), job.mem_latency)
    assert timing.cycles == outcome.cycles, what
    last = np.cumsum([info.count for info in job.program.computes] * len(job.codes)) - 1
    assert [span.end + 1 for span in timing.spans] == outcome.trace.cycle[last].tolist(), what
    assert timing.counters["cycles"] == sum(
        timing.counters[name] for name in ("pixels", "stall_wait", "stall_weight", "stall_bank", "stall_pass")
    )


@pytest.mark.parametrize("config", CONFIGS, ids=("24-bit", "32-bit"))
def test_networks(config: EngineConfig) -> None:
    """Every layer's codes, also with a memory that pauses."""
    runs, expected = [], []
    for seed in range(14):
        network = random_network(seed, 4, kinds=KINDS, channels=20, size=8)
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
        runs += [
            Run(program=program, codes=codes, mem_latency=(1, 3, 7)[seed % 3]),
            Run(program=program, codes=codes, mem_latency=1, stalls=stalls),
        ]
    assert len(expected) > 7
    outcomes = run(runs)
    for number, one in enumerate(expected):
        one.check_codes(outcomes[2 * number], 2, one.network.name)
        check_timing(runs[2 * number], outcomes[2 * number], one.network.name)
        one.check_codes(outcomes[2 * number + 1], 2, f"{one.network.name}, pauses")
