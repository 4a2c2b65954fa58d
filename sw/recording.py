"""``Recording``: the cycles of everything that happened in a run, as the cycle model or the RTL gives them.

cycle 0 is the first after the engine's start; in each of the cycles 0..cycles-1 the array is in one state:

    states[k] from cycle since[k] on, until since[k+1]

Of an instruction three cycles are known, counted over all images: when its record is first on offer, its thresholds
met (``offered``), when its unit takes it (``taken``), when it is complete (``done``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["BUSY", "CLIENTS", "STATES", "UNITS", "Cycles", "Recording", "difference"]

Cycles = npt.NDArray[np.int64]

UNITS = ("load", "compute", "store")

CLIENTS = ("program", "load", "weight")
"""Who reads over the memory port."""

STATES = ("pixel", "wait", "weight", "bank", "short")
"""Of the array, as the engine's events: at work, or what it stalls for."""

BUSY = STATES.index("pixel")


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """A run of ``images`` images back to back; all arrays ascend."""

    source: str
    """"model" or "rtl"."""
    images: int
    cycles: int
    """from start to done."""
    offered: Mapping[str, Cycles]
    taken: Mapping[str, Cycles]
    done: Mapping[str, Cycles]
    reads: Mapping[str, Cycles]
    """cycles in which a word came over the read channel, by client."""
    writes: Cycles
    """cycles in which a word left over the write channel."""
    since: Cycles
    states: npt.NDArray[np.int8]
    """indices into STATES."""

    def arrays(self) -> Iterator[tuple[str, Cycles]]:
        """Everything in it, by a name for people."""
        for what in ("offered", "taken", "done"):
            for unit, times in getattr(self, what).items():
                yield f"{unit} {what}", times
        for client, times in self.reads.items():
            yield f"words read for {client}", times
        yield "words written", self.writes
        yield "changes of the array's state", self.since
        yield "states of the array", self.states.astype(np.int64)

    def stalls(self) -> dict[str, int]:
        """Cycles in each state."""
        lengths = np.diff(self.since, append=self.cycles)
        return {name: int(lengths[self.states == k].sum()) for k, name in enumerate(STATES)}


def difference(one: Recording, other: Recording) -> str | None:
    """The first event that two recordings do not share, as a sentence; None where they are equal."""
    if one.cycles != other.cycles:
        return f"cycles: {one.cycles:,} in the {one.source}, {other.cycles:,} in the {other.source}"
    for (name, mine), (_, theirs) in zip(one.arrays(), other.arrays(), strict=True):
        count = min(len(mine), len(theirs))
        apart = np.flatnonzero(mine[:count] != theirs[:count])
        if len(apart):
            n = int(apart[0])
            return f"{name}, number {n}: {mine[n]:,} in the {one.source}, {theirs[n]:,} in the {other.source}"
        if len(mine) != len(theirs):
            return f"{name}: {len(mine):,} in the {one.source}, {len(theirs):,} in the {other.source}"
    return None
