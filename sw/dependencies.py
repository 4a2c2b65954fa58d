"""The waits: which earlier instructions each one needs completed.

    wait_u = last instruction of unit u, itself excepted, with a hazard on a word of the scratchpad or of memory
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
from .patches import Span
from .step import Step

__all__ = ["UNITS", "add_waits", "counts"]

UNITS = ("load", "compute", "store")

Counts = npt.NDArray[np.int32]


def counts(steps: Sequence[Step]) -> dict[str, int]:
    """Instructions of each unit in one iteration."""
    return {unit: sum(step.instruction.unit == unit for step in steps) for unit in UNITS}


def add_waits(steps: Sequence[Step], words: int, memory_words: int = 0, no_wait: int = NO_WAIT) -> None:
    """Set wait_load, wait_compute and wait_store of every step, for steps in program order; ``no_wait`` for none.

    ``words`` of the scratchpad, and slots of tables, a word each; ``memory_words`` of spilled tensors, which only LOAD
    reads and STORE writes.
    """
    total = counts(steps)
    readers, writers = _blank(words), _blank(words)
    loaded, stored = np.zeros(memory_words, np.int32), np.zeros(memory_words, np.int32)
    for iteration in (0, 1):
        done = {unit: iteration * total[unit] for unit in UNITS}
        for step in steps:
            own = step.instruction.unit
            if iteration:
                needs = {unit: _needed(step, own, unit, readers[unit], writers[unit]) for unit in UNITS}
                needs["store"] = max(needs["store"], _last(stored, step.memory_reads))
                needs["load"] = max(needs["load"], _last(loaded, step.memory_writes))
                for unit, needed in needs.items():
                    step.values[f"wait_{unit}"] = needed - total[unit] if needed else no_wait
            done[own] += 1
            for spans, target in (
                (step.reads, readers[own]),
                (step.writes, writers[own]),
                (step.memory_reads, loaded),
                (step.memory_writes, stored),
            ):
                for low, high in spans:
                    target[low:high] = done[own]


def _blank(words: int) -> dict[str, Counts]:
    return {unit: np.zeros(words, np.int32) for unit in UNITS}


def _last(counts: Counts, spans: Sequence[Span]) -> int:
    return max((int(counts[low:high].max()) for low, high in spans), default=0)


def _needed(step: Step, own: str, unit: str, reader: Counts, writer: Counts) -> int:
    """How many instructions of ``unit`` must have completed since start; 0 for none."""
    needed = 0
    if unit != own or own == "compute":
        needed = _last(writer, step.reads)
    if unit != own:
        needed = max(needed, _last(writer, step.writes), _last(reader, step.writes))
    return needed
