"""Pictures of quantizations, readable at half a page's width: one layer's ranges, and several models compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..quant.evidence import Evidence
from ..quant.formats import QFormat

__all__ = ["Ranges", "Score", "draw_layer", "draw_scores"]

_INK, _MUTED, _GRID = "#1f2933", "#55626f", "#dde3ea"
_FILL, _EDGE, _BAND, _CUT = "#8db4d8", "#23629e", "#e6eff8", "#c2410c"


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """Values of a tensor, or of weights, and the format taken; ``fl`` [1] or one a channel."""

    title: str
    words: str
    seen: Evidence
    width: int
    signed: bool
    fl: tuple[int, ...]


@dataclass(frozen=True)
class Score:
    """One model: SQNR of the logits in dB, and the percentage of images whose class differs from float."""

    name: str
    sqnr_db: float
    changed: float


def draw_layer(path: str | Path, title: str, rows: Sequence[Ranges]) -> None:
    """Write a PNG: a row each of values with the range of codes, and what each fl would leave."""
    figure, axes = _figure(7.6, 0.7 + 2.55 * len(rows), len(rows), 2, (1.35, 1))
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold", color=_INK)
    for (left, right), row in zip(axes, rows, strict=True):
        _values(left, row)
        if row.seen.errors and len(set(row.fl)) == 1:
            _errors(right, row)
        else:
            _channels(right, row)
    _save(figure, path)


def _figure(width: float, height: float, rows: int, columns: int, ratios: Sequence[float]) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, width_ratios=ratios)


def _save(figure: Any, path: str | Path) -> None:
    for axes in figure.axes:
        axes.tick_params(labelsize=9, colors=_MUTED, length=3)
        axes.xaxis.label.set(fontsize=9.5, color=_MUTED)
        axes.yaxis.label.set(fontsize=9.5, color=_MUTED)
        axes.title.set(fontsize=10, color=_INK)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set_color(_GRID)
    figure.savefig(path, metadata={"Software": "systolith"})


def _values(axes: Any, row: Ranges) -> None:
    seen = row.seen
    fmt, free = (QFormat(row.width, fl, row.signed) for fl in (min(row.fl), seen.free_fl))
    edges = np.linspace(seen.low, seen.high, len(seen.counts) + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    low, high = fmt.min * fmt.step, fmt.max * fmt.step
    colors = [_FILL if low <= value <= high else _CUT for value in middles]
    axes.axvspan(low, high, color=_BAND, zorder=0)
    axes.bar(edges[:-1], seen.counts, np.diff(edges), align="edge", color=colors, log=True)
    for value in (low, high):
        axes.axvline(value, color=_EDGE, linewidth=1.4)
    for value in (free.min * free.step, free.max * free.step):
        if free != fmt and value != 0.0:
            axes.axvline(value, color=_MUTED, linewidth=1, linestyle=(0, (3, 3)))
    axes.set_xlim(min(seen.low, low) - 0.02 * (high - low), max(seen.high, high) + 0.02 * (high - low))
    axes.set(xlabel="value (shaded: codes reach it)", ylabel="how many", title=row.title)


def _errors(axes: Any, row: Ranges) -> None:
    factor = 20.0 / row.seen.power
    points = [(fl, factor * math.log10(error)) for fl, error in row.seen.errors if error > 0.0]
    axes.plot(
        *zip(*points, strict=True), color=_FILL, marker="o", markerfacecolor="white", markeredgecolor=_EDGE
    )
    axes.plot(
        *zip(*[point for point in points if point[0] == row.fl[0]], strict=True),
        "o",
        color=_EDGE,
        markersize=8,
    )
    if row.seen.errors[0][0] <= row.seen.free_fl <= row.seen.errors[-1][0]:
        axes.axvline(row.seen.free_fl, color=_MUTED, linewidth=1, linestyle=(0, (3, 3)))
    axes.set_xticks([fl for fl, _ in row.seen.errors])
    axes.grid(axis="y", color=_GRID, linewidth=0.7)
    axes.set(xlabel="fl (dashed: overflow-free)", ylabel="error, dB", title=row.words)


def _channels(axes: Any, row: Ranges) -> None:
    values, counts = np.unique(row.fl, return_counts=True)
    axes.bar(values, counts, 0.7, color=_FILL)
    axes.set_xticks(range(int(values.min()), int(values.max()) + 1))
    axes.set(xlabel="fl", ylabel="channels", title=row.words)


def draw_scores(path: str | Path, title: str, scores: Sequence[Score], remark: str) -> None:
    """Write a PNG: a bar a model, its logits' SQNR at the left, changed classes at the right."""
    figure, ((left, right),) = _figure(7.6, 1.15 + 0.36 * len(scores), 1, 2, (1.3, 1))
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold", color=_INK)
    place = range(len(scores))
    finite = [score.sqnr_db for score in scores if math.isfinite(score.sqnr_db)] or [0.0]
    best = max(score.sqnr_db for score in scores)
    for axes, values, words, label, winner in (
        (left, [max(min(s.sqnr_db, max(finite)), min(0.0, *finite)) for s in scores],
         [f"{s.sqnr_db:.1f}" for s in scores], "SQNR of the logits, dB", [s.sqnr_db == best for s in scores]),
        (right, [s.changed for s in scores], [f"{s.changed:.1f}" for s in scores],
         "class differs from float, %", [s.changed == min(t.changed for t in scores) for s in scores]),
    ):  # fmt: skip
        bars = axes.barh(place, values, 0.66, color=[_EDGE if first else _FILL for first in winner])
        axes.bar_label(bars, words, padding=3, fontsize=9, color=_INK)
        axes.margins(x=0.14, y=0.02)
        axes.set_yticks(place, [score.name for score in scores] if axes is left else [])
        axes.invert_yaxis()
        axes.grid(axis="x", color=_GRID, linewidth=0.7)
        axes.set_axisbelow(True)
        axes.set_xlabel(label)
    left.set_title(remark, loc="left", fontsize=10, color=_MUTED)
    _save(figure, path)
