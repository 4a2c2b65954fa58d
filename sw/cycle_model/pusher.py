"""The tile pusher: whole blocks of rows into the array, parameters and tiles."""

from __future__ import annotations

from array import array

from .plan import Plan

__all__ = ["Pusher"]

_ARRIVE = 4
"""Cycles from a block's last row, put into the row memory, to its first row's push."""

_TILE, _PARAMS = 4, 12
"""Cycles from the first pixel with a tile, with parameters, to the push of the next: ``hw.tile_pusher``."""


class Pusher:
    """begin(block) = max(end of the block before, its last row put + 4, the one of its kind before in use + 4 or 12)

    Compute fills ``entered_tile``, ``entered_instr``: the first pixel's cycle at the loops.
    """

    def __init__(self, plan: Plan, images: int) -> None:
        self.rows, self.params = plan.config.rows, plan.config.param_rows
        self.early = max(0, self.rows - 6)
        self.tiles = [segment.rows // self.rows for segment in plan.segments]
        self.total = len(self.tiles) * images
        self.put = array("q")
        self.pushed = array("q")
        self.tile_ready = array("q")
        self.param_ready = array("q")
        self.entered_tile = array("q")
        self.entered_instr = array("q")
        self.instr, self.tile_next, self.end = 0, -1, 0  # the next block: its instruction, -1 parameters

    def run(self) -> bool:
        """As far as can be known; whether anything was new."""
        moved = False
        while self.instr < self.total:
            if self.tile_next < 0:
                rows, delay, entered, count = self.params, _PARAMS, self.entered_instr, len(self.param_ready)
            else:
                rows, delay, entered, count = self.rows, _TILE, self.entered_tile, len(self.tile_ready)
            end = len(self.pushed) + rows
            if len(self.put) < end or len(entered) < count:
                break
            begin = max(self.end, self.put[end - 1] + _ARRIVE)
            if count:
                begin = max(begin, entered[count - 1] + delay)
            if self.tile_next < 0:
                self.param_ready.append(begin + rows - 1)
            else:
                self.tile_ready.append(begin + self.early)
            self.end = begin + rows
            self.pushed.extend(range(begin, begin + rows))
            self.tile_next += 1
            if self.tile_next == self.tiles[self.instr % len(self.tiles)]:
                self.instr, self.tile_next = self.instr + 1, -1
            moved = True
        return moved
