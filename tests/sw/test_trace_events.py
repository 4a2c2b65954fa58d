"""The trace: every span once, nothing on a track overlaps, counters within 0..100."""

import json
from itertools import groupby, pairwise
from typing import Any

import pytest
from systolith.hw.config import EngineConfig
from systolith.sim.random_network import random_network
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.record import record
from systolith.sw.recording import BUSY
from systolith.sw.timeline import Timeline, timeline
from systolith.sw.trace_events import trace_events


@pytest.fixture(scope="module")
def run() -> Timeline:
    config = EngineConfig(rows=4, cols=4, acc_depth=32, scratchpad=512)
    program = compile_network(random_network(641, size=12, channels=10), config)
    return timeline(program, record(program, 2))


def slices(document: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted((e for e in document["traceEvents"] if e["ph"] == "X"), key=lambda e: (e["tid"], e["ts"]))


def test_every_span_once(run: Timeline) -> None:
    document = json.loads(trace_events(run))
    found = slices(document)
    stalls = int((run.recording.states != BUSY).sum())
    assert len(found) == len(run.spans) + stalls
    for _, group in groupby(found, key=lambda e: e["tid"]):
        assert all(a["ts"] + a["dur"] <= b["ts"] for a, b in pairwise(group))
    assert min(e["ts"] for e in found) == 0 and max(e["ts"] + e["dur"] for e in found) == run.cycles
    names = {e["tid"]: e["args"]["name"] for e in document["traceEvents"] if e.get("name") == "thread_name"}
    assert set(names) == {e["tid"] for e in found}
    assert {"instruction fetch", "weight fetch", "load", "compute", "stalls of the array", "store"} <= set(
        names.values()
    )
    computes = [e for e in found if names[e["tid"]] == "compute"]
    assert [(e["name"], e["ts"], e["args"]["pixels"]) for e in computes] == [
        (span.name, span.started, span.pixels) for span in run.of("compute")
    ]
    assert (
        document["otherData"]["unit"] == "1 us is 1 cycle" and document["otherData"]["cycles"] == run.cycles
    )


def test_counters(run: Timeline) -> None:
    counters = [e for e in json.loads(trace_events(run))["traceEvents"] if e["ph"] == "C"]
    assert {e["name"] for e in counters} == {"port reads, %", "port writes, %"}
    for event in counters:
        assert 0 <= sum(event["args"].values()) <= 100.02, event
    assert any(event["args"].get("store") for event in counters)


def test_window(run: Timeline) -> None:
    first, last = run.cycles // 3, run.cycles // 2
    found = slices(json.loads(trace_events(run, (first, last))))
    assert 0 < len(found) < len(run.spans)
    assert all(e["ts"] <= last and e["ts"] + e["dur"] > first for e in found)
