"""How far a quantized network may be from real arithmetic, from its formats alone: no tolerance is chosen.

    |code * step - real| <= E,   element by element, h(fl) = 2**-(fl + 1) half a step, R the real tensor

    input      E = h(fl)                              its values lie within the format, to half a step
    conv       E = sum |wgt| E_in + sum |R_in| |wgt - W| + h(fl_acc) [bias] + E_residual + h(fl_out)
    avgpool    E = sum wgt E_in + sum |R_in| |wgt - 1/window| + h(fl_out)
    add        E = E_0 + E_1 + h(fl_out)
    product    E = |R_0| E_1 + |R_1| E_0 + E_0 E_1 + h(fl_out)
    table      E = max |f(R_in + e) - f(R_in)| over |e| <= E_in, on a grid of 65 e, + h(fl_out)
    maxpool    E = max E_in                           concat, upsample: those of the values moved
    bounds     min(max(., lo), hi) widens no error; the codes of lo and hi are within h(fl_out) of them

A weight's rounding |wgt - W| is known; that it is at most h(fl_w) is checked. To each E comes what the test's own
numbers may lack, for they are float32: (terms + 8) * 2**-24 * sum |terms|.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from systolith.quant.network import Layer, QuantizedNetwork
from systolith.sw.graph import Graph, RealLayer
from systolith.sw.windows import conv_sum, window_max, window_sum

__all__ = ["bounds"]

Array = np.ndarray
Pair = tuple[Array, Array]
"""R and E of a tensor."""

_FLOAT32 = 2.0**-24


def _half(fl: Array | int) -> Array:
    return np.ldexp(0.5, -np.asarray(fl, np.int64).astype(np.int32))


def bounds(graph: Graph, network: QuantizedNetwork, real: Array) -> dict[str, Pair]:
    """R and E of every tensor, for real inputs [N, H, W, C] in float64.

    Raises AssertionError where a tensor's values leave its format: its bound would mean nothing.
    """
    found: dict[str, Pair] = {graph.input: (real, np.full(real.shape, _half(_fl(network, graph.input))))}
    _within(network, graph.input, real)
    for layer, quantized in zip(graph.layers, network.layers, strict=True):
        assert (layer.kind, layer.output) == (quantized.kind, quantized.output)
        inputs = [found[name] for name in layer.inputs]
        value = graph.forward(layer, [r for r, _ in inputs])
        error = RULES[layer.kind](layer, quantized, inputs, network)
        if layer.kind not in ("maxpool", "concat", "upsample"):
            error = error + _half(_fl(network, layer.output))
        _within(network, layer.output, value)
        found[layer.output] = value, np.broadcast_to(error, value.shape)
    return found


def _fl(network: QuantizedNetwork, name: str) -> int:
    return network.tensors[name].format.fl


def _within(network: QuantizedNetwork, name: str, real: Array) -> None:
    fmt = network.tensors[name].format
    codes = real / fmt.step
    assert fmt.min - 0.5 <= codes.min() and codes.max() <= fmt.max + 0.5, f"{name} saturates"


def _conv(real: RealLayer, layer: Layer, inputs: list[Pair], network: QuantizedNetwork) -> Array:
    assert real.weight is not None and layer.wgt is not None and layer.wgt_fl is not None
    weight = np.asarray(real.weight, np.float64)
    wgt = np.ldexp(layer.wgt.astype(np.float64), -layer.wgt_fl.astype(np.int32)[:, None, None, None])
    rounding, half = np.abs(wgt - weight), _half(layer.wgt_fl)[:, None, None, None]
    assert np.all(rounding <= half), f"{layer.name} has weights beyond their format"

    def total(values: Array, kernel: Array) -> Array:
        return conv_sum(values, kernel, real.stride, real.dilation, real.pads, real.groups)

    value, error = inputs[0]
    terms = total(np.abs(value), np.abs(weight))
    result = total(error, np.abs(wgt)) + total(np.abs(value), rounding)
    if real.bias is not None:
        terms = terms + np.abs(real.bias)
        result = result + _half(layer.wgt_fl + _fl(network, layer.inputs[0]))
    if len(inputs) > 1:
        terms, result = terms + np.abs(inputs[1][0]), result + inputs[1][1]
    return result + (weight[0].size + 8) * _FLOAT32 * terms


def _average(real: RealLayer, layer: Layer, inputs: list[Pair], network: QuantizedNetwork) -> Array:
    assert layer.wgt is not None and layer.wgt_fl is not None
    fl = int(layer.wgt_fl.reshape(-1)[0])
    wgt = np.ldexp(layer.wgt.astype(np.float64).reshape(*layer.wgt.shape[2:], 1), -fl)

    def total(values: Array) -> Array:
        return window_sum(values, real.kernel, real.stride, real.dilation, real.pads)

    counts = np.array([[real.kernel[0] * real.kernel[1]]]) if real.counts is None else real.counts
    rounding = np.abs(wgt - 1 / counts[:, :, None])
    unit = (layer.wgt & -layer.wgt).reshape(wgt.shape)  # a code is one of its width times a power of two
    assert np.all(rounding <= _half(fl) * unit), f"{layer.name} has weights beyond their format"
    lost = rounding + (real.kernel[0] * real.kernel[1] + 8) * _FLOAT32 * wgt
    return total(inputs[0][1]) * wgt + total(np.abs(inputs[0][0])) * lost


def _add(real: RealLayer, layer: Layer, inputs: list[Pair], network: QuantizedNetwork) -> Array:
    (first, one), (second, other) = inputs
    return one + other + 10 * _FLOAT32 * (np.abs(first) + np.abs(second))


def _product(real: RealLayer, layer: Layer, inputs: list[Pair], network: QuantizedNetwork) -> Array:
    (first, one), (second, other) = ((np.abs(value), error) for value, error in inputs)
    return first * other + second * one + one * other + 9 * _FLOAT32 * first * second


def _table(real: RealLayer, layer: Layer, inputs: list[Pair], network: QuantizedNetwork) -> Array:
    assert real.function is not None
    value, error = inputs[0]
    exact, moved = (
        real.function(value),
        [real.function(value + error * e) for e in np.linspace(-1.0, 1.0, 65)],
    )
    reach = np.max([np.abs(other - exact) for other in moved], axis=0)
    return reach + 9 * _FLOAT32 * (np.abs(exact) + np.abs(value))


def _largest(real: RealLayer, layer: Layer, inputs: list[Pair], network: QuantizedNetwork) -> Array:
    return window_max(inputs[0][1], real.kernel, real.stride, real.dilation, real.pads)


def _joined(real: RealLayer, layer: Layer, inputs: list[Pair], network: QuantizedNetwork) -> Array:
    return np.concatenate([error for _, error in inputs], axis=3)


def _repeated(real: RealLayer, layer: Layer, inputs: list[Pair], network: QuantizedNetwork) -> Array:
    return inputs[0][1].repeat(layer.factor[0], axis=1).repeat(layer.factor[1], axis=2)


RULES: Mapping[str, Callable[[RealLayer, Layer, list[Pair], QuantizedNetwork], Array]] = {
    "conv": _conv, "avgpool": _average, "add": _add, "product": _product, "table": _table, "maxpool": _largest,
    "concat": _joined, "upsample": _repeated,
}  # fmt: skip
"""By kind of layer: E before the rounding to the output's format."""
