"""``Clock``: what place and route gave for one engine, what it must be, and how it stands to its targets.

met = median of the seeds >= target, slowest >= target, DSP == rows * cols where there are so many, block RAM as the
memories of the description need
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from .clock_cases import ClockCase

__all__ = ["Clock", "clocks_from_json", "clocks_to_json", "shortcomings"]

_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Clock:
    """One row, measured at a commit.

    ``netlist`` names what was placed and how, ``nextpnr`` by what: seeds of others do not count. ``mhz``: clock by
    seed. ``limit``: the slowest seed's longest path in words. ``cells``: LUT, FF, DSP, BRAM on the device, ``needed``:
    what DSP and BRAM must be. ``estimates``: cells by yosys alone for other families, by the family's name.
    """

    case: str
    commit: str
    engine: str
    device: str
    netlist: str
    mhz: Mapping[str, float] = field(default_factory=dict)
    limit: str = ""
    cells: Mapping[str, int] = field(default_factory=dict)
    needed: Mapping[str, int] = field(default_factory=dict)
    estimates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    error: str = ""
    nextpnr: str = ""

    @property
    def median(self) -> float | None:
        """MHz, None without a seed."""
        return median(self.mhz.values()) if self.mhz else None

    @property
    def worst(self) -> float | None:
        """MHz of the slowest seed."""
        return min(self.mhz.values(), default=None)


def shortcomings(case: ClockCase, row: Clock) -> list[str]:
    """What a row lacks, a few words each."""
    if row.error:
        return [row.error]
    found = []
    for what, value, target in (("median", row.median, case.median), ("worst seed", row.worst, case.worst)):
        if target and (value is None or value < target):
            found.append(f"{what} below {target:g} MHz")
    found += [
        f"{row.cells.get(kind, 0)} {kind}, not {count}"
        for kind, count in row.needed.items()
        if row.cells.get(kind, 0) != count
    ]
    return found


def clocks_to_json(rows: Iterable[Clock]) -> str:
    """A document, one line a value."""
    return json.dumps({"version": _VERSION, "clocks": [asdict(row) for row in rows]}, indent=1) + "\n"


def clocks_from_json(text: str) -> list[Clock]:
    """The inverse; raises ValueError for another version."""
    document: dict[str, Any] = json.loads(text)
    if document.get("version") != _VERSION:
        raise ValueError(
            f"the clocks are of version {document.get('version')!r}, not {_VERSION}: measure again"
        )
    return [Clock(**row) for row in document["clocks"]]
