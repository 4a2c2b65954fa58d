"""The speed of the simulation, with a simulator that takes the time it is told to."""

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.quant.network import QuantizedNetwork
from systolith.sim.random_network import random_network
from systolith.sim.rtl import RtlResult
from systolith.sw.benchmark import speed
from systolith.sw.benchmark.speed import TARGETS, Speed, measure_speed
from systolith.sw.compiler import compile_network
from systolith.sw.driver import EngineError


def test_starting_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []

    def run(program: object, codes: np.ndarray) -> tuple[int, float]:
        counts.append(len(codes))
        return 1000 + 500_000 * len(codes), 7.0 + 2.0 * len(codes)

    monkeypatch.setattr(speed, "_run", run)
    network: QuantizedNetwork = random_network(1, 2)
    program = compile_network(network, EngineConfig())
    found = measure_speed(program, np.zeros((4, 4, 1), np.int64), "1234")
    assert counts[:2] == [1, 1] and counts[2] >= 2  # the first one may build
    assert found.rate == pytest.approx(250_000) and found.reached and found.size == 8


def test_targets() -> None:
    assert TARGETS == {8: 80_000, 16: 30_000}
    slow = Speed(engine="e", size=16, cycles=29_999, seconds=1.0, commit="1234")
    assert not slow.reached and Speed(engine="e", size=16, cycles=30_000, seconds=1.0, commit="1").reached


def test_an_engine_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = RtlResult({"cycles": 3}, [], None, EngineError("the weights ended early", 3))  # type: ignore[arg-type]
    monkeypatch.setattr(speed, "run_jobs", lambda program, jobs: [broken])
    program = compile_network(random_network(1, 2), EngineConfig())
    with pytest.raises(EngineError, match="the weights ended early"):
        measure_speed(program, np.zeros((4, 4, 1), np.int64), "1234")
