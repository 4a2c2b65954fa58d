"""The tile pusher: whole blocks of rows into the array, parameters and tiles."""

from __future__ import annotations

from array import array

from .plan import Plan

__all__ = ["Pusher"]

_ARRIVE = 4
"""Cycles from a block's last row, put into the row memory, to its first row's push."""


class Pusher:
    """begin(block) = max(end of the block before, its last row put + 4, the one of its kind before in use
        + 5 or 13)

    Compute fills ``entered_tile``, ``entered_instr``: the first pixel's cycle at the loops; ``vectors``: from when on
    the tiles of each product can be pushed, whose rows are not put.
    """

    def __init__(self, plan: Plan, images: int) -> None:
        self.rows, self.params = plan.config.rows, plan.config.param_rows
        operand = plan.config.operand_latency
        self.early = max(0, self.rows - operand - 1)
        self.after_tile, self.after_params = operand - 1, operand + 7
        """Cycles from the first pixel with a tile, with parameters, to the push of the next: ``hw.tile_pusher``."""
        self.products = [record.vector for record in plan.records["compute"]]
        self.tiles = [
            record.passes if record.vector else segment.rows // self.rows
            for record, segment in zip(plan.records["compute"], plan.segments, strict=True)
        ]
        self.total = len(self.tiles) * images
        self.put = array("q")
        self.pushed = array("q")
        self.tile_ready = array("q")
        self.param_ready = array("q")
        self.entered_tile = array("q")
        self.entered_instr = array("q")
        self.vectors: list[int] = []
        self.instr, self.tile_next, self.end = 0, -1, 0  # the next block: its instruction, -1 parameters
        self.used = 0  # vectors

    def of_vector(self) -> bool:
        """Is the next block a tile of a product?"""
        return self.tile_next >= 0 and self.products[self.instr % len(self.products)]

    def run(self) -> bool:
        """As far as can be known; whether anything was new."""
        moved = False
        while self.instr < self.total:
            product = self.of_vector()
            if self.tile_next < 0:
                rows, delay, count = self.params, self.after_params, len(self.param_ready)
                entered = self.entered_instr
            else:
                rows, delay, count = self.rows, self.after_tile, len(self.tile_ready)
                entered = self.entered_tile
            if len(entered) < count:
                break
            if product:
                if len(self.vectors) == self.used:
                    break
                begin = max(self.end, self.vectors[self.used])
            else:
                end = len(self.pushed) + rows
                if len(self.put) < end:
                    break
                begin = max(self.end, self.put[end - 1] + _ARRIVE)
            if count:
                begin = max(begin, entered[count - 1] + delay)
            if self.tile_next < 0:
                self.param_ready.append(begin + rows - 1)
            else:
                self.tile_ready.append(begin + self.early)
            self.end = begin + max(rows, 2)
            if not product:
                self.pushed.extend(range(begin, begin + rows))
            self.tile_next += 1
            if self.tile_next == self.tiles[self.instr % len(self.tiles)]:
                self.instr, self.tile_next = self.instr + 1, -1
                self.used += product
            moved = True
        return moved
