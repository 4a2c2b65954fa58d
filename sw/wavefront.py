"""Which PE works on which pixel in which cycle, from signals of the RTL.

    PE (r, c) multiplies pixel n of a pass in cycle s(r, c) + 1 + n        s: the cycle in which its ``switch`` is high
    in cycle t it has a pixel at all where the array took one in cycle t - DELAY - r - c

``switch`` travels with a pass's first pixel, one PE a cycle to the right and down: the wavefront.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..quant.network import IntArray

__all__ = ["DELAY", "Wavefront", "wavefront"]

DELAY = 5
"""From the cycle in which a pixel is counted to that in which PE (0, 0) multiplies it."""


@dataclass(frozen=True, eq=False)
class Wavefront:
    """For each PE and cycle, [rows, cols, cycles]: the number of the pass, from 0 on in this window, and of its pixel.

    -1: none, or of a pass that began before the window.
    """

    first: int
    """the window's first cycle."""
    passes: IntArray
    pixels: IntArray
    busy: IntArray
    """1 where there is a pixel, of whatever pass."""


def wavefront(signals: Mapping[str, IntArray], first: int, rows: int, cols: int) -> Wavefront:
    """Of a scope's signals, which begin in cycle ``first``."""
    taken = np.asarray(signals["array: pixel"])
    shape = rows, cols, len(taken)
    passes, pixels, busy = np.full(shape, -1), np.full(shape, -1), np.zeros(shape, np.int64)
    times = np.arange(len(taken))
    for r in range(rows):
        for c in range(cols):
            delay = DELAY + r + c
            busy[r, c, delay:] = taken[: max(len(taken) - delay, 0)]
            began = np.flatnonzero(signals[f"pe {r},{c} switch"]) + 1
            counted = np.cumsum(busy[r, c]) - busy[r, c]
            number = np.searchsorted(began, times, "right") - 1
            known = (number >= 0) & (busy[r, c] > 0)
            start = (
                counted[np.minimum(began[np.maximum(number, 0)], len(times) - 1)] if len(began) else counted
            )
            passes[r, c] = np.where(known, number, -1)
            pixels[r, c] = np.where(known, counted - start, -1)
    return Wavefront(first, passes, pixels, busy)
