"""The loops over the pixels of a COMPUTE: wx, wy, ox, oy, the first innermost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..hw.isa import loop_counts
from ..quant.network import IntArray

__all__ = ["walks"]


def walks(values: Mapping[str, int], *names: str) -> list[IntArray]:
    """[pixels] each: positions relative to their start, from the steps called ``name`` of a COMPUTE's fields."""
    moves = _moves(loop_counts(values))
    result: list[IntArray] = []
    for name in names:
        steps = np.array([*(values[f"{name}_{loop}"] for loop in ("wx", "wy", "ox", "oy")), 0], np.int64)
        result.append(np.cumsum(steps[moves]))
    return result


def _moves(counts: tuple[int, ...]) -> IntArray:
    """[pixels]: which loop advances to reach a pixel, innermost 0; -1 for the first pixel."""
    pixel, inside = np.arange(int(np.prod(counts))), 1
    moves = np.zeros(len(pixel), np.int64)
    for loop, count in enumerate(counts[:-1]):
        inside *= count
        moves[pixel % inside == 0] = loop + 1
    moves[0] = -1
    return moves
