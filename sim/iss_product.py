"""The tiles of a product, as the instruction-set simulator makes them of activations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..hw.config import EngineConfig
from ..quant.network import IntArray

__all__ = ["ProductError", "diagonal_tiles"]


class ProductError(ValueError):
    """A COMPUTE that no product may be."""


def diagonal_tiles(v: Mapping[str, int], vector: IntArray, config: EngineConfig) -> IntArray:
    """tile[p][r][c] = vector[c] if p*rows + r == c else 0, the low wgt_width bits as two's complement

    [passes, rows, cols] of ``vector`` [cols]. Raises ``ProductError`` where the COMPUTE ``v`` is more than a product.
    """
    passes = -(-config.cols // config.rows)
    if v["res"] or v["fir"] or v["ky_last"] or v["kx_last"] or v["kb_last"] + 1 != passes:
        raise ProductError(f"a product has {passes} blocks, and no kernel, residual or fir go with it")
    half = 1 << config.wgt_width - 1
    tiles = np.zeros((passes * config.rows, config.cols), np.int64)
    np.fill_diagonal(tiles, (vector + half & 2 * half - 1) - half)
    return tiles.reshape(passes, config.rows, config.cols)
