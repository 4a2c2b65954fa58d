"""``Point``: one engine of a sweep with all its figures; the Pareto front of throughput against multipliers.

utilization = macs / (rows * cols * cycles)         utilization_total = images * macs / (rows * cols * cycles_total)
rate        = images * 10**6 / cycles_total         images a second and MHz, back to back
front: no point of the same act_width and wgt_width has as few multipliers and a higher rate, or fewer and as high
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...hw.config import EngineConfig
from .energy import energy
from .measure import Figures
from .memory import memory_bits

__all__ = ["Point", "columns", "csv_text", "front"]


@dataclass(frozen=True, kw_only=True)
class Point:
    """``values``: every parameter of the engine by name; ``figures.reason``: why there are no figures."""

    values: Mapping[str, int]
    figures: Figures
    images: int = 1
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    """of the quantized network, where it was measured: see ``calibrated.Accuracy``."""
    resources: Mapping[str, Any] = field(default_factory=dict)
    """cells and clock of the engine, where they were asked for; or a ``reason``."""
    front: bool = False

    @property
    def ok(self) -> bool:
        """Whether there are figures."""
        return not self.figures.reason

    @property
    def config(self) -> EngineConfig:
        """The engine; raises ``ValueError`` for a point that is none."""
        values: dict[str, Any] = dict(self.values)
        return EngineConfig(**values)

    @property
    def multipliers(self) -> int:
        """PEs of the array."""
        return self.values["rows"] * self.values["cols"]

    @property
    def utilization(self) -> float:
        """Of one image, 0..1."""
        return self.figures.macs / (self.multipliers * self.figures.cycles)

    @property
    def utilization_total(self) -> float:
        """Of all images back to back, 0..1."""
        return self.images * self.figures.macs / (self.multipliers * self.figures.cycles_total)

    @property
    def rate(self) -> float:
        """Images a second for each MHz of the clock."""
        return self.images * 1e6 / self.figures.cycles_total

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types; points without figures have ``status`` and ``reason`` alone."""
        found = self.figures
        row: dict[str, Any] = {**self.values, "multipliers": self.multipliers}
        if not self.ok:
            return {**row, "status": "refused" if found.refused else "failed", "reason": found.reason}
        spent = energy(found.accesses, self.config)
        row |= {
            "status": "ok", "cycles": found.cycles, "cycles_total": found.cycles_total, "macs": found.macs,
            "utilization": self.utilization, "utilization_total": self.utilization_total,
            "images_per_second_per_mhz": self.rate, "bytes": dict(found.bytes), "accesses": dict(found.accesses),
            "energy_pj": {**spent, "total": sum(spent.values())}, "memory_bits": self.memory,
            "front": self.front,
        }  # fmt: skip
        row |= {"resources": dict(self.resources)} if self.resources else {}
        return {**row, "accuracy": dict(self.accuracy)} if self.accuracy else row

    @property
    def memory(self) -> dict[str, int]:
        """Bits of block memory by use, and ``total``."""
        parts = memory_bits(self.config)
        return {**parts, "total": sum(parts.values())}

    @property
    def energy(self) -> float:
        """pJ an image, the proxy of ``energy``."""
        return sum(energy(self.figures.accesses, self.config).values())


def front(points: Sequence[Point]) -> list[Point]:
    """The same points, those on the front marked."""
    best: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for point in points:
        if point.ok:
            best.setdefault(_group(point), []).append((point.multipliers, point.rate))
    kept: dict[tuple[int, int], set[tuple[int, float]]] = {}
    for group, found in best.items():
        highest = 0.0
        for multipliers, rate in sorted(found, key=lambda item: (item[0], -item[1])):
            if rate > highest:
                highest = rate
                kept.setdefault(group, set()).add((multipliers, rate))
    return [
        replace(point, front=point.ok and (point.multipliers, point.rate) in kept[_group(point)])
        for point in points
    ]


def _group(point: Point) -> tuple[int, int]:
    return point.values["act_width"], point.values["wgt_width"]


def columns(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A row of JSON as one of CSV: ``{"bytes": {"weights": 1}}`` is ``{"bytes_weights": 1}``."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            flat |= columns(value, f"{prefix}{key}_")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def csv_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """CSV with a header, a line a row of JSON; nested names are joined, what a row has not is empty."""
    flat = [columns(row) for row in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in flat for name in row)), restval="",
                            lineterminator="\n")  # fmt: skip
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()
