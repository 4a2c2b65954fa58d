"""A network in fixed point that no image has seen: as large as a quantized one, so that it takes as many cycles.

    fl of every activation: 0, lower where a residual operand would be finer than its accumulator; of a table's input
    and of a product's second operand, 8 bits
    fl of a layer's weights: the largest that does not saturate

Cycles depend on shapes, on the bits of a layer's weights and on nothing else, so only what the quantizer changes of
these is lost: the diagonal of an addition whose operands have different fl.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...quant.assembly import assemble
from ...quant.formats import QFormat
from ...quant.layers import TooFine
from ...quant.network import IntArray, QuantizedNetwork
from ...quant.ranges import overflow_free_fl
from ...quant.ties import narrow
from ..graph import Graph
from ..images import Preprocessing
from ..input_folding import exact_input

__all__ = ["nominal_network"]


def nominal_network(
    graph: Graph,
    preprocessing: Preprocessing,
    *,
    act_width: int = 8,
    wgt_width: int = 8,
    acc_width: int = 32,
    signed: bool = True,
    wgt_widths: Mapping[str, int] | None = None,
) -> QuantizedNetwork:
    """``graph`` in nominal formats, its input folded as the quantizer would with this preprocessing.

    ``wgt_widths``: bits of the weights of single layers, by name, instead of ``wgt_width``.
    ``signed`` False: unsigned codes wherever there may be some, the largest that accumulators can meet.

    Raises AccumulatorOverflow (a ValueError) naming the layer where no weights fit the accumulator.
    """
    preprocessing.check_channels(graph.shapes[graph.input][2])
    exact = exact_input(graph, preprocessing, act_width)
    network = graph if exact is None else exact.graph
    narrowed = narrow(network)
    weights = {layer.inputs[1] for layer in network.layers if layer.kind == "product"}
    formats = {
        name: QFormat(min(act_width, narrowed.get(name, act_width)), 0, signed or name in weights)
        for name in network.shapes
    }
    wgt_fl: dict[str, IntArray] = {}
    widths = {layer.name: wgt_width for layer in network.layers} | dict(wgt_widths or {})
    for layer in network.layers:
        if layer.weight is not None:
            largest = float(np.abs(layer.weight).max(initial=0.0)) or 1.0
            fl = overflow_free_fl(-largest, largest, widths[layer.name])
            wgt_fl[layer.name] = np.full(len(layer.weight), fl, np.int64)
    while True:
        try:
            result = assemble(network, formats, wgt_fl, widths.__getitem__, acc_width, False)
            return result if exact is None else replace(result, stem=exact.stem)
        except TooFine as finer:
            formats[finer.tensor] = replace(formats[finer.tensor], fl=finer.fl)
