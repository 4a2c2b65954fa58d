"""The fewest cycles that the array's shape allows: what utilization is compared with.

    for layer in Conv and Gemm:
        passes = ceil(K / cols) * min over s, t of ceil(R / s) * ceil(S / t) * ceil(s * t * C / rows)
    cycles = sum of passes * max(pixels, rows)          bound = MACs / (rows * cols * cycles)

In groups, a column has R * S * C / groups weights, rows of them in a pass:
        passes = ceil(K / cols) * ceil(R * S * C / groups / rows)

A pass holds one tile of weights, rows x cols of them, while every output pixel streams through, one a cycle; the
next tile takes rows cycles to come. Channels that do not fill the last tile are what the shape costs. s rows and t
columns of the kernel lie in the array's rows at once (``sw/folding.py``): only in the layer that reads the image,
whose pixels have few channels; s = t = 1 elsewhere.

Weights come through the port once an image, at most ``_BUFFER`` words and three tiles ahead of their use:

    end[i] = max(end[i-1] + cycles[i], end[j-1] + beats of the weights of layers j..i - what is ahead, for all j <= i)

is the second bound. It is the first one where the port is wide enough, and lower for large arrays over small maps.

What neither holds: the way of the first pixels and weights in and of the last out, activations, pools, additions and
anything else that takes the array's time. So an engine cannot reach them on one image, and nothing passes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...hw.config import EngineConfig
from ...quant.network import Layer, QuantizedNetwork
from ..folding import shapes
from ..weights import tile_width

__all__ = ["LayerBound", "bounds", "port_cycles", "total_cycles"]

_BUFFER = 512
"""Port words of the weights' FIFO, as in ``hw.engine``."""


@dataclass(frozen=True)
class LayerBound:
    """One Conv or Gemm: its passes, the pixels of each, the cycles that takes at least, the beats of its weights."""

    name: str
    macs: int
    passes: int
    pixels: int
    cycles: int
    beats: int


def bounds(network: QuantizedNetwork, config: EngineConfig) -> list[LayerBound]:
    """Every layer with useful MACs. Raises ValueError for one without weights."""
    return [_layer(layer, network, config) for layer in network.layers if layer.kind == "conv"]


def total_cycles(layers: Sequence[LayerBound]) -> int:
    """Cycles of a whole network, at least, by the array's shape."""
    return sum(layer.cycles for layer in layers)


def port_cycles(layers: Sequence[LayerBound], config: EngineConfig) -> int:
    """Cycles of a whole network, at least, by the array's shape and the weights' way through the port."""
    ahead = _BUFFER + 3 * -(-config.rows * config.cols * config.wgt_width // config.port_width)
    ends = [0]
    for i, layer in enumerate(layers):
        end, beats = ends[-1] + layer.cycles, 0
        for j in range(i, -1, -1):
            beats += layers[j].beats
            end = max(end, ends[j] + beats - (ahead if j else 0))
        ends.append(end)
    return ends[-1]


def _layer(layer: Layer, network: QuantizedNetwork, config: EngineConfig) -> LayerBound:
    if layer.wgt is None:
        raise ValueError(f"layer {layer.name!r} of kind {layer.kind} has no weights: it has no bound")
    outs, ins, height, width = layer.wgt.shape
    held = [(1, 1)]
    if layer.inputs[0] == network.input:
        held = list(shapes(ins, (height, width), layer.dilation, config))
    tiles = min(-(-height // s) * -(-width // t) * -(-s * t * ins // config.rows) for s, t in held)
    if layer.groups > 1:  # taps may lie side by side in the rows
        tiles = -(-height * width * ins // config.rows)
    passes = -(-outs // config.cols) * tiles
    rows, columns, _ = network.tensors[layer.output].shape
    pixels = rows * columns
    beats = -(-layer.wgt.size * tile_width(layer.wgt) // config.port_width)
    return LayerBound(layer.name, layer.macs, passes, pixels, passes * max(pixels, config.rows), beats)
