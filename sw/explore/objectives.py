"""What an exploration asks for, and which candidates are worth what they cost.

a dominates b: as good in every objective, better in one        front: candidates that fit and that nobody dominates
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .candidate import Candidate

__all__ = ["OBJECTIVES", "Objective", "accuracy_score", "chosen", "front", "scored"]

_NO_NOISE = 200.0
"""dB in place of an infinite ratio."""


@dataclass(frozen=True)
class Objective:
    """A number that each candidate has, and whether more of it is better.

    ``of`` is asked only for candidates that compute the network and fit the board; it returns a finite number.
    """

    name: str
    direction: Literal["maximize", "minimize"]
    of: Callable[[Candidate], float]

    def __post_init__(self) -> None:
        if self.direction not in ("maximize", "minimize"):
            raise ValueError(
                f"direction of {self.name!r} must be 'maximize' or 'minimize', not {self.direction!r}"
            )

    def gain(self, value: float) -> float:
        """The value with the sign that makes more better."""
        return value if self.direction == "maximize" else -value


def accuracy_score(candidate: Candidate) -> float:
    """Top-1 in percent where images have labels, else the ratio of signal to noise of the logits in dB."""
    found = candidate.accuracy
    if found is None:
        return 0.0
    return found.top1 if found.top1 is not None else min(found.sqnr_db, _NO_NOISE)


OBJECTIVES = (
    Objective("frames", "maximize", lambda c: c.frames_per_second),
    Objective("accuracy", "maximize", accuracy_score),
    Objective("dsp", "minimize", lambda c: c.cell_row["dsp"]),
    Objective("bram", "minimize", lambda c: c.cell_row["bram"]),
)
"""Those of an exploration that names none."""


def chosen(objectives: Sequence[Objective | str] | None) -> tuple[Objective, ...]:
    """Objectives by their names, or one's own; None: all of ``OBJECTIVES``. Raises ValueError."""
    if objectives is None:
        return OBJECTIVES
    known = {objective.name: objective for objective in OBJECTIVES}
    found = []
    for one in objectives:
        if isinstance(one, str):
            if one not in known:
                raise ValueError(
                    f"an objective must be an Objective or one of {', '.join(known)}, not {one!r}"
                )
            one = known[one]
        found.append(one)
    names = [objective.name for objective in found]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"objectives must be at least one, each with a name of its own, not {names}")
    return tuple(found)


def scored(candidate: Candidate, objectives: Sequence[Objective]) -> Candidate:
    """With its scores, where it fits. Raises ValueError for an objective that is no finite number."""
    if not candidate.ok:
        return candidate
    scores = {}
    for objective in objectives:
        value = float(objective.of(candidate))
        if not math.isfinite(value):
            raise ValueError(
                f"objective {objective.name!r} must be a finite number, not {value} for {candidate.name}"
            )
        scores[objective.name] = value
    return replace(candidate, scores=scores)


def front(candidates: Sequence[Candidate], objectives: Sequence[Objective]) -> list[Candidate]:
    """The same candidates, those on the front marked; of equal ones the first."""
    able = {
        tuple(o.gain(c.scores[o.name]) for o in objectives): number
        for number, c in reversed(list(enumerate(candidates)))
        if c.ok
    }
    best = {
        number
        for gains, number in able.items()
        if not any(
            other != gains and all(a >= b for a, b in zip(other, gains, strict=True)) for other in able
        )
    }
    return [replace(c, front=number in best) for number, c in enumerate(candidates)]
