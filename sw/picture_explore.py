"""A picture of an exploration: frames a second against DSPs, block RAM as colour, the board's limits, the choice.

Small: what fits the board; grey where it gives too few frames. Ringed: the Pareto front. The star: the recommended
point. Lines: DSPs of the board, frames asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Spot", "draw_explore"]

_INK, _MUTED, _GRID, _LIMIT, _BEST = "#1f2933", "#6b7785", "#dde3ea", "#b03a2e", "#c0662f"


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A candidate that fits; ``slow``: without the frames asked for; ``label`` beside it where not empty."""

    dsp: int
    bram: int
    frames: float
    front: bool
    chosen: bool
    slow: bool = False
    label: str = ""


def draw_explore(
    path: str | Path,
    *,
    title: str,
    spots: Sequence[Spot],
    dsp_room: int,
    bram_room: int,
    wanted: float,
    clock: str,
) -> None:
    """Write a PNG. ``dsp_room``, ``bram_room``: what the board has room for; ``wanted``: frames a second, 0: none."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 6.0), dpi=120, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.09, 0.11, 0.80, 0.78))
    figure.text(0.02, 0.95, title, fontsize=15, fontweight="bold", color=_INK, va="center")
    slow = [spot for spot in spots if spot.slow]
    axes.scatter(
        [s.dsp for s in slow], [s.frames for s in slow], s=30, color="#b8c2cc", linewidths=0, zorder=2
    )
    order = sorted((spot for spot in spots if not spot.slow), key=lambda spot: (spot.chosen, spot.front))
    shown = axes.scatter(
        [s.dsp for s in order], [s.frames for s in order], c=[s.bram for s in order], cmap="viridis_r", vmin=0,
        vmax=bram_room, s=[170 if s.front else 34 for s in order], linewidths=[1.4 if s.front else 0 for s in order],
        edgecolors=[_INK if s.front else "none" for s in order], alpha=None, zorder=3,
    )  # fmt: skip
    bar = figure.colorbar(shown, ax=axes, pad=0.02)
    bar.set_label(f"block RAMs, engine and memory (room for {bram_room})", fontsize=11.5, color=_MUTED)
    axes.axvline(dsp_room, color=_LIMIT, linewidth=1.6)
    axes.annotate(f" {dsp_room} DSPs", (dsp_room, 0.01), xycoords=("data", "axes fraction"), ha="right", rotation=90,
                  va="bottom", fontsize=11.5, color=_LIMIT)  # fmt: skip
    if wanted:
        axes.axhline(wanted, color=_LIMIT, linewidth=1.2, linestyle="--")
        axes.annotate(f"{wanted:g} frames/s asked for", (0.01, wanted), xycoords=("axes fraction", "data"), va="bottom",
                      fontsize=11.5, color=_LIMIT)  # fmt: skip
    frames = [s.frames for s in spots] + [wanted] * bool(wanted)
    if frames and max(frames) > 8 * min(frames):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
        axes.yaxis.set_minor_formatter(lambda value, _: f"{value:,g}" if f"{value:.0e}"[0] in "25" else "")
    else:
        axes.set_ylim(0, 1.12 * max(frames, default=1.0))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.set_xlim(0, dsp_room * 1.05)
    _labels(axes, order)
    axes.grid(color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=11, colors=_INK, which="both")
    axes.set_xlabel("DSPs of the engine (rows x cols)", fontsize=12, color=_MUTED)
    axes.set_ylabel(f"frames a second {clock}", fontsize=12, color=_MUTED)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, metadata={"Software": "systolith"})


def _labels(axes: Any, spots: Sequence[Spot]) -> None:
    """The star, and labels where there is room: the chosen one's first, then those of most frames."""
    taken: list[tuple[float, float]] = []
    for spot in sorted(spots, key=lambda one: (not one.chosen, -one.frames)):
        if spot.chosen:
            axes.scatter(
                [spot.dsp], [spot.frames], marker="*", s=420, color=_BEST, edgecolors="white", zorder=5
            )
        x, y = axes.transAxes.inverted().transform(axes.transData.transform((spot.dsp, spot.frames)))
        if not spot.label or any(abs(x - a) < 0.12 and abs(y - b) < 0.05 for a, b in taken):
            continue
        taken.append((x, y))
        axes.annotate(spot.label, (spot.dsp, spot.frames), xytext=(-12, 11), textcoords="offset points", ha="right",
                      fontsize=12 if spot.chosen else 10, color=_BEST if spot.chosen else _INK, zorder=6,
                      fontweight="bold" if spot.chosen else "normal")  # fmt: skip
