"""Weights as tiles: [n_rows, cols] codes for the passes of one block of output channels.

tile(kb, ky, kx)[r][c] = wgt[channel + c, kb*rows + r, ky, kx]        0 where there is no such channel
diagonal: tile(p)[r][c] = code if p*rows + r == c and channel + c exists else 0
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..hw.config import EngineConfig
from ..quant.network import IntArray
from .operations import Operation
from .weights import tile_width

__all__ = ["Tiles"]


class Tiles:
    """The tiles of one operation. ``blocks`` blocks of output channels, ``passes`` tiles each."""

    def __init__(self, op: Operation, config: EngineConfig) -> None:
        self._op, self._config = op, config
        channels = op.act.shape[2] if op.wgt is not None else config.cols
        self.blocks = -(-op.output.shape[2] // config.cols)
        self.input_blocks = -(-channels // config.rows)
        self.passes = self.input_blocks * op.kernel[0] * op.kernel[1]

    @cached_property
    def width(self) -> int:
        """Bits that every tile's codes fit."""
        return tile_width(np.array([self._op.diagonal]) if self._op.wgt is None else self._op.wgt)

    @cached_property
    def _blocks(self) -> IntArray:
        """[blocks, n_rows, cols]"""
        op, rows, cols = self._op, self._config.rows, self._config.cols
        if op.wgt is None:
            tile = np.zeros((self.blocks, self.passes * rows, cols), np.int64)
            for block in range(self.blocks):
                real = np.arange(min(cols, op.output.shape[2] - block * cols))
                tile[block, real, real] = op.diagonal
            return tile
        outs, ins, height, width = op.wgt.shape
        padded = np.zeros((self.blocks * cols, self.input_blocks * rows, height, width), np.int64)
        padded[:outs, :ins] = op.wgt
        split = padded.reshape(self.blocks, cols, self.input_blocks, rows, height, width)
        tiles: IntArray = split.transpose(0, 2, 4, 5, 3, 1).reshape(self.blocks, -1, cols)
        return tiles

    def block(self, index: int) -> IntArray:
        """[passes * rows, cols]: the tiles of output channels index * cols .., in the order of the passes."""
        tiles: IntArray = self._blocks[index]
        return tiles
