"""Activation functions as the engine's tables.

entry[code mod 2**table_bits] = table[code mod 2**n]          n bits of the input's codes, at most table_bits
"""

from __future__ import annotations

import numpy as np

from ..hw.config import EngineConfig
from ..quant.network import IntArray, Layer, Tensor

__all__ = ["entries", "range_of", "rises"]


def entries(layer: Layer, act: Tensor, output: Tensor, config: EngineConfig) -> IntArray:
    """[1 or C, 2**table_bits]: the codes of a layer of kind table; one row where all channels share them.

    Raises ``ValueError`` naming the layer that the engine cannot look up, and the cure.
    """
    name, bits = f"layer {layer.name!r}", act.format.width
    if layer.table is None:
        raise ValueError(f"{name} of kind table needs a table, not None")
    if not config.tables:
        raise ValueError(f"{name} is an activation function by table, the engine has none: use --tables 8")
    if bits > config.table_bits:
        raise ValueError(
            f"{name} has a table for {bits}-bit codes, the engine's are for {config.table_bits}: "
            f"quantize tensor {act.name!r} to {config.table_bits} bits or fewer"
        )
    channels = output.shape[2]
    if layer.table.shape not in ((1, 1 << bits), (channels, 1 << bits)) or act.shape != output.shape:
        raise ValueError(
            f"{name} has a table of {layer.table.shape} for {channels} channels of {bits}-bit codes and a map of "
            f"{act.shape}: there must be 1 or {channels} rows of {1 << bits} codes"
        )
    low, high = int(layer.table.min()), int(layer.table.max())
    if low < output.format.min or high > output.format.max:
        raise ValueError(
            f"{name} has codes {low}..{high} in its table, outside of its output's "
            f"{output.format.min}..{output.format.max}"
        )
    table = layer.table.astype(np.int64)
    if (table == table[0]).all():
        table = table[:1]
    return np.tile(table, (1, 1 << config.table_bits - bits))


def _reached(table: IntArray, lo: int, hi: int) -> IntArray:
    """[rows, hi - lo + 1]: what codes lo..hi become."""
    reached: IntArray = table[:, np.arange(lo, hi + 1) % table.shape[1]]
    return reached


def range_of(table: IntArray, lo: int, hi: int) -> tuple[int, int]:
    """The least and greatest of what codes lo..hi become."""
    reached = _reached(table, lo, hi)
    return int(reached.min()), int(reached.max())


def rises(table: IntArray, lo: int, hi: int) -> bool:
    """Does a greater code of lo..hi never become a smaller one? Then a maximum may be taken before the table."""
    return bool(np.all(np.diff(_reached(table, lo, hi), axis=1) >= 0))
