"""A timeline in bins, for drawings: the share of a bin's cycles in which something happened.

share[k] = #{ cycles in edges[k]..edges[k+1]-1 in which it happened } / (edges[k+1] - edges[k])
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np

from .recording import BUSY, STATES, Cycles
from .timeline import STALLS, Timeline

__all__ = ["before", "bin_edges", "busy_shares", "order", "share", "stall_shares", "word_shares"]


def bin_edges(found: Timeline, first: int, last: int, bins: int) -> Cycles:
    """``bins`` of equal length from cycle ``first`` to ``last``, cut where a layer begins."""
    span = last - first + 1
    even = np.linspace(first, last + 1, min(bins, span) + 1).round().astype(np.int64)
    turns = [layer.start for layer in found.layers if first < layer.start <= last]
    return np.union1d(even, np.array(turns, np.int64))


def share(times: Cycles, edges: Cycles) -> Any:
    """The share of each bin's cycles that are among ``times``."""
    return np.diff(np.searchsorted(times, edges)) / np.diff(edges)


def before(found: Timeline, state: int, at: Any) -> Any:
    """Cycles in a state before each of the cycles ``at``."""
    recording = found.recording
    since = np.append(recording.since, recording.cycles)
    total = np.concatenate([[0], np.cumsum(np.diff(since) * (recording.states == state))])
    return np.interp(at, since, total)


def order(found: Timeline) -> dict[int, int]:
    """Layers by their turn."""
    return {layer: n for n, layer in enumerate(dict.fromkeys(info.layer for info in found.program.computes))}


def word_shares(found: Timeline, unit: str, edges: Cycles) -> list[tuple[int, Any]]:
    """Of a lane of the port: layer, and the share of each bin in which a word came or left for it; in order."""
    times, at, shares = found.times(unit), 0, []
    firsts, ends = found.words[unit]
    for layer, group in groupby(found.of(unit), key=lambda span: span.layer):
        spans = list(group)
        begin, end = int(firsts[at]), int(ends[at + len(spans) - 1])
        at += len(spans)
        if spans[-1].done >= edges[0] and spans[0].taken < edges[-1]:
            shares.append((layer, share(times[begin:end], edges)))
    return shares


def busy_shares(found: Timeline, edges: Cycles) -> list[tuple[int, Any]]:
    """Layer, and the share of each bin in which the array took its pixels; in order."""
    width, shares = np.diff(edges), []
    for layer, group in groupby(found.of("compute"), key=lambda span: span.layer):
        spans = list(group)
        start, end = spans[0].ended - spans[0].cycles + 1, spans[-1].ended + 1
        if start < edges[-1] and end > edges[0]:
            shares.append((layer, np.diff(before(found, BUSY, np.clip(edges, start, end))) / width))
    return shares


def stall_shares(found: Timeline, edges: Cycles) -> list[tuple[str, Any]]:
    """Cause, and the share of each bin in which the array stalled for it."""
    width = np.diff(edges)
    return [(name, np.diff(before(found, STATES.index(name), edges)) / width) for name in STALLS]
