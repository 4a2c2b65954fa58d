"""Bins of a timeline: their shares add up to what the recording counts."""

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.sim.random_network import random_network
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.record import record
from systolith.sw.recording import BUSY, STATES
from systolith.sw.timeline import STALLS, Timeline, timeline
from systolith.sw.timeline_bins import bin_edges, busy_shares, order, share, stall_shares, word_shares


@pytest.fixture(scope="module")
def run() -> Timeline:
    config = EngineConfig(rows=4, cols=4, acc_depth=32, scratchpad=512)
    program = compile_network(random_network(641, size=12, channels=10), config)
    return timeline(program, record(program, 2))


@pytest.mark.parametrize("bins", [1, 7, 200, 10**6])
def test_shares_add_up_to_the_counters(run: Timeline, bins: int) -> None:
    edges = bin_edges(run, 0, run.cycles - 1, bins)
    width, counts = np.diff(edges), run.recording.stalls()
    assert edges[0] == 0 and edges[-1] == run.cycles and min(width) > 0
    busy = sum(part for _, part in busy_shares(run, edges))
    assert round(float((busy * width).sum())) == counts[STATES[BUSY]]
    stalls = dict(stall_shares(run, edges))
    assert {name: round(float((part * width).sum())) for name, part in stalls.items()} == {
        name: counts[name] for name in STALLS
    }
    assert np.all(busy + sum(stalls.values()) <= 1 + 1e-9)
    for unit in ("fetch", "weight", "load", "store"):
        words = sum(part for _, part in word_shares(run, unit, edges))
        assert np.allclose(words, share(run.times(unit), edges))


def test_a_window_holds_what_is_in_it(run: Timeline) -> None:
    first, last = run.cycles // 3, run.cycles // 2
    edges = bin_edges(run, first, last, 10**6)
    assert list(edges) == list(range(first, last + 2))
    at_work = np.zeros(run.cycles, bool)
    until = np.append(run.recording.since[1:], run.cycles)
    for begin, end, state in zip(run.recording.since, until, run.recording.states, strict=True):
        at_work[begin:end] = state == BUSY
    assert np.array_equal(sum(part for _, part in busy_shares(run, edges)) > 0.5, at_work[first : last + 1])


def test_layers_by_their_turn(run: Timeline) -> None:
    turns = order(run)
    assert list(turns.values()) == list(range(len(turns)))
    assert set(turns) == {info.layer for info in run.program.computes}
