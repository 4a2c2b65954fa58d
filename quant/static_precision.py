"""Static precision: one fl for all weights and one for all activations, the best there is.

``(fl_w, fl_a) = argmin sum |logits_float - logits(fl_w, fl_a)|**2``   over every pair, on calibration images

This is what dynamic precision is measured against (Qiu et al., FPGA 2016, sections 5.2 and 7): the same engine,
the same widths, weights rounded to nearest, biases at fl_acc = fl_a + fl_w. The search is exhaustive from the
coarsest overflow-free fl of any layer to the finest, one beyond each, and further while the best lies on the
border. Static is given what could only help it: the choice by the network's output, a sign only where a tensor
can be negative, and an average pool's 1 / window at an fl of its own.

Pairs at which a layer's sum could leave the accumulator, or a residual operand would be finer than it, do not
exist on the engine: their error is infinite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from .arithmetic import FloatArray, quantize_real, requantize_exact
from .assembly import assemble
from .blas_threads import batch_size, one_blas_thread, workers
from .formats import QFormat
from .layers import TooFine
from .network import COPIES, QuantizedNetwork
from .overflow import AccumulatorOverflow, code_magnitudes, layer_bound
from .protocol import Network
from .ranges import FL_LIMIT, check_finite, overflow_free_fl
from .scores import Score, score, spread

__all__ = ["StaticPrecision", "build_static", "fixed_logits", "search_static", "signs"]

_IMAGES = 64
_HOPELESS = 256
"""Pairs that the engine cannot compute after which the search ends."""

Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class StaticPrecision:
    """The best network with one fl of each kind, its score, and the error of every pair (fl_w, fl_a) tried."""

    network: QuantizedNetwork
    wgt_fl: int
    act_fl: int
    score: Score
    searched: Mapping[Pair, float]
    """relative squared error of the logits; infinite where the engine cannot compute the pair."""


def search_static(
    network: Network,
    images: FloatArray,
    *,
    act_width: int,
    wgt_width: int,
    acc_width: int = 32,
    input_range: tuple[float, float] | None = None,
    count: int = _IMAGES,
    progress: Callable[[str], None] = lambda line: None,
) -> StaticPrecision:
    """Try every pair on at most ``count`` of the images [N, H, W, C]; the finest of equal errors wins.

    ``input_range``: the real range any input can have; unsigned input codes where it starts at 0 or above.
    Raises ValueError where no pair at all can be computed, and for activations that are no numbers.
    """
    chosen = np.asarray(spread(images, count), np.float32)
    with one_blas_thread(), ThreadPoolExecutor(workers()) as pool:
        extremes, target = _run_float(network, chosen, pool)
        signed = signs(network, input_range is None or input_range[0] < 0.0)
        scores: dict[Pair, Score | None] = {}

        def measure(pair: Pair) -> Score | None:
            made = build_static(
                network, *pair, act_width=act_width, wgt_width=wgt_width, acc_width=acc_width, signed=signed
            )
            return None if made is None else score(target, fixed_logits(network, made, chosen))

        weights = [_range(layer.weight) for layer in network.layers if layer.weight is not None]
        wgt = _ends([overflow_free_fl(*ends, wgt_width) for ends in weights])
        act = _ends([overflow_free_fl(*ends, act_width, signed[name]) for name, ends in extremes.items()])
        while True:
            pairs = [(w, a) for w in range(wgt[0], wgt[1] + 1) for a in range(act[0], act[1] + 1)]
            fresh = [pair for pair in pairs if pair not in scores]
            for pair, found in zip(fresh, pool.map(measure, fresh), strict=True):
                scores[pair] = found
                if len(scores) % 16 == 0:
                    progress(f"static {act_width}/{wgt_width} bits: {len(scores)} pairs of fl")
            best = min(scores, key=lambda pair: (_error(scores[pair]), -pair[0], -pair[1]))
            wider = _widened(wgt, best[0]), _widened(act, best[1])
            if wider == (wgt, act) or (scores[best] is None and len(scores) > _HOPELESS):
                break
            wgt, act = wider
    result = scores[best]
    made = build_static(
        network, *best, act_width=act_width, wgt_width=wgt_width, acc_width=acc_width, signed=signed
    )
    if result is None or made is None:
        raise ValueError(
            f"network {network.name!r} finds no static fl whose sums fit an accumulator of {acc_width} bits: "
            "widen acc_width, or take fewer bits"
        )
    errors = {pair: _error(scores[pair]) for pair in sorted(scores)}
    return StaticPrecision(network=made, wgt_fl=best[0], act_fl=best[1], score=result, searched=errors)


def build_static(
    network: Network,
    wgt_fl: int,
    act_fl: int,
    *,
    act_width: int,
    wgt_width: int,
    acc_width: int,
    signed: Mapping[str, bool],
) -> QuantizedNetwork | None:
    """The integer network with these fl everywhere; None where the engine cannot compute it."""
    formats = {name: QFormat(act_width, act_fl, signed[name]) for name in network.shapes}
    fl = {
        layer.name: np.full(layer.weight.shape[0], wgt_fl, np.int64)
        for layer in network.layers
        if layer.weight is not None
    }
    try:
        made = assemble(network, formats, fl, lambda name: wgt_width, acc_width, False)
    except (TooFine, AccumulatorOverflow):
        return None
    lowered = any(
        layer.name in fl and layer.wgt_fl is not None and not np.array_equal(layer.wgt_fl, fl[layer.name])
        for layer in made.layers
    )
    return None if lowered else made


def signs(network: Network, input_signed: bool) -> dict[str, bool]:
    """Whether each tensor's codes are signed: unsigned where it can never be negative.

    A max pool passes its operand's sign on, a concatenation's operands share one; a product's second operand has one.
    """
    signed = {network.input: input_signed}
    for layer in network.layers:
        operands = [signed[name] for name in layer.inputs]
        if layer.function is not None:
            operands = [not layer.function.never_negative]
        signed[layer.output] = layer.lo < 0.0 and (layer.kind == "conv" or any(operands))
    weights = {layer.inputs[1] for layer in network.layers if layer.kind == "product"}
    signed.update(dict.fromkeys(weights, True))
    while True:  # a sign travels backwards through pools and concatenations
        before = dict(signed)
        for layer in network.layers:
            if layer.kind in COPIES:
                group = (*layer.inputs, layer.output)
                signed.update(dict.fromkeys(group, any(signed[name] for name in group)))
        if signed == before:
            return signed


def fixed_logits(network: Network, quantized: QuantizedNetwork, images: FloatArray) -> FloatArray:
    """The real values of the first output for real inputs [N, H, W, C] of ``network``."""
    magnitude = code_magnitudes(quantized)
    bounds = {layer.name: max(layer_bound(layer, magnitude)) for layer in quantized.layers}
    batch = batch_size(network.shapes.values())
    output = quantized.outputs[0]
    parts = []
    for i in range(0, len(images), batch):
        source = quantize_real(images[i : i + batch], quantized.tensors[quantized.input].format)
        live: dict[str, FloatArray] = {quantized.input: source.astype(np.float32)}
        for layer in quantized.layers:
            acc = network.accumulate(layer, [live[name] for name in layer.inputs], bounds[layer.name])
            live[layer.output] = requantize_exact(acc, layer.shift, layer.lo, layer.hi)
        parts.append(live[output] * quantized.tensors[output].format.step)
    return np.concatenate(parts)


def _error(found: Score | None) -> float:
    return math.inf if found is None else found.error


def _range(values: FloatArray) -> tuple[float, float]:
    return min(float(values.min()), 0.0), max(float(values.max()), 0.0)


def _ends(starts: list[int]) -> Pair:
    return max(min(starts) - 1, -FL_LIMIT), min(max(starts) + 1, FL_LIMIT)


def _widened(ends: Pair, best: int) -> Pair:
    """One further on the side where the best lies on the border."""
    return max(ends[0] - (best == ends[0]), -FL_LIMIT), min(ends[1] + (best == ends[1]), FL_LIMIT)


def _run_float(
    network: Network, images: FloatArray, pool: ThreadPoolExecutor
) -> tuple[dict[str, tuple[float, float]], FloatArray]:
    """(least and largest value of every tensor, the float logits)."""
    batch = batch_size(network.shapes.values())

    def run(first: int) -> tuple[dict[str, tuple[float, float]], FloatArray]:
        live: dict[str, FloatArray] = {network.input: images[first : first + batch]}
        for layer in network.layers:
            live[layer.output] = network.forward(layer, [live[name] for name in layer.inputs])
        for name, values in live.items():
            check_finite(name, values, "check the images, scale, mean and std")
        return {name: _range(values) for name, values in live.items()}, live[network.outputs[0]]

    found = list(pool.map(run, range(0, len(images), batch)))
    ends = {
        name: (min(part[name][0] for part, _ in found), max(part[name][1] for part, _ in found))
        for name in found[0][0]
    }
    return ends, np.concatenate([logits for _, logits in found])
