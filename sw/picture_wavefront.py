"""The wavefront of a pass: the array in successive cycles, and every PE over time.

Above the array as it stands, cycle by cycle; a square is a PE, the number the pixel that it multiplies. Below a row of
cells for each PE. Colours are passes: where one ends the next begins, one PE a cycle further.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .wavefront import Wavefront

__all__ = ["SNAPSHOTS", "draw_wavefront"]

SNAPSHOTS = 10
"""Cycles drawn as an array, at most."""

_INK, _MUTED, _GRID, _IDLE, _BEFORE = "#1f2933", "#6b7785", "#dde3ea", "#f3f5f8", "#c3ccd6"
_PASSES = ("#2b6a99", "#e08a2e", "#2c8068", "#8e5aa8")


def draw_wavefront(path: str | Path, found: Wavefront, *, title: str, snapshot: int) -> None:
    """Write a PNG, SVG or PDF, by the suffix; arrays from cycle ``snapshot`` on."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows, cols, count = found.passes.shape
    shown = min(SNAPSHOTS, found.first + count - snapshot)
    side = 12.6 / shown
    above = side * rows / cols + 0.3
    height = 0.75 + above + 0.55 + max(2.2, 0.2 * rows * cols)
    figure = Figure(figsize=(13.5, height), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.015, 1 - 0.3 / height, title, fontsize=14, fontweight="bold", color=_INK, va="center")
    for n in range(shown):
        left, wide = (0.55 + n * side) / 13.5, 0.9 * side / 13.5
        axes = figure.add_axes((left, 1 - (0.55 + above) / height, wide, 0.9 * side * rows / cols / height))
        _array(axes, found, snapshot + n - found.first)
    axes = figure.add_axes((0.085, 0.5 / height, 0.9, 1 - (0.75 + above + 0.65) / height))
    _lanes(axes, found)
    axes.axvspan(snapshot, snapshot + shown, facecolor="none", edgecolor=_INK, linewidth=1.2, zorder=5)
    figure.savefig(path, metadata={"Software": "systolith"} if str(path).endswith(".png") else None)


def _color(found: Wavefront, r: int, c: int, t: int) -> str:
    if not found.busy[r, c, t]:
        return _IDLE
    number = int(found.passes[r, c, t])
    return _BEFORE if number < 0 else _PASSES[number % len(_PASSES)]


def _array(axes: Any, found: Wavefront, t: int) -> None:
    rows, cols, _ = found.passes.shape
    digits = len(str(int(found.pixels.max(initial=0))))
    size = min(11.0, 62 * 10 / SNAPSHOTS / cols / (0.72 * digits))
    for r in range(rows):
        for c in range(cols):
            axes.add_patch(_square(c, r, 1, 1, _color(found, r, c, t)))
            if found.pixels[r, c, t] >= 0:
                axes.text(c + 0.5, r + 0.5, str(found.pixels[r, c, t]), ha="center", va="center", color="white",
                          fontsize=size, fontweight="bold")  # fmt: skip
    axes.set_xlim(0, cols)
    axes.set_ylim(rows, 0)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_title(f"cycle {found.first + t:,}", fontsize=10, color=_INK)


def _square(x: float, y: float, width: float, height: float, color: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, facecolor=color, edgecolor="white", linewidth=0.8)


def _lanes(axes: Any, found: Wavefront) -> None:
    rows, cols, count = found.passes.shape
    for r in range(rows):
        for c in range(cols):
            lane = r * cols + c
            for t in range(count):
                axes.add_patch(_square(found.first + t, lane, 1, 0.92, _color(found, r, c, t)))
                if found.pixels[r, c, t] >= 0 and count <= 50 and rows * cols <= 36:
                    axes.text(found.first + t + 0.5, lane + 0.48, str(found.pixels[r, c, t]), ha="center",
                              va="center", fontsize=7, color="white")  # fmt: skip
    axes.set_xlim(found.first, found.first + count)
    axes.set_ylim(rows * cols, 0)
    axes.set_yticks([r * cols + cols / 2 for r in range(rows)], [f"row {r}" for r in range(rows)])
    axes.tick_params(length=0, colors=_MUTED, labelsize=10)
    axes.tick_params(axis="y", labelcolor=_INK)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.locator_params(axis="x", integer=True)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel("cycles after the start; in each row of the array the columns from top to bottom", fontsize=10,
                    color=_MUTED)  # fmt: skip
