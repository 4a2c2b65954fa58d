"""``estimate``: a clock that an ECP5 of speed grade 6 will probably reach, from clocks that place and route reached.

MHz = (1 - margin) * min(MHz of placements of no more multipliers than rows * cols)        (clock.json)

The margin is for chance in the placement and for arrays larger than any that was placed. It is an estimate: only place
and route knows (``systolith synth``, ``sweep --synth``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ...hw.config import EngineConfig

__all__ = ["clock_data", "estimate", "is_beyond"]


@cache
def clock_data() -> Mapping[str, Any]:
    """The placements, and their sources."""
    found: Mapping[str, Any] = json.loads(Path(__file__).with_name("clock.json").read_text())
    return found


def _sizes() -> list[tuple[int, float]]:
    return [(row["rows"] * row["cols"], float(row["mhz"])) for row in clock_data()["placements"]]


def estimate(config: EngineConfig) -> float:
    """MHz, a multiple of 5: what a PLL makes of a board's clock."""
    size = max(config.rows * config.cols, min(known for known, _ in _sizes()))
    slowest = min(mhz for known, mhz in _sizes() if known <= size)
    return 5.0 * int((1.0 - clock_data()["margin"]) * slowest / 5.0)


def is_beyond(config: EngineConfig) -> bool:
    """Whether the array is larger than any whose clock is known."""
    return config.rows * config.cols > max(known for known, _ in _sizes())
