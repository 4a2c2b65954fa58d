"""Lanes of a timeline in one pair of axes: cycles to the right, one unit below the other.

The window is cut in bins, of one cycle or more. In the port's lanes a bar is as high as the share of its cycles in
which a word came or left. The compute lane is full: the array at work in the layer's colour, above it its stalls.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from .recording import CLIENTS, STATES, Cycles
from .timeline import Span, Timeline
from .timeline_bins import bin_edges, busy_shares, order, share, stall_shares, word_shares

__all__ = ["CLIENT_COLORS", "COLORS", "INK", "MUTED", "STALL_COLORS", "Lane", "draw_lanes", "short"]

INK, MUTED, _GRID, _BAND = "#1f2933", "#6b7785", "#dde3ea", "#f3f5f8"

COLORS = ("#2b6a99", "#63aacb", "#2c8068", "#79c0a4", "#54668c", "#93a9cf")
"""Of layers, in turn."""

STALL_COLORS: Mapping[str, str] = {
    "wait": "#d64541",
    "weight": "#f39c34",
    "bank": "#8e44ad",
    "short": "#f2d04a",
}

CLIENT_COLORS = {"program": "#8a96a3", "load": "#2c8068", "weight": "#63aacb"}

_OPERATOR = re.compile(r"(?<=.)[/_](Conv|Gemm|MatMul|GlobalAveragePool|AveragePool|MaxPool|Add)$")

_BINS = 1100

_BORDERS = 60

_SIZE = 10.0
"""Points of a label."""


@dataclass(frozen=True)
class Lane:
    """Its name, where it lies (0 is the top edge of the axes, downwards), how high it is."""

    name: str
    top: float
    height: float

    @property
    def base(self) -> float:
        """Its lower edge."""
        return self.top + self.height


def _lanes() -> dict[str, Lane]:
    top, found = 0.0, {}
    for key, name, height in (
        ("fetch", "instruction fetch", 0.42), ("weight", "weight fetch", 0.62), ("load", "load", 0.62),
        ("compute", "compute", 2.4), ("store", "store", 0.62), ("reads", "port, reads", 0.62),
        ("writes", "port, writes", 0.42),
    ):  # fmt: skip
        found[key] = Lane(name, top, height)
        top += height + 0.2
    return found


LANES = _lanes()

_END = LANES["writes"].base + 0.1

_HEAD = 0.3
"""Above the lanes, for the numbers of images."""


def short(name: str) -> str:
    """A layer's name without what ONNX exporters add to it; parts of a fused one are joined by +."""
    return "+".join(_OPERATOR.sub("", part).strip("/") for part in name.split("+"))


def draw_lanes(
    axes: Any, found: Timeline, first: int, last: int, *, labels: int = 10, names: bool = True
) -> None:
    """Cycles ``first`` to ``last``, both in the window. ``labels``: at most so many layers have their names."""
    edges = bin_edges(found, first, last, _BINS)
    _ground(axes, found, first, last, names)
    for unit in ("fetch", "weight", "load", "store"):
        _moves(axes, found, unit, edges)
    _compute(axes, found, edges)
    _borders(axes, found, first, last)
    _port(axes, found, edges)
    _labels(axes, found, first, last, labels)
    _causes(axes, found, first, last)


# Ground ----------------------------------------------------------------------------------------------


def _ground(axes: Any, found: Timeline, first: int, last: int, names: bool) -> None:
    axes.set_xlim(first, last + 1)
    axes.set_ylim(_END, -_HEAD if found.images > 1 else -0.05)
    for image, (begin, end) in enumerate(_images(found)):
        begin, end = max(begin, first), min(end, last + 1)
        if begin >= end or found.images == 1:
            continue
        if image % 2:
            axes.axvspan(begin, end, color=_BAND, linewidth=0, zorder=0)
        if end - begin > 0.06 * (last - first):
            axes.text(
                (begin + end) / 2,
                -_HEAD / 2,
                f"image {image}",
                ha="center",
                va="center",
                fontsize=9.5,
                color=MUTED,
            )
    lanes = list(LANES.values())
    for lane in lanes:
        axes.axhline(lane.base, color=_GRID, linewidth=0.8, zorder=1)
    ticks = [lane.top + lane.height / 2 for lane in lanes]
    axes.set_yticks(ticks, [lane.name if names else "" for lane in lanes])
    axes.tick_params(length=0, colors=MUTED, labelsize=9.5)
    axes.tick_params(axis="y", labelsize=10.5, labelcolor=INK)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_GRID)
    edge = 18 * (last - first) / _room(axes)[0]  # nearer to the ends a number would leave the axes
    low, high = first + edge * (first > 0), last - edge
    axes.set_xticks([tick for tick in axes.get_xticks() if low <= tick <= high and tick == int(tick)])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _images(found: Timeline) -> Iterator[tuple[int, int]]:
    """The cycles of each image: from the last pixel of the one before to its own."""
    ends: dict[int, int] = {}
    for layer in found.layers:
        ends[layer.image] = max(ends.get(layer.image, 0), layer.end + 1)
    begin = 0
    for image in sorted(ends):
        end = found.cycles if image == found.images - 1 else ends[image]
        yield begin, end
        begin = end


# Bars ------------------------------------------------------------------------------------------------


def _bars(axes: Any, lane: Lane, edges: Cycles, low: Any, high: Any, color: str, zorder: float = 3) -> None:
    """From share ``low`` to ``high`` of the lane's height in each bin."""
    used = np.flatnonzero(high > low)
    if not len(used):
        return
    part = slice(int(used[0]), int(used[-1]) + 1)
    x = edges[part.start : part.stop + 1]
    below, above = lane.base - lane.height * low[part], lane.base - lane.height * high[part]
    axes.fill_between(x, np.append(below, below[-1]), np.append(above, above[-1]), step="post", color=color,
                      linewidth=0, zorder=zorder)  # fmt: skip


def _color(layer: int, turns: Mapping[int, int]) -> str:
    return MUTED if layer < 0 else COLORS[turns[layer] % len(COLORS)]


def _moves(axes: Any, found: Timeline, unit: str, edges: Cycles) -> None:
    """Words in the colour of the layer that they are for; behind them, lighter, instructions under way."""
    lane, turns = LANES[unit], order(found)
    if unit in ("load", "store"):
        for layer, group in groupby(found.of(unit), key=lambda span: span.layer):
            spans = list(group)
            if spans[-1].done >= edges[0] and spans[0].taken < edges[-1]:
                _under_way(axes, lane, spans, edges, _color(layer, turns))
    low = np.zeros(len(edges) - 1)
    for layer, part in word_shares(found, unit, edges):
        _bars(axes, lane, edges, low, low + part, _color(layer, turns))
        low = low + part


def _under_way(axes: Any, lane: Lane, spans: Sequence[Span], edges: Cycles, color: str) -> None:
    pieces: list[list[int]] = []
    least = (edges[-1] - edges[0]) / _BINS * 1.5  # what can be seen
    for span in spans:
        if pieces and span.taken <= pieces[-1][1]:
            pieces[-1][1] = max(pieces[-1][1], span.done + 1)
        elif edges[0] <= span.done and span.taken < edges[-1]:
            pieces.append([span.taken, span.done + 1])
    bars = [(min(a, edges[-1] - least), max(b - a, least)) for a, b in pieces]
    axes.broken_barh(bars, (lane.top, lane.height), facecolor=color, alpha=0.3, linewidth=0, zorder=2)


def _compute(axes: Any, found: Timeline, edges: Cycles) -> None:
    lane, turns = LANES["compute"], order(found)
    low = np.zeros(len(edges) - 1)
    colored = [(_color(layer, turns), part) for layer, part in busy_shares(found, edges)]
    colored += [(STALL_COLORS[name], part) for name, part in stall_shares(found, edges)]
    for color, part in colored:
        _bars(axes, lane, edges, low, low + part, color)
        low = low + part


def _borders(axes: Any, found: Timeline, first: int, last: int) -> None:
    """Lines between instructions, where they are not dense."""
    for unit, lane in ((unit, LANES[unit]) for unit in ("weight", "load", "compute", "store")):
        starts = [span.started for span in found.of(unit) if first < span.started <= last]
        if len(starts) <= _BORDERS:
            axes.vlines(starts, lane.top, lane.base, color="white", linewidth=0.9, zorder=4)


def _port(axes: Any, found: Timeline, edges: Cycles) -> None:
    low = np.zeros(len(edges) - 1)
    for client in CLIENTS:
        part = share(found.recording.reads[client], edges)
        _bars(axes, LANES["reads"], edges, low, low + part, CLIENT_COLORS[client])
        low = low + part
    writes = share(found.recording.writes, edges)
    _bars(axes, LANES["writes"], edges, np.zeros(len(writes)), writes, COLORS[4])


# Labels ----------------------------------------------------------------------------------------------


def _room(axes: Any) -> tuple[float, float]:
    """Points of the axes' width, and of the compute lane's height."""
    box, points = axes.get_window_extent(), 72 / axes.figure.dpi
    low, high = axes.get_ylim()
    return box.width * points, box.height * points * LANES["compute"].height / (low - high)


def _labels(axes: Any, found: Timeline, first: int, last: int, labels: int) -> None:
    """Name and utilization of the widest layers, upright where only that fits."""
    lane, turns = LANES["compute"], order(found)
    width, height = _room(axes)
    wide: dict[int, int] = {}
    for layer in found.layers:
        seen = min(layer.end, last) - max(layer.started, first)
        wide[layer.index] = max(wide.get(layer.index, 0), seen)
    widest = sorted(wide, key=lambda index: -wide[index])[:labels]
    for layer in found.layers:
        begin, end = max(layer.started, first), min(layer.end + 1, last + 1)
        if layer.index not in widest or begin >= end:
            continue
        room = (end - begin) / (last + 1 - first) * width
        lines = [short(layer.name), *([f"{100 * layer.utilization:.1f} %"] if layer.macs else [])]
        flat = _points(max(lines, key=len)) < room - 6
        if not flat:
            lines = [line for line in lines if _points(line) < height - 6]
            lines = lines[-1:] if room < 2.8 * _SIZE else lines
        if room < 1.6 * _SIZE or not lines:
            continue
        axes.text((begin + end) / 2, lane.top + lane.height * 0.55, "\n".join(lines), ha="center", va="center",
                  fontsize=_SIZE, color="white", rotation=0 if flat else 90, linespacing=1.25, zorder=6,
                  bbox={"facecolor": _color(layer.index, turns), "edgecolor": "none", "pad": 1.2})  # fmt: skip


def _points(text: str) -> float:
    return 0.57 * _SIZE * len(text)


def _causes(axes: Any, found: Timeline, first: int, last: int) -> None:
    """What the array waits for, where there is room to say it."""
    lane, recording, computes = LANES["compute"], found.recording, found.of("compute")
    ends = [span.ended for span in computes]
    until = np.append(recording.since[1:], recording.cycles)
    width, _ = _room(axes)
    for k in np.flatnonzero(recording.states == STATES.index("wait")).tolist():
        begin, end = max(int(recording.since[k]), first), min(int(until[k]), last + 1)
        n = bisect_left(ends, begin)
        text = f"waits for\n{computes[n].waited_for}" if n < len(ends) else "drain"
        if _points(text.split("\n")[0]) + 8 < (end - begin) / (last + 1 - first) * width:
            axes.text((begin + end) / 2, lane.top + lane.height * 0.55, text, ha="center", va="center",
                      fontsize=_SIZE, color="white", linespacing=1.25, zorder=7)  # fmt: skip
