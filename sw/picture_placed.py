"""Pictures of an engine on an FPGA: the path that limits, cells, boards. Readable at half a page's width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .picture_sheet import GRID, INK, MUTED, save, sheet

__all__ = ["BoardClock", "Cells", "Piece", "draw_boards", "draw_cells", "draw_path"]

_KINDS = {"clk-to-q": ("register", "#8a94a0"), "logic": ("logic", "#23629e"), "routing": ("wire", "#c2410c"),
          "setup": ("register", "#8a94a0")}  # fmt: skip
_FILL, _EDGE = "#8db4d8", "#23629e"
_LONG = 44
"""Letters of a name that have room."""


@dataclass(frozen=True)
class Piece:
    """Of a path. ``kind``: "clk-to-q", "logic", "routing" or "setup", as nextpnr has them."""

    kind: str
    ns: float
    name: str


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Of one kind. ``needed``: what the description asks for, where it says."""

    name: str
    used: int
    there: int
    needed: int | None


@dataclass(frozen=True, kw_only=True)
class BoardClock:
    """A bitstream that was made: MHz it runs at, MHz that place and route reached."""

    name: str
    clock: float
    reached: float


def _short(name: str) -> str:
    """The end of a name, which says more than its beginning; dollars are no formulas."""
    end = name if len(name) <= _LONG else f"...{name[3 - _LONG :]}"
    return end.replace("$", r"\$")


def draw_path(path: str | Path, title: str, pieces: Sequence[Piece]) -> None:
    """Write a PNG: each cell and wire of a path, one below the other, at its time."""
    figure, axes = sheet(title, height=1.5 + 0.27 * len(pieces))
    start, seen = 0.0, set()
    for number, piece in enumerate(pieces):
        word, color = _KINDS.get(piece.kind, _KINDS["logic"])
        axes.barh(number, piece.ns, 0.78, left=start, color=color, label=None if word in seen else word)
        axes.annotate(f"{piece.ns:.2f}", (start + piece.ns, number), xytext=(3, 0), textcoords="offset points",
                      va="center", fontsize=9.5, color=INK)  # fmt: skip
        seen.add(word)
        start += piece.ns
    axes.set_yticks(range(len(pieces)), [_short(piece.name) for piece in pieces])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.07 * start)
    axes.set_xlabel("ns from the clock's edge")
    axes.grid(axis="x", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=11, loc="upper right")
    save(figure, path)


def draw_cells(path: str | Path, title: str, rows: Sequence[Cells]) -> None:
    """Write a PNG: per cent of the device that each kind of cell takes; a mark at what the description needs."""
    figure, axes = sheet(title, height=1.6 + 0.5 * len(rows))
    for number, row in enumerate(rows):
        axes.barh(number, 100 * row.used / row.there, 0.62, color=_FILL)
        words = f"{row.used:,} of {row.there:,}"
        if row.needed is not None:
            axes.plot(
                [100 * row.needed / row.there] * 2, [number - 0.42, number + 0.42], color=_EDGE, linewidth=2.5
            )
            words += f"; needed: {row.needed:,}"
        right = max(row.used, row.needed or 0)
        axes.annotate(words, (100 * right / row.there, number), xytext=(6, 0), textcoords="offset points",
                      va="center", fontsize=11, color=INK)  # fmt: skip
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of the device (line: what the description needs)")
    axes.grid(axis="x", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    save(figure, path)


def draw_boards(path: str | Path, title: str, rows: Sequence[BoardClock]) -> None:
    """Write a PNG: a bar a board, the clock reached, and a mark at the one it runs at."""
    figure, axes = sheet(title, height=1.6 + 0.48 * len(rows))
    for number, row in enumerate(rows):
        axes.barh(number, row.reached, 0.62, color=_FILL)
        axes.plot([row.clock] * 2, [number - 0.42, number + 0.42], color=_EDGE, linewidth=2.5)
        axes.annotate(f"{row.reached:.0f}, runs at {row.clock:g}", (max(row.reached, row.clock), number), xytext=(6, 0),
                      textcoords="offset points", va="center", fontsize=11, color=INK)  # fmt: skip
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.invert_yaxis()
    axes.margins(y=0.03)
    axes.set_xlim(0, 1.34 * max(max(row.reached, row.clock) for row in rows))
    axes.set_xlabel("MHz reached by place and route (line: clock of the bitstream)")
    axes.xaxis.label.set_color(MUTED)
    axes.grid(axis="x", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    save(figure, path)
