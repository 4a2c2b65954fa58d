"""Recordings of runs in RTL: every event in the cycle in which the cycle model has it; records that are damaged."""

from collections.abc import Sequence

import numpy as np
import pytest
from engine_bench import SMALL, convolution, shortcut
from systolith.quant.network import QuantizedNetwork
from systolith.sim.probe import decode_probe
from systolith.sim.random_network import random_codes, random_network
from systolith.sim.rtl import RtlJob, run_jobs
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.record import record
from systolith.sw.program import Program
from systolith.sw.recording import STATES, UNITS, difference


def check(network: QuantizedNetwork, runs: Sequence[tuple[int, int]]) -> None:
    """Runs of (images, latency): recordings equal, and in harmony with the engine's own counters."""
    program = compile_network(network, SMALL)
    jobs = [RtlJob(codes=random_codes(network, 1, images), mem_latency=latency) for images, latency in runs]
    results = run_jobs(program, jobs, probe=True, optimize="-O1")
    for (images, latency), result in zip(runs, results, strict=True):
        what = f"{program.name}, {images} images, latency {latency}"
        assert result.recording is not None, what
        assert difference(record(program, images, latency), result.recording) is None, what
        counters = result.counters
        names = dict(
            zip(STATES, ("pixels", "stall_wait", "stall_weight", "stall_bank", "stall_pass"), strict=True)
        )
        assert {names[k]: n for k, n in result.recording.stalls().items()} == {
            n: counters[n] for n in names.values()
        }
        assert [len(result.recording.done[unit]) for unit in UNITS] == [
            counters[f"{unit}s"] for unit in UNITS
        ]


@pytest.mark.parametrize("seed", range(300, 306))
def test_random_networks(seed: int) -> None:
    check(random_network(seed), [(1, 30), (3, 1 + 7 * (seed % 20))])


def test_tables() -> None:
    """What LOAD reads lies behind the program: it is not fetched instructions."""
    network = random_network(2, 6, kinds=("conv", "table"))
    assert compile_network(network, SMALL).tables
    check(network, [(1, 30), (3, 100)])


def test_strips() -> None:
    """Many LOADs and STOREs beside compute."""
    check(convolution(1, SMALL, 20, 20, 8, 8, (3, 3), pads=(1, 1, 1, 1)), [(1, 1), (2, 200)])


def test_bubbles() -> None:
    """Pixel and residual meet in a bank: the array stalls inside of passes."""
    network = shortcut(2, SMALL, 6, 5, 8, (3, 3))
    check(network, [(1, 30), (2, 30)])
    assert record(compile_network(network, SMALL)).stalls()["bank"] > 0


# Records by hand -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def program() -> Program:
    return compile_network(convolution(1, SMALL, 4, 4, 4, 4), SMALL)


def packed(*records: tuple[int, int, int]) -> bytes:
    return np.array(records, "<u4").tobytes()


def test_words_belong_to_the_bursts_in_order(program: Program) -> None:
    places = program.memory_map(1)
    asks = [(2, 1 << 9, places.input), (3, 1 << 9 | 1 << 24, places.weights), (4, 1 << 9, places.program),
            (5, 1 << 9, places.spill)]  # fmt: skip
    found = decode_probe(packed(*asks, *((cycle, 1 << 10, 0) for cycle in range(10, 15))), program, 1, 99)
    assert {name: words.tolist() for name, words in found.reads.items()} == {
        "load": [9, 13], "weight": [10, 11], "program": [12],
    }  # fmt: skip


def test_a_record_that_is_cut_off_is_dropped(program: Program) -> None:
    content = packed((7, 1 << 1, 0), (9, 1 << 1 | 1 << 11, 0))
    found = decode_probe(content[:-1], program, 1, 99)
    assert found.done["compute"].tolist() == [6] and not len(found.writes)


def test_two_states_at_a_time_are_refused(program: Program) -> None:
    with pytest.raises(ValueError, match="the array must be in one state at a time, not 0b00011"):
        decode_probe(packed((7, 3 << 12, 0)), program, 1, 99)


def test_a_run_without_the_probe_has_no_recording(program: Program) -> None:
    network = convolution(1, SMALL, 4, 4, 4, 4)
    (result,) = run_jobs(program, [RtlJob(codes=random_codes(network, 1, 1))], optimize="-O1")
    assert result.recording is None
