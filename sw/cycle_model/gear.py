"""Sizes of ``hw.gearbox``."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

__all__ = ["CREDITS", "LINE_BUFFER", "TAP_WINDOW", "credit", "stages", "window_words"]

CREDITS = 14
"""Items of the queue behind a gearbox or a tap window, less those held back: item n waits until n - 14 has left."""

LINE_BUFFER = 4
"""Cycles through ``hw.line_buffer``, where there is one."""

TAP_WINDOW = 5
"""Cycles through ``hw.tap_window`` and the queue behind it, on an engine that folds."""


def credit(items: Sequence[int], left: Sequence[int], at: int) -> int:
    """``hw.credit``: the cycle, ``at`` or later, in which there is one, after ``items`` of which those in ``left`` have
    left; -1 where that is not known yet."""
    while True:
        known = len(items) - sum(1 for e in items[-2:] if e > at - 3) - CREDITS
        if known < 0:
            return at
        if len(left) <= known:
            return -1
        if left[known] <= at - 3:
            return at
        at = left[known] + 3


def window_words(units: int, largest: int) -> int:
    """Words of the window: ``units`` a word, items and drops of ``largest`` units at most."""
    return ceil((units - 1 + largest) / units) + 1


def stages(units: int, words: int) -> int:
    """Stages of the multiplexers, two bits of the distance each."""
    return -(-((words - 1).bit_length() + (units - 1).bit_length()) // 2)
