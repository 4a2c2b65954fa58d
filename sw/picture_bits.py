"""A picture of bit widths: which layers are sensitive, and what accuracy weight memory buys.

Left: SQNR of the logits with one layer at one width, a row a layer. Right: whole quantizations, logits' SQNR
(above) and accuracy (below) against weight memory, uniform widths marked, the front joined.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Cell", "Dot", "draw_bits"]

_INK, _MUTED, _GRID = "#1f2933", "#6b7785", "#dde3ea"
_UNIFORM, _MIXED = "#c0662f", "#2f6f9f"


@dataclass(frozen=True)
class Cell:
    """A layer: its name, number of weights, SQNR in dB at each width."""

    name: str
    weights: int
    sqnr_db: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A whole quantization; top-1 ``accuracy`` and ``agreement`` in percent."""

    name: str
    kilobytes: float
    uniform: bool
    front: bool
    sqnr_db: float
    accuracy: float | None
    agreement: float


def draw_bits(
    path: str | Path,
    *,
    title: str,
    widths: Sequence[int],
    cells: Sequence[Cell],
    base_db: float,
    dots: Sequence[Dot],
    top1_float: float | None,
) -> None:
    """Write a PNG. ``base_db``: SQNR of the network as it is; ``top1_float``: a dashed line, if known."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = max(6.0, 1.7 + 0.24 * len(cells))
    figure = Figure(figsize=(13.5, height), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.02, 1 - 0.34 / height, title, fontsize=15, fontweight="bold", color=_INK, va="center")
    top, bottom = 1 - 1.0 / height, 0.62 / height
    grid = figure.add_gridspec(2, 2, left=0.17, right=0.985, top=top, bottom=bottom, width_ratios=(1, 1.5),
                               wspace=0.16, hspace=0.32)  # fmt: skip
    _heat(figure, figure.add_subplot(grid[:, 0]), widths, cells, base_db)
    _front(figure.add_subplot(grid[0, 1]), dots, [dot.sqnr_db for dot in dots], "SQNR of the logits, dB",
           "Whole network, calibration images")  # fmt: skip
    labelled = all(dot.accuracy is not None for dot in dots)
    values = [dot.accuracy if labelled and dot.accuracy is not None else dot.agreement for dot in dots]
    axes = figure.add_subplot(grid[1, 1])
    _front(axes, dots, values, "top-1, %" if labelled else "same class as float, %",
           "Accuracy on the images given" if labelled else "Agreement with the float network")  # fmt: skip
    if labelled and top1_float is not None:
        axes.axhline(top1_float, color=_INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.text(1, top1_float, "float ", transform=axes.get_yaxis_transform(), ha="right", va="bottom",
                  fontsize=8.5, color=_INK)  # fmt: skip
    figure.savefig(path, metadata={"Software": "systolith"})


def _heat(figure: Any, axes: Any, widths: Sequence[int], cells: Sequence[Cell], base_db: float) -> None:
    ceiling = base_db if math.isfinite(base_db) else 60.0
    loss = np.array([[ceiling - min(max(value, -10.0), ceiling) for value in cell.sqnr_db] for cell in cells])
    axes.imshow(loss, aspect="auto", cmap="YlOrRd", vmin=0.0, vmax=max(12.0, float(loss.max())))
    axes.set_xticks(range(len(widths)), [str(width) for width in widths])
    names = [cell.name if len(cell.name) <= 28 else "…" + cell.name[-27:] for cell in cells]
    axes.set_yticks(range(len(cells)), names, fontsize=7.5, color=_INK)
    dark = 0.6 * max(12.0, float(loss.max()))
    for row, cell in enumerate(cells):
        for column, value in enumerate(cell.sqnr_db):
            color = "white" if loss[row, column] > dark else _INK
            text = f"{value:.1f}" if math.isfinite(value) else "exact" if value > 0 else "never"
            axes.text(column, row, text, ha="center", va="center", fontsize=6.8, color=color)
    axes.set_xlabel("bits of this layer's weights", fontsize=9, color=_MUTED)
    title = f"One layer alone: SQNR of the logits, dB (as it is: {base_db:.1f})"
    axes.set_title(title, fontsize=10.5, color=_INK, loc="right")
    axes.tick_params(length=0)


def _front(axes: Any, dots: Sequence[Dot], values: Sequence[float], label: str, title: str) -> None:
    pairs = [(dot, value) for dot, value in zip(dots, values, strict=True) if math.isfinite(value)]
    line = sorted((dot.kilobytes, value) for dot, value in pairs if dot.front)
    axes.plot([x for x, _ in line], [y for _, y in line], color=_MIXED, linewidth=1.2, alpha=0.5, zorder=1)
    for uniform, color, marker, name in ((True, _UNIFORM, "s", "one width everywhere"),
                                         (False, _MIXED, "o", "allocated by layer")):  # fmt: skip
        chosen = [(dot, value) for dot, value in pairs if dot.uniform == uniform]
        if chosen:
            axes.scatter([dot.kilobytes for dot, _ in chosen], [value for _, value in chosen], s=34, color=color,
                         marker=marker, label=name, zorder=3)  # fmt: skip
        for dot, value in chosen:
            below = (6, -11) if uniform else (-3, 6)
            axes.annotate(dot.name.removesuffix(" bits"), (dot.kilobytes, value), xytext=below,
                          textcoords="offset points", fontsize=8, color=color)  # fmt: skip
    axes.grid(color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.margins(x=0.06, y=0.14)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_title(title, fontsize=10.5, color=_INK, loc="left")
    axes.set_ylabel(label, fontsize=9, color=_MUTED)
    axes.set_xlabel("weight memory, KiB", fontsize=9, color=_MUTED)
    axes.legend(frameon=False, fontsize=8.5, loc="lower right")
