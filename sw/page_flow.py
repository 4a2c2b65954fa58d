"""One wide chart of a whole network: rows of panels over one axis, a column a layer.

``traces``: a point a layer, joined to the points of the layers it reads; ``columns``: a bar a layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .page import text
from .page_charts import Frame, label, number, ticks

__all__ = ["Column", "flow"]

_PITCH, _WIDEST = 17.0, 1010.0
_SQNR, _SMALL, _GAP, _NAMES = 190.0, 84.0, 14.0, 92.0
_HEIGHT = _SQNR + 2 * _SMALL + 2 * _GAP + _NAMES


@dataclass(frozen=True)
class Column:
    """One layer: its link, its name, and what the panels show of it."""

    anchor: str
    name: str
    sources: tuple[int, ...]
    """columns it reads; -1 is the network's input."""
    sqnr_db: float
    saturated: float
    acc_bits: int
    acc_width: int
    bad: bool
    """whether its SQNR falls by too much."""


def flow(columns: Sequence[Column], input_sqnr_db: float, limit: float) -> str:
    """SQNR after each layer, saturation in percent (dashed at ``limit``), accumulator bits; columns are links."""
    count = len(columns) + 1
    width = 60 + max(_PITCH, min(64.0, _WIDEST / count)) * count
    span = (-1.5, len(columns) - 0.5)
    upper = Frame(span, _range(columns), width, _SQNR, 10, 30)
    shapes = [*_names(columns, span, width), *_traces(columns, input_sqnr_db, upper)]
    saturated = [c.saturated for c in columns]
    cut = Frame(span, (0.0, max(2 * limit, *saturated)), width, _SMALL, 6)
    bad, words = [value > limit for value in saturated], [f"{value:.3f} %" for value in saturated]
    shapes += _shift(_SQNR + _GAP, _bars(columns, cut, "saturated codes, %", saturated, bad, words, limit))
    widest = max(c.acc_width for c in columns)
    acc = Frame(span, (0.0, float(widest)), width, _SMALL, 6)
    needed, bad = [float(c.acc_bits) for c in columns], [c.acc_bits >= c.acc_width for c in columns]
    words = [f"{c.acc_bits} of {c.acc_width} bits" for c in columns]
    down = _SQNR + _SMALL + 2 * _GAP
    shapes += _shift(down, _bars(columns, acc, "accumulator bits needed", needed, bad, words, float(widest)))
    title = "SQNR after each layer, saturated codes and accumulator bits of each layer"
    size = f"min-width: {0.85 * width:.0f}px; max-width: {1.1 * width:.0f}px"
    return (
        f'<svg viewBox="0 0 {width:g} {_HEIGHT:g}" role="img" aria-label="{title}" style="{size}">'
        + "".join([*shapes, "</svg>"])
    )


def _shift(down: float, shapes: Sequence[str]) -> list[str]:
    return [f'<g transform="translate(0 {down:g})">', *shapes, "</g>"]


def _range(columns: Sequence[Column]) -> tuple[float, float]:
    finite = [c.sqnr_db for c in columns if math.isfinite(c.sqnr_db)] or [0.0, 60.0]
    return 5.0 * math.floor(min(finite) / 5.0 - 0.2), 5.0 * math.ceil(max(finite) / 5.0 + 0.2)


def _grid(frame: Frame, title: str, marks: Sequence[float]) -> list[str]:
    rows = "".join(f"M{frame.left} {frame.y(v):.1f}H{frame.right:g}" for v in marks)
    return [
        f'<path class="line" d="{rows}"/>',
        f'<path class="base" d="M{frame.left} {frame.bottom:g}H{frame.right:g}"/>',
        *(label(frame.left - 5, frame.y(v) + 3.5, number(v), "end") for v in marks),
        label(frame.left - 22, frame.top - 7 - (frame.height > _SMALL) * 9, title, "start", "strong"),
    ]


def _traces(columns: Sequence[Column], first: float, frame: Frame) -> list[str]:
    low, high = _range(columns)

    def at(i: int) -> str:
        value = first if i < 0 else columns[i].sqnr_db
        return f"{frame.x(i):.1f} {frame.y(min(max(value, low), high)):.1f}"

    shapes = _grid(frame, "SQNR after each layer, dB", ticks(low, high, 5))
    edges = "".join(f"M{at(source)}L{at(i)}" for i, c in enumerate(columns) for source in c.sources)
    shapes.append(f'<path class="flow" d="{edges}"/>')
    for i in range(-1, len(columns)):
        x, y = at(i).split()
        value = first if i < 0 else columns[i].sqnr_db
        name, anchor = ("input", "input") if i < 0 else (columns[i].name, columns[i].anchor)
        kind = "dot bad" if i >= 0 and columns[i].bad else "dot"
        words = f"{name}: " + (f"{value:.1f} dB" if math.isfinite(value) else "exact")
        shapes.append(
            f'<a href="#{text(anchor)}"><circle class="{kind}" cx="{x}" cy="{y}" r="3.5">'
            f"<title>{text(words)}</title></circle></a>"
        )
    return shapes


def _bars(
    columns: Sequence[Column],
    frame: Frame,
    title: str,
    values: Sequence[float],
    bad: Sequence[bool],
    words: Sequence[str],
    limit: float,
) -> list[str]:
    top = max(*values, limit)
    shapes = _grid(frame, title, [0.0, limit if limit > 0.3 * top else float(f"{top:.2g}")])
    shapes.append(f'<path class="free" d="M{frame.left} {frame.y(limit):.1f}H{frame.right:g}"/>')
    wide = frame.x(0.64) - frame.x(0)
    for i, (column, value) in enumerate(zip(columns, values, strict=True)):
        kind, y = "over" if bad[i] else "bar", frame.y(value)
        shapes.append(
            f'<a href="#{text(column.anchor)}"><rect class="{kind}" x="{frame.x(i - 0.32):.1f}" y="{y:.1f}" '
            f'width="{wide:.1f}" height="{frame.bottom - y:.1f}">'
            f"<title>{text(column.name)}: {text(words[i])}</title></rect></a>"
        )
    return shapes


def _names(columns: Sequence[Column], span: tuple[float, float], width: float) -> list[str]:
    frame = Frame(span, (0.0, 1.0), width)
    place = f"{_HEIGHT - _NAMES + 8:g}"
    return [
        f'<text transform="translate({frame.x(i) + 3:.1f} {place}) rotate(-55)" text-anchor="end">'
        f"{text(_cut(name))}</text>"
        for i, name in enumerate(["input", *(c.name for c in columns)], start=-1)
    ]


def _cut(name: str) -> str:
    return name if len(name) <= 18 else "…" + name[-17:]
