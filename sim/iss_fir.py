"""Depthwise COMPUTEs of the instruction-set simulator: ``hw.isa.COMPUTE`` with ``fir``.

Slots are arrays of a whole pass here; rows above the first one come from the depthwise pass before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..hw.config import FIR_COLUMNS, EngineConfig
from ..quant.network import IntArray

__all__ = ["Fir", "FirError"]

Values = Mapping[str, int]


class FirError(ValueError):
    """What the engine cannot do, or would do with codes that are not the map's."""


@dataclass
class Fir:
    """``lanes(addresses, block_step, rot)`` reads the codes [n, cols] of words."""

    config: EngineConfig
    kept: IntArray | None = None
    """[rows, slots, cols]: the slots of the depthwise pass before."""

    def sums(
        self,
        v: Values,
        tiles: IntArray,
        starts: Iterable[tuple[int, int, int, int]],
        lanes: Callable[..., IntArray],
    ) -> IntArray:
        """[outputs, cols]: sums of products over all passes, whose y, x, word address and rotation are ``starts``."""
        self._check(v)
        size = v["wy_last"] + 1, v["wx_last"] + 1
        sums = np.zeros((*size, self.config.cols), np.int64)
        for tile, (y, x, addr, rot) in zip(tiles, starts, strict=True):
            slots = self._slots(v, y, x, addr, partial(lanes, block_step=v["in_block_step"], rot=rot))
            for r in range(FIR_COLUMNS * self.config.fir_lines):
                if tile[r].any():
                    sums += self._tap(v, slots, y, *divmod(r, FIR_COLUMNS)) * tile[r]
            self.kept = slots
        return sums.reshape(-1, self.config.cols)

    def _check(self, v: Values) -> None:
        rows, slots = v["oy_last"] + 1, v["ox_last"] + 1
        if not 2 <= slots <= self.config.fir_width:
            raise FirError(f"{slots} slots a row, 2..{self.config.fir_width} are possible")
        if v["kb_last"] or v["res"] or v["pool"]:
            raise FirError("fir with input blocks, a residual or a pool")
        last = v["y_step_wx"] + v["wy_last"] * v["y_step_wy"], v["x_step_wy"] + v["wx_last"] * v["x_step_wx"]
        if last[0] >= rows or last[1] >= slots or min(v["y_step_wy"], v["x_step_wx"]) < 1:
            raise FirError(f"the last output in slot {last}, there are {(rows, slots)}")
        if (v["ky_last"] or v["kx_last"]) and (v["wy_last"] + 1) * (v["wx_last"] + 1) > self.config.acc_depth:
            raise FirError(f"more outputs than {self.config.acc_depth} accumulators in several passes")

    def _slots(self, v: Values, y: int, x: int, addr: int, lanes: Callable[..., IntArray]) -> IntArray:
        """[rows, slots, cols] codes as they are read."""
        shape = v["oy_last"] + 1, v["ox_last"] + 1
        row, column = (index.ravel() for index in np.indices(shape))
        below = v["y_step_oy"], v["x_step_oy"] + v["ox_last"] * v["x_step_ox"]
        if v["y_step_ox"] or (v["oy_last"] and below != (1, 0)) or v["x_step_ox"] != 1:
            raise FirError("slots that are not neighbours")
        to_row = v["addr_step_oy"] + v["ox_last"] * v["addr_step_ox"]
        codes = lanes(addr + row * to_row + column * v["addr_step_ox"])
        inside = (y + row >= 0) & (y + row < v["in_height"] + v["ahead"])
        inside &= (x + column >= 0) & (x + column < v["in_width"])
        return np.where(inside[:, None], codes, 0).reshape(*shape, -1)

    def _tap(self, v: Values, slots: IntArray, y: int, line: int, column: int) -> IntArray:
        """[height, width, cols]: what one tap sees of every output."""
        up = self.config.fir_lines - 1 - line
        rows = v["y_step_wx"] + np.arange(v["wy_last"] + 1) * v["y_step_wy"] - up
        columns = v["x_step_wy"] + np.arange(v["wx_last"] + 1) * v["x_step_wx"] + column - FIR_COLUMNS // 2
        inside = (y + rows >= 0) & (y + rows < v["in_height"])
        above = -int(rows[inside].min(initial=0))
        if above:
            if self.kept is None or self.kept.shape[0] < above or self.kept.shape[1:] != slots.shape[1:]:
                raise FirError(f"{above} rows above the first are needed and were not read")
            slots = np.concatenate([self.kept[-above:], slots])
        taken = slots[np.where(inside, rows + above, 0)]
        taken = np.where(inside[:, None, None], taken, 0)
        there = (columns >= 0) & (columns < slots.shape[1])
        return np.where(there[:, None], taken[:, np.where(there, columns, 0)], 0)
