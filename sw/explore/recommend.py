"""One point of the front, with its reasons; or what keeps every engine off the board.

of the front:  those whose accuracy is at most ``NEAR`` below the best
    with frames asked for:  the one that leaves the most of the board: least largest share of cells, then least sum
    else:                   the one of the most frames a second
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..resources.cells import KINDS
from ..resources.clock import is_beyond
from .candidate import Candidate
from .evaluate import Wish
from .limits import WORDS, Limits
from .objectives import accuracy_score

__all__ = ["Recommendation", "nothing_fits", "recommend"]

_NEAR = {True: 0.5, False: 3.0}
"""Points of top-1, dB: what may be lost for a smaller engine; by whether images have labels."""


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """``reasons``: a sentence each."""

    candidate: Candidate
    reasons: tuple[str, ...]


def recommend(front: Sequence[Candidate], limits: Limits, wish: Wish) -> Recommendation:
    """One of ``front``, which holds at least one."""
    first = front[0].accuracy
    labelled = first is not None and first.top1 is not None
    best = max(accuracy_score(one) for one in front)
    near = [one for one in front if accuracy_score(one) >= best - _NEAR[labelled]]
    reasons = [f"{len(front)} engines are on the front: no other gives more for less in every objective"]
    if len(near) < len(front):
        unit = "points of top-1" if labelled else "dB"
        reasons.append(
            f"{len(near)} of them are at most {_NEAR[labelled]:g} {unit} below the best accuracy, {best:.1f}"
        )

    def taken_of(one: Candidate) -> tuple[float, float]:
        assert one.cells is not None
        shares = limits.shares(one.cells).values()
        return max(shares), sum(shares)

    if wish.min_fps:
        found = min(near, key=lambda one: (taken_of(one), -one.frames_per_second))
        reasons.append(
            f"this one gives {found.frames_per_second:,.0f} frames a second, {wish.min_fps:g} being asked for, and "
            f"leaves the most of the board"
        )
    else:
        found = min(near, key=lambda one: (-one.frames_per_second, taken_of(one)))
        reasons.append(f"this one gives the most frames a second, {found.frames_per_second:,.0f}")
    assert found.cells is not None
    shares = limits.shares(found.cells)
    taken = ", ".join(
        f"{found.cell_row[kind]:,} of {limits.there.to_json()[kind]:,} {WORDS[kind]} ({100 * shares[kind]:.0f} %)"
        for kind in KINDS
    )
    reasons.append(f"it takes {taken}")
    if found.clock_estimated:
        larger = "; no array so large was placed yet" if is_beyond(found.config) else ""
        reasons.append(
            f"its clock of {found.clock:g} MHz is an estimate{larger}: the command below finds out"
        )
    return Recommendation(candidate=found, reasons=tuple(reasons))


def nothing_fits(candidates: Sequence[Candidate], limits: Limits, wish: Wish) -> str:
    """One sentence: what binds, and by how much."""
    tried = [one for one in candidates if not one.reason]
    if not tried:
        why = candidates[0].reason if candidates else "nothing was tried"
        return f"no engine computes this network, the first of {len(candidates)}: {why}"
    fitting = [one for one in tried if set(one.lacks) <= {"frames"}]
    if fitting:
        fastest = max(fitting, key=lambda one: one.frames_per_second)
        larger = [one for one in tried if set(one.lacks) - {"frames"}]
        binding = {kind: sum(kind in one.lacks for one in larger) for kind in KINDS}
        kind = max(binding, key=lambda one: binding[one])
        stops = (
            f"; of larger ones {binding[kind]} need more than the {limits.room.to_json()[kind]:,} {WORDS[kind]} "
            f"that a design may take"
            if larger
            else ""
        )
        return (
            f"no engine of {len(tried)} tried gives {wish.min_fps:g} frames a second on {limits.board.name}: the "
            f"fastest that fits, {fastest.name}, gives {fastest.frames_per_second:,.1f} at {fastest.clock:g} "
            f"MHz{stops}; lower --min-fps, or take a larger board"
        )
    closest = min(tried, key=lambda one: max(one.lacks.values()))
    kind = max(closest.lacks, key=lambda one: closest.lacks[one])
    room = limits.room.to_json().get(kind)
    return (
        f"no engine of {len(tried)} tried fits {limits.board.name}: the closest, {closest.name}, needs "
        f"{closest.cell_row.get(kind, 0):,} {WORDS[kind]}, {100 * closest.lacks[kind]:.0f} % more than the {room:,} "
        f"that a design may take; offer smaller --rows, --cols, --scratchpad, --acc-depth, or take a larger board"
    )
