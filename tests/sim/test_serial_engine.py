"""The engine that does one thing after the other: references == instruction-set simulator == RTL == cycle model."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from engine_bench import Expected, Outcome, Run, changed, records, run
from systolith.hw.config import EngineConfig
from systolith.hw.serial_columns import SerialColumns
from systolith.sim.random_network import random_codes, random_network
from systolith.sim.rtl import Stalls
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model import serial
from systolith.sw.cycle_model.machine import simulate

KINDS = ("conv", "conv", "maxpool", "avgpool", "mean", "add", "upsample", "border", "branch")

SERIAL: dict[str, Any] = {
    "rows": 8, "cols": 8, "port_width": 8, "fold_width": 0, "fir_depth": 0, "tables": 0, "profile": False,
    "means": False, "products": False, "folds": False, "lookahead": False, "serial": True, "banks": 2,
    "wait_width": 16, "memory_width": 18, "count_width": 24, "fifo_depth": 64,
}  # fmt: skip

CONFIGS = [
    EngineConfig(**SERIAL, acc_width=24, acc_depth=32, scratchpad=4096, coord_width=8),
    EngineConfig(**SERIAL, acc_width=32, acc_depth=16, scratchpad=4096, coord_width=7),
]


def test_model_has_the_latency_of_the_columns() -> None:
    assert SerialColumns.latency == serial._COLUMN


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
            assert any(word in str(error) for word in ("accumulator", "room", "acc_depth", "memory_width")), (
                error
            )
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


@pytest.fixture(scope="module")
def strips() -> Expected:
    """A network with strips, residuals and pools, and three images."""
    network = random_network(78, 6, channels=12, size=8)
    return Expected(network, compile_network(network, CONFIGS[0]), random_codes(network, 4, 3))


def test_errors(strips: Expected) -> None:
    """Each error has its code, stops the engine, and is gone after a reset."""
    program, codes = strips.program, strips.codes
    parts, places = records(program), program.memory_map(3)
    damaged = bytearray(program.weights)
    damaged[len(program.weights) - 1 - program.weights[::-1].index(0xA5)] ^= 1
    narrow, wide = (bytes([0xA5, width]) + program.weights[2:] for width in (1, 9))
    cases: list[tuple[str, Any, dict[str, Any], int]] = [
        ("a record of zeros", {"records": parts[0] + bytes(len(parts[0])) + b"".join(parts[2:])}, {}, 1),
        ("another hash", changed(program, 0, hash=program.config.hash ^ 1 << 31), {}, 2),
        ("no CONFIG", {"records": b"".join(parts[1:])}, {}, 2),
        ("the first segment", {"weights": b"\0" + program.weights[1:]}, {}, 3),
        ("weights of 1 bit", {"weights": narrow}, {}, 3),
        ("weights of 9 bits", {"weights": wide}, {}, 3),
        ("program unreadable", {}, {"read_error": places.program + 8}, 4),
        ("image unreadable", {}, {"read_error": places.input}, 4),
        ("result unwritable", {}, {"write_error": places.output}, 5),
        ("a memory too slow", {}, {"mem_latency": 90, "watchdog": 50}, 6),
    ]  # fmt: skip
    runs = []
    for _, change, about, _ in cases:
        wrong = replace(program, **change) if isinstance(change, dict) else change
        runs += [
            Run(program=wrong, codes=codes, **{"mem_latency": 2} | about),
            Run(
                program=program,
                codes=codes,
                reset=False,
                script=(("write", "control", 1), ("read", "status")),
            ),
            Run(program=program, codes=codes, mem_latency=2),
        ]
    outcomes = run(runs)
    for number, (what, _, _, code) in enumerate(cases):
        stopped, halted, after = outcomes[3 * number : 3 * number + 3]
        assert stopped.error is not None, what
        assert (stopped.error.code, stopped.status) == (code, code << 8), what
        assert halted.answers == [code << 8], f"{what}: an engine that has met an error starts no more"
        strips.check_codes(after, 3, f"after {what}")


def test_reset_at_any_cycle(strips: Expected) -> None:
    """Whatever the engine was at, after a reset it does the next batch as if it were the first."""
    program, codes = strips.program, strips.codes
    cycles, rng = simulate(program, 3, 2).cycles, np.random.default_rng(1)
    stops = [1, 2, 3, 60, 61, 62, 120, *rng.integers(121, cycles, 12).tolist()]
    runs = []
    for stop in stops:
        runs.append(Run(program=program, codes=codes, mem_latency=2, timeout=stop))
        runs.append(Run(program=program, codes=codes, mem_latency=2))
    outcomes = run(runs)
    for number, stop in enumerate(stops):
        assert f"not done after {stop} cycles" in str(outcomes[2 * number].error)
        strips.check_codes(outcomes[2 * number + 1], 3, f"after a reset in cycle {stop}")
        assert outcomes[2 * number + 1].counters == outcomes[1].counters
