"""The factors of cross-layer equalization, chosen by the error that rounding leaves in the outputs.

``log s = argmin log(sum of the terms of noise)``, one minimum; then, for each set of tensors that share
channel groups, a common phi from the grid 2**(i/16): codes have power-of-two steps, so it matters where in an
octave the largest values lie. Powers of two alone (``octaves``) keep every mantissa: factors then move bits
between layers, nothing else.

Channels that reach the bound of a ReLU6 on the images share the bound's factor; every other one keeps its peak,
and a tenth more, below the bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .arithmetic import FloatArray, IntArray
from .equalization import FIXED, Clipped, channel_groups, input_channels
from .noise import ActivationNoise, WeightNoise, gains, noises
from .observation import Activations
from .protocol import Network
from .ties import ties

__all__ = ["balance", "clipped"]

_GRID = 16
_ROUNDS = 3
_STEPS = 250
_RATE = 0.2
_OCTAVE = math.log(2.0)
_LIMIT = 8.0 * _OCTAVE
_MARGIN = 1.1
_PULL = 1e-3  # towards factor 1, where nothing else pulls


def clipped(network: Network, seen: Activations) -> Clipped:
    """By tensor, the channels [C] that reach the upper bound of their layer, or nearly."""
    return {layer.output: seen.high[layer.output] * _MARGIN >= layer.hi for layer in network.layers}


def balance(
    network: Network,
    seen: Activations,
    *,
    act_width: int = 8,
    wgt_width: int = 8,
    per_channel: bool = False,
    octaves: bool = False,
    wgt_share: float = 0.3,
    gain: Mapping[str, FloatArray] | None = None,
) -> dict[str, FloatArray]:
    """The factor [C] of every tensor's channels; see the module. For ``rescale`` with the same ``clipped``.

    ``wgt_share``: the part of the weights' rounding noise that counts; learned rounding removes the rest.
    """
    reach = clipped(network, seen)
    groups = channel_groups(network, reach)
    count = max(int(group.max(initial=FIXED)) for group in groups.values()) + 1
    if count <= 0:
        return {}
    widths = {"act_width": act_width, "wgt_width": wgt_width}
    gain = gains(network, seen) if gain is None else gain
    terms = noises(network, seen, ties(network), gain, per_channel=per_channel, wgt_share=wgt_share, **widths)
    limits = _limits(network, seen, groups, reach)
    logs = _minimize(terms, groups, count, limits)
    if octaves:
        octave, below = np.rint(logs / _OCTAVE), logs.copy()
        limits.apply(below)
        octave = np.where(below < octave * _OCTAVE, np.floor(below / _OCTAVE), octave)
    else:
        phi = _Phi(network, seen, gain, groups, per_channel, wgt_share, act_width, wgt_width)
        phi.choose(_sets(groups, count), logs)
        octave = logs / _OCTAVE
    return {name: np.exp2(_spread(group, octave)) for name, group in groups.items()}


def _spread(group: IntArray, logs: FloatArray) -> FloatArray:
    return np.where(group == FIXED, 0.0, logs[np.maximum(group, 0)])


@dataclass(frozen=True)
class _Limits:
    """``logs[free] <= logs[bound] + room``: channels that stay below the bound of their layer."""

    free: IntArray
    bound: IntArray
    room: FloatArray

    def apply(self, logs: FloatArray) -> None:
        np.minimum.at(logs, self.free, logs[self.bound] + self.room)


def _limits(network: Network, seen: Activations, groups: Mapping[str, IntArray], reach: Clipped) -> _Limits:
    free, bound, room = [], [], []
    for layer in network.layers:
        which, group = reach[layer.output], groups[layer.output]
        if layer.hi == math.inf or not which.any() or which.all():
            continue
        high = np.maximum(seen.high[layer.output], layer.hi * 1e-6) * _MARGIN
        for c in np.flatnonzero(~which & (group != FIXED)):
            free.append(group[c])
            bound.append(group[which][0])
            room.append(math.log(layer.hi / high[c]))
    return _Limits(np.array(free, np.int64), np.array(bound, np.int64), np.array(room, np.float64))


def _minimize(
    terms: list[ActivationNoise | WeightNoise],
    groups: Mapping[str, IntArray],
    count: int,
    limits: _Limits,
) -> FloatArray:
    """Adam (Kingma and Ba, ICLR 2015) on the logarithm of the sum, the rate falling to a fiftieth."""
    logs, first, second = (np.zeros(count) for _ in range(3))
    used = np.zeros(count, bool)
    for group in groups.values():
        used[group[group != FIXED]] = True
    for step in range(_STEPS):
        slopes = {name: np.zeros(len(group)) for name, group in groups.items()}
        now = {name: _spread(group, logs) for name, group in groups.items()}
        total = sum(term.value(now, slopes) for term in terms)
        if total <= 0.0:
            break
        slope = _PULL * logs / count
        for name, group in groups.items():
            free = group != FIXED
            np.add.at(slope, group[free], slopes[name][free] / total)
        first += 0.1 * (slope - first)
        second += 0.01 * (slope * slope - second)
        scale = np.sqrt(second / (1.0 - 0.99 ** (step + 1))) + 1e-12
        rate = _RATE * 0.02 ** (step / _STEPS)
        logs -= np.where(used, rate * first / (1.0 - 0.9 ** (step + 1)) / scale, 0.0)
        np.clip(logs, -_LIMIT, _LIMIT, out=logs)
        limits.apply(logs)
    return logs


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


class _Phi:
    """The common factor of each set: the one whose codes, at the best power-of-two step, leave least noise."""

    def __init__(
        self,
        network: Network,
        seen: Activations,
        gain: Mapping[str, FloatArray],
        groups: Mapping[str, IntArray],
        per_channel: bool,
        wgt_share: float,
        act_width: int,
        wgt_width: int,
    ) -> None:
        self._network, self._seen, self._groups = network, seen, groups
        self._per_channel, self._share, self._widths = per_channel, wgt_share, (act_width, wgt_width)
        self._gain = gain

    def choose(self, sets: IntArray, logs: FloatArray) -> None:
        """Each set in turn, ``_ROUNDS`` times; adds to ``logs``."""
        members: dict[int, set[str]] = {}
        for name, group in self._groups.items():
            for one in np.unique(sets[group[group != FIXED]]):
                members.setdefault(int(one), set()).add(name)
        for _ in range(_ROUNDS):
            for chosen, tensors in sorted(members.items()):
                inside = sets == chosen
                start = logs[inside].copy()
                costs = []
                for step in range(_GRID):
                    logs[inside] = start + step / _GRID * _OCTAVE
                    costs.append(self._cost(tensors, logs))
                logs[inside] = start + int(np.argmin(costs)) / _GRID * _OCTAVE

    def _cost(self, tensors: set[str], logs: FloatArray) -> float:
        def factor(name: str) -> FloatArray:
            return np.exp(_spread(self._groups[name], logs))

        total = 0.0
        for name in tensors:
            by = factor(name)
            values = self._seen.samples[name] * by
            error = _rounding(values, self._widths[0], bool(values.min(initial=0.0) < 0.0))
            total += float(np.dot(error.mean(axis=0), self._gain[name] / by**2))
        for layer in self._network.layers:
            if layer.weight is None or not tensors & {layer.inputs[0], layer.output}:
                continue
            after, before = factor(layer.output), factor(layer.inputs[0])
            channel = input_channels(layer)
            scaled = (
                np.asarray(layer.weight, np.float64) * (after[:, None] / before[channel])[:, :, None, None]
            )
            parts = scaled if self._per_channel else [scaled]
            error = np.stack([_rounding(part, self._widths[1], True) for part in parts]).reshape(scaled.shape)
            power = (self._seen.samples[layer.inputs[0]].var(axis=0) * before**2)[channel]
            noise = (error.sum(axis=(2, 3)) * power).sum(axis=1)
            total += self._share * float(np.dot(noise, self._gain[layer.output] / after**2))
        return total


def _rounding(values: FloatArray, width: int, signed: bool) -> FloatArray:
    """Squared errors at the fl that makes their sum least."""
    peak = float(np.abs(values).max(initial=0.0))
    if peak == 0.0:
        return np.zeros_like(values)
    top = math.frexp(peak)[1]
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    best: FloatArray | None = None
    least = math.inf
    for fl in range(width - int(signed) - top, width - int(signed) - top + 3):
        scaled = np.ldexp(values, fl)
        error = np.square(np.ldexp(np.clip(np.rint(scaled), low, high) - scaled, -fl))
        if (total := float(error.sum(dtype=np.float64))) < least:
            best, least = error, total
    assert best is not None
    return best
