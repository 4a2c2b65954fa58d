"""The slowest reference: the equations of ``quant.network.Layer``, pixel by pixel, in Python integers.

It shares nothing with the other models but ``Layer``; rounding goes through exact fractions.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ..quant.network import IntArray, Layer, QuantizedNetwork

__all__ = ["evaluate", "evaluate_layer"]


def _requantize(acc: int, shift: int, layer: Layer) -> int:
    return min(max(round(Fraction(acc) / Fraction(2) ** shift), layer.lo), layer.hi)


def _at(values: IntArray | None, channel: int) -> int:
    return 0 if values is None else int(np.broadcast_to(values, (max(len(values), channel + 1),))[channel])


def evaluate_layer(layer: Layer, inputs: list[IntArray], shape: tuple[int, int, int]) -> IntArray:
    """One layer: codes [H, W, C] in and out."""
    act = inputs[0]
    out = np.zeros(shape, np.int64)
    for y, x in np.ndindex(shape[:2]):
        if layer.kind == "upsample":
            out[y, x] = act[y // layer.factor[0], x // layer.factor[1]]
            continue
        if layer.kind in ("table", "product"):
            window = [(0, 0, act[y, x])]
        elif layer.kind == "add":
            window = [(0, 0, act[y, x] << layer.in_shift)]
        else:
            window = []
            for r, s in np.ndindex(layer.kernel):
                row = y * layer.stride[0] + r * layer.dilation[0] - layer.pads[0]
                col = x * layer.stride[1] + s * layer.dilation[1] - layer.pads[1]
                if 0 <= row < act.shape[0] and 0 <= col < act.shape[1]:
                    window.append((r, s, act[row, col]))
        for k in range(shape[2]):
            if layer.kind == "maxpool":
                out[y, x, k] = max((int(codes[k]) for _, _, codes in window), default=layer.lo)
                continue
            if layer.kind == "table":
                assert layer.table is not None
                row = layer.table[k % len(layer.table)]
                out[y, x, k] = row[int(window[0][2][k]) % len(row)]
                continue
            if layer.kind == "product":
                out[y, x, k] = _requantize(
                    int(window[0][2][k]) * int(inputs[1][0, 0, k]), _at(layer.shift, k), layer
                )
                continue
            if layer.kind == "add":
                acc = int(window[0][2][k])
            elif layer.wgt is not None and layer.kind == "avgpool":
                acc = sum(int(codes[k]) for _, _, codes in window)
                acc *= int(layer.wgt[0, 0, y % layer.wgt.shape[2], x % layer.wgt.shape[3]])
            else:
                assert layer.wgt is not None
                acc = sum(int(np.dot(codes, layer.wgt[k, :, r, s])) for r, s, codes in window)
            acc += _at(layer.bias, k)
            if len(inputs) > 1:
                acc += int(inputs[1][y, x, k]) << _at(layer.res_shift, k)
            out[y, x, k] = _requantize(acc, _at(layer.shift, k), layer)
    return out


def evaluate(network: QuantizedNetwork, codes: IntArray) -> dict[str, IntArray]:
    """Every tensor of the network for one image [H, W, C]."""
    tensors = {network.input: np.asarray(codes, np.int64)}
    for layer in network.layers:
        inputs = [tensors[name] for name in layer.inputs]
        tensors[layer.output] = evaluate_layer(layer, inputs, network.tensors[layer.output].shape)
    return tensors
