"""High biases absorbed by the next layer: sums that are always positive need not be carried as activations.

``c[k] = max(0, mean[k] - 3 * deviation[k])``, ``b1'[k] = b1[k] - c[k]``, ``b2' = b2 + sum_{k,r,s} w2[.,k,r,s] * c[k]``

For sums above c, max(sum - c, 0) = max(sum, 0) - c: the next layer's output stays, and the range of the
activation between shrinks by c. Sums below c, 0.13 % of a Gaussian's, are cut off (Nagel et al., ICCV 2019,
section 4.1.3). Mean and deviation are those of the layer's BatchNormalization.

Only where it is exact for sums above c: behind a plain ReLU whose layer has no residual operand, in front of
convolutions without padding, who would read 0 and not -c beside the map.
"""

from __future__ import annotations

import math

import numpy as np

from .arithmetic import FloatArray
from .protocol import Network, RealLayer
from .real_layer import Rewritten, changed

__all__ = ["absorb", "absorbed"]

_DEVIATIONS = 3.0


def absorbed(network: Network) -> dict[str, FloatArray]:
    """By tensor, what is taken from its channels [C]; tensors that lose nothing are not named."""
    readers: dict[str, list[tuple[RealLayer, int]]] = {name: [] for name in network.shapes}
    for layer in network.layers:
        for i, name in enumerate(layer.inputs):
            readers[name].append((layer, i))
    found = {}
    for layer in network.layers:
        if (
            layer.kind != "conv" or len(layer.inputs) > 1 or layer.lo != 0.0 or layer.hi != math.inf
            or layer.pre_mean is None or layer.pre_std is None or layer.output in network.outputs
        ):  # fmt: skip
            continue
        behind = readers[layer.output]
        if not all(other.kind == "conv" and i == 0 and not any(other.pads) for other, i in behind):
            continue
        taken = np.maximum(0.0, np.asarray(layer.pre_mean - _DEVIATIONS * layer.pre_std, np.float64))
        if behind and taken.any():
            found[layer.output] = taken
    return found


def absorb(network: Network) -> Network:
    """The network with ``absorbed`` moved from each layer's bias to its readers'."""
    moved = absorbed(network)
    if not moved:
        return network
    layers: list[RealLayer] = []
    for layer in network.layers:
        bias = layer.bias
        mean = layer.pre_mean
        if layer.kind == "conv" and layer.weight is not None and layer.inputs[0] in moved:
            extra = _sums(layer.weight, moved[layer.inputs[0]], layer.groups)
            bias = extra if bias is None else np.asarray(bias, np.float64) + extra
        if layer.output in moved:
            taken = moved[layer.output]
            bias = -taken if bias is None else np.asarray(bias, np.float64) - taken
            mean = None if mean is None else mean - taken
        layers.append(layer if bias is layer.bias else changed(layer, bias=bias, pre_mean=mean))
    return Rewritten(network, layers)


def _sums(weight: FloatArray, values: FloatArray, groups: int) -> FloatArray:
    """``sum_{c,r,s} weight[k,c,r,s] * values[c]`` [K], c counted within the group of k."""
    taps = np.asarray(weight, np.float64).sum(axis=(2, 3)).reshape(groups, -1, weight.shape[1])
    return np.asarray(np.einsum("gkc,gc->gk", taps, values.reshape(groups, -1))).ravel()
