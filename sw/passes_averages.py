"""Averages that a file spells out: sums of windows, a depthwise convolution of ones, times a map of reciprocals.

``conv(ones) -> affine``  an average pool with a divisor n of its own for each output (``Node.counts``), where every
                          factor is 1 / n: to float32, or as the code that quantizing gives it (``qdq``)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..quant.layers import average_weights
from .graph import Array, Node

__all__ = ["fuse_average"]

_FLOAT32 = 1e-6
"""Relative error of 1 / n in a file, and more."""


def fuse_average(nodes: list[Node], kept: frozenset[str]) -> list[Node] | None:
    """The nodes with one such pair fused; None where there is none."""
    made_by = {node.output: i for i, node in enumerate(nodes)}
    for i, node in enumerate(nodes):
        j = made_by.get(node.inputs[0], -1)
        if j < 0 or node.kind != "affine" or node.scale is None or node.scale.ndim != 3:
            continue
        before = nodes[j]
        readers = sum(other.inputs.count(before.output) for other in nodes)
        if not _sums(before) or readers > 1 or before.output in kept or node.offset is None:
            continue
        counts = _divisors(node.scale, node.offset, codes=before.wgt_fl is not None)
        if counts is None:
            continue
        average = replace(
            before, kind="avgpool", weight=None, wgt_fl=None, groups=1, macs=0, counts=counts, output=node.output,
            lo=node.lo, hi=node.hi, format=node.format,
        )  # fmt: skip
        return [average if n == i else old for n, old in enumerate(nodes) if n != j]
    return None


def _sums(node: Node) -> bool:
    """Is it the sum over each window of a channel?"""
    if node.kind != "conv" or node.weight is None or len(node.inputs) > 1 or node.format is not None:
        return False
    alone = node.weight.shape[1] == 1 and node.groups == node.weight.shape[0]
    free = node.bias is None and node.lo == -np.inf and node.hi == np.inf
    return bool(alone and free and np.all(node.weight == 1))


def _divisors(scale: Array, offset: Array, codes: bool) -> Array | None:
    """n [OH, OW] where scale [C, OH, OW] is 1 / n."""
    if np.any(offset) or np.ptp(scale, axis=0).any() or scale.min() <= 0 or scale.max() > 1:
        return None
    counts = np.rint(1.0 / scale[0]).astype(np.int64)
    if codes:
        weights, fl = average_weights(counts, 8)
        same = np.array_equal(np.ldexp(weights.astype(np.float64), -fl), scale[0])
    else:
        same = bool(np.all(np.abs(scale[0] * counts - 1.0) < _FLOAT32))
    return counts if same else None
