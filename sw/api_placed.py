"""What place and route found, as pictures: cells, the path that limits, the boards of docs/boards.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .api_pictures import Picture, drawn
from .api_synth import Synth
from .picture_placed import BoardClock, Cells, Piece, draw_boards, draw_cells, draw_path
from .synthesis_boards import BOARDS
from .synthesis_report import Segment

__all__ = ["BOARDS_FILE", "boards_picture", "cells_picture", "path_picture"]

BOARDS_FILE = Path(__file__).resolve().parents[1] / "docs" / "boards.json"
"""The figures of the boards' bitstreams, in a checkout."""

_CELLS = (
    ("look-up tables", ("TRELLIS_COMB", "ICESTORM_LC", "LUT4", "OXIDE_COMB", "CPE_LT")),
    ("registers", ("TRELLIS_FF", "DFF", "OXIDE_FF", "CPE_FF")),
    ("DSPs", ("MULT18X18D", "ICESTORM_DSP", "MULT9X9", "MULT18X18", "MULT18_CORE")),
    ("block RAMs", ("DP16KD", "ICESTORM_RAM", "BSRAM", "OXIDE_EBR", "RAM_HALF", "RAM")),
)
"""Kinds of cells, as each family's nextpnr calls them."""


def cells_picture(found: Synth) -> Picture:
    """How much of the device the engine takes, beside what its description needs (``hw.inventory``; ECP5's alone)."""
    from ..hw.engine import Engine
    from ..hw.inventory import inventory

    needed: dict[str, int] = {}
    if "MULT18X18D" in found.result.resources or "DP16KD" in found.result.resources:
        counted = inventory(Engine(found.config))
        needed = {"DSPs": counted.multipliers.total(), "block RAMs": counted.ecp5_blocks}
    rows = []
    for name, kinds in _CELLS:
        for used, there in (found.result.resources[kind] for kind in kinds if kind in found.result.resources):
            rows.append(Cells(name=name, used=used, there=there, needed=needed.get(name)))
    title = f"{found.config.rows}x{found.config.cols} on {found.result.device}"
    return drawn(lambda path: draw_cells(path, title, rows))


def path_picture(found: Synth) -> Picture:
    """The path that limits the clock of the slowest seed: cells and wires, one below the other.

    Raises ValueError where nextpnr reports none.
    """
    route = found.result.slowest
    if route.path is None or not route.path.segments:
        raise ValueError(
            f"nextpnr reports no path between registers on {found.result.device}: there is none to draw"
        )
    limit, pieces = route.path, _merged(route.path.segments)
    title = f"{route.mhz:.0f} MHz: {limit.total:.1f} ns, {limit.routing:.1f} of them wires"
    return drawn(lambda path: draw_path(path, title, pieces))


def _merged(segments: Sequence[Segment]) -> list[Piece]:
    """Without wires that take no time, and the cells of a carry chain as one."""
    pieces: list[Piece] = []
    for segment in segments:
        if segment.ns == 0.0:
            continue
        last = pieces[-1] if pieces else None
        if last is not None and (last.kind, last.name) == (segment.kind, segment.name):
            pieces[-1] = Piece(last.kind, last.ns + segment.ns, last.name)
        else:
            pieces.append(Piece(segment.kind, segment.ns, segment.name))
    return pieces


def boards_picture(numbers: str | Path = BOARDS_FILE) -> Picture:
    """Clock reached and clock used of each board's bitstream, from the committed figures (``make boards``).

    Raises ValueError where the file does not exist, or is of another version.
    """
    from .benchmark.bitstreams import (
        bitstreams_from_json,
    )  # simulation and all: only when there is something to do

    file = Path(numbers)
    if not file.is_file():
        raise ValueError(
            f"figures {str(numbers)!r} do not exist: run in a checkout, or name its docs/boards.json"
        )
    made = sorted(bitstreams_from_json(file.read_text()), key=lambda one: list(BOARDS).index(one.board))
    rows = [
        BoardClock(name=f"{one.board}, {one.engine.split(',')[0]}", clock=one.clock, reached=one.reached)
        for one in made
    ]
    return drawn(lambda path: draw_boards(path, f"{len(rows)} boards: clocks of their bitstreams", rows))
