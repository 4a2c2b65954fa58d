"""Cross-layer equalization: per-channel factors moved between layers, exact in real arithmetic.

``w'[k, c] = s_out[k] * w[k, c] / s_in[first(k) + c], b'[k] = s_out[k] * b[k]`` leave every output as it is

as long as the activation functions in between are ReLU or nothing: f(s x) = s f(x) for s > 0 (Nagel et al.,
ICCV 2019, section 4.1); first(k) is the first input channel of output channel k's group. Channels that meet in
an addition, pass through a pool, a concat or a shortcut that only copies them share one factor; channels of the
network's input and of its outputs have factor 1. So have those around a table, unless its function f is of
that kind too (LeakyRelu, PRelu), and a product's second operand; its first operand shares that of the product.

Bounds move along, hi' = s * hi: channels that reach them share one factor s. Where it is known which do not
(``clipped``: on calibration images), the others of a ReLU6 are as free as behind a ReLU.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .arithmetic import FloatArray, IntArray
from .protocol import Network, RealLayer
from .real_layer import Rewritten, changed

__all__ = ["FIXED", "Clipped", "bound_factor", "channel_groups", "input_channels", "rescale"]

FIXED = -1
Clipped = Mapping[str, npt.NDArray[np.bool_]]


def channel_groups(network: Network, clipped: Clipped | None = None) -> dict[str, IntArray]:
    """For each tensor the group [C] of each channel: channels of one group share a factor; -1: fixed at 1.

    ``clipped``: by tensor, which channels [C] reach the upper bound of their layer; None: all of them may.
    """
    first: dict[str, int] = {}
    total = 0
    for name, (_, _, channels) in network.shapes.items():
        first[name] = total
        total += channels
    parent = np.arange(total + 1)  # the last one is "fixed"

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    def join(a: int, b: int) -> None:
        a, b = root(a), root(b)
        parent[min(a, b)] = max(a, b)

    def join_all(a: str, b: str, start: int) -> None:
        for c in range(network.shapes[a][2]):
            join(first[a] + c, first[b] + start + c)

    def fix(names: Sequence[str]) -> None:
        for name in names:
            for c in range(network.shapes[name][2]):
                join(first[name] + c, total)

    fix((network.input, *network.outputs))
    for layer in network.layers:
        if _bounded(layer):
            reach = np.flatnonzero(_reaching(layer, network.shapes[layer.output][2], clipped))
            for c in reach[1:]:
                join(first[layer.output] + int(reach[0]), first[layer.output] + int(c))
        start = 0
        through = layer.inputs if layer.kind != "conv" else layer.inputs[1:]
        if layer.kind == "product":
            through, still = through[:1], through[1:]
            fix(still)
        elif layer.function is not None and not layer.function.homogeneous:
            fix((*through, layer.output))
            through = ()
        for other in through:
            join_all(other, layer.output, start)
            if layer.kind == "concat":
                start += network.shapes[other][2]
        for k, c in _copies(layer):
            join(first[layer.inputs[0]] + c, first[layer.output] + k)
    roots = np.array([root(i) for i in range(total)])
    groups = np.where(roots == root(total), FIXED, roots)
    return {name: groups[start : start + network.shapes[name][2]] for name, start in first.items()}


def _copies(layer: RealLayer) -> list[tuple[int, int]]:
    """(out, in) channels of a 1x1 convolution that only copies: at most one power of two in each row."""
    if layer.kind != "conv" or layer.weight is None or layer.weight.shape[2:] != (1, 1):
        return []
    matrix = np.asarray(layer.weight[:, :, 0, 0])
    used = matrix != 0.0
    if used.sum(axis=1).max(initial=0) > 1 or not np.all(np.frexp(np.abs(matrix[used]))[0] == 0.5):
        return []
    return [(int(k), int(input_channels(layer)[k, c])) for k, c in np.argwhere(used)]


def input_channels(layer: RealLayer) -> IntArray:
    """The input channel [K, C/G] that each weight of a convolution multiplies."""
    if layer.weight is None:
        raise ValueError(f"layer {layer.name!r} needs weights, not None")
    count, inside = layer.weight.shape[:2]
    group = np.arange(count) // (count // layer.groups)
    return np.asarray(group[:, None] * inside + np.arange(inside))


def _bounded(layer: RealLayer) -> bool:
    """Does the activation function have bounds that a factor moves?"""
    return layer.lo not in (0.0, -math.inf) or layer.hi != math.inf


def _reaching(layer: RealLayer, channels: int, clipped: Clipped | None) -> npt.NDArray[np.bool_]:
    """The channels [C] whose factor is that of the bounds."""
    if clipped is None or layer.lo not in (0.0, -math.inf):
        return np.ones(channels, bool)
    return clipped[layer.output]


def bound_factor(layer: RealLayer, factor: FloatArray, clipped: Clipped | None) -> float:
    """What the bounds of a layer are multiplied by, where its output's channels are by ``factor`` [C].

    That of the channels that reach them; where none does, the largest, so that no other channel does then.
    """
    reach = _reaching(layer, len(factor), clipped)
    return float(factor[reach].max() if reach.any() else factor.max())


def rescale(network: Network, factors: Mapping[str, FloatArray], clipped: Clipped | None = None) -> Rewritten:
    """The network with tensor ``name`` times ``factors[name]`` [C]; the same outputs in exact arithmetic.

    Factors must respect ``channel_groups``, given the same ``clipped``; tensors not named keep factor 1.
    """

    def of(name: str) -> FloatArray:
        return np.asarray(factors.get(name, np.ones(network.shapes[name][2])), np.float64)

    layers: list[RealLayer] = []
    for layer in network.layers:
        before, after = of(layer.inputs[0]), of(layer.output)
        changes: dict[str, Any] = {}
        if _bounded(layer):
            factor = bound_factor(layer, after, clipped)
            changes |= {"lo": layer.lo * factor, "hi": layer.hi * factor}
        for key in ("bias", "pre_mean", "pre_std"):
            values = getattr(layer, key)
            if values is not None:
                changes[key] = np.asarray(values, np.float64) * after
        if layer.kind == "conv" and layer.weight is not None:
            ratio = after[:, None] / before[input_channels(layer)]
            changes["weight"] = np.asarray(layer.weight, np.float64) * ratio[:, :, None, None]
        layers.append(changed(layer, **changes) if changes else layer)
    return Rewritten(network, layers)
