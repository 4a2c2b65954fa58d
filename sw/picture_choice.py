"""Pictures of a sweep, one question each, readable at half a page's width.

Which array fits (a heat map over two axes), what it costs (frames a second against DSPs, with the limits of devices),
where its energy goes (bars by level of memory).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .picture_sheet import COLORS, GRID, INK, MUTED, save, sheet

__all__ = ["Cell", "Choice", "Ticks", "draw_energy", "draw_frames", "draw_heat"]

_LEVELS = ("#23629e", "#8db4d8", "#3f8f5f", "#c9b458", "#c2410c")
_FEW = 20
"""So many rows or columns still have room for numbers."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A value at a place of a heat map; None: refused. ``text``: as it is written there."""

    x: int
    y: int
    value: float | None
    text: str


@dataclass(frozen=True)
class Ticks:
    """An axis of a heat map: its words, and what its values are divided by when they are written."""

    words: str
    unit: int = 1

    def text(self, value: int) -> str:
        """The value as it is written beside the axis."""
        return f"{value / self.unit:g}"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An engine: multipliers, images a second, and whether no other gives more for as few."""

    name: str
    multipliers: int
    frames: float
    front: bool


def draw_heat(
    path: str | Path,
    *,
    title: str,
    cells: Sequence[Cell],
    x: Ticks,
    y: Ticks,
    scale: tuple[float, float] | None,
) -> None:
    """Write a PNG. ``scale``: values of the lightest and darkest, None: by decade."""
    across, up = sorted({cell.x for cell in cells}), sorted({cell.y for cell in cells})
    values: npt.NDArray[np.float64] = np.full((len(up), len(across)), np.nan)
    for cell in cells:
        if cell.value is not None:
            values[up.index(cell.y), across.index(cell.x)] = cell.value
    shade = values if scale else np.log10(values)
    known = shade[np.isfinite(shade)]
    low, high = scale or ((float(known.min()), float(known.max())) if len(known) else (0.0, 1.0))
    high = max(high, low + 1e-9)
    figure, axes = sheet(title, height=1.5 + 0.5 * max(4, min(len(up), 10)))
    axes.imshow(shade, aspect="auto", origin="lower", cmap="YlGnBu", vmin=low, vmax=high)
    size = max(7.0, min(12.5, 105 / max(len(up), len(across))))
    for cell in cells if max(len(up), len(across)) <= _FEW else ():
        row, column = up.index(cell.y), across.index(cell.x)
        dark = cell.value is not None and shade[row, column] > low + 0.55 * (high - low)
        axes.text(
            column, row, cell.text, ha="center", va="center", fontsize=size, color="white" if dark else INK
        )
    axes.set_xticks(range(len(across)), [x.text(value) for value in across])
    axes.set_yticks(range(len(up)), [y.text(value) for value in up])
    axes.set(xlabel=x.words, ylabel=y.words)
    save(figure, path)


def draw_frames(
    path: str | Path,
    *,
    title: str,
    choices: Mapping[str, Sequence[Choice]],
    limits: Sequence[tuple[str, int]],
) -> None:
    """Write a PNG: images a second against multipliers, a colour a group, a line at each (device, DSPs)."""
    from matplotlib.ticker import LogLocator

    figure, axes = sheet(title)
    for number, (group, rows) in enumerate(choices.items()):
        color = COLORS[number % len(COLORS)]
        axes.scatter([row.multipliers for row in rows], [row.frames for row in rows], s=26, color=color, alpha=0.3,
                     linewidths=0)  # fmt: skip
        line = sorted((row for row in rows if row.front), key=lambda row: row.multipliers)
        axes.plot([row.multipliers for row in line], [row.frames for row in line], color=color, linewidth=1.6,
                  drawstyle="steps-post", marker="o", markersize=6, label=group)  # fmt: skip
        for row in line if number == 0 else ():
            axes.annotate(row.name, (row.multipliers, row.frames), xytext=(-5, 6), ha="right",
                          textcoords="offset points", fontsize=10, color=color)  # fmt: skip
    axes.set(yscale="log", xlabel="DSPs of the array, one a multiplier", ylabel="images a second")
    axes.set_xscale("log", base=2)
    axes.margins(x=0.09, y=0.13)
    axes.set_ylim(bottom=min(row.frames for rows in choices.values() for row in rows) / 4)  # room for names
    for name, dsps in limits:
        axes.axvline(dsps, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate(f"{name}: {dsps}", (dsps, 0.03), xycoords=("data", "axes fraction"), xytext=(3, 0),
                      textcoords="offset points", rotation=90, fontsize=10, color=MUTED, va="bottom")  # fmt: skip
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.yaxis.set_minor_formatter(lambda value, _: "")
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=11, loc="lower right")
    save(figure, path)


def draw_energy(path: str | Path, *, title: str, bars: Mapping[str, Mapping[str, float]]) -> None:
    """Write a PNG: a bar an engine, its uJ an image by level, from the arithmetic outwards."""
    figure, axes = sheet(title, height=1.9 + 0.36 * len(bars))
    place = range(len(bars))
    left = np.zeros(len(bars))
    levels = list(next(iter(bars.values())))
    for level, color in zip(levels, _LEVELS, strict=True):
        values = np.array([bar[level] for bar in bars.values()])
        axes.barh(place, values, 0.68, left=left, color=color, label=level)
        left += values
    for number, total in enumerate(left):
        axes.annotate(f"{total:.0f}", (total, number), xytext=(4, 0), textcoords="offset points", va="center",
                      fontsize=11, color=INK)  # fmt: skip
    axes.set_yticks(place, list(bars))
    axes.invert_yaxis()
    axes.margins(x=0.09, y=0.02)
    axes.grid(axis="x", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_xlabel("uJ an image, by the table of costs")
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, fontsize=11, ncols=len(levels),
                  loc="outside lower center", columnspacing=1.1, handlelength=1.1)  # fmt: skip
    save(figure, path)
