"""A picture of a run: instruction fetch, weight fetch, load, compute, store and the port over cycles, a lane each.

Above the whole run, or the window asked for; below it the places where cycles are lost: the start, the change from one
image to the next, the end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .picture_lanes import CLIENT_COLORS, INK, MUTED, STALL_COLORS, draw_lanes
from .timeline import STALLS, Timeline
from .timeline_window import zooms

__all__ = ["draw_timeline"]

_WHAT = {"wait": "wait", "weight": "weight", "bank": "bank", "short": "short pass"}

_CLIENTS = {"program": "instructions", "weight": "weights", "load": "activations"}

_SOURCES = {"model": "cycle model", "rtl": "RTL in Verilator"}


def draw_timeline(path: str | Path, found: Timeline, window: tuple[int, int] | None = None) -> None:
    """Write a PNG, SVG or PDF, by the suffix. ``window``: first and last cycle, both shown; None: all, and zooms."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    parts = [] if window else zooms(found)
    height = 10.0 if parts else 6.4
    figure = Figure(figsize=(13.5, height), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    _heading(figure, found, height)
    _legend(figure, found, height)
    top, bottom = 1 - 1.42 / height, (4.28 if parts else 0.62) / height
    axes = figure.add_axes((0.112, bottom, 0.876, top - bottom))
    first, last = window or (0, found.cycles - 1)
    draw_lanes(axes, found, first, last, labels=24)
    axes.set_xlabel("cycles after the start", fontsize=10, color=MUTED)
    share = (0.876 - 0.025 * (len(parts) - 1)) / max(len(parts), 1)
    for n, (title, begin, end) in enumerate(parts):
        inset = figure.add_axes((0.112 + n * (share + 0.025), 0.55 / height, share, 2.75 / height))
        inset.locator_params(axis="x", nbins=5)
        draw_lanes(inset, found, begin, end, labels=4, names=n == 0)
        inset.set_title(title, fontsize=10.5, color=INK, loc="left")
    figure.savefig(path, metadata={"Software": "systolith"} if str(path).endswith(".png") else None)


def _heading(figure: Any, found: Timeline, height: float) -> None:
    config, images = found.program.config, found.images
    several = f" for {images} images back to back" if images > 1 else ""
    title = (
        f"{found.program.name} on {config.rows}x{config.cols}: {found.cycles:,} cycles{several}, "
        f"{100 * found.utilization:.2f} % of the peak"
    )
    figure.text(0.015, 1 - 0.34 / height, title, fontsize=15, fontweight="bold", color=INK, va="center")
    told = (
        f"{_SOURCES[found.recording.source]}; port of {config.port_width} bits, latency {found.mem_latency} cycles; "
        f"its bars are as high as it is busy, light where a LOAD or STORE is under way"
    )
    figure.text(0.015, 1 - 0.68 / height, told, fontsize=10, color=MUTED, va="center")


def _legend(figure: Any, found: Timeline, height: float) -> None:
    """Stalls by cause, with their cycles."""
    from matplotlib.patches import Patch

    lost = found.recording.stalls()
    stalls = [(STALL_COLORS[name], f"{_WHAT[name]} {_cycles(lost[name], found.cycles)}") for name in STALLS]
    reads = [(color, _CLIENTS[client]) for client, color in CLIENT_COLORS.items()]
    busy = 100 * sum(len(times) for times in found.recording.reads.values()) / found.cycles
    at, y = 0.015, 1 - 1.02 / height
    for title, entries in (("stalls, cycles:", stalls), (f"port reads, {busy:.0f} % busy:", reads)):
        words = figure.text(at, y, title, fontsize=10, color=MUTED, va="center")
        at = words.get_window_extent().x1 / figure.bbox.width
        handles = [Patch(color=color, label=label) for color, label in entries]
        legend = figure.legend(handles=handles, loc="center left", bbox_to_anchor=(at, y), ncols=len(handles),
                               frameon=False, fontsize=10, labelcolor=INK, handlelength=1.0, handletextpad=0.5,
                               columnspacing=1.2)  # fmt: skip
        at = legend.get_window_extent(figure.canvas.get_renderer()).x1 / figure.bbox.width + 0.012


def _cycles(count: int, total: int) -> str:
    return f"{count:,} ({100 * count / total:.2f} %)" if count else "0"
