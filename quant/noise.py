"""The error that rounding leaves in a network's outputs, as a function of its channels' factors.

An error of variance v in every pixel of channel c of a tensor reaches the outputs as gain[c] * v, where

    gain_in[c] = sum_k gain_out[k] * active[k] * sum_{r,s} wgt[k,c,r,s]**2

(errors independent; ``active``: the share of the sums inside of the activation's bounds). With factors s = e**a

    activations   gain[c] * active[c] * (step / s[c])**2 / 12,          step ~ max_c peak[c] * s[c]
    weights       gain[k] * active[k] * (step / s_out[k])**2 / 12 * sum_{c,r,s} (s_in[c] * deviation[c])**2,
                                                            step ~ max_{k,c} |wgt[k,c]| * s_out[k] / s_in[c]

The maximum as a p-norm, every term is the exponential of something convex in the a: one minimum, no other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .arithmetic import FloatArray
from .equalization import input_channels
from .functions import Function
from .network import COPIES
from .observation import Activations
from .protocol import Network, RealLayer
from .real_layer import window_pixels
from .ties import Ties

__all__ = ["ActivationNoise", "WeightNoise", "gains", "measured", "noises"]

_SHARP = 24.0
"""p of the p-norm that stands for a maximum."""
_RARE = 0.01
"""share of sums taken to be active at least: a channel that never is may be on other images."""

_FLOOR = 0.25
"""peak of a channel at least, in units of its tensor's largest: on other images it may have more."""
_TINY = 1e-300
_NOISE = 2.0**-7
"""size of the noise that is put in, in units of a channel's peak."""

Factors = Mapping[str, FloatArray]


def gains(network: Network, seen: Activations) -> dict[str, FloatArray]:
    """``gain`` [C] of every tensor, 1 at the outputs; see the module."""
    gain = {name: np.zeros(channels) for name, (_, _, channels) in network.shapes.items()}
    for name in network.outputs:
        gain[name] += 1.0
    for layer in reversed(network.layers):
        out = gain[layer.output] * np.maximum(seen.active[layer.output], _RARE)
        if layer.kind == "concat":
            start = 0
            for name in layer.inputs:
                channels = len(gain[name])
                gain[name] += out[start : start + channels]
                start += channels
            continue
        rest = layer.inputs
        if layer.kind == "product":
            first, gate = (np.asarray(seen.samples[name], np.float64) for name in layer.inputs)
            gain[layer.inputs[0]] += out * np.square(gate).mean(axis=0)
            gain[layer.inputs[1]] += out * np.square(first).mean(axis=0)
            continue
        if layer.function is not None:
            gain[layer.inputs[0]] += out * np.square(_slopes(layer.function, seen, layer.inputs[0])).mean(
                axis=0
            )
            continue
        if layer.kind == "conv" and layer.weight is not None:
            squares = np.square(np.asarray(layer.weight, np.float64)).sum(axis=(2, 3))
            np.add.at(gain[layer.inputs[0]], input_channels(layer), squares * out[:, None])
            rest = layer.inputs[1:]
        share = 1.0 / window_pixels(layer) if layer.kind == "avgpool" else 1.0
        for name in rest:
            gain[name] += out * share
    return gain


def _slopes(function: Function, seen: Activations, name: str) -> FloatArray:
    """f'(x) [M, C] at the samples of its input."""
    values = np.asarray(seen.samples[name], np.float64)
    step = max(float(seen.peak[name].max(initial=0.0)), _TINY) * _NOISE
    return np.nan_to_num((function(values + step) - function(values - step)) / (2.0 * step))


def likely_peak(seen: Activations, name: str) -> FloatArray:
    """The largest |value| [C] to allow for: more than seen where a channel is rarely active."""
    peak = seen.peak[name]
    largest = peak.max(initial=0.0)
    return np.asarray(np.maximum(peak, np.clip(seen.tail[name], _FLOOR * largest, largest)))


def measured(
    network: Network, seen: Activations, gain: Mapping[str, FloatArray], images: FloatArray
) -> dict[str, FloatArray]:
    """``gain`` times one number for each tensor, so that noise put into it leaves the error it really leaves.

    Errors meet again and do not stay independent: the recursion alone falls short by ten dB and more.
    """
    real = np.asarray(images, np.float32)
    floats = _forward(network, {network.input: real}, range(len(network.layers)))
    made = {layer.output: i for i, layer in enumerate(network.layers)}
    copied = {layer.output for layer in network.layers if layer.kind in COPIES}
    result = dict(gain)
    for number, name in enumerate(network.shapes):
        size = seen.peak[name] * _NOISE
        cost = gain[name] * np.maximum(seen.active[name], _RARE)
        expected = float(np.dot(cost, size**2)) / 12.0
        if name in copied or expected <= 0.0:
            continue
        values, rng = floats[name], np.random.default_rng((0, number))
        noise = rng.random(values.shape, np.float32) - np.float32(0.5)
        noise *= size.astype(np.float32)
        noise[values == 0.0] = 0.0
        changed, errors = {name: values + noise}, 0.0
        _forward(network, changed, range(made.get(name, -1) + 1, len(network.layers)), floats)
        for output in network.outputs:
            if output in changed:
                error = np.square(changed[output] - floats[output], dtype=np.float64)
                errors += float(error.sum()) / (error.shape[0] * error.shape[1] * error.shape[2])
        result[name] = gain[name] * (errors / expected)
    return result


def _forward(
    network: Network,
    live: dict[str, FloatArray],
    layers: range,
    others: Mapping[str, FloatArray] | None = None,
) -> dict[str, FloatArray]:
    """Run those of ``layers`` that read a tensor in ``live``, what else they read from ``others``; fills ``live``."""
    for i in layers:
        layer = network.layers[i]
        if any(name in live for name in layer.inputs):
            inputs = [live[name] if name in live else (others or {})[name] for name in layer.inputs]
            live[layer.output] = network.forward(layer, inputs)
    return live


@dataclass(frozen=True)
class ActivationNoise:
    """The first term, of tensors that share one format: ``names``, log of their peaks, what each channel weighs."""

    names: tuple[str, ...]
    peak: FloatArray
    cost: FloatArray

    def value(self, logs: Factors, slopes: dict[str, FloatArray]) -> float:
        """The term at factors e**logs; adds its derivatives to ``slopes``."""
        a = np.concatenate([logs[name] for name in self.names])
        step, share = _maximum(self.peak + a)
        each = self.cost * np.exp(2.0 * (step - a))
        total = float(each.sum())
        slope = 2.0 * (total * share - each)
        start = 0
        for name in self.names:
            end = start + len(logs[name])
            slopes[name] += slope[start:end]
            start = end
        return total


@dataclass(frozen=True)
class WeightNoise:
    """The second term, of one layer; arrays over [G, K/G, C/G]."""

    source: str
    output: str
    largest: FloatArray
    """the largest |weight| of each pair of channels, to the power p."""
    power: FloatArray
    """taps that are not 0, times the variance of the input channel."""
    cost: FloatArray
    """[G, K/G] what each output channel weighs."""
    per_channel: bool

    def value(self, logs: Factors, slopes: dict[str, FloatArray]) -> float:
        """As with activations."""
        groups, outputs, inputs = self.largest.shape
        after = logs[self.output].reshape(groups, outputs)
        before = logs[self.source].reshape(groups, inputs, 1)
        shrunk, grown = np.exp(-_SHARP * before), np.exp(2.0 * before)
        sizes = (self.largest @ shrunk)[..., 0]  # the p-norm over the inputs, to the power p, less after
        terms = (self.power @ grown)[..., 0]
        if self.per_channel:
            step = after + np.log(np.maximum(sizes, _TINY)) / _SHARP
        else:
            step = np.log(max(float(np.sum(np.exp(_SHARP * after) * sizes)), _TINY)) / _SHARP
        each = self.cost * np.exp(2.0 * (step - after)) * terms
        total = float(each.sum())
        rows = each if self.per_channel else total * np.exp(_SHARP * (after - step)) * sizes
        slopes[self.output] += 2.0 * (rows - each).ravel()
        back = _transposed(self.power) @ (each / np.maximum(terms, _TINY))[..., None] * grown
        back -= _transposed(self.largest) @ (rows / np.maximum(sizes, _TINY))[..., None] * shrunk
        slopes[self.source] += 2.0 * back.ravel()
        return total


def noises(
    network: Network,
    seen: Activations,
    tied: Ties,
    gain: Mapping[str, FloatArray],
    *,
    act_width: int,
    wgt_width: int,
    per_channel: bool,
    wgt_share: float = 1.0,
) -> list[ActivationNoise | WeightNoise]:
    """Every term; ``wgt_share``: the part of the weights' noise that learned rounding leaves."""
    active = {name: np.maximum(share, _RARE) for name, share in seen.active.items()}
    terms: list[ActivationNoise | WeightNoise] = []
    classes: dict[str, list[str]] = {}
    copied = {layer.output for layer in network.layers if layer.kind in COPIES}
    for name in network.shapes:
        if name not in copied:
            classes.setdefault(tied.root[name], []).append(name)
    for names in classes.values():
        unit = 4.0**-act_width / 12.0
        peak = np.concatenate([likely_peak(seen, name) for name in names])
        cost = np.concatenate([gain[name] * active[name] for name in names]) * unit
        terms.append(ActivationNoise(tuple(names), _log(peak), np.where(peak > 0.0, cost, 0.0)))
    for layer in network.layers:
        if layer.kind == "conv" and layer.weight is not None:
            unit = wgt_share * 4.0 ** (1 - wgt_width) / 12.0
            terms.append(
                _weight_noise(layer, seen, gain[layer.output] * active[layer.output] * unit, per_channel)
            )
    return terms


def _weight_noise(layer: RealLayer, seen: Activations, cost: FloatArray, per_channel: bool) -> WeightNoise:
    assert layer.weight is not None
    size = np.abs(np.asarray(layer.weight, np.float64))
    variance = np.asarray(seen.samples[layer.inputs[0]], np.float64).var(axis=0)
    power = np.count_nonzero(size, axis=(2, 3)) * variance[input_channels(layer)]
    shape = (layer.groups, size.shape[0] // layer.groups, size.shape[1])
    return WeightNoise(
        layer.inputs[0], layer.output, (size.max(axis=(2, 3)) ** _SHARP).reshape(shape),
        power.reshape(shape), cost.reshape(shape[:2]), per_channel,
    )  # fmt: skip


def _transposed(values: FloatArray) -> FloatArray:
    return np.swapaxes(values, -1, -2)


def _log(values: FloatArray) -> FloatArray:
    """Natural logarithm; of 0 a number so small that it never is the largest."""
    return np.log(np.maximum(values, _TINY))


def _maximum(values: FloatArray) -> tuple[float, FloatArray]:
    """(log of the p-norm of e**values, its derivatives)."""
    top = float(values.max())
    parts = np.exp(_SHARP * (values - top))
    total = float(parts.sum())
    return top + math.log(total) / _SHARP, parts / total
