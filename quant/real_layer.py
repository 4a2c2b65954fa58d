"""Trained layers with other weights: what equalization and the other corrections hand on.

``Rewritten(network, layers)`` is the network with its layers replaced, tensor by tensor the same shapes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arithmetic import FloatArray, IntArray
from .functions import Function
from .network import Kind, Layer
from .protocol import Network, RealLayer

__all__ = ["PlainLayer", "Rewritten", "changed", "window_pixels"]


@dataclass(frozen=True, kw_only=True)
class PlainLayer:
    """A ``protocol.RealLayer`` of its own; the fields mean what they mean there."""

    name: str
    kind: Kind
    inputs: tuple[str, ...]
    output: str
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1
    factor: tuple[int, int] = (1, 1)
    counts: IntArray | None = None
    weight: FloatArray | None = None
    bias: FloatArray | None = None
    lo: float = -math.inf
    hi: float = math.inf
    macs: int = 0
    pre_mean: FloatArray | None = None
    pre_std: FloatArray | None = None
    function: Function | None = None


def changed(layer: RealLayer, **changes: Any) -> PlainLayer:
    """A copy of the layer with some fields replaced."""
    names = PlainLayer.__dataclass_fields__
    return PlainLayer(**{**{name: getattr(layer, name) for name in names}, **changes})


def window_pixels(layer: RealLayer) -> float:
    """How many values an average pool's outputs are means of, on average; pads count where it counts them."""
    if layer.counts is None:
        return float(layer.kernel[0] * layer.kernel[1])
    return float(1.0 / np.mean(1.0 / layer.counts))


class Rewritten:
    """``network`` with other layers in the same places; implements ``protocol.Network``."""

    def __init__(self, network: Network, layers: Sequence[RealLayer]) -> None:
        if [layer.output for layer in layers] != [layer.output for layer in network.layers]:
            raise ValueError("layers must make the tensors of the network, in its order")
        self._network = network
        self._layers = tuple(layers)

    @property
    def name(self) -> str:
        """The network's name."""
        return self._network.name

    @property
    def input(self) -> str:
        """The name of its input."""
        return self._network.input

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of its outputs."""
        return tuple(self._network.outputs)

    @property
    def shapes(self) -> Mapping[str, tuple[int, int, int]]:
        """(height, width, channels) of every tensor."""
        return self._network.shapes

    @property
    def layers(self) -> Sequence[RealLayer]:
        """The layers that replace the network's own."""
        return self._layers

    def forward(self, layer: RealLayer, inputs: Sequence[FloatArray]) -> FloatArray:
        """As the network's own."""
        return self._network.forward(layer, inputs)

    def accumulate(self, layer: Layer, inputs: Sequence[FloatArray], bound: int) -> FloatArray:
        """As the network's own."""
        return self._network.accumulate(layer, inputs, bound)
