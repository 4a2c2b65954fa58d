"""The model's recording agrees with its own counters and order. Equality with the RTL: tests/sim/test_probe.py."""

from itertools import pairwise

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.sim.random_network import random_network
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.machine import simulate
from systolith.sw.cycle_model.record import record
from systolith.sw.recording import STATES, UNITS

CONFIG = EngineConfig(rows=4, cols=4, acc_depth=16, scratchpad=2048)


@pytest.mark.parametrize("seed", range(500, 512))
@pytest.mark.parametrize("images, latency", [(1, 30), (3, 100)])
def test_agrees_with_the_counters(seed: int, images: int, latency: int) -> None:
    program = compile_network(random_network(seed), CONFIG)
    recording, counters = record(program, images, latency), simulate(program, images, latency).counters
    assert recording.cycles == counters["cycles"]
    names = ("pixels", "stall_wait", "stall_weight", "stall_bank", "stall_pass")
    assert list(recording.stalls().values()) == [counters[name] for name in names]
    assert recording.since[0] == 0 and recording.since[-1] < recording.cycles
    assert all(a != b for a, b in pairwise(recording.states.tolist())) and recording.states.max() < len(
        STATES
    )
    for unit in UNITS:
        offered, taken, done = recording.offered[unit], recording.taken[unit], recording.done[unit]
        assert len(offered) == len(taken) == len(done) == counters[f"{unit}s"]
        assert np.all(offered <= taken) and np.all(taken < done)
    registers = program.registers(images)
    assert len(recording.reads["program"]) == images * registers["program_beats"]
    assert len(recording.reads["weight"]) == images * registers["weight_beats"]
    for name, times in recording.arrays():
        if name.startswith(("words", "changes")):
            assert np.all(np.diff(times) > 0), name
