"""What a board has room for: cells of its FPGA beside what memory and link take, block RAM for program and weights.

used = engine + link + memory of as many words as the program needs        used <= share * there are
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...hw.config import EngineConfig
from ..resources.cells import KINDS, Cells
from ..resources.model import predict, predict_beside
from ..resources.parts import SHARE, part_named
from ..synthesis_boards import BoardData, board_named

__all__ = ["WORDS", "Limits", "board_limits"]

WORDS = {"lut": "look-up tables", "ff": "registers", "dsp": "DSPs", "bram": "block RAMs",
         "frames": "frames a second"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Limits:
    """``there``: cells of the device; ``room``: those that a design may take."""

    board: BoardData
    there: Cells
    room: Cells

    def cells(self, config: EngineConfig, memory: int) -> Cells:
        """Of an engine with ``memory`` bytes beside it on the board."""
        words = max(2, -(-memory // config.port_bytes))
        return predict(config) + predict_beside(config, words)

    def lacks(self, cells: Cells) -> Mapping[str, float]:
        """Kinds of which there are too few: used / room - 1."""
        used, room = cells.to_json(), self.room.to_json()
        return {kind: used[kind] / room[kind] - 1 for kind in KINDS if used[kind] > room[kind]}

    def shares(self, cells: Cells) -> dict[str, float]:
        """Used / there are, by kind."""
        used, there = cells.to_json(), self.there.to_json()
        return {kind: used[kind] / there[kind] for kind in KINDS}


def board_limits(name: str) -> Limits:
    """Raises ValueError for an unknown board, and for one whose FPGA has no resource model."""
    board = board_named(name)
    try:
        there = part_named(board.device)
    except ValueError:
        raise ValueError(
            f"board must have an ECP5, of which there is a resource model, not {name!r}: sweep its arrays by "
            f"`systolith sweep` and build one by `systolith synth --board {name}`"
        ) from None
    room = Cells(**{kind: int(SHARE[kind] * count) for kind, count in there.to_json().items()})
    return Limits(board=board, there=there, room=room)
