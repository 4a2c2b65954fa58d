"""A point's figures against the compiler's and the cycle model's own; bytes against the memory of a run."""

import time
from typing import Any

import pytest
from systolith.hw.config import EngineConfig
from systolith.sim.random_network import random_network
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.machine import simulate
from systolith.sw.cycle_model.record import record
from systolith.sw.sweep import measure as module
from systolith.sw.sweep.axes import DEFAULTS
from systolith.sw.sweep.energy import LEVELS
from systolith.sw.sweep.measure import KINDS, Job, measure, run_job
from systolith.sw.sweep.models import QuantizedNetworkWorkload

BUDGET = 0.6
"""Seconds of CPU a point, five times what one took when this was written."""

WIDE = {**DEFAULTS, "rows": 4, "cols": 4}


def test_cycles_and_macs(job: Job) -> None:
    config = EngineConfig(rows=4, cols=4)
    program = compile_network(next(iter(job.workload.networks((8, 8, 32)))), config)
    found = run_job(job, WIDE)
    assert not found.reason and found.macs == program.macs
    assert found.cycles == simulate(program, 1, 5).cycles
    assert found.cycles_total == simulate(program, 2, 5).cycles


@pytest.mark.parametrize("seed, scratchpad", [(1, 1 << 17), (5, 1 << 17), (1, 512), (9, 1024), (10, 256)])
def test_bytes_are_those_on_the_port(seed: int, scratchpad: int) -> None:
    """Every kind, against the words that the cycle model sees on the port, image by image."""
    network = random_network(seed, layers=5, size=14)
    config = EngineConfig(rows=4, cols=4, scratchpad=scratchpad)
    program = compile_network(network, config)
    found = measure(Job(workload=QuantizedNetworkWorkload(network), images=1, mem_latency=5), config)
    seen, port = record(program, 1, 5), config.port_bytes
    moved = dict(found.bytes)
    assert set(moved) == set(KINDS)
    assert moved["program"] + moved["weights"] == len(program.records) + len(program.weights)
    assert sum(moved.values()) == port * (sum(map(len, seen.reads.values())) + len(seen.writes))
    assert moved["activations"] + moved["spills"] == sum(
        layer.loaded + layer.stored for layer in program.layers
    )
    assert (moved["spills"] > 0) == (program.spill_bytes > 0) == (scratchpad <= 1024)


def test_memory_is_what_a_batch_needs(job: Job) -> None:
    config = EngineConfig(rows=4, cols=4)
    (network,) = job.workload.networks((8, 8, 32))
    assert measure(job, config).memory == compile_network(network, config).memory_map(job.images).end


def test_accesses(job: Job) -> None:
    config = EngineConfig(rows=4, cols=4)
    found = measure(job, config)
    program = compile_network(next(iter(job.workload.networks((8, 8, 32)))), config)
    pixels = simulate(program, 1, 5).counters["pixels"]
    assert set(found.accesses) == set(LEVELS)
    assert found.accesses["mac"] == found.macs <= pixels * 16
    assert found.accesses["accumulators"] == 2 * pixels * 4 * 32
    assert found.accesses["memory"] == 8 * sum(found.bytes.values())
    outputs = sum(info.count for info in program.computes)
    through = found.bytes["activations"] + found.bytes["spills"]
    assert found.accesses["scratchpad"] == 8 * (4 * pixels + 4 * outputs + through)


def test_refusals_are_figures(job: Job) -> None:
    found = run_job(job, {**WIDE, "scratchpad": 1})
    assert found.refused and found.reason.startswith("scratchpad must hold at least 16 words a bank")
    found = run_job(job, {**WIDE, "act_width": 2})
    assert found.refused and "act" in found.reason


def test_faults_are_no_refusals(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("what")

    monkeypatch.setattr(module, "sketch", broken)
    found = run_job(job, WIDE)
    assert not found.refused and found.reason == "KeyError: 'what'"


def test_points_in_their_budget() -> None:
    """CPU time, far above what they take: who encodes weights again, or steps through words one by one, meets it."""
    network = random_network(5, layers=12, kinds=("conv", "conv", "add"), channels=64, size=32)
    job = Job(workload=QuantizedNetworkWorkload(network), images=1, mem_latency=30)
    begin = time.process_time()
    found = [measure(job, EngineConfig(rows=rows, cols=cols)) for rows in (4, 8, 16) for cols in (4, 8, 16)]
    assert all(figures.cycles for figures in found)
    assert time.process_time() - begin < 9 * BUDGET
