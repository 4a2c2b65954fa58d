"""Samples of a convolution's windows: the inputs under some of its output pixels.

``x[g, m, (r, s, c)] = map[n, y*sy + r*dy - top, x*sx + s*dx - left, g*C/G + c]`` at the sampled (n, y, x)
"""

from __future__ import annotations

import numpy as np

from .arithmetic import FloatArray, IntArray
from .protocol import RealLayer

__all__ = ["gather", "kernel_rows", "pixels", "windows"]


def pixels(first: int, images: int, size: int, count: int) -> IntArray:
    """Flat output pixels [images * m, 2] = (image of the batch, pixel of ``size``): m a map, spread evenly.

    ``first`` is the number of the batch's first image: the choice does not depend on how images are batched.
    """
    m = min(count, size)
    numbers = np.arange(first, first + images)[:, None]
    spread = (np.arange(m)[None, :] * size // m + numbers * 7919) % size
    image = np.broadcast_to(np.arange(images)[:, None], spread.shape)
    return np.stack([image.ravel(), spread.ravel()], axis=1)


def windows(values: FloatArray, layer: RealLayer, at: IntArray, width: int) -> FloatArray:
    """Inputs [G, M, R*S*C/G] as float32 under the output pixels ``at`` of maps ``width`` wide, for each group."""
    top, left, bottom, right = layer.pads
    padded = np.pad(np.asarray(values), ((0, 0), (top, bottom), (left, right), (0, 0)))
    y, x = at[:, 1] // width, at[:, 1] % width
    rows = y[:, None] * layer.stride[0] + np.arange(layer.kernel[0]) * layer.dilation[0]
    cols = x[:, None] * layer.stride[1] + np.arange(layer.kernel[1]) * layer.dilation[1]
    taken = padded[at[:, 0][:, None, None], rows[:, :, None], cols[:, None, :]]
    groups = taken.reshape(len(at), -1, layer.groups, values.shape[3] // layer.groups)
    parts: FloatArray = groups.transpose(2, 0, 1, 3).astype(np.float32)
    return parts.reshape(layer.groups, len(at), -1)


def gather(values: FloatArray, at: IntArray) -> FloatArray:
    """The pixels themselves, [M, K]."""
    flat = values.reshape(values.shape[0], -1, values.shape[-1])
    return np.asarray(flat[at[:, 0], at[:, 1]])


def kernel_rows(weight: FloatArray, groups: int = 1) -> FloatArray:
    """Weights [K, C/G, R, S] as rows [G, K/G, R*S*C/G], the order of ``windows``."""
    rows = np.asarray(weight, np.float64).transpose(0, 2, 3, 1)
    return rows.reshape(groups, weight.shape[0] // groups, -1)
