"""Weights as tiles: [n_rows, cols] codes for the passes of one block of output channels.

tile(kb, ky, kx)[r][c] = wgt[channel + c, first + kb*rows + r, ky, kx]        0 where there is no such channel
diagonal: tile(p)[r][c] = code if p*rows + r == c and channel + c exists else 0; a product's is no part of the stream

In groups, a block of output channels reads only the input channels of its groups: ``first`` is the first of them,
rounded down to a group of lanes, for a rotation goes no finer. Output channel k has weights for the C/G input
channels from (k // (K/G)) * (C/G) on, 0 for the others of the tile.

fir: see ``depthwise``
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..hw.config import EngineConfig
from ..quant.network import IntArray
from .depthwise import Fir
from .operations import Operation
from .strip import Strip

__all__ = ["Tiles"]


class Tiles:
    """The tiles of one operation. ``blocks`` blocks of output channels, ``passes`` tiles for all of them."""

    def __init__(self, op: Operation, config: EngineConfig) -> None:
        self._op, self._config = op, config
        self.fir = Fir(op, config) if op.fir else None
        self.blocks = -(-op.output.shape[2] // config.cols)

    def inputs(self, block: int) -> tuple[int, int]:
        """The first input channel that a block reads, and how many from there on."""
        op, config = self._op, self._config
        channel = block * config.cols
        if op.own:
            return channel, config.cols
        assert op.wgt is not None
        if op.groups == 1:
            return 0, op.act.shape[2]
        outs, ins = op.wgt.shape[:2]
        each, last = outs // op.groups, min(channel + config.cols, outs) - 1
        first = channel // each * ins
        first -= first % config.group_lanes
        return first, (last // each + 1) * ins - first

    def input_blocks(self, block: int) -> int:
        """Blocks of ``rows`` input channels that a block of output channels reads."""
        return -(-self.inputs(block)[1] // self._config.rows)

    @cached_property
    def passes(self) -> int:
        """Passes over the map, of all blocks."""
        if self.fir:
            return self.fir.passes * self.blocks
        return sum(map(self.input_blocks, range(self.blocks))) * self._op.kernel[0] * self._op.kernel[1]

    def pixels(self, strip: Strip) -> int:
        """Cycles of a pass over a strip at least: its pixels, or slots."""
        return self.fir.slots(strip).count if self.fir else strip.outputs * self._op.window_pixels

    @property
    def width(self) -> int:
        """Bits that every tile's codes fit."""
        return self._op.width

    def rows(self, index: int) -> int:
        """Rows of the tiles that the weight stream has for a block."""
        if self.fir:
            return self.fir.passes * self._config.rows
        if self._op.vector is not None:
            return 0
        return self.input_blocks(index) * self._op.kernel[0] * self._op.kernel[1] * self._config.rows

    def block(self, index: int, diagonal: int = 0) -> IntArray:
        """[passes * rows, cols]: the tiles of output channels index * cols .., in the order of the passes.

        ``diagonal``: the code there, where the tile is diagonal.
        """
        if self.fir:
            return self.fir.tiles(index)
        op, rows, cols = self._op, self._config.rows, self._config.cols
        channel, count = index * cols, self.input_blocks(index)
        if op.vector is not None:
            return np.zeros((0, cols), np.int64)
        real = min(cols, op.output.shape[2] - channel)
        padded = np.zeros((cols, count * rows, *op.kernel), np.int64)
        if op.wgt is None:
            padded[range(real), range(real)] = diagonal
        else:
            outs, ins = op.wgt.shape[:2]
            first, _ = self.inputs(index)
            for c in range(real):
                at = (channel + c) // (outs // op.groups) * ins - first
                padded[c, at : at + ins] = op.wgt[channel + c]
        split = padded.reshape(cols, count, rows, *op.kernel)
        tiles: IntArray = split.transpose(1, 3, 4, 2, 0).reshape(-1, cols)
        return tiles
