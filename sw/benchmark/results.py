"""``Measurement``: what one case gave, and how it stands to its targets; to JSON and back.

utilization = MACs / (rows * cols * cycles)          of one image; back to back: images * MACs over all cycles
steady state: cycles = (cycles of all images back to back - cycles of one alone) / (images - 1)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .cases import Target
from .speed import Speed

__all__ = ["Measurement", "from_json", "reached", "to_json"]

_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One row, measured at a commit. ``cycles``: one image alone; ``cycles_total``: all back to back.

    ``bound_cycles`` and ``port_cycles``: the bounds of ``bound.py``. ``model_cycles`` and ``model_cycles_total`` are
    the cycle model's. Where the RTL did not run ``cycles`` are None. ``compared`` and ``mismatches`` count codes, of
    every layer and model of the chain.
    """

    case: str
    network_hash: str
    commit: str
    engine: str
    pes: int
    mem_latency: int
    images: int
    macs: int
    bound_cycles: int
    port_cycles: int
    cycles: int | None = None
    cycles_total: int | None = None
    model_cycles: int | None = None
    model_cycles_total: int | None = None
    compared: int = 0
    mismatches: int = 0
    error: str = ""
    """why there is no figure, one sentence."""
    counters: Mapping[str, int] = field(default_factory=dict)
    """the engine's, all images back to back."""

    @property
    def one(self) -> int | None:
        """Cycles of one image alone, by the RTL where it ran."""
        return self.model_cycles if self.cycles is None else self.cycles

    @property
    def total(self) -> int | None:
        """Cycles of all images back to back, by the RTL where it ran."""
        return self.model_cycles_total if self.cycles is None else self.cycles_total

    @property
    def each(self) -> float | None:
        """Cycles of each image after the first."""
        if self.one is None or self.total is None or self.images < 2:
            return None
        return (self.total - self.one) / (self.images - 1)

    @property
    def bound(self) -> float:
        """Utilization that the array's shape allows, 0..1."""
        return self.macs / (self.pes * self.bound_cycles)

    @property
    def port_bound(self) -> float:
        """The same with the weights' way through the port."""
        return self.macs / (self.pes * self.port_cycles)

    @property
    def equal(self) -> bool:
        """No code differs, and the cycle model, where it ran beside the RTL, says the same cycles."""
        if self.error or self.mismatches:
            return False
        if self.cycles is None or self.model_cycles is None:
            return True
        return (self.cycles, self.cycles_total) == (self.model_cycles, self.model_cycles_total)

    def utilization(self, cycles: float | None, images: int = 1) -> float | None:
        """Useful MACs of ``images`` over the peak of so many cycles, 0..1."""
        return images * self.macs / (self.pes * cycles) if cycles else None


def reached(target: Target, row: Measurement) -> tuple[float | None, bool]:
    """The figure that a target is about, in its unit, and whether it is met; no figure is not met."""
    if target.what == "cycles":
        return row.one, row.one is not None and row.one <= target.value
    value = {
        "one image": row.utilization(row.one),
        "bound": row.utilization(row.one),
        "back to back": row.utilization(row.total, row.images),
        "steady state": row.utilization(row.each),
    }[target.what]
    if value is None:
        return None, False
    if target.what == "bound":
        below = 100 * (row.port_bound - value)
        return below, below <= target.value
    return 100 * value, 100 * value >= target.value


def to_json(rows: Iterable[Measurement], speeds: Iterable[Speed] = ()) -> str:
    """A document of both, one line a value so that versions can be compared."""
    document = {
        "version": _VERSION, "rows": [asdict(row) for row in rows], "speeds": [asdict(s) for s in speeds]
    }  # fmt: skip
    return json.dumps(document, indent=1) + "\n"


def from_json(text: str) -> tuple[list[Measurement], list[Speed]]:
    """The inverse of ``to_json``; raises ValueError for another version."""
    document: dict[str, Any] = json.loads(text)
    if document.get("version") != _VERSION:
        raise ValueError(
            f"the results are of version {document.get('version')!r}, not {_VERSION}: measure again"
        )
    return [Measurement(**row) for row in document["rows"]], [Speed(**row) for row in document["speeds"]]
