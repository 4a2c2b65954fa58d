"""``Sweep``: what ``sweep`` leaves: points, tables, picture, proofs in RTL."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .api_files import write_whole
from .api_pictures import Picture, drawn
from .api_results import table
from .api_sweep_prove import Proof, draw, prove
from .api_verify import Progress, quiet
from .picture_sweep import METRICS, Dot, draw_sweep
from .resources.model import summary_text
from .sweep import energy
from .sweep.measure import Workload
from .sweep.point import Point, csv_text

__all__ = ["RESULTS", "Sweep"]

RESULTS = ("sweep.json", "sweep.csv", "sweep.txt", "sweep.png")


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Every point of a grid, in its order (the last axis changes first). Notebooks show the picture."""

    model: str
    axes: Mapping[str, tuple[int, ...]]
    points: tuple[Point, ...]
    images: int
    mem_latency: int
    directory: Path | None = None
    """where ``RESULTS`` are."""
    proofs: tuple[Proof, ...] = ()
    """points that ``prove`` ran in RTL."""
    workload: Workload | None = field(default=None, repr=False, compare=False)

    @property
    def front(self) -> tuple[Point, ...]:
        """The points that no other of their widths beats in throughput for their multipliers."""
        return tuple(point for point in self.points if point.front)

    @property
    def swept(self) -> tuple[str, ...]:
        """Axes with several values; always ``rows`` and ``cols``."""
        return tuple(n for n, v in self.axes.items() if len(v) > 1 or n in ("rows", "cols"))

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {
            "model": self.model, "images": self.images, "mem_latency": self.mem_latency,
            "axes": {name: list(values) for name, values in self.axes.items()},
            "energy_source": energy.table()["source"],
            "directory": None if self.directory is None else str(self.directory),
            "proofs": [proof.to_json() for proof in self.proofs],
            "points": [point.to_json() for point in self.points],
        }  # fmt: skip

    def to_csv(self) -> str:
        """One line a point, those without figures too; nested names are joined: ``bytes_weights``."""
        return csv_text(point.to_json() for point in self.points)

    def to_text(self) -> str:
        """A table, one line a point; * on the front. Below it what was refused, and why."""
        accuracy = any(point.accuracy for point in self.points)
        cells = next((point.resources for point in self.points if point.resources), None)
        head = ["", *self.swept, "cycles", "util %", "images/s/MHz", "weights KB", "act. KB", "spills KB", "uJ",
                "memory Kbit", *(["top-1 %", "agreement %"] if accuracy else []),
                *(["LUT", "FF", "DSP", "BRAM", "MHz"] if cells else [])]  # fmt: skip
        lines = table(
            [head, *(self._row(p, accuracy) for p in self.points if p.ok)], right=range(1, len(head))
        )
        lines += ["", "* front: no array of these widths gives more for as few multipliers"]
        if self.images > 1:
            lines.append(
                f"images/s/MHz: {self.images} images back to back; the other figures are of one image"
            )
        lines.append(
            f"uJ: MACs and accesses by {energy.table()['source'].split(':')[0]}; to rank, not to predict"
        )
        if cells is not None:
            how = (
                f"a model: {summary_text()}; the clock is an estimate"
                if cells["source"] == "model"
                else "place and route"
            )
            lines.append(f"LUT, FF, DSP, BRAM, MHz: of the engine alone on {cells['device']}, by {how}")
        for point in self.points:
            if point.resources.get("reason"):
                lines.append(f"no cells: {point.config.describe()}: {point.resources['reason']}")
            if not point.ok:
                place = ", ".join(f"{name} {point.values[name]}" for name in self.swept)
                kind = "refused" if point.figures.refused else "failed"
                lines.append(f"{kind}: {place}: {point.figures.reason}")
        lines += [f"in RTL (seed {proof.seed}): {proof}" for proof in self.proofs]
        if self.directory is not None:
            lines.append(f"written: {self.directory}")
        return "\n".join(lines)

    def _row(self, point: Point, accuracy: bool) -> list[str]:
        found, moved = point.figures, point.figures.bytes
        sizes = (moved["weights"], moved["activations"], moved["spills"])
        cells = ["*" if point.front else "", *(str(point.values[name]) for name in self.swept)]
        cells += [f"{found.cycles:,}", f"{100 * point.utilization:.1f}", f"{point.rate:.4g}"]
        cells += [f"{size / 1000:,.1f}" for size in sizes]
        cells += [f"{point.energy / 1e6:,.1f}", f"{point.memory['total'] / 1024:,.0f}"]
        if accuracy:
            shown = (point.accuracy.get("top1"), point.accuracy.get("agreement"))
            cells += ["-" if value is None else f"{value:.2f}" for value in shown]
        if point.resources:
            counts = [point.resources.get(kind) for kind in ("lut", "ff", "dsp", "bram")]
            clock = point.resources.get("fmax_mhz")
            cells += ["-" if count is None else f"{count:,}" for count in counts]
            cells.append("-" if clock is None else f"{clock:.1f}")
        return cells

    def picture(self, metric: str = "utilization") -> Picture:
        """``metric`` ("utilization" or "cycles") over rows x cols, and throughput against multipliers."""
        if metric not in METRICS:
            raise ValueError(f"metric must be one of {', '.join(METRICS)}, not {metric!r}")
        several = [name for name in ("act_width", "wgt_width") if len(self.axes[name]) > 1]
        dots = [
            Dot(
                rows=p.values["rows"], cols=p.values["cols"], cycles=p.figures.cycles, utilization=p.utilization,
                rate=p.rate, front=p.front, group=_group(p, several or ["wgt_width"]),
            )
            for p in self.points if p.ok
        ]  # fmt: skip
        refused = [(p.values["rows"], p.values["cols"]) for p in self.points if not p.ok]
        title = f"{self.model}: {len(dots)} engines"
        return drawn(lambda path: draw_sweep(path, title=title, dots=dots, metric=metric, refused=refused))

    def prove(self, count: int = 3, seed: int | None = None, *, progress: Progress = quiet) -> Sweep:
        """The same with ``proofs``: so many points, drawn at random, run in RTL (a minute or more each).

        ``seed`` None: one drawn now, which the proofs name. Raises ValueError where there are fewer points.
        """
        chosen = secrets.randbelow(1 << 31) if seed is None else seed
        points = draw(self.points, count, chosen)
        progress(f"{count} points drawn with seed {chosen}")
        assert self.workload is not None
        proofs = []
        for point in points:
            proofs.append(prove(point, self.workload, self.mem_latency, chosen, progress))
            progress(str(proofs[-1]))
        found = replace(self, proofs=(*self.proofs, *proofs))
        if self.directory is not None:
            found.save(self.directory)
        return found

    def wrong(self) -> str:
        """What must not be, one sentence: a point that failed without being refused, a proof that differs; or ""."""
        failed = [point.figures.reason for point in self.points if not point.ok and not point.figures.refused]
        if failed:
            return f"{len(failed)} points failed, the first: {failed[0]}"
        return next((f"the RTL differs: {proof}" for proof in self.proofs if not proof.equal), "")

    def save(self, folder: str | Path) -> None:
        """Write ``RESULTS`` into a directory."""
        target = Path(folder)
        write_whole(target / RESULTS[0], json.dumps(self.to_json(), indent=1, allow_nan=False) + "\n")
        write_whole(target / RESULTS[1], self.to_csv())
        write_whole(target / RESULTS[2], self.to_text() + "\n")
        self.picture().save(target / RESULTS[3])

    def _repr_png_(self) -> bytes:
        return self.picture().png

    def __repr__(self) -> str:
        return self.to_text()


def _group(point: Point, names: list[str]) -> str:
    words = {"act_width": "activations", "wgt_width": "weights"}
    return ", ".join(f"{point.values[name]}-bit {words[name]}" for name in names)
