"""Waveforms: a strip a signal over cycles; single bits as lines, numbers as boxes with their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..quant.network import IntArray

__all__ = ["Track", "draw_waves"]

_INK, _MUTED, _GRID = "#1f2933", "#6b7785", "#dde3ea"
_BIT, _BUS, _FILL = "#2b6a99", "#2c8068", "#e3f1ec"
_WIDTH = 13.5
_LEFT = 0.125


@dataclass(frozen=True, eq=False)
class Track:
    """One signal: its name, a value a cycle; ``bus``: a number, not a single bit."""

    name: str
    values: IntArray
    bus: bool = False


def draw_waves(path: str | Path, *, title: str, first: int, tracks: Sequence[Track]) -> None:
    """Write a PNG, SVG or PDF, by the suffix; the values begin in cycle ``first``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = 1.15 + 0.36 * len(tracks)
    figure = Figure(figsize=(_WIDTH, height), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.015, 1 - 0.3 / height, title, fontsize=14, fontweight="bold", color=_INK, va="center")
    axes = figure.add_axes((_LEFT, 0.5 / height, 0.985 - _LEFT, 1 - 1.05 / height))
    count = len(tracks[0].values)
    axes.set_xlim(first, first + count)
    axes.set_ylim(len(tracks) - 0.1, -0.1)
    for row, track in enumerate(tracks):
        if track.bus:
            _bus(axes, row, first, track.values, 72 * _WIDTH * (0.985 - _LEFT) / count)
        else:
            _bit(axes, row, first, track.values)
    axes.set_yticks([row + 0.42 for row in range(len(tracks))], [track.name for track in tracks])
    axes.tick_params(length=0, colors=_MUTED, labelsize=10)
    axes.tick_params(axis="y", labelcolor=_INK, labelsize=10.5)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.locator_params(axis="x", integer=True)
    axes.grid(axis="x", color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel("cycles after the start", fontsize=10, color=_MUTED)
    figure.savefig(path, metadata={"Software": "systolith"} if str(path).endswith(".png") else None)


def _bit(axes: Any, row: int, first: int, values: IntArray) -> None:
    level = row + 0.75 - 0.62 * np.append(values, values[-1]).astype(float)
    x = np.arange(first, first + len(values) + 1)
    axes.step(x, level, where="post", color=_BIT, linewidth=1.5)
    axes.fill_between(x, level, row + 0.75, step="post", color=_BIT, alpha=0.18, linewidth=0)


def _bus(axes: Any, row: int, first: int, values: IntArray, points: float) -> None:
    """A box for each run of one value; ``points``: of a cycle's width."""
    starts = [0, *(np.flatnonzero(values[1:] != values[:-1]) + 1).tolist()]
    for begin, end in zip(starts, [*starts[1:], len(values)], strict=True):
        edge = min(0.12, 0.1 * (end - begin))
        x = [first + begin, first + begin + edge, first + end - edge, first + end]
        middle, top, bottom = row + 0.44, row + 0.13, row + 0.75
        axes.fill([x[0], x[1], x[2], x[3], x[2], x[1]], [middle, top, top, middle, bottom, bottom],
                  facecolor=_FILL, edgecolor=_BUS, linewidth=1.0)  # fmt: skip
        text = str(values[begin])
        size = min(9.0, (end - begin) * points / (0.62 * len(text) + 0.3))
        if size >= 5.5:
            axes.text(
                first + (begin + end) / 2, middle, text, ha="center", va="center", fontsize=size, color=_INK
            )
