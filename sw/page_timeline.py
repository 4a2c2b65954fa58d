"""A run as inline SVG: weight fetch, load, compute, store and the port's reads over cycles, a lane each.

The same lanes as ``picture_timeline`` in the page's own colours; what stands behind a bar is said by its tooltip.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .page import text
from .page_charts import label, ticks
from .picture_lanes import short
from .recording import CLIENTS, Cycles
from .timeline import STALLS, Timeline
from .timeline_bins import bin_edges, busy_shares, order, share, stall_shares, word_shares

__all__ = ["LAYER_COLORS", "STALL_WORDS", "legend", "timeline_chart"]

_LANES = (("weight", "weights", 26.0), ("load", "load", 26.0), ("compute", "compute", 96.0), ("store", "store", 26.0),
          ("reads", "port reads", 26.0))  # fmt: skip
_GAP, _LEFT, _FOOT, _HEAD = 8.0, 74.0, 32.0, 16.0
_BINS = 480
LAYER_COLORS = 4
"""Classes t0, t1, ... of the style sheet, for layers in turn."""

STALL_WORDS = {
    "wait": "waits for load, compute or store",
    "weight": "waits for weights",
    "bank": "two accesses of one bank",
    "short": "a pass too short for the next",
}


def legend(items: Sequence[tuple[str, str]]) -> str:
    """Classes of the style sheet, and what they stand for."""
    parts = (f'<span><i class="{text(kind)}"></i>{text(words)}</span>' for kind, words in items)
    return f'<p class="legend">{"".join(parts)}</p>'


def timeline_chart(found: Timeline, first: int, last: int, width: float = 1010.0) -> str:
    """Cycles ``first`` to ``last``; a drawing ``width`` wide that does not get smaller than 0.7 of it."""
    edges = bin_edges(found, first, last, min(_BINS, int(width / 2)))
    scale = (width - _LEFT - 6) / (last + 1 - first)
    x = _LEFT + (edges - first) * scale
    turns, top, shapes = order(found), _HEAD, []
    for unit, name, height in _LANES:
        base = top + height
        shapes.append(f'<path class="line" d="M{_LEFT} {base:g}H{width - 6:g}"/>')
        shapes.append(label(_LEFT - 8, top + height / 2 + 3.5, name, "end"))
        low = np.zeros(len(edges) - 1)
        for kind, part in _parts(found, unit, edges, turns):
            shapes.append(_bars(kind, x, base, height, low, low + part))
            low = low + part
        if unit == "compute":
            shapes += _layers(found, first, last, scale, top, height)
        top = base + _GAP
    shapes += _axis(first, last, scale, top - _GAP)
    height = top - _GAP + _FOOT
    title = f"Cycles {first:,} to {last:,} of {found.program.name}, one lane a unit"
    style = f"min-width: {0.7 * width:.0f}px"
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{text(title)}" style="{style}">'
        + "".join([*shapes, "</svg>"])
    )


def _parts(found: Timeline, unit: str, edges: Cycles, turns: dict[int, int]) -> list[tuple[str, Any]]:
    """Class and share of each bin."""
    if unit == "reads":
        return [(f"c-{client}", share(found.recording.reads[client], edges)) for client in CLIENTS]
    shares = busy_shares(found, edges) if unit == "compute" else word_shares(found, unit, edges)
    parts = [("t-none" if layer < 0 else f"t{turns[layer] % LAYER_COLORS}", part) for layer, part in shares]
    return parts + (
        [(f"s-{name}", part) for name, part in stall_shares(found, edges)] if unit == "compute" else []
    )


def _bars(kind: str, x: Any, base: float, height: float, low: Any, high: Any) -> str:
    """A bar for each bin from share ``low`` to ``high`` of the lane; bars of one height are one."""
    at = np.flatnonzero(high > low)
    if not len(at):
        return ""
    path, start = [], int(at[0])
    for here, after in zip(at.tolist(), [*at[1:].tolist(), -1], strict=True):
        if after == here + 1 and low[after] == low[here] and high[after] == high[here]:
            continue
        a, b = x[start], x[here + 1]
        path.append(
            f"M{a:.1f} {base - height * low[here]:.1f}V{base - height * high[here]:.1f}H{b:.1f}"
            f"V{base - height * low[here]:.1f}"
        )
        start = after
    return f'<path class="{kind}" d="{"".join(path)}"/>'


def _layers(found: Timeline, first: int, last: int, scale: float, top: float, height: float) -> list[str]:
    """A tooltip for each layer in each image, and its name where there is room."""
    shapes = []
    for layer in found.layers:
        begin, end = max(layer.start, first), min(layer.end + 1, last + 1)
        if begin >= end:
            continue
        x, wide = _LEFT + (begin - first) * scale, (end - begin) * scale
        stalls = ", ".join(f"{getattr(layer, name):,} {name}" for name in STALLS if getattr(layer, name))
        words = (
            f"{layer.name}{f', image {layer.image}' if found.images > 1 else ''}: {layer.cycles:,} cycles, "
            f"{100 * layer.utilization:.1f} % of the array" + (f"; stalls: {stalls}" if stalls else "")
        )
        name = short(layer.name)
        shapes.append(
            f'<rect class="hit" x="{x:.1f}" y="{top:g}" width="{max(wide, 0.5):.1f}" height="{height:g}">'
            f"<title>{text(words)}</title></rect>"
        )
        if 6.2 * len(name) < wide - 6:
            shapes.append(label(x + wide / 2, top + height / 2 + 4, name, "middle", "onbar"))
        elif wide > 14:
            kept = name if 6.6 * len(name) < height - 6 else "…" + name[-int((height - 6) / 6.6) + 1 :]
            place = f"translate({x + wide / 2 + 3.6:.1f} {top + height - 5:g}) rotate(-90)"
            shapes.append(f'<text class="onbar" transform="{place}">{text(kept)}</text>')
    return shapes


def _axis(first: int, last: int, scale: float, bottom: float) -> list[str]:
    marks = [mark for mark in ticks(first, last, 7) if mark == int(mark)]
    path = "".join(f"M{_LEFT + (mark - first) * scale:.1f} {bottom:g}v4" for mark in marks)
    names = (label(_LEFT + (mark - first) * scale, bottom + 15, f"{mark:,.0f}") for mark in marks)
    middle = _LEFT + (last + 1 - first) * scale / 2
    return [f'<path class="base" d="{path}"/>', *names, label(middle, bottom + 29, "cycles after the start")]
