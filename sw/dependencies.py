"""The waits: which earlier instructions each one needs completed.

    wait_u = last instruction of unit u, itself excepted, with a hazard on a scratchpad word
      read after write:  u wrote what this one reads   (COMPUTE after COMPUTE too: the pipeline is deep)
      write after read:  u read what this one writes  (another unit only)
      write after write: u wrote what this one writes  (another unit only)

Units execute in order, so waiting for the last conflicting instruction covers all earlier ones. Two
iterations are replayed word by word; the second one's thresholds hold for all: counts before its first
instruction are negative, which the first iteration passes at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..hw.isa import NO_WAIT
from .lowering import Step

__all__ = ["UNITS", "add_waits", "counts"]

UNITS = ("load", "compute", "store")


def counts(steps: Sequence[Step]) -> dict[str, int]:
    """Instructions of each unit in one iteration."""
    return {unit: sum(step.instruction.unit == unit for step in steps) for unit in UNITS}


def add_waits(steps: Sequence[Step], words: int) -> None:
    """Set wait_load, wait_compute and wait_store of every step, for steps in program order."""
    total = counts(steps)
    readers = {unit: np.zeros(words, np.int32) for unit in UNITS}
    writers = {unit: np.zeros(words, np.int32) for unit in UNITS}
    for iteration in (0, 1):
        done = {unit: iteration * total[unit] for unit in UNITS}
        for step in steps:
            own = step.instruction.unit
            for unit in UNITS:
                needed = _needed(step, own, unit, readers[unit], writers[unit])
                step.values[f"wait_{unit}"] = needed - iteration * total[unit] if needed else NO_WAIT
            done[own] += 1
            for low, high in step.reads:
                readers[own][low:high] = done[own]
            for low, high in step.writes:
                writers[own][low:high] = done[own]


def _needed(
    step: Step, own: str, unit: str, reader: npt.NDArray[np.int32], writer: npt.NDArray[np.int32]
) -> int:
    """How many instructions of ``unit`` must have completed since start; 0 for none."""
    needed = 0
    if unit != own or own == "compute":
        needed = max((int(writer[low:high].max()) for low, high in step.reads), default=0)
    if unit != own:
        for low, high in step.writes:
            needed = max(needed, int(writer[low:high].max()), int(reader[low:high].max()))
    return needed
