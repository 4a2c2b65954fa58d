"""The overflow proof: no accumulator leaves its word.

``bound[k] = |bias[k]| + sum_{c,r,s} |wgt[k,c,r,s]| * max|act| + (max|residual| << res_shift[k])``

A layer is proved when ``bound`` fits a signed word of ``acc_width`` bits in every channel: then the final
sum does, in whatever order the terms are added (partial sums may wrap, they wrap back).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .arithmetic import IntArray, accumulator_bits
from .network import COPIES, Layer, QuantizedNetwork

__all__ = ["AccumulatorOverflow", "bits_needed", "code_magnitudes", "layer_bound", "prove"]


class AccumulatorOverflow(ValueError):
    """A layer's sum could leave the accumulator; the message names the layer and the cure."""


def code_magnitudes(network: QuantizedNetwork) -> dict[str, int]:
    """The largest |code| each tensor can hold: from its layer's lo..hi, or its format for the input."""
    fmt = network.tensors[network.input].format
    magnitude = {network.input: max(-fmt.min, fmt.max)}
    for layer in network.layers:
        if layer.kind in COPIES:
            magnitude[layer.output] = max(magnitude[name] for name in layer.inputs)
        else:
            magnitude[layer.output] = max(abs(layer.lo), abs(layer.hi))
    return magnitude


def layer_bound(layer: Layer, magnitude: Mapping[str, int]) -> list[int]:
    """``bound[k]`` of one layer as Python integers (they cannot overflow), one per output channel.

    ``magnitude`` gives the largest |code| of each input tensor. avgpool, product: one entry; copies: the inputs'
    codes; table: input's or output's, whichever are larger.
    """
    act = magnitude[layer.inputs[0]]
    if layer.kind in COPIES:
        return [max(magnitude[name] for name in layer.inputs)]
    if layer.kind == "table":
        if layer.table is None:
            raise ValueError(f"layer {layer.name!r} of kind table needs a table, not None")
        return [max(act, int(np.abs(layer.table).max()))]
    if layer.kind == "product":
        return [act * magnitude[layer.inputs[1]]]
    if layer.kind == "add":
        right = magnitude[layer.inputs[1]]
        shifts = [0] if layer.res_shift is None else [int(s) for s in layer.res_shift]
        return [(act << layer.in_shift) + (right << s) for s in shifts]
    if layer.wgt is None:
        raise ValueError(f"layer {layer.name!r} of kind {layer.kind} needs weight codes, not None")
    if layer.kind == "avgpool":
        sums = [int(np.abs(layer.wgt).max()) * layer.kernel[0] * layer.kernel[1]]
    else:
        flat = np.abs(layer.wgt.reshape(layer.wgt.shape[0], -1))
        sums = [int(value) for value in flat.sum(axis=1)]
    bound = [value * act for value in sums]
    if layer.bias is not None:
        bound = [value + abs(int(b)) for value, b in zip(bound, _spread(layer.bias, len(bound)), strict=True)]
    if len(layer.inputs) > 1 and layer.res_shift is not None:
        right = magnitude[layer.inputs[1]]
        shifts = _spread(layer.res_shift, len(bound))
        bound = [value + (right << int(s)) for value, s in zip(bound, shifts, strict=True)]
    return bound


def _spread(values: IntArray, count: int) -> list[int]:
    return [int(v) for v in np.broadcast_to(values, (count,))]


def bits_needed(network: QuantizedNetwork) -> dict[str, int]:
    """Bits of the accumulator each layer needs, by layer name."""
    magnitude = code_magnitudes(network)
    return {layer.name: accumulator_bits(max(layer_bound(layer, magnitude))) for layer in network.layers}


def prove(network: QuantizedNetwork, acc_width: int = 32) -> dict[str, int]:
    """``bits_needed``, every one at most ``acc_width``.

    Raises AccumulatorOverflow naming the first layer whose final sum could leave the word.
    """
    needed = bits_needed(network)
    for name, bits in needed.items():
        if bits > acc_width:
            raise AccumulatorOverflow(
                f"layer {name!r} needs an accumulator of {bits} bits, not {acc_width}: "
                f"quantize again with fewer weight or activation bits, or widen acc_width to {bits}"
            )
    return needed
