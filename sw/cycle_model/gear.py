"""Sizes of ``hw.gearbox``."""

from __future__ import annotations

from math import ceil

__all__ = ["CREDITS", "LINE_BUFFER", "stages", "window_words"]

CREDITS = 14
"""Items of the queue behind a gearbox, less those held back, less one: item n waits until n - 14 has left."""

LINE_BUFFER = 4
"""Cycles through ``hw.line_buffer``, where there is one."""


def window_words(units: int, largest: int) -> int:
    """Words of the window: ``units`` a word, items and drops of ``largest`` units at most."""
    return ceil((units - 1 + largest) / units) + 1


def stages(units: int, words: int) -> int:
    """Stages of the multiplexers, two bits of the distance each."""
    return -(-((words - 1).bit_length() + (units - 1).bit_length()) // 2)
