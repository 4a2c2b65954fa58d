"""Depthwise convolutions as a systolic FIR: kernel rows and columns in the rows of the array, see ``hw.isa.COMPUTE``.

for p, q in passes:                     # up to fir_lines kernel rows that end with last[p], 3 columns from 3 * q on
    tile[line * 3 + j][c] = wgt[channel + c, last[p] - fir_lines + 1 + line, 3 * q + j]
    output (i, j) is made in the slot of row i * sy - pt + last[p], column j * sx - pl + 1 + 3 * q

``lead`` rows of slots make no output: they read what the first one needs beside its own. Where blocks of channels
follow each other in the scratchpad, one reads these rows for the next in slots below the map: no lead, or a
shorter one. Nor is there between strips of a block that follow each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..hw.config import FIR_COLUMNS, EngineConfig
from ..quant.network import IntArray
from .operations import Operation
from .patches import View
from .strip import Strip

__all__ = ["Axis", "Fir", "Slots", "as_fir"]

_AHEAD = 3
"""The most rows that one block reads for the next."""


def as_fir(op: Operation, config: EngineConfig) -> Operation:
    """The operation as FIR where it can be one and takes no more cycles than with a diagonal tile for each tap."""
    height, width, _ = op.output.shape
    plain = op.window == op.window_stride == op.dilation == (1, 1) and op.residual is None
    if not (config.fir_lines and plain and op.depthwise and op.kernel[0] > 1):
        return op
    fir = Fir(op, config)
    strip = Strip(0, height, 0, width)
    diagonal = -(-config.cols // config.rows) * op.kernel[0] * op.kernel[1] * height * width
    fits = fir.slots(strip).columns.count <= config.fir_width
    return replace(op, fir=fir.passes) if fits and fir.cycles(strip) <= diagonal else op


@dataclass(frozen=True)
class Axis:
    """Rows or columns of slots: the first one's position in the map, how many, the first that makes an output."""

    start: int
    count: int
    first: int

    @property
    def end(self) -> int:
        """The position behind the last one."""
        return self.start + self.count


@dataclass(frozen=True)
class Slots:
    """The slots of a strip's passes; ``start`` is that of the first pass."""

    rows: Axis
    columns: Axis

    @property
    def count(self) -> int:
        """Slots of a pass."""
        return self.rows.count * self.columns.count


class Fir:
    """The passes of one depthwise operation."""

    def __init__(self, op: Operation, config: EngineConfig) -> None:
        self.op, self.config = op, config
        (rows, columns), lines = op.kernel, config.fir_lines
        self.down, self.across = -(-rows // lines), -(-columns // FIR_COLUMNS)
        self.step = -(-(rows - lines) // (self.down - 1)) if self.down > 1 else 0
        """kernel rows from a pass to the next"""
        self.last = [rows - 1 - (self.down - 1 - p) * self.step for p in range(self.down)]
        self.middle = min(columns - 1, 1)
        """the kernel column of a pass that its output's own slot belongs to"""

    @property
    def passes(self) -> int:
        """Of a block of channels."""
        return self.down * self.across

    def cycles(self, strip: Strip) -> int:
        """Of a block of channels."""
        return self.passes * max(self.slots(strip).count, self.config.least_pass)

    def tiles(self, block: int) -> IntArray:
        """[passes * rows, cols]"""
        op, config, cols = self.op, self.config, self.config.cols
        assert op.wgt is not None
        part = op.wgt[block * cols : (block + 1) * cols, 0]
        tiles = np.zeros((self.down, self.across, config.rows, cols), np.int64)
        taken = -1
        for p, last in enumerate(self.last):
            for ky in range(taken + 1, last + 1):
                for kx in range(op.kernel[1]):
                    q, j = divmod(kx + 1 - self.middle, FIR_COLUMNS)
                    row = (config.fir_lines - 1 - last + ky) * FIR_COLUMNS + j
                    tiles[p, q, row, : len(part)] = part[:, ky, kx]
            taken = last
        return tiles.reshape(-1, cols)

    def slots(self, strip: Strip, lead: int | None = None) -> Slots:
        """``lead``: rows that are read before the first one that makes outputs, if some have been read already."""
        return Slots(self._rows(strip, self.lead(strip) if lead is None else lead), self._columns(strip))

    def left(self, strip: Strip, row: int) -> int:
        """The lead where the rows above ``row`` have been read by the pass before."""
        return min(self.lead(strip), self._rows(strip, 0).start - row)

    def lead(self, strip: Strip) -> int:
        """Rows of slots before the first one that makes outputs."""
        op = self.op
        need = 0
        for i in range(min(strip.y1 - strip.y0, self.config.fir_lines)):
            for p, last in enumerate(self.last):
                for ky in range(self.last[p - 1] + 1 if p else 0, last + 1):
                    y = (strip.y0 + i) * op.stride[0] - op.origin[0] + ky
                    if 0 <= y < op.act.shape[0]:
                        need = max(need, last - ky - i * op.stride[0])
        return need

    def _rows(self, strip: Strip, lead: int) -> Axis:
        op = self.op
        start = strip.y0 * op.stride[0] - op.origin[0] + self.last[0] - lead
        return Axis(start, lead + (strip.y1 - strip.y0 - 1) * op.stride[0] + 1, lead)

    def _columns(self, strip: Strip) -> Axis:
        op = self.op
        first, last = (
            x * op.stride[1] - op.origin[1] + self.middle for x in (strip.x0, strip.x1 - 1)
        )  # slots of the outputs in the passes of the first columns
        low, high = first, max(last, first + 1)
        for kx in range(op.kernel[1]):
            q, j = divmod(kx + 1 - self.middle, FIR_COLUMNS)
            for at in (first + j - 1, last + j - 1):
                if 0 <= at + FIR_COLUMNS * q < op.act.shape[1]:
                    low, high = min(low, at), max(high, at)
        return Axis(low, high - low + 1, first - low)

    # Blocks that follow each other ----------------------------------------------------------------

    def follows(self, strip: Strip, after: Strip) -> bool:
        """Do the rows of ``after`` go on where those of ``strip`` end, in the same block?"""
        if self.passes > 1 or self._columns(strip) != self._columns(after) or after.y0 != strip.y1:
            return False
        return self._rows(strip, 0).count >= self.config.fir_lines - 1

    def order(self, first: int, last: int) -> list[int]:
        """The blocks ``first``..``last`` - 1, those that lie in the same lanes of their words one after the other."""
        turn = -(-self.config.lanes // self.config.cols)
        together = self.passes == 1 and self.config.lanes % self.config.cols == 0
        return sorted(range(first, last), key=lambda block: (block % turn, block) if together else (0, block))

    def ahead(self, strip: Strip, block: int, act: View, after: Strip, following: int) -> int:
        """Rows below the map that a block reads for that of strip ``after``, 0 where that cannot be."""
        rows, height = self._rows(strip, 0), self.op.act.shape[0]
        ahead = rows.end - height
        if not 0 < ahead <= min(_AHEAD, rows.count, self._rows(after, 0).start):
            return 0
        (word, rot), (next_word, next_rot) = (
            divmod(b * self.config.cols, self.config.lanes) for b in (block, following)
        )
        if self.passes > 1 or next_rot != rot or next_word != word + 1 or after.y0:
            return 0
        if self.left(after, ahead) == self.lead(after) or self._columns(strip) != self._columns(after):
            return 0
        joined = next_word in act.planes and act.step(word) == act.rows(1) * height
        return ahead if joined and act.patch.y0 == 0 else 0

    def fields(self, strip: Strip, block: int, act: View, lead: int, ahead: int) -> dict[str, int]:
        """What is not as in other COMPUTEs."""
        op, config = self.op, self.config
        slots = self.slots(strip, lead)
        word, rot = divmod(block * config.cols, config.lanes)
        rows, columns = slots.rows, slots.columns
        line = act.rows(1)
        return {
            "fir": 1,
            "ahead": ahead,
            "kb_last": 0,
            "ky_last": self.down - 1,
            "kx_last": self.across - 1,
            "in_base": act.word(word, rows.start, columns.start) % config.words,
            "in_block_step": act.step(word) % config.words,
            "in_rot": rot,
            "in_signed": int(op.act.format.signed),
            "in_height": op.act.shape[0],
            "in_width": op.act.shape[1],
            "y0": rows.start,
            "x0": columns.start,
            "kx_x_step": FIR_COLUMNS * (self.across > 1),
            "kx_addr_step": FIR_COLUMNS * (self.across > 1),
            "ky_y_step": self.step,
            "ky_addr_step": (self.step * line - FIR_COLUMNS * (self.across - 1)) % config.words
            if self.step
            else 0,
            "ox_last": columns.count - 1,
            "oy_last": rows.count - 1,
            "x_step_ox": 1,
            "x_step_oy": 1 - columns.count,
            "y_step_oy": 1,
            "addr_step_ox": 1,
            "addr_step_oy": (line - columns.count + 1) % config.words,
            "wx_last": strip.x1 - strip.x0 - 1,
            "wy_last": strip.y1 - strip.y0 - 1,
            "x_step_wy": columns.first,
            "x_step_wx": op.stride[1],
            "y_step_wx": rows.first,
            "y_step_wy": op.stride[0],
        }
