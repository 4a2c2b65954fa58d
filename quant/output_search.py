"""Greedy search by the network's output: a format stays changed only if the logits come out better.

``fl = argmin over fl, fl-1, fl+1 of L(fl)`` on calibration images, where L is one of

``squares``  sum |logits_float - logits(fl)|**2
``kl``       sum p log(p / q), p = softmax(logits_float), q = softmax(logits(fl)): the cross entropy against the
             float network's own predictions, less what no format can change

Starting from formats that another method chose, every fl is visited in turn - input, each layer's weights
(one fl a layer, or all channels of it shifted together), each activation, the output - and again until no
single change lowers L by a thousandth (Angel-Eye, Guo et al., TCAD 2018, section IV, takes the end accuracy).
A candidate runs the network from the first layer that it touches; everything before is kept.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .arithmetic import FloatArray, IntArray, quantize_real, requantize_exact
from .assembly import assemble
from .formats import QFormat
from .layers import TooFine
from .network import COPIES, Layer, QuantizedNetwork
from .overflow import AccumulatorOverflow, code_magnitudes, layer_bound
from .protocol import Network
from .ranges import FL_LIMIT
from .ties import ties

__all__ = ["LOSSES", "Formats", "divergence", "search_by_output", "squares"]

_GAIN = 1e-3
"""A change must lower the loss by this part: less is within the noise of the calibration images."""


def squares(real: FloatArray, approximation: FloatArray) -> float:
    """``sum |real - approximation|**2``."""
    error = approximation - real
    return float(np.sum(np.square(error, dtype=np.float64)))


def divergence(real: FloatArray, approximation: FloatArray) -> float:
    """``sum p log(p / q)`` of the softmax over the last axis, over all images and pixels."""
    log_p, log_q = (_log_softmax(values) for values in (real, approximation))
    return max(0.0, float(np.sum(np.exp(log_p) * (log_p - log_q))))


def _log_softmax(values: FloatArray) -> FloatArray:
    shifted = np.asarray(values, np.float64) - np.max(values, axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True)))


LOSSES: Mapping[str, Callable[[FloatArray, FloatArray], float]] = {"squares": squares, "kl": divergence}
"""L of the module, by name."""


@dataclass(frozen=True)
class Formats:
    """Everything that the search moves: the format of each tensor, the fl [K] of each layer's weights."""

    tensors: Mapping[str, QFormat]
    wgt_fl: Mapping[str, IntArray]

    def moved(self, move: Move, step: int) -> Formats:
        """The same with one fl moved by ``step``."""
        if move.kind == "wgt":
            name = move.names[0]
            return Formats(self.tensors, {**self.wgt_fl, name: self.wgt_fl[name] + step})
        old = {name: self.tensors[name] for name in move.names}
        made = {name: QFormat(fmt.width, fmt.fl + step, fmt.signed) for name, fmt in old.items()}
        return Formats({**self.tensors, **made}, self.wgt_fl)


@dataclass(frozen=True)
class Move:
    """Something that has an fl of its own: the weights of a layer, or one or more tensors that share it."""

    kind: Literal["wgt", "act"]
    names: tuple[str, ...]
    first: int
    """the first layer to run again; -1: the input's codes change."""


class _Runner:
    """Runs integer networks on fixed images, from a given layer on, and keeps what came before."""

    def __init__(
        self,
        network: Network,
        images: FloatArray,
        target: FloatArray,
        batch: int,
        pool: ThreadPoolExecutor,
        judge: Callable[[FloatArray, FloatArray], float],
    ) -> None:
        self._network, self._target, self._pool, self._judge = network, target, pool, judge
        self._parts = [slice(i, i + batch) for i in range(0, images.shape[0], batch)]
        self._images = images
        self._kept: list[dict[str, FloatArray]] = [{} for _ in self._parts]

    def loss(
        self, quantized: QuantizedNetwork, first: int, keep: bool = False, limit: float = math.inf
    ) -> float:
        """L of the first output; layers before ``first`` are as in the network last kept (-1: none)."""
        magnitude = code_magnitudes(quantized)
        bounds = {layer.name: max(layer_bound(layer, magnitude)) for layer in quantized.layers}
        output = quantized.outputs[0]
        step = quantized.tensors[output].format.step

        def run(i: int) -> float:
            live = dict(self._kept[i])
            if first < 0:
                real = self._images[self._parts[i]]
                live = {quantized.input: _codes(real, quantized.tensors[quantized.input].format)}
            for layer in quantized.layers[max(first, 0) :]:
                inputs = [live[name] for name in layer.inputs]
                live[layer.output] = self._run_layer(layer, inputs, bounds[layer.name])
            if keep:
                self._kept[i] = live
            return self._judge(self._target[self._parts[i]], live[output] * step)

        return float(sum(self._pool.map(run, range(len(self._parts)))))

    def _run_layer(self, layer: Layer, inputs: Sequence[FloatArray], bound: int) -> FloatArray:
        acc = self._network.accumulate(layer, inputs, bound)
        if layer.kind not in COPIES:
            acc = requantize_exact(acc, layer.shift, layer.lo, layer.hi)
        return acc.astype(np.float32, copy=False)


def _codes(real: FloatArray, fmt: QFormat) -> FloatArray:
    return quantize_real(real, fmt).astype(np.float32)


def search_by_output(
    network: Network,
    real: Network,
    images: FloatArray,
    start: Formats,
    *,
    wgt_width: Callable[[str], int],
    acc_width: int,
    per_channel: bool,
    weights: bool,
    batch: int,
    threads: int,
    loss: Literal["squares", "kl"] = "squares",
    pinned: Collection[str] = (),
) -> Formats:
    """The formats that no single move improves; ``network`` holds the corrected layers, ``real`` the trained ones.

    ``weights`` False leaves the weights' fl alone (their codes were fitted to it); ``pinned`` tensors keep theirs.
    Raises ValueError for the divergence of an output of one channel: its softmax is always 1.
    """
    output = network.outputs[0]
    if loss == "kl" and network.shapes[output][2] < 2:
        raise ValueError(f"method output-kl needs classes, but output {output!r} has one channel: use output")
    with ThreadPoolExecutor(threads) as pool:
        target = _float_output(real, images, batch, pool)
        runner = _Runner(network, images, target, batch, pool, LOSSES[loss])

        def build(formats: Formats) -> QuantizedNetwork | None:
            try:
                return assemble(network, formats.tensors, formats.wgt_fl, wgt_width, acc_width, per_channel)
            except (TooFine, AccumulatorOverflow):
                return None

        built = build(start)
        if built is None:
            return start
        best, lowest = start, runner.loss(built, -1, keep=True)
        moves = [move for move in _moves(network, weights) if not set(move.names) & set(pinned)]
        still = 0
        for move in itertools.cycle(moves):
            if still >= len(moves) or lowest == 0.0:
                break
            still += 1
            for step in (1, -1):
                candidate = best.moved(move, step)
                while _within(candidate, move) and (built := build(candidate)) is not None:
                    found = runner.loss(built, move.first)
                    if found >= lowest * (1.0 - _GAIN):
                        break
                    best, lowest, still = candidate, found, 0
                    candidate = best.moved(move, step)
                if still == 0:
                    break
            if still == 0:
                built = build(best)
                assert built is not None
                runner.loss(built, move.first, keep=True)
                still = 1
    return best


def _moves(network: Network, weights: bool) -> list[Move]:
    """Everything that has an fl of its own, in the network's order."""
    tied = ties(network)

    def act(name: str, first: int) -> list[Move]:
        group = tied.shared.get(tied.root[name], (name,))
        return [Move("act", group, first)] if name == group[0] else []

    moves = act(network.input, -1)
    for i, layer in enumerate(network.layers):
        if weights and layer.kind == "conv":
            moves.append(Move("wgt", (layer.name,), i))
        if layer.kind not in COPIES:
            moves += act(layer.output, i)
    return moves


def _within(formats: Formats, move: Move) -> bool:
    if move.kind == "wgt":
        return bool(np.all(np.abs(formats.wgt_fl[move.names[0]]) <= FL_LIMIT))
    return all(abs(formats.tensors[name].fl) <= FL_LIMIT for name in move.names)


def _float_output(network: Network, images: FloatArray, batch: int, pool: ThreadPoolExecutor) -> FloatArray:
    def run(first: int) -> FloatArray:
        live: dict[str, FloatArray] = {network.input: np.asarray(images[first : first + batch], np.float32)}
        for layer in network.layers:
            live[layer.output] = network.forward(layer, [live[name] for name in layer.inputs])
        return live[network.outputs[0]]

    return np.concatenate(list(pool.map(run, range(0, images.shape[0], batch))))
