"""The factors of cross-layer equalization, chosen by what 8-bit codes with power-of-two scales can hold.

``s[c] = phi * (r / r[c])**strength``, r[c] the largest value of channel group c, r their geometric mean

A phi for each set of tensors that share channel groups, from the grid 2**(i/16): the one that leaves the
least relative squared error of the activations (each at its best fl) and of the weights that they scale.
Powers of two alone (``octaves``) keep every mantissa: factors then move bits between layers, nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .arithmetic import FloatArray, IntArray
from .equalization import FIXED, channel_groups, input_channels
from .protocol import Network
from .samples import gather, pixels

__all__ = ["Activations", "balance", "observe"]

_GRID = 16
_SPREAD = 8.0
_SAMPLES = 24576
_ROUNDS = 3


@dataclass
class Activations:
    """What the float network's tensors look like: the largest |value| [C] of each, and samples [M, C]."""

    peak: dict[str, FloatArray] = field(default_factory=dict)
    samples: dict[str, FloatArray] = field(default_factory=dict)


def observe(network: Network, images: FloatArray, batch: int = 16) -> Activations:
    """Run the float network on ``images``, a batch at a time."""
    seen = Activations()
    parts: dict[str, list[FloatArray]] = {name: [] for name in network.shapes}
    last_use = {name: i for i, layer in enumerate(network.layers) for name in layer.inputs}

    def note(name: str, values: FloatArray, first: int) -> None:
        height, width, channels = network.shapes[name]
        peak = np.abs(values).max(axis=(0, 1, 2)).astype(np.float64)
        seen.peak[name] = np.maximum(seen.peak.get(name, peak), peak)
        count = -(-_SAMPLES // (channels * images.shape[0]))
        parts[name].append(gather(values, pixels(first, values.shape[0], height * width, count)))

    for first in range(0, images.shape[0], batch):
        live: dict[str, FloatArray] = {network.input: np.asarray(images[first : first + batch], np.float32)}
        note(network.input, live[network.input], first)
        for i, layer in enumerate(network.layers):
            live[layer.output] = network.forward(layer, [live[name] for name in layer.inputs])
            note(layer.output, live[layer.output], first)
            for name in layer.inputs:
                if last_use[name] == i:
                    live.pop(name, None)
    seen.samples = {name: np.concatenate(values) for name, values in parts.items()}
    return seen


def balance(
    network: Network,
    seen: Activations,
    *,
    act_width: int = 8,
    wgt_width: int = 8,
    strength: float = 0.5,
    octaves: bool = False,
) -> dict[str, FloatArray]:
    """The factor [C] of every tensor's channels; see the module. ``strength`` 0 scales whole tensors only."""
    groups = channel_groups(network)
    count = max(int(group.max(initial=FIXED)) for group in groups.values()) + 1
    if count <= 0:
        return {}
    peak, sets = _peaks(groups, seen, count), _sets(groups, count)
    log = np.zeros(count)
    for chosen in np.unique(sets):
        alive = np.flatnonzero((sets == chosen) & (peak > 0.0))
        if alive.size:
            level = np.log2(peak[alive])
            limit = math.log2(_SPREAD)
            log[alive] = np.clip(strength * (level.mean() - level), -limit, limit)
    if octaves:
        log = np.rint(log)
    else:
        _scale_sets(network, seen, groups, sets, log, (act_width, wgt_width))
    return {
        name: np.where(group == FIXED, 1.0, np.exp2(log[np.maximum(group, 0)]))
        for name, group in groups.items()
    }


def _peaks(groups: Mapping[str, IntArray], seen: Activations, count: int) -> FloatArray:
    peak = np.zeros(count)
    for name, group in groups.items():
        free = group != FIXED
        np.maximum.at(peak, group[free], seen.peak[name][free])
    return peak


def _sets(groups: Mapping[str, IntArray], count: int) -> IntArray:
    """The set [count] of each group: groups of one tensor are in one set."""
    sets = np.arange(count)
    changing = True
    while changing:
        changing = False
        for group in groups.values():
            free = group[group != FIXED]
            if free.size and np.unique(sets[free]).size > 1:
                sets[np.isin(sets, sets[free])] = sets[free].min()
                changing = True
    return sets


def _scale_sets(
    network: Network,
    seen: Activations,
    groups: Mapping[str, IntArray],
    sets: IntArray,
    log: FloatArray,
    widths: tuple[int, int],
) -> None:
    """Choose phi of each set in turn, ``_ROUNDS`` times; adds its logarithm to ``log``."""

    def factor(name: str) -> FloatArray:
        group = groups[name]
        return np.where(group == FIXED, 1.0, np.exp2(log[np.maximum(group, 0)]))

    def cost(tensors: set[str]) -> float:
        total = 0.0
        for name in tensors:
            values = seen.samples[name] * factor(name)
            total += _relative(values, widths[0], bool(values.min(initial=0.0) < 0.0))
        for layer in network.layers:
            if layer.weight is not None and tensors & {layer.inputs[0], layer.output}:
                ratio = factor(layer.output)[:, None] / factor(layer.inputs[0])[input_channels(layer)]
                scaled = np.asarray(layer.weight, np.float64) * ratio[:, :, None, None]
                total += _relative(scaled, widths[1], True)
        return total

    members: dict[int, set[str]] = {}
    for name, group in groups.items():
        for one in np.unique(sets[group[group != FIXED]]):
            members.setdefault(int(one), set()).add(name)
    for _ in range(_ROUNDS):
        for chosen, tensors in sorted(members.items()):
            inside = sets == chosen
            start = log[inside].copy()
            costs = []
            for step in range(_GRID):
                log[inside] = start + step / _GRID
                costs.append(cost(tensors))
            log[inside] = start + int(np.argmin(costs)) / _GRID


def _relative(values: FloatArray, width: int, signed: bool) -> float:
    """``min over fl of sum (x - x(width, fl))**2 / sum x**2``; 0 for zeros."""
    signal = float(np.sum(np.square(values, dtype=np.float64)))
    if signal == 0.0:
        return 0.0
    top = math.frexp(float(np.abs(values).max()))[1]
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    best = math.inf
    for fl in range(width - int(signed) - top, width - int(signed) - top + 3):
        scaled = np.ldexp(values, fl)
        error = np.clip(np.rint(scaled), low, high) - scaled
        best = min(best, float(np.sum(np.square(error, dtype=np.float64))) * 4.0**-fl)
    return best / signal
