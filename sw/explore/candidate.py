"""``Candidate``: one engine with one choice of weights' widths, what it takes and what it gives.

frames_per_second = images * 10**6 * clock / cycles_total        clock in MHz
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...hw.config import EngineConfig
from ..calibrated import Accuracy
from ..resources.cells import KINDS, Cells
from ..sweep.measure import Figures

__all__ = ["Candidate"]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """``values``: every parameter of the engine by name; ``precision``: the name of its weights' widths.

    ``cells``: predicted, of the engine with its memory and link; None where it is no engine. ``lacks``: what keeps it
    off the board, each limit with used / limit - 1, or ``frames`` with what lacks of the wanted ones; empty: it fits.
    """

    values: Mapping[str, int]
    precision: str
    images: int = 1
    clock: float = 0.0
    clock_estimated: bool = True
    figures: Figures = field(default_factory=Figures)
    memory: int = 0
    """bytes beside the engine: program, weights, images, results."""
    cells: Cells | None = None
    accuracy: Accuracy | None = None
    """on the images it is judged by."""
    reason: str = ""
    """why it is no engine for this network."""
    lacks: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    """by objective."""
    front: bool = False

    @property
    def config(self) -> EngineConfig:
        """The engine."""
        values: dict[str, Any] = dict(self.values)
        return EngineConfig(**values)

    @property
    def name(self) -> str:
        """``8x16, 64 KB, 6 bits``."""
        memory = self.values["scratchpad"] // 1024
        return f"{self.values['rows']}x{self.values['cols']}, {memory} KB, {self.precision}"

    @property
    def frames_per_second(self) -> float:
        """At ``clock``; 0 where there are no cycles."""
        return (
            self.images * 1e6 * self.clock / self.figures.cycles_total if self.figures.cycles_total else 0.0
        )

    @property
    def utilization(self) -> float:
        """Of one image, 0..1."""
        size = self.values["rows"] * self.values["cols"] * self.figures.cycles
        return self.figures.macs / size if size else 0.0

    @property
    def ok(self) -> bool:
        """Whether it computes the network, fits the board and gives the frames."""
        return not self.reason and not self.lacks and self.figures.cycles_total > 0

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        row: dict[str, Any] = {**self.values, "precision": self.precision}
        row["status"] = "refused" if self.reason else "too_large_or_slow" if self.lacks else "ok"
        if self.reason:
            return {**row, "reason": self.reason}
        row |= {"clock_mhz": self.clock, "clock_is": "estimate" if self.clock_estimated else "given"}
        if self.cells is not None:
            row["cells"] = self.cells.to_json()
        row["memory_bytes"] = self.memory
        if self.figures.cycles_total:
            row |= {"cycles": self.figures.cycles, "cycles_total": self.figures.cycles_total,
                    "frames_per_second": self.frames_per_second, "utilization": self.utilization}  # fmt: skip
        if self.accuracy is not None:
            row["accuracy"] = self.accuracy.to_json()
        return {**row, "lacks": dict(self.lacks), "objectives": dict(self.scores), "front": self.front}

    @property
    def cell_row(self) -> dict[str, int]:
        """Cells by kind, 0 where they are not known."""
        return dict.fromkeys(KINDS, 0) if self.cells is None else self.cells.to_json()
