"""A network as a drawn graph: a row a layer, top to bottom, skips in lanes beside it.

The way from a layer to the next row is a straight line; a tensor that is read further below runs in a lane of its own
until its last reader. Long networks stand in several columns: a lane that leaves one at the bottom enters the next at
the top, so on narrow screens, where columns stand below each other, the drawing goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from .page import text
from .page_charts import label

__all__ = ["Node", "graph"]

_ROW, _LANE, _WIDTH, _EDGE = 34.0, 11.0, 330.0, 12.0
_LEAST, _COLUMNS = 5, 3
_LETTER = 6.0


@dataclass(frozen=True)
class Node:
    """One layer: its link, its name, a remark below it, what it reads, and its share of all cycles."""

    anchor: str
    name: str
    remark: str
    sources: tuple[int, ...]
    """nodes before it."""
    share: float | None = None
    """0..1; None: without a bar."""


def graph(nodes: Sequence[Node]) -> str:
    """Columns of rows; ``nodes`` in the order of computing, the network's input first."""
    lanes = _lanes(nodes)
    gutter = 2 * _EDGE + _LANE * (1 + max(lanes.values(), default=-1))
    per = max(_LEAST, ceil(len(nodes) / _COLUMNS))
    columns = [range(at, min(at + per, len(nodes))) for at in range(0, len(nodes), per)]
    drawn = (_column(nodes, lanes, column, gutter) for column in columns)
    return '<div class="graph">\n' + "\n".join(drawn) + "\n</div>"


def _lanes(nodes: Sequence[Node]) -> dict[int, int]:
    """For each node that is read further below than in the next row: its lane, 0 the nearest."""
    last = {source: i for i, node in enumerate(nodes) for source in node.sources if i > source + 1}
    lanes: dict[int, int] = {}
    free: list[int] = []  # row in which each lane ends
    for source in sorted(last):
        lane = next((k for k, end in enumerate(free) if end <= source), len(free))
        free[lane:] = [last[source], *free[lane + 1 :]]
        lanes[source] = lane
    return lanes


def _column(nodes: Sequence[Node], lanes: dict[int, int], rows: range, gutter: float) -> str:
    wires: list[str] = []
    shapes: list[str] = []
    ends = {s: max(i for i, node in enumerate(nodes) if s in node.sources) for s in lanes}
    most = max((node.share or 0.0 for node in nodes), default=0.0)
    for n, i in enumerate(rows):
        top, middle, bottom = n * _ROW, (n + 0.5) * _ROW, (n + 1) * _ROW
        if i and i - 1 in nodes[i].sources:
            wires.append(f"M{_EDGE} {top:g}V{middle:g}")
        if i + 1 < len(nodes) and i in nodes[i + 1].sources:
            wires.append(f"M{_EDGE} {middle:g}V{bottom:g}")
        for source, lane in lanes.items():
            x = _EDGE + (lane + 1) * _LANE
            if source < i < ends[source]:
                wires.append(f"M{x:g} {top:g}V{bottom:g}")
            if source == i:
                wires.append(f"M{_EDGE} {middle:g}Q{x:g} {middle:g} {x:g} {bottom:g}")
            if source in nodes[i].sources and source != i - 1:
                wires.append(f"M{x:g} {top:g}Q{x:g} {middle:g} {_EDGE} {middle:g}")
        shapes += _row(nodes[i], middle, gutter, most)
    title = f"The network's graph, {nodes[rows[0]].name} to {nodes[rows[-1]].name}"
    size = f"0 0 {_WIDTH:g} {len(rows) * _ROW:g}"
    return (
        f'<svg viewBox="{size}" role="img" aria-label="{text(title)}">'
        f'<path class="wire" d="{"".join(wires)}"/>{"".join(shapes)}</svg>'
    )


def _row(node: Node, y: float, gutter: float, most: float) -> list[str]:
    bar = 0.0 if node.share is None else 62.0
    room = int((_WIDTH - gutter - bar - 6) / _LETTER)
    words = f"{node.name}: {node.remark}" + (
        "" if node.share is None else f"; {100 * node.share:.1f} % of the cycles"
    )
    shapes = [
        f'<a href="#{text(node.anchor)}"><circle class="dot" cx="{_EDGE}" cy="{y:g}" r="4.5"/>'
        f"<title>{text(words)}</title>",
        label(gutter, y - 2, _cut(node.name, room), "start", "strong"),
        label(
            gutter,
            y + 10,
            node.remark if len(node.remark) <= room else node.remark[: room - 1] + "…",
            "start",
        ),
    ]
    if node.share is not None:
        wide = 0.0 if most == 0 else 30.0 * node.share / most
        shapes += [
            f'<rect class="bar" x="{_WIDTH - 62:g}" y="{y - 6:g}" width="{wide:.1f}" height="9"/>',
            label(_WIDTH, y + 2, f"{100 * node.share:.1f}", "end"),
        ]
    return [*shapes, "</a>"]


def _cut(name: str, room: int) -> str:
    return name if len(name) <= room else "…" + name[len(name) - room + 1 :]
