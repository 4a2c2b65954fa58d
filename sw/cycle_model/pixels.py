"""Which words a COMPUTE touches in which pixel, as far as banks are concerned."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from ...hw.config import EngineConfig
from ...hw.isa import POOL_MEAN, POOL_NONE, loop_counts
from .plan import LOOPS, Record

__all__ = ["Accesses", "Masks"]

Masks = npt.NDArray[np.int64]
"""A bit for each bank."""


class Accesses:
    """Banks of a COMPUTE's pixels, residuals and outputs, each as a mask with a bit a bank, 0: none."""

    def __init__(self, record: Record, config: EngineConfig) -> None:
        self.values, self.config = record.values, config
        self.counts, self.pixels, self.passes = loop_counts(record.values), record.pixels, record.passes
        self.res = bool(record.values["res"])
        self.vector = record.vector
        self.mean = record.values["pool"] == POOL_MEAN
        self.low = (config.bank_depth - 1).bit_length()
        self._compared: dict[int, Masks] = {}
        self._reads: dict[int, Masks] = {}

    @cached_property
    def _moves(self) -> Masks:
        """[pixels]: the loop that advances to reach a pixel; 4 for the first."""
        pixel, inside = np.arange(self.pixels), 1
        moves = np.zeros(self.pixels, np.int64)
        for loop, count in enumerate(self.counts[:-1]):
            inside *= count
            moves[pixel % inside == 0] = loop + 1
        moves[0] = 4
        return moves

    def _walk(self, name: str) -> Masks:
        steps = np.array([*(self.values[f"{name}_{loop}"] for loop in LOOPS), 0], np.int64)
        return np.cumsum(steps[self._moves])

    def _start(self, index: int) -> tuple[int, int, int, int]:
        """y, x, word address, rotation of a pass."""
        v, config = self.values, self.config
        rest, kx = divmod(index, v["kx_last"] + 1)
        kb, ky = divmod(rest, v["ky_last"] + 1)
        blocks, rot = divmod(v["in_rot"] + kb * config.rows, config.lanes)
        row = ky * (v["kx_last"] * v["kx_addr_step"] + v["ky_addr_step"])
        addr = v["in_base"] + blocks * v["in_block_step"] + row + kx * v["kx_addr_step"]
        return v["y0"] + ky * v["ky_y_step"], v["x0"] + kx * v["kx_x_step"], addr, rot

    @cached_property
    def _relative(self) -> tuple[Masks, Masks, Masks]:
        return self._walk("y_step"), self._walk("x_step"), self._walk("addr_step")

    def _bits(self, addr: Masks) -> Masks:
        banks: Masks = np.int64(1) << (addr % self.config.words >> self.low)
        return banks

    @cached_property
    def _extent(self) -> tuple[int, int]:
        addr = self._relative[2]
        return int(addr.min()), int(addr.max())

    def near(self, index: int) -> int:
        """Banks that pass ``index`` may read, and perhaps some more."""
        _, _, start, rot = self._start(index)
        low, high = self._extent
        mask = 0
        for base in (start, start + self.values["in_block_step"]) if rot else (start,):
            for bank in range(base + low >> self.low, (base + high >> self.low) + 1):
                mask |= 1 << bank % self.config.banks
        return mask

    def compared(self, index: int) -> Masks:
        """[pixels] of pass ``index``: what a residual must not touch in the same cycle, in the padding too."""
        if index not in self._compared:
            _, _, start, _ = self._start(index)
            addr = start + self._relative[2]
            masks = self._bits(addr)
            if self.config.groups > 1:
                masks |= self._bits(addr + self.values["in_block_step"])
            self._compared[index] = masks
        return self._compared[index]

    def reads(self, index: int) -> Masks:
        """[pixels] of pass ``index``: banks read for pixels, none in the padding."""
        if index not in self._reads:
            y0, x0, start, rot = self._start(index)
            y, x, addr = self._relative
            size = (1 << self.config.coord_width) - 1
            inside = (y0 + y & size) < self.values["in_height"] + self.values["ahead"]
            inside &= (x0 + x & size) < self.values["in_width"]
            masks = self._bits(start + addr)
            if rot:
                masks |= self._bits(start + addr + self.values["in_block_step"])
            self._reads[index] = np.where(inside, masks, 0)
        return self._reads[index]

    @cached_property
    def _residual(self) -> Masks:
        return self.values["res_base"] + self._walk("res_step")

    @cached_property
    def due(self) -> Masks:
        """[pixels]: banks a pixel must not touch while this residual is read."""
        masks = self._bits(self._residual)
        if self.config.groups > 1:
            masks |= self._bits(self._residual + self.values["res_block_step"])
        return masks

    @cached_property
    def residuals(self) -> Masks:
        """[pixels]: banks read for residuals."""
        masks = self._bits(self._residual)
        if self.values["out_rot"]:
            masks |= self._bits(self._residual + self.values["res_block_step"])
        return masks

    @cached_property
    def outputs(self) -> Masks:
        """[pixels]: the output that a pixel of the last pass completes, -1: none."""
        v = self.values
        if v["fir"]:
            made = np.full((self.counts[3], self.counts[2]), -1, np.int64)
            rows = v["y_step_wx"] + v["y_step_wy"] * np.arange(v["wy_last"] + 1)
            columns = v["x_step_wy"] + v["x_step_wx"] * np.arange(v["wx_last"] + 1)
            made[np.ix_(rows, columns)] = np.arange(len(rows) * len(columns)).reshape(len(rows), -1)
            return made.ravel()
        window = (
            1 if v["pool"] == POOL_NONE else self.pixels if self.mean else self.counts[0] * self.counts[1]
        )
        output, rest = np.divmod(np.arange(1, self.pixels + 1), window)
        return np.where(rest, -1, output - 1)

    @cached_property
    def behind(self) -> int:
        """Pixels of the last pass behind the one that completes the last output."""
        return int(self.pixels - 1 - self.outputs.argmax())

    @cached_property
    def writes(self) -> Masks:
        """[outputs]: banks written."""
        v, config = self.values, self.config
        addr = v["out_base"] + np.arange(self.outputs.max() + 1)
        masks = self._bits(addr)
        if v["out_rot"] + config.cols > config.lanes:
            masks |= self._bits(addr + v["out_block_step"])
        return masks
