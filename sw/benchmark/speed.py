"""How fast the RTL is simulated under cocotb, with the trace of every output that ``verify`` records.

    cycles a second = (cycles of many images - cycles of one) / (CPU seconds of many - CPU seconds of one)

so the time to start simulator and Python does not count. CPU seconds of the simulator's process, one core: other
work on the machine changes them little.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass

import numpy as np

from ...hw.config import EngineConfig
from ...sim.rtl import RtlJob, run_jobs
from ..program import Program

__all__ = ["TARGETS", "Speed", "measure_speed"]

TARGETS = {8: 80_000, 16: 30_000}
"""Cycles a second to reach, by rows and columns."""

_CYCLES = 1_500_000
"""Simulated for a figure, about."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """``cycles`` were simulated in ``seconds`` of one core."""

    engine: str
    size: int
    cycles: int
    seconds: float
    commit: str

    @property
    def rate(self) -> float:
        """Cycles a second."""
        return self.cycles / self.seconds

    @property
    def reached(self) -> bool:
        """Whether the target is."""
        return self.rate >= TARGETS[self.size]


def measure_speed(program: Program, image: np.ndarray, commit: str) -> Speed:
    """``image``: codes [H, W, C] of one image, which runs again and again on a square engine."""
    config: EngineConfig = program.config
    one, _ = _run(program, image[None])  # builds the simulation, if there is none
    one, start = _run(program, image[None])
    count = max(2, _CYCLES // one)
    cycles, seconds = _run(program, np.repeat(image[None], count, axis=0))
    return Speed(
        engine=config.describe(),
        size=config.rows,
        cycles=cycles - one,
        seconds=seconds - start,
        commit=commit,
    )


def _run(program: Program, codes: np.ndarray) -> tuple[int, float]:
    """Cycles, and CPU seconds of the processes that ran meanwhile."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    (result,) = run_jobs(program, [RtlJob(codes=codes)])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.error is not None:
        raise result.error
    return result.cycles, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
