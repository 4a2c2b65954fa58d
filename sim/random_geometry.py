"""Windows of random layers: where they lie, and how many pixels of the map each one sees."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..quant.network import IntArray

__all__ = ["Geometry", "Shape", "blind", "inside"]

Shape = tuple[int, int, int]


class Geometry(NamedTuple):
    """Windows over a map, (rows, columns)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pads: tuple[int, int, int, int]
    """top, left, bottom, right."""


def inside(geometry: Geometry, shape: Shape, output: tuple[int, int]) -> IntArray:
    """Pixels of each window inside the map, [OH, OW]."""
    counts = []
    for axis in (0, 1):
        taps = np.arange(geometry.kernel[axis]) * geometry.dilation[axis] - geometry.pads[axis]
        rows = np.arange(output[axis])[:, None] * geometry.stride[axis] + taps
        counts.append(((rows >= 0) & (rows < shape[axis])).sum(axis=1))
    product: IntArray = np.multiply.outer(*counts)
    return product


def blind(geometry: Geometry, shape: Shape, output: tuple[int, int]) -> bool:
    """Some window lies outside of the map altogether."""
    return not inside(geometry, shape, output).all()
