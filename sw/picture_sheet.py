"""One pair of axes on a sheet of half a page's width, and the colours of the pictures on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["COLORS", "GRID", "INK", "MUTED", "save", "sheet"]

INK, MUTED, GRID = "#1f2933", "#55626f", "#dde3ea"
COLORS = ("#23629e", "#c2410c", "#3f8f5f", "#7a4a9f", "#9f8f2f")
"""Told apart with any eyes, and in grey."""


def sheet(title: str, width: float = 7.6, height: float = 4.9) -> tuple[Any, Any]:
    """A figure with one pair of axes; inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left", fontsize=13.5, fontweight="bold", color=INK)
    return figure, figure.subplots()


def save(figure: Any, path: str | Path) -> None:
    """Write a PNG without the name of a program or a day in it."""
    for axes in figure.axes:
        axes.tick_params(labelsize=11, colors=INK, length=3)
        axes.xaxis.label.set(fontsize=11.5, color=MUTED)
        axes.yaxis.label.set(fontsize=11.5, color=MUTED)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set_color(GRID)
    figure.savefig(path, metadata={"Software": "systolith"})
