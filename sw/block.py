"""``Block``: the weights of a COMPUTE before anybody needs their codes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..hw.config import EngineConfig
from ..quant.network import IntArray
from .operations import Operation
from .tiles import Tiles
from .weights import Segment

__all__ = ["Block"]


@dataclass(frozen=True, eq=False)
class Block:
    """Block ``index`` of an operation's output channels; ``diagonal``, ``lift``: of the outputs of its strip."""

    op: Operation
    config: EngineConfig
    tiles: Tiles
    index: int
    diagonal: int
    lift: int

    @property
    def width(self) -> int:
        """Bits of a code."""
        return self.tiles.width

    @cached_property
    def rows(self) -> int:
        """Rows of its tiles."""
        return self.tiles.rows(self.index)

    @cached_property
    def segment(self) -> Segment:
        """Its part of the weight stream."""
        op, config = self.op, self.config
        return Segment(
            width=self.width,
            tiles=self.tiles.block(self.index, self.diagonal),
            bias=self._column(op.bias),
            shift=self._column(np.clip(op.shift - self.lift, -config.max_left_shift, config.acc_width)),
            res_shift=self._column(op.res_shift),
        )

    def _column(self, values: IntArray) -> IntArray:
        cols = self.config.cols
        part = values[self.index * cols : (self.index + 1) * cols]
        return np.pad(part, (0, cols - len(part)))
