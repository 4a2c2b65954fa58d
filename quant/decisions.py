"""Decisions in words: ``fl 5, one bit of head-room given up: 0.02 % saturate, error down 4.0 dB``.

``dB = 10 log10(error[fl] / error[fl']) * 2 / power``      of the errors that ``evidence`` holds

Everything is computed from the evidence; where it holds no error to compare with, nothing is said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .arithmetic import IntArray
from .evidence import Evidence

__all__ = ["bits", "decibels", "decision", "share", "wgt_decision"]

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def bits(count: int) -> str:
    """``one bit``, ``two bits``, ``12 bits``."""
    word = _NUMBERS[count] if 0 <= count < len(_NUMBERS) else str(count)
    return f"{word} bit{'s' * (count != 1)}"


def share(percent: float) -> str:
    """A percentage with two figures that mean something: ``0.02 %``, ``3.1 %``, ``under 0.001 %``."""
    if 0.0 < percent < 0.001:
        return "under 0.001 %"
    digits = 3 if percent < 0.01 else 2 if percent < 1.0 else 1
    return f"{percent:.{digits}f} %"


def decibels(before: float, after: float, power: int = 2) -> float:
    """How much an error rose, in dB (negative: fell); 0 where both are 0."""
    if before == after:
        return 0.0
    if after == 0.0 or before == 0.0:
        return -math.inf if after == 0.0 else math.inf
    return 20.0 / power * math.log10(after / before)


def decision(fl: int, saturated: float, seen: Evidence) -> str:
    """Why a tensor has this fl. ``saturated``: percent of its codes."""
    if seen.why == "shared":
        return f"fl {fl}, that of its input: the codes pass as they are"
    if seen.low == seen.high == 0.0:
        return f"fl {fl}: every value is 0"
    errors, given = dict(seen.errors), fl - seen.free_fl
    parts = ["none saturate" if saturated == 0.0 else f"{share(saturated)} saturate"]
    if given:
        parts += _change(errors, seen.free_fl, fl, seen.power)
    else:
        parts += _alternative(errors, fl, seen.power)
    return f"fl {fl}, {_distance(given, seen)}" + (f": {', '.join(parts)}" if parts else "") + _origin(seen)


def wgt_decision(fl: IntArray, seen: Evidence) -> str:
    """Why a layer's weights have these fl [K]; errors are those of rounding weight by weight."""
    if seen.low == seen.high == 0.0:
        return f"fl {int(fl[0])}: every weight is 0"
    errors = dict(seen.errors)
    if fl.min() == fl.max():
        one, given = int(fl[0]), int(fl[0]) - seen.free_fl
        parts = _change(errors, seen.free_fl, one, 2) if given else _alternative(errors, one, 2)
        return f"fl {one}, {_distance(given, seen)}" + (f": {', '.join(parts)}" if parts else "")
    text = f"fl {int(fl.min())} to {int(fl.max())} over {len(np.ravel(fl))} channels"
    if errors and seen.error is not None:
        best = min(errors, key=lambda item: (errors[item], item))
        text += f": {_moved(decibels(errors[best], seen.error))} against fl {best} for all of them"
    return text


def _distance(given: int, seen: Evidence) -> str:
    if given > 0:
        return f"{bits(given)} of head-room given up"
    if given < 0:
        cause = ", as its residual addition demands" if seen.capped else ""
        return f"{bits(-given)} coarser than overflow-free{cause}"
    return "overflow-free"


def _change(errors: Mapping[int, float], before: int, after: int, power: int) -> list[str]:
    if before not in errors or after not in errors:
        return []
    return [_moved(decibels(errors[before], errors[after], power))]


def _alternative(errors: Mapping[int, float], fl: int, power: int) -> list[str]:
    if fl + 1 not in errors or fl not in errors:
        return []
    moved = decibels(errors[fl], errors[fl + 1], power)
    if math.isinf(moved):
        return [f"fl {fl + 1} would {'raise the error from' if moved > 0 else 'lower the error to'} nothing"]
    if abs(moved) < 0.05:
        return [f"fl {fl + 1} would not change the error"]
    return [f"fl {fl + 1} would {'raise' if moved > 0 else 'lower'} the error by {abs(moved):.1f} dB"]


def _moved(change: float) -> str:
    if math.isinf(change):
        return "error down to nothing" if change < 0 else "error up from nothing"
    if abs(change) < 0.05:
        return "error unchanged"
    return f"error {'up' if change > 0 else 'down'} {abs(change):.1f} dB"


def _origin(seen: Evidence) -> str:
    if seen.why == "rule":
        return " (chosen by the method's own rule)"
    return " (set from outside of the layer)" if seen.why == "fixed" else ""
