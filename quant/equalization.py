"""Cross-layer equalization: per-channel factors moved between layers, exact in real arithmetic.

``w'[k, c] = s_out[k] * w[k, c] / s_in[first(k) + c], b'[k] = s_out[k] * b[k]`` leave every output as it is

as long as the activation functions in between are ReLU or nothing: f(s x) = s f(x) for s > 0 (Nagel et al.,
ICCV 2019, section 4.1); first(k) is the first input channel of output channel k's group. Channels that meet in
an addition, pass through a pool, a concat or a shortcut that only copies them share one factor; channels of the
network's input, its outputs and of bounded activations have factor 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .arithmetic import FloatArray, IntArray
from .protocol import Network, RealLayer
from .real_layer import Rewritten, changed

__all__ = ["channel_groups", "input_channels", "rescale"]

FIXED = -1


def channel_groups(network: Network) -> dict[str, IntArray]:
    """For each tensor the group [C] of each channel: channels of one group share a factor; -1: fixed at 1."""
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

    for name in (network.input, *network.outputs):
        for c in range(network.shapes[name][2]):
            join(first[name] + c, total)
    for layer in network.layers:
        if layer.lo not in (0.0, -math.inf) or layer.hi != math.inf:
            for c in range(network.shapes[layer.output][2]):
                join(first[layer.output] + c, total)
        start = 0
        for other in layer.inputs if layer.kind != "conv" else layer.inputs[1:]:
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


def rescale(network: Network, factors: Mapping[str, FloatArray]) -> Rewritten:
    """The network with tensor ``name`` times ``factors[name]`` [C]; the same outputs in exact arithmetic.

    Factors must respect ``channel_groups``; tensors that are not named keep factor 1.
    """

    def of(name: str) -> FloatArray:
        return np.asarray(factors.get(name, np.ones(network.shapes[name][2])), np.float64)

    layers: list[RealLayer] = []
    for layer in network.layers:
        if layer.kind != "conv" or layer.weight is None:
            layers.append(layer)
            continue
        before, after = of(layer.inputs[0]), of(layer.output)
        ratio = after[:, None] / before[input_channels(layer)]
        weight = np.asarray(layer.weight, np.float64) * ratio[:, :, None, None]
        bias = None if layer.bias is None else np.asarray(layer.bias, np.float64) * after
        known = {
            name: np.asarray(values, np.float64) * after
            for name, values in (("pre_mean", layer.pre_mean), ("pre_std", layer.pre_std))
            if values is not None
        }
        layers.append(changed(layer, weight=weight, bias=bias, **known))
    return Rewritten(network, layers)
