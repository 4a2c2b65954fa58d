"""Sliding windows over N H W C maps: the sums and maxima every reference is made of.

``out[n,y,x,k] = sum_{r,s,c} map[n, y*sy + r*dy - top, x*sx + s*dx - left, first(k) + c] * weight[k,c,r,s]``

``first(k) = (k // (K/G)) * (C/G)`` with G groups: a group of output channels reads its own input channels.
A map is padded with zeros (sums) or with its type's least value (maxima). The output map has
``(padded - dilation*(kernel-1) - 1) // stride + 1`` rows; a window never leaves the padded map.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..quant.blas_threads import one_blas_thread

__all__ = ["Pads", "Pair", "conv_sum", "output_size", "window_max", "window_sum"]

Array = npt.NDArray[Any]
Pair = tuple[int, int]
Pads = tuple[int, int, int, int]

_CHUNK_BYTES = 4 << 20
_CACHE_BYTES = 1 << 18


def output_size(size: int, kernel: int, stride: int, dilation: int, before: int, after: int) -> int:
    """Windows along one axis; 0 or less where the kernel does not fit."""
    return (size + before + after - dilation * (kernel - 1) - 1) // stride + 1


def _pad(values: Array, pads: Pads, fill: float) -> Array:
    top, left, bottom, right = pads
    if not any(pads):
        return values
    n, h, w, c = values.shape
    padded = np.full((n, h + top + bottom, w + left + right, c), fill, values.dtype)
    padded[:, top : top + h, left : left + w] = values
    return padded


def _taps(values: Array, kernel: Pair, stride: Pair, dilation: Pair) -> Iterator[Array]:
    """For each kernel position (row by row) the values under it, [N, OH, OW, C], as views."""
    oh = output_size(values.shape[1], kernel[0], stride[0], dilation[0], 0, 0)
    ow = output_size(values.shape[2], kernel[1], stride[1], dilation[1], 0, 0)
    for r in range(kernel[0]):
        rows = values[:, r * dilation[0] :][:, : (oh - 1) * stride[0] + 1 : stride[0]]
        for s in range(kernel[1]):
            yield rows[:, :, s * dilation[1] :][:, :, : (ow - 1) * stride[1] + 1 : stride[1]]


def _columns(values: Array, kernel: Pair, stride: Pair, dilation: Pair) -> Array:
    """im2col: [N*OH*OW, R*S*C], a view where the kernel is 1x1 or covers the map."""
    n, h, w, c = values.shape
    oh = output_size(h, kernel[0], stride[0], dilation[0], 0, 0)
    ow = output_size(w, kernel[1], stride[1], dilation[1], 0, 0)
    values = np.ascontiguousarray(values)
    sn, sh, sw, sc = values.strides
    if dilation[1] == 1:  # the taps of a kernel row and their channels are one run in memory
        shape: tuple[int, ...] = (n, oh, ow, kernel[0], kernel[1] * c)
        strides: tuple[int, ...] = (sn, sh * stride[0], sw * stride[1], sh * dilation[0], sc)
    else:
        shape = (n, oh, ow, *kernel, c)
        strides = (sn, sh * stride[0], sw * stride[1], sh * dilation[0], sw * dilation[1], sc)
    view = np.lib.stride_tricks.as_strided(values, shape, strides, writeable=False)
    return view.reshape(n * oh * ow, kernel[0] * kernel[1] * c)


def conv_sum(
    values: Array, weight: Array, stride: Pair, dilation: Pair, pads: Pads, groups: int = 1
) -> Array:
    """The equation above, in the type of ``values`` (BLAS for float32 and float64): [N, OH, OW, K].

    ``values`` [N, H, W, C], ``weight`` [K, C/groups, R, S] of the same type.
    """
    k, c, r, s = weight.shape
    n, h, w, _ = values.shape
    oh = output_size(h, r, stride[0], dilation[0], pads[0], pads[2])
    ow = output_size(w, s, stride[1], dilation[1], pads[1], pads[3])
    out = np.empty((n, oh, ow, k), values.dtype)
    size = oh * ow * values.itemsize
    if c == 1 and groups > 1:
        step = max(1, _CACHE_BYTES // max(1, size * k))
        for i in range(0, n, step):
            _depthwise(values[i : i + step], weight[:, 0], stride, dilation, pads, out[i : i + step])
        return out
    matrices = weight.reshape(groups, k // groups, c, r, s).transpose(0, 3, 4, 2, 1)
    matrices = np.ascontiguousarray(matrices).reshape(groups, r * s * c, k // groups)
    step = max(1, _CHUNK_BYTES // max(1, size * r * s * c))
    with one_blas_thread():
        for i in range(0, n, step):
            padded = _pad(values[i : i + step], pads, 0)
            part = out[i : i + step].reshape(-1, k)
            if groups == 1:
                np.matmul(_columns(padded, (r, s), stride, dilation), matrices[0], out=part)
                continue
            for g, matrix in enumerate(matrices):
                columns = _columns(padded[..., g * c : (g + 1) * c], (r, s), stride, dilation)
                part[:, g * matrix.shape[1] : (g + 1) * matrix.shape[1]] = columns @ matrix
    return out


def _depthwise(values: Array, weight: Array, stride: Pair, dilation: Pair, pads: Pads, out: Array) -> None:
    """``conv_sum`` of single channels, ``weight`` [K, R, S], into ``out``: tap by tap over whole rows of the map."""
    n, oh, ow, k = out.shape
    if k > values.shape[3]:
        values = np.repeat(values, k // values.shape[3], axis=3)
    padded = _pad(values, pads, 0)
    total = out.reshape(n, oh, ow * k)
    term = np.empty_like(total)
    phases: dict[int, Array] = {}
    for r in range(weight.shape[1]):
        for s in range(weight.shape[2]):
            first, phase = divmod(s * dilation[1], stride[1])
            if phase not in phases:  # neighbouring windows' columns side by side: a row is one run in memory
                phases[phase] = np.ascontiguousarray(padded[:, :, phase :: stride[1]])
            rows = phases[phase][:, r * dilation[0] :][:, : (oh - 1) * stride[0] + 1 : stride[0]]
            tap = rows[:, :, first : first + ow].reshape(n, oh, ow * k)
            row = np.tile(weight[:, r, s], ow)
            if r == s == 0:
                np.multiply(tap, row, out=total)
            else:
                total += np.multiply(tap, row, out=term)


def window_sum(values: Array, kernel: Pair, stride: Pair, dilation: Pair, pads: Pads) -> Array:
    """``out[n,y,x,c]`` = sum of the window, in the type of ``values``."""
    if kernel == values.shape[1:3] and not any(pads):
        return np.sum(values, axis=(1, 2), keepdims=True, dtype=values.dtype)
    total: Array | None = None
    for tap in _taps(_pad(values, pads, 0), kernel, stride, dilation):
        total = tap.copy() if total is None else np.add(total, tap, out=total)
    assert total is not None
    return total


def window_max(values: Array, kernel: Pair, stride: Pair, dilation: Pair, pads: Pads) -> Array:
    """``out[n,y,x,c]`` = largest value of the window inside the map."""
    least = -np.inf if values.dtype.kind == "f" else np.iinfo(values.dtype).min
    best: Array | None = None
    for tap in _taps(_pad(values, pads, least), kernel, stride, dilation):
        best = tap.copy() if best is None else np.maximum(best, tap, out=best)
    assert best is not None
    return best
