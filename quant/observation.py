"""What the float network's tensors look like on some images.

``peak[c] = max |x[c]|``, ``high[c] = max`` and ``active[c] = share inside lo..hi`` of the sums before the bounds
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .arithmetic import FloatArray
from .network import COPIES
from .protocol import Network
from .real_layer import changed
from .samples import gather, pixels

__all__ = ["Activations", "observe"]

_SAMPLES = 24576
_DEVIATIONS = 6.0


@dataclass
class Activations:
    """Figures of each tensor's channels [C], by its name."""

    peak: dict[str, FloatArray] = field(default_factory=dict)
    """the largest |value|."""
    high: dict[str, FloatArray] = field(default_factory=dict)
    """the largest value before the activation function."""
    tail: dict[str, FloatArray] = field(default_factory=dict)
    """mean + ``_DEVIATIONS`` standard deviations of the same."""
    active: dict[str, FloatArray] = field(default_factory=dict)
    """share of the values inside of lo..hi before the activation function: through these, errors pass on."""
    samples: dict[str, FloatArray] = field(default_factory=dict)
    """[M, C] values."""


def observe(network: Network, images: FloatArray, batch: int = 16) -> Activations:
    """Run the float network on ``images``, a batch at a time."""
    seen = Activations()
    parts: dict[str, list[FloatArray]] = {name: [] for name in network.shapes}
    last_use = {name: i for i, layer in enumerate(network.layers) for name in layer.inputs}

    moments: dict[str, FloatArray] = {}

    def note(name: str, values: FloatArray, first: int, sums: FloatArray, active: FloatArray) -> None:
        height, width, channels = network.shapes[name]
        seen.peak[name] = np.maximum(seen.peak.get(name, 0.0), _largest(np.abs(values)))
        seen.high[name] = np.maximum(seen.high.get(name, -math.inf), _largest(sums))
        part = values.shape[0] / images.shape[0]
        both = np.stack([_mean(sums), _mean(np.square(sums))]) * part
        moments[name] = moments.get(name, 0.0) + both
        share = active * values.shape[0] / images.shape[0]
        seen.active[name] = seen.active.get(name, 0.0) + share
        count = -(-_SAMPLES // (channels * images.shape[0]))
        parts[name].append(gather(values, pixels(first, values.shape[0], height * width, count)))

    for first in range(0, images.shape[0], batch):
        real = np.asarray(images[first : first + batch], np.float32)
        live: dict[str, FloatArray] = {network.input: real}
        note(network.input, real, first, real, np.ones(real.shape[3]))
        for i, layer in enumerate(network.layers):
            inputs = [live[name] for name in layer.inputs]
            if layer.kind in COPIES or (layer.lo == -math.inf and layer.hi == math.inf):
                sums = network.forward(layer, inputs)
                out, active = sums, np.ones(sums.shape[3])
            else:
                sums = network.forward(changed(layer, lo=-math.inf, hi=math.inf), inputs)
                out = np.clip(sums, layer.lo, layer.hi)
                active = _mean((sums > layer.lo) & (sums < layer.hi))
            live[layer.output] = out
            note(layer.output, out, first, sums, active)
            for name in layer.inputs:
                if last_use[name] == i:
                    live.pop(name, None)
    seen.samples = {name: np.concatenate(values) for name, values in parts.items()}
    for name, (mean, square) in moments.items():
        seen.tail[name] = mean + _DEVIATIONS * np.sqrt(np.maximum(square - mean**2, 0.0))
    return seen


def _largest(values: FloatArray) -> FloatArray:
    return np.asarray(values.max(axis=(0, 1, 2)), np.float64)


def _mean(values: npt.NDArray[Any]) -> FloatArray:
    return np.asarray(values.mean(axis=(0, 1, 2), dtype=np.float64))
