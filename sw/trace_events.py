"""A timeline in the Trace Event Format, which https://ui.perfetto.dev and chrome://tracing open; 1 us is a cycle.

Tracks: instruction fetch, weight fetch, LOADs, COMPUTEs, what the array stalls for, STOREs; LOADs and STOREs that
overlap lie in tracks of their own. Counters: the share of the port's cycles in which words come, by client, and leave.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from .recording import BUSY, STATES
from .timeline import Span, Timeline

__all__ = ["trace_events"]

_TRACKS = {"fetch": (10, "instruction fetch"), "weight": (20, "weight fetch"), "load": (30, "load"),
           "compute": (50, "compute"), "stall": (60, "stalls of the array"), "store": (70, "store")}  # fmt: skip

_COUNTER_BINS = 2000


def trace_events(found: Timeline, window: tuple[int, int] | None = None) -> str:
    """The JSON text; ``window``: of what happens between two cycles, both included, alone."""
    first, last = window or (0, found.cycles - 1)
    events = [
        _event("M", 0, name="process_name", args={"name": f"{found.program.name} ({found.recording.source})"}),
        *_spans(found, first, last), *_stalls(found, first, last), *_counters(found, first, last),
    ]  # fmt: skip
    named = dict(_TRACKS.values())
    for tid in sorted({event["tid"] for event in events if event["ph"] == "X"}):
        unit = max(known for known in named if known <= tid)
        name = named[unit] + (f" {tid - unit + 1}" if tid > unit else "")
        events.append(_event("M", tid, name="thread_name", args={"name": name}))
        events.append(_event("M", tid, name="thread_sort_index", args={"sort_index": tid}))
    config = found.program.config
    about = {"network": found.program.name, "source": found.recording.source, "images": found.images,
             "engine": config.describe(), "mem_latency": found.mem_latency, "cycles": found.cycles,
             "unit": "1 us is 1 cycle"}  # fmt: skip
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ns", "otherData": about})


def _event(phase: str, tid: int, **more: Any) -> dict[str, Any]:
    return {"ph": phase, "pid": 1, "tid": tid, **more}


def _slice(tid: int, name: str, first: int, last: int, args: dict[str, Any]) -> dict[str, Any]:
    return _event("X", tid, name=name, ts=first, dur=last - first + 1, args=args)


def _spans(found: Timeline, first: int, last: int) -> Iterator[dict[str, Any]]:
    for unit in ("fetch", "weight", "load", "compute", "store"):
        rows: list[int] = []  # the last cycle of each track of the unit
        for span in found.of(unit):
            begin, end = _extent(span)
            if end < first or begin > last:
                continue
            row = next((k for k, until in enumerate(rows) if until < begin), len(rows))
            rows[row : row + 1] = [end]
            name = f"{span.name} (table)" if span.table else span.name or "CONFIG"
            yield _slice(_TRACKS[unit][0] + row, name, begin, end, _about(span))


def _extent(span: Span) -> tuple[int, int]:
    """A COMPUTE is at work from its first to its last pixel, others until they are complete."""
    return (span.started, span.ended) if span.unit == "compute" else (span.taken, span.done)


def _about(span: Span) -> dict[str, Any]:
    more = ("pixels", "wait", "weight", "bank", "short") if span.unit == "compute" else ("bytes",)
    keys = ("image", "index", "taken", "started", "ended", "done", *more)
    told = {key: getattr(span, key) for key in keys}
    return told | ({"waited_for": span.waited_for} if span.waited_for else {})


def _stalls(found: Timeline, first: int, last: int) -> Iterator[dict[str, Any]]:
    recording = found.recording
    until = np.append(recording.since[1:], recording.cycles)
    for begin, end, state in zip(
        recording.since.tolist(), until.tolist(), recording.states.tolist(), strict=True
    ):
        if state != BUSY and begin <= last and end > first:
            yield _slice(_TRACKS["stall"][0], STATES[state], begin, end - 1, {})


def _counters(found: Timeline, first: int, last: int) -> Iterator[dict[str, Any]]:
    edges = np.unique(
        np.linspace(first, last + 1, min(_COUNTER_BINS, last + 1 - first) + 1).round().astype(np.int64)
    )
    recording = found.recording
    for name, clients in (
        ("port reads, %", recording.reads),
        ("port writes, %", {"store": recording.writes}),
    ):
        shares = {
            client: 100 * np.diff(np.searchsorted(times, edges)) / np.diff(edges)
            for client, times in clients.items()
        }
        before: dict[str, float] | None = None
        for k, at in enumerate(edges[:-1].tolist()):
            values = {client: round(float(share[k]), 2) for client, share in shares.items()}
            if values != before:
                yield _event("C", 0, name=name, ts=at, args=values)
            before = values
