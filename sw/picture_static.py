"""A picture of static against dynamic precision: bars of each scheme, and the exhaustive searches as maps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Bars", "Map", "draw_static"]

_INK, _MUTED, _GRID = "#1f2933", "#6b7785", "#dde3ea"
_COLORS = ("#c0662f", "#6ea0c8", "#1f5f8f")
_EXACT = 120.0  # dB shown for no error at all


@dataclass(frozen=True, kw_only=True)
class Bars:
    """One scheme at one precision: SQNR of the logits in dB, accuracy in percent."""

    precision: str
    scheme: str
    sqnr_db: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Map:
    """A search: SQNR in dB of every pair (fl of weights, fl of activations), and the best pair."""

    precision: str
    errors_db: Mapping[tuple[int, int], float]
    best: tuple[int, int]


def draw_static(
    path: str | Path,
    *,
    title: str,
    bars: Sequence[Bars],
    maps: Sequence[Map],
    accuracy: str,
    measured: str,
    top1_float: float | None,
) -> None:
    """Write a PNG. ``accuracy``: what the second bars show; ``measured``: on which images."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.5, 8.2), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.02, 0.965, title, fontsize=15, fontweight="bold", color=_INK, va="center")
    above = figure.add_gridspec(1, 2, left=0.055, right=0.985, top=0.885, bottom=0.555, wspace=0.14)
    _bars(figure.add_subplot(above[0, 0]), bars, [bar.sqnr_db for bar in bars], "dB",
          f"SQNR of the logits, {measured}", None)  # fmt: skip
    _bars(figure.add_subplot(above[0, 1]), bars, [bar.accuracy for bar in bars], accuracy,
          f"{accuracy.split(',')[0].capitalize()}, {measured}", top1_float)  # fmt: skip
    below = figure.add_gridspec(1, len(maps), left=0.055, right=0.985, top=0.43, bottom=0.075, wspace=0.22)
    for i, found in enumerate(maps):
        _map(figure.add_subplot(below[0, i]), found)
    figure.savefig(path, metadata={"Software": "systolith"})


def _bars(
    axes: Any, bars: Sequence[Bars], values: Sequence[float], unit: str, title: str, line: float | None
) -> None:
    precisions = list(dict.fromkeys(bar.precision for bar in bars))
    schemes = list(dict.fromkeys(bar.scheme for bar in bars))
    width = 0.8 / len(schemes)
    for bar, value in zip(bars, values, strict=True):
        shown = min(value, _EXACT) if not math.isnan(value) else 0.0
        column = schemes.index(bar.scheme)
        x = precisions.index(bar.precision) + (column - (len(schemes) - 1) / 2) * width
        first = bar.precision == precisions[0]
        label = bar.scheme if first else None
        axes.bar(x, max(shown, 0.0), width * 0.92, color=_COLORS[column % len(_COLORS)], label=label)
        text = f"{value:.1f}" if math.isfinite(value) else "exact"
        axes.text(x, max(shown, 0.0), text, ha="center", va="bottom", fontsize=8, color=_INK)
    if line is not None:
        axes.axhline(line, color=_INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.text(
            1, line, "float ", transform=axes.get_yaxis_transform(), ha="right", va="bottom", fontsize=8.5
        )
    axes.set_xticks(range(len(precisions)), [f"{precision} bits" for precision in precisions])
    axes.set_ylabel(unit, fontsize=9, color=_MUTED)
    axes.set_title(title, fontsize=10.5, color=_INK, loc="left")
    axes.grid(axis="y", color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.margins(y=0.12)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(
        frameon=False, fontsize=8.5, ncols=len(schemes), loc="upper center", bbox_to_anchor=(0.5, -0.09)
    )


def _map(axes: Any, found: Map) -> None:
    wgt = sorted({pair[0] for pair in found.errors_db})
    act = sorted({pair[1] for pair in found.errors_db})
    grid = np.full((len(wgt), len(act)), np.nan)
    for (w, a), value in found.errors_db.items():
        if value > -250.0:  # the engine computes the pair
            grid[wgt.index(w), act.index(a)] = value
    top = max(found.errors_db[found.best], 10.0)
    axes.imshow(np.maximum(grid, 0.0), aspect="auto", cmap="viridis", origin="lower", vmin=0.0, vmax=top)
    for w in range(len(wgt)):
        for a in range(len(act)):
            if np.isfinite(grid[w, a]) and len(wgt) * len(act) <= 160:
                axes.text(a, w, f"{grid[w, a]:.0f}", ha="center", va="center", fontsize=6.5,
                          color=_INK if grid[w, a] > 0.7 * top else "white")  # fmt: skip
    axes.plot(act.index(found.best[1]), wgt.index(found.best[0]), marker="s", markersize=15, markerfacecolor="none",
              markeredgecolor="#ff5a36", markeredgewidth=1.8)  # fmt: skip
    axes.set_xticks(range(len(act)), [str(fl) for fl in act], fontsize=8)
    axes.set_yticks(range(len(wgt)), [str(fl) for fl in wgt], fontsize=8)
    axes.set_xlabel("fl of all activations", fontsize=9, color=_MUTED)
    axes.set_ylabel("fl of all weights", fontsize=9, color=_MUTED)
    best = found.errors_db[found.best]
    title = f"{found.precision} bits, static: SQNR in dB (best {best:.1f})"
    axes.set_title(title, fontsize=10, color=_INK, loc="left")
