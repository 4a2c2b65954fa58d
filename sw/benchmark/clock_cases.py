"""Engines whose clock is measured: the clock table of docs/benchmarks.md, a ``ClockCase`` a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...hw.config import EngineConfig

__all__ = ["CLOCK_CASES", "ClockCase", "chosen_clocks"]


@dataclass(frozen=True, kw_only=True)
class ClockCase:
    """One engine on one device, ``seeds`` times placed and routed.

    ``estimated``: count its cells for other families, too. ``median``, ``worst``: MHz that the median and the slowest
    seed must reach, 0: reported only. ``slow``: only `make fmax-slow` measures it.
    """

    name: str
    config: EngineConfig
    device: str = "ecp5-85f"
    seeds: int = 5
    estimated: bool = True
    median: float = 0.0
    worst: float = 0.0
    slow: bool = True


def _engine(rows: int, cols: int, kilobytes: int = 128) -> EngineConfig:
    return EngineConfig(rows=rows, cols=cols, scratchpad=kilobytes << 10, acc_depth=1024)


CLOCK_CASES = (
    ClockCase(name="4x4", config=_engine(4, 4, 32), seeds=2, estimated=False, slow=False),
    ClockCase(name="8x8", config=_engine(8, 8), median=200),
    ClockCase(name="8x16", config=_engine(8, 16), median=200, worst=185),
    ClockCase(name="12x12", config=_engine(12, 12)),
    ClockCase(name="16x16", config=_engine(16, 16)),
)
"""Each engine of the table, in its order."""


def chosen_clocks(names: Sequence[str], slow: bool) -> list[ClockCase]:
    """Cases by name, else the fast ones or all. Raises ValueError for an unknown name."""
    known = {case.name: case for case in CLOCK_CASES}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"engine must be one of {', '.join(known)}, not {unknown[0]!r}")
    return [known[name] for name in names] or [case for case in CLOCK_CASES if slow or not case.slow]
