"""The values of a sweep's axes: each parameter of ``EngineConfig``, one value, a list or a range.

    "a:b"       a, a + 1, ..., b                both ends belong to it
    "a:b:s"     a, a + s, a + 2 * s, ... <= b
    "a,b:c,d"   one after the other, each value once

K and M behind a number are 2**10 and 2**20.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from itertools import product
from typing import Any

from ...hw.config import EngineConfig

__all__ = ["DEFAULTS", "Axis", "axis_values", "combinations", "grid"]

Axis = int | str | Iterable[int]

DEFAULTS: Mapping[str, int] = {field.name: int(field.default) for field in fields(EngineConfig)}  # type: ignore[arg-type]
"""Every axis, and its value where none is given; what an engine has or has not is 1 or 0."""

_POINTS = 1_000_000
"""More than so many points are a mistake."""

_UNITS = {"": 0, "k": 10, "m": 20}


def _number(name: str, text: str) -> int:
    found = re.fullmatch(r"([+-]?\d+)([kKmM]?)", text.strip())
    if found is None:
        raise ValueError(f"{name} must be numbers, ranges a:b or a:b:step, or a list of them, not {text!r}")
    return int(found[1]) << _UNITS[found[2].lower()]


def axis_values(name: str, axis: Axis) -> tuple[int, ...]:
    """The values of one axis, in the order given. Raises ``ValueError`` naming the axis."""
    if isinstance(axis, bool):
        raise ValueError(f"{name} must be integers, not {axis!r}")
    if isinstance(axis, int):
        return (axis,)
    if not isinstance(axis, str):
        values = list(axis)
        wrong = [value for value in values if isinstance(value, bool) or not hasattr(value, "__index__")]
        if wrong or not values:
            raise ValueError(f"{name} must be integers, at least one, not {wrong[0] if wrong else values!r}")
        return tuple(dict.fromkeys(int(value) for value in values))
    found: dict[int, None] = {}
    for part in axis.split(","):
        ends = [_number(name, text) for text in part.split(":")]
        if len(ends) > 3:
            raise ValueError(f"{name} must have ranges a:b or a:b:step, not {part!r}")
        first, last, step = (*ends, *(ends[0], 1)[len(ends) - 1 :])
        if step < 1 or last < first:
            raise ValueError(
                f"{name} range {part!r} is empty: write low:high or low:high:step, both ends included"
            )
        if (last - first) // step >= _POINTS:
            raise ValueError(f"{name} range {part!r} has more than {_POINTS:,} values: take a larger step")
        found.update(dict.fromkeys(range(first, last + 1, step)))
    return tuple(found)


def grid(axes: Mapping[str, Axis]) -> dict[str, tuple[int, ...]]:
    """The values of every axis, those not given at their defaults.

    Raises ``ValueError`` for an axis that is no parameter of an engine, and for more than a million points.
    """
    for name in axes:
        if name not in DEFAULTS:
            raise ValueError(f"an axis must be one of {', '.join(DEFAULTS)}, not {name!r}")
    found = {name: axis_values(name, axes.get(name, default)) for name, default in DEFAULTS.items()}
    count = 1
    for values in found.values():
        count *= len(values)
    if count > _POINTS:
        raise ValueError(f"the sweep has {count:,} points: at most {_POINTS:,}, take larger steps")
    return found


def combinations(axes: Mapping[str, tuple[int, ...]]) -> list[dict[str, Any]]:
    """Every point's values by name; the last axis changes first."""
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
