"""One picture of a verified network: images, each layer's error against float, each layer's utilization."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Bar", "Thumbnail", "draw"]

_INK, _MUTED, _GRID = "#1f2933", "#6b7785", "#dde3ea"
_ERROR, _USE, _IDLE = "#3a6ea5", "#2f8f6b", "#e9eef3"


@dataclass(frozen=True)
class Thumbnail:
    """An image uint8 [H, W, C], a caption, and real scores by class name to rank below it."""

    pixels: npt.NDArray[np.uint8]
    caption: str
    scores: Sequence[tuple[str, float]] = ()


@dataclass(frozen=True)
class Bar:
    """One layer; SQNR in dB (infinite where exact, None where unknown), utilization in 0..1 or a remark."""

    name: str
    sqnr_db: float | None
    utilization: float | None
    remark: str = ""


def draw(
    path: str | Path,
    *,
    title: str,
    subtitle: str,
    images: Sequence[Thumbnail],
    layers: Sequence[Bar],
    utilization: float | None,
) -> None:
    """Write a PNG. ``utilization``: of the whole network, drawn as a line through the layers'."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = max(5.6, 1.9 + 0.36 * len(layers))
    figure = Figure(figsize=(13.5, height), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.02, 1 - 0.34 / height, title, fontsize=15, fontweight="bold", color=_INK, va="center")
    figure.text(0.02, 1 - 0.68 / height, subtitle, fontsize=10, color=_MUTED, va="center")
    top, bottom = 1 - 1.35 / height, 0.62 / height
    grid = figure.add_gridspec(
        1, 3, left=0.02, right=0.985, top=top, bottom=bottom, width_ratios=(1.0, 1.75, 1.35), wspace=0.0
    )
    _images(figure, grid[0, 0], images)
    _errors(figure.add_subplot(_inset(grid[0, 1], 0.36, 0.06)), layers)
    _utilization(figure.add_subplot(_inset(grid[0, 2], 0.02, 0.0)), layers, utilization)
    figure.savefig(path, metadata={"Software": "systolith"})


def _inset(cell: Any, left: float, right: float) -> Any:
    """The part of a grid cell between two margins."""
    inner = cell.subgridspec(1, 3, width_ratios=(left + 1e-6, 1 - left - right, right + 1e-6), wspace=0)
    return inner[0, 1]


def _plain(axes: Any) -> None:
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, colors=_MUTED, labelsize=9)
    axes.set_axisbelow(True)


def _images(figure: Any, cell: Any, images: Sequence[Thumbnail]) -> None:
    rows = cell.subgridspec(max(len(images), 1), 2, width_ratios=(1.0, 0.95), wspace=0.08, hspace=0.34)
    for i, image in enumerate(images):
        axes = figure.add_subplot(rows[i, 0])
        gray = image.pixels.shape[2] == 1
        axes.imshow(
            image.pixels[..., 0] if gray else image.pixels, cmap="gray" if gray else None, vmin=0, vmax=255
        )
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(image.caption, fontsize=9.5, color=_INK, loc="left")
        _scores(figure.add_subplot(rows[i, 1]), image.scores)


def _scores(axes: Any, scores: Sequence[tuple[str, float]]) -> None:
    """The best classes as bars of their softmax."""
    axes.axis("off")
    if not scores:
        return
    values = np.array([value for _, value in scores])
    share = np.exp(values - values.max())
    share /= share.sum()
    best = np.argsort(-share, kind="stable")[:4]
    for row, index in enumerate(best):
        axes.barh(row, share[index], height=0.28, color=_USE if row == 0 else "#b9c4cf")
        axes.text(
            0,
            row - 0.3,
            f"{scores[index][0]}  {100 * share[index]:.1f} %",
            fontsize=8,
            color=_INK,
            va="center",
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(4.1, -0.8)


def _errors(axes: Any, layers: Sequence[Bar]) -> None:
    _plain(axes)
    known = [bar.sqnr_db for bar in layers if bar.sqnr_db is not None and math.isfinite(bar.sqnr_db)]
    limit = 10 * math.ceil((max(known, default=40.0) + 4) / 10)
    for row, bar in enumerate(layers):
        if bar.sqnr_db is None:
            continue
        exact = not math.isfinite(bar.sqnr_db)
        length = limit if exact else max(bar.sqnr_db, 0.0)
        axes.barh(row, length, height=0.62, color=_ERROR)
        text = "exact" if exact else f"{bar.sqnr_db:.1f}"
        axes.text(length + limit * 0.012, row, text, va="center", fontsize=8.5, color=_INK)
    axes.set_yticks(range(len(layers)), [bar.name for bar in layers], color=_INK, fontsize=9)
    axes.set_ylim(len(layers) - 0.4, -0.6)
    axes.set_xlim(0, limit * 1.08)
    axes.grid(axis="x", color=_GRID)
    axes.set_title("Error against float: SQNR (longer is better)", fontsize=10.5, color=_INK, loc="left")
    axes.set_xlabel("dB", color=_MUTED, fontsize=9)


def _utilization(axes: Any, layers: Sequence[Bar], whole: float | None) -> None:
    _plain(axes)
    for row, bar in enumerate(layers):
        if bar.utilization is None:
            axes.text(1.0, row, bar.remark, va="center", fontsize=8.5, color=_MUTED, style="italic")
            continue
        axes.barh(row, 100, height=0.62, color=_IDLE)
        axes.barh(row, 100 * bar.utilization, height=0.62, color=_USE)
        at, color = (1.5, "white") if bar.utilization > 0.15 else (100 * bar.utilization + 1.5, _INK)
        axes.text(at, row, f"{100 * bar.utilization:.1f}", va="center", fontsize=8.5, color=color)
    axes.set_yticks([])
    axes.set_ylim(len(layers) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    title = "Utilization of the array"
    if whole is not None:
        title += f" (dashed: whole network, {100 * whole:.1f} %)"
        axes.axvline(100 * whole, color=_INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_title(title, fontsize=10.5, color=_INK, loc="left")
    axes.set_xlabel(
        "% of the multipliers that make useful products, cycles measured in RTL", color=_MUTED, fontsize=9
    )
