"""A picture of a sweep: what each array reaches, and which ones are worth their multipliers.

Left: utilization (or cycles) over rows x cols, a square a point; several points of one array show the best. Right:
images a second and MHz against multipliers, a colour each width of weights, the Pareto fronts joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["METRICS", "Dot", "draw_sweep"]

METRICS = ("utilization", "cycles")

_INK, _MUTED, _GRID = "#1f2933", "#6b7785", "#dde3ea"
_COLORS = ("#2f6f9f", "#c0662f", "#3f8f5f", "#8f4f9f", "#9f8f2f", "#5f5f5f")


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A point; ``utilization`` 0..1, ``rate`` images a second and MHz; ``group`` as in the legend."""

    rows: int
    cols: int
    cycles: int
    utilization: float
    rate: float
    group: str
    front: bool


def draw_sweep(
    path: str | Path, *, title: str, dots: Sequence[Dot], metric: str, refused: Sequence[tuple[int, int]] = ()
) -> None:
    """Write a PNG. ``metric``: one of ``METRICS``; ``refused``: rows and cols without a point."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.5, 5.8), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.02, 0.955, title, fontsize=15, fontweight="bold", color=_INK, va="center")
    grid = figure.add_gridspec(1, 2, left=0.06, right=0.985, top=0.85, bottom=0.12, wspace=0.17)
    _heat(figure.add_subplot(grid[0, 0]), dots, metric, refused)
    _throughput(figure.add_subplot(grid[0, 1]), dots)
    figure.savefig(path, metadata={"Software": "systolith"})


def _heat(axes: Any, dots: Sequence[Dot], metric: str, refused: Sequence[tuple[int, int]]) -> None:
    best: dict[tuple[int, int], Dot] = {}
    for dot in dots:
        place = dot.rows, dot.cols
        if place not in best or dot.cycles < best[place].cycles:
            best[place] = dot
    rows = sorted({row for row, _ in [*best, *refused]})
    cols = sorted({col for _, col in [*best, *refused]})
    values = np.full((len(rows), len(cols)), np.nan)
    for (row, col), dot in best.items():
        values[rows.index(row), cols.index(col)] = (
            100 * dot.utilization if metric == "utilization" else dot.cycles
        )
    known = values[np.isfinite(values)]
    shade = values if metric == "utilization" else np.log10(values)
    low, high = (
        (0.0, 100.0)
        if metric == "utilization"
        else ((float(np.log10(known.min())), float(np.log10(known.max()))) if len(known) else (0.0, 1.0))
    )
    axes.imshow(shade, aspect="auto", origin="lower", cmap="YlGnBu" if metric == "utilization" else "YlOrRd",
                vmin=low, vmax=max(high, low + 1e-9))  # fmt: skip
    size = max(5.5, min(10.0, 110 / max(len(rows), len(cols), 1)))
    for (i, j), value in np.ndenumerate(values):
        text = "-" if not np.isfinite(value) else f"{value:.0f}" if metric == "utilization" else _short(value)
        dark = np.isfinite(value) and shade[i, j] > low + 0.6 * (high - low)
        if len(rows) <= 20 and len(cols) <= 20:
            axes.text(j, i, text, ha="center", va="center", fontsize=size, color="white" if dark else _INK)
    axes.set_xticks(range(len(cols)), [str(col) for col in cols])
    axes.set_yticks(range(len(rows)), [str(row) for row in rows])
    axes.tick_params(length=0, colors=_INK)
    axes.set_xlabel("cols: output channels at a time", fontsize=9.5, color=_MUTED)
    axes.set_ylabel("rows: input channels at a time", fontsize=9.5, color=_MUTED)
    what = "Utilization of one image, %" if metric == "utilization" else "Cycles of one image"
    axes.set_title(what, fontsize=11, color=_INK, loc="left")


def _short(cycles: float) -> str:
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if cycles >= limit:
            scaled = cycles / limit
            return f"{scaled:.3g}{unit}" if scaled < 100 else f"{scaled:.0f}{unit}"
    return f"{cycles:.0f}"


def _throughput(axes: Any, dots: Sequence[Dot]) -> None:
    for number, group in enumerate(dict.fromkeys(dot.group for dot in dots)):
        chosen = [dot for dot in dots if dot.group == group]
        color = _COLORS[number % len(_COLORS)]
        axes.scatter([dot.rows * dot.cols for dot in chosen], [dot.rate for dot in chosen], s=20, color=color,
                     alpha=0.35, linewidths=0, zorder=2)  # fmt: skip
        line = sorted((dot for dot in chosen if dot.front), key=lambda dot: dot.rows * dot.cols)
        axes.plot([dot.rows * dot.cols for dot in line], [dot.rate for dot in line], color=color, linewidth=1.3,
                  drawstyle="steps-post", marker="o", markersize=4.5, label=group, zorder=3)  # fmt: skip
        if number == 0:
            for dot in line:
                axes.annotate(f"{dot.rows}x{dot.cols}", (dot.rows * dot.cols, dot.rate), xytext=(-4, 6), ha="right",
                              textcoords="offset points", fontsize=7.5, color=color)  # fmt: skip
    if dots:
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(lambda value, _: "")
        axes.legend(frameon=False, fontsize=9, loc="lower right")
    axes.grid(color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.margins(x=0.08, y=0.1)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_title("Throughput against multipliers; lines: no array gives more for less", fontsize=11, color=_INK,
                   loc="left")  # fmt: skip
    axes.set_xlabel("multipliers (rows x cols)", fontsize=9.5, color=_MUTED)
    axes.set_ylabel("images a second for each MHz", fontsize=9.5, color=_MUTED)
