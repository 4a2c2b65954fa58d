"""The cycle model's events as a ``Recording``: read from the machine's lists when it is over, nothing runs slower."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ..program import Program
from ..recording import STATES, UNITS, Cycles, Recording
from .compute import Compute
from .machine import run

__all__ = ["record"]

_PIXEL, _WAIT, _WEIGHT, _BANK, _SHORT = range(len(STATES))


def record(program: Program, images: int = 1, mem_latency: int = 30) -> Recording:
    """What happens in ``images`` images back to back. Raises ValueError for a program that the engine would refuse."""
    machine = run(program, images, mem_latency)
    timing = machine.timing()
    since, states = _merged(_states(machine.compute))
    return Recording(
        source="model", images=images, cycles=timing.cycles,
        offered={unit: _cycles(machine.queues[unit].valid) for unit in UNITS},
        taken={unit: _cycles(machine.queues[unit].taken) for unit in UNITS},
        done={unit: _cycles(machine.done[unit]) for unit in UNITS},
        reads={name: _cycles(reader.puts) - 1 for name, reader in
               (("program", machine.fetched), ("load", machine.loaded), ("weight", machine.weights))},
        writes=_cycles(machine.store.sent) + 1, since=since, states=states,
    )  # fmt: skip


def _cycles(times: Iterable[int]) -> Cycles:
    return np.array(times if isinstance(times, list) else list(times), np.int64)


def _merged(found: Iterable[tuple[int, int]]) -> tuple[Cycles, np.ndarray]:
    """(cycle, state) without those that change nothing."""
    pairs = np.array(list(found), np.int64).reshape(-1, 2)
    kept = np.diff(pairs[:, 1], prepend=-1) != 0
    return pairs[kept, 0], pairs[kept, 1].astype(np.int8)


def _states(compute: Compute) -> Iterator[tuple[int, int]]:
    """(cycle, state from there on): gaps between passes, and their pixels with bubbles between."""
    gaps = iter(compute.gaps)
    gap, free = next(gaps, None), 0
    for run_ in compute.runs:
        if gap is not None and gap[0] < run_.first:
            yield from _gap(*gap)
            free, gap = gap[1] + 1, next(gaps, None)
        if free < run_.first:
            yield free, _BANK
        yield run_.first, _PIXEL
        if run_.at is not None:
            at = np.array(run_.at)
            for before in np.flatnonzero(np.diff(at) != 1).tolist():
                yield int(at[before]) + 1, _BANK
                yield int(at[before + 1]), _PIXEL
        free = run_.last + 1
    yield free, _WAIT


def _gap(first: int, last: int, known: int, ready: int, fresh: bool) -> Iterator[tuple[int, int]]:
    """As ``Compute._count``: the record until ``known``, tile or parameters until ``ready``; "short" is the rest."""
    at = first
    if fresh and known >= first:
        yield at, _WAIT
        at = min(last, known) + 1
    starved = max(at, known + 2)
    if at < min(starved, last + 1):
        yield at, _SHORT
        at = starved
    if at <= min(last, ready):
        yield at, _WEIGHT
        at = ready + 1
    if at <= last:
        yield at, _SHORT
