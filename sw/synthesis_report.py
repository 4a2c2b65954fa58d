"""nextpnr's report as numbers and words: clock, cells, and the path that limits the clock.

clock = the slowest of the clocks that meet registers; path = the one of the most delay from clock to clock
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["CriticalPath", "Segment", "clock_mhz", "critical_path", "resources", "too_small"]

_CELL = re.compile(r"[_$](?=[A-Z]).*")
"""What yosys and nextpnr put behind a register's name: ``busy_TRELLIS_FF_Q_3``."""

_TOPS = ("dut.", "top.")


@dataclass(frozen=True)
class Segment:
    """A piece of a path. ``kind``: "clk-to-q", "logic", "routing" or "setup"; ``name``: the cell, or a wire's net."""

    kind: str
    ns: float
    name: str


@dataclass(frozen=True, kw_only=True)
class CriticalPath:
    """The slowest path from a register to a register.

    ``source``, ``target``: unit and signal, ``compute.column_0.pe_1.wgt``. Delays in ns. ``levels``: cells of logic on
    the way. ``longest``: the slowest wire, its net and its delay. ``steps``: a line for each cell and wire;
    ``segments``: the same as values.
    """

    source: str
    target: str
    total: float
    routing: float
    levels: int
    longest: tuple[str, float]
    steps: tuple[str, ...]
    segments: tuple[Segment, ...] = ()

    @property
    def words(self) -> str:
        """One sentence."""
        share = 100 * self.routing / self.total if self.total else 0.0
        bound = "routing" if share > 50 else "logic"
        text = (
            f"from {self.source} to {self.target}: {self.total:.2f} ns, {self.levels} levels of logic, "
            f"{self.routing:.2f} ns ({share:.0f} %) of it wires: {bound} limits"
        )
        return text + (
            f"; the longest wire is {self.longest[0]}, {self.longest[1]:.2f} ns" if self.longest[0] else ""
        )

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {
            "text": self.words,
            "from": self.source,
            "to": self.target,
            "ns": round(self.total, 3),
            "routing_ns": round(self.routing, 3),
            "levels": self.levels,
            "longest_wire": {"net": self.longest[0], "ns": round(self.longest[1], 3)},
            "steps": list(self.steps),
        }


def _place(name: str) -> str:
    """A cell's or net's name as unit and signal, without what the tools added."""
    for top in _TOPS:
        name = name.removeprefix(top)
    return _CELL.sub("", name).rstrip(".") or name


def critical_path(report: dict[str, Any]) -> CriticalPath | None:
    """The slowest path between registers of a report, None if there is none."""
    paths = [
        p for p in report.get("critical_paths", ()) if "<async>" not in (p["from"], p["to"]) and p["path"]
    ]
    if not paths:
        return None
    slowest = max(paths, key=lambda p: sum(step["delay"] for step in p["path"]))["path"]
    total, lines = 0.0, []
    for step in slowest:
        total += step["delay"]
        net = f"  net {step['net']}" if "net" in step else ""
        to = f"{step['to']['cell']}.{step['to']['port']}"
        lines.append(f"{step['delay']:6.2f} {total:6.2f}  {step['type']:8} {to}{net}")
    wires = [step for step in slowest if step["type"] == "routing"]
    longest = max(wires, key=lambda step: step["delay"], default=None)
    first = wires[0]["net"] if wires else slowest[0]["from"]["cell"]
    return CriticalPath(
        source=_place(first),
        target=_place(slowest[-1]["to"]["cell"]),
        total=total,
        routing=sum(step["delay"] for step in wires),
        levels=sum(step["type"] == "logic" for step in slowest),
        longest=("", 0.0) if longest is None else (_place(longest["net"]), longest["delay"]),
        steps=tuple(lines),
        segments=tuple(
            Segment(step["type"], step["delay"], _place(step.get("net") or step["to"]["cell"]))
            for step in slowest
        ),
    )


def clock_mhz(report: dict[str, Any]) -> float:
    """The slowest clock. Raises ValueError if the report has none."""
    clocks = [float(clock["achieved"]) for clock in report.get("fmax", {}).values()]
    if not clocks:
        raise ValueError("nextpnr reports no clock: the design has no registers")
    return min(clocks)


def resources(report: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """(used, there are) of each kind of cell that is used; what is only a name in the tool, none there, is left out."""
    return {
        name: (n["used"], n["available"])
        for name, n in report["utilization"].items()
        if n["used"] and n["available"]
    }


_USED = re.compile(r"Info:\s+(\w+):\s+(\d+)\s*/\s*(\d+)\s+\d+\s*%")


def too_small(log: Path) -> list[str]:
    """What a device has too few of, from nextpnr's log: ``26378 ICESTORM_LC of 5280``."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return [
        f"{used} {kind} of {there}" for kind, used, there in _USED.findall(text) if int(used) > int(there)
    ]
