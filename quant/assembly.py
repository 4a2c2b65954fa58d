"""An integer network from formats that are already chosen: no images, no search.

``layer = prepare(real, formats of its inputs)``, ``shift = fl_acc - fl_out``, lo and hi the activation's bounds;
a table is rounded from f
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from .arithmetic import IntArray
from .formats import QFormat
from .layers import Prepared, code_bounds, prepare
from .network import COPIES, Layer, QuantizedNetwork, Tensor
from .protocol import Network, RealLayer
from .tables import rounded_table

__all__ = ["assemble", "finished"]


def finished(real: RealLayer, ready: Prepared, fmt: QFormat) -> Layer:
    """The layer with its shift and saturation bounds for an output of format ``fmt``."""
    if real.kind in COPIES:
        zero = np.zeros(len(ready.fl_acc), np.int64)
        return replace(ready.layer, shift=zero, lo=fmt.min, hi=fmt.max)
    lo, hi = code_bounds(real.lo, real.hi, fmt)
    if ready.values is not None:
        table = rounded_table(ready.values, fmt.fl, lo, hi)
        return replace(ready.layer, table=table, lo=fmt.min, hi=fmt.max)
    return replace(ready.layer, shift=ready.fl_acc - fmt.fl, lo=lo, hi=hi)


def assemble(
    network: Network,
    formats: Mapping[str, QFormat],
    wgt_fl: Mapping[str, IntArray],
    wgt_width: Callable[[str], int],
    acc_width: int,
    per_channel: bool,
) -> QuantizedNetwork:
    """The integer network with these formats; what only passes codes on takes its input's.

    Raises TooFine where a residual operand would be finer than the accumulator, AccumulatorOverflow where a
    sum fits no accumulator.
    """
    known: dict[str, QFormat] = {network.input: formats[network.input]}
    magnitude = {network.input: max(-known[network.input].min, known[network.input].max)}
    layers: list[Layer] = []
    for real in network.layers:
        source, out = real.inputs[0], real.output
        ready = prepare(
            real,
            formats=known,
            magnitude=magnitude,
            channels=network.shapes[out][2],
            wgt_fl=wgt_fl.get(real.name),
            wgt_width=wgt_width(real.name),
            acc_width=acc_width,
            per_channel=per_channel,
        )
        copies = real.kind in COPIES
        known[out] = known[source] if copies else formats[out]
        layer = finished(real, ready, known[out])
        magnitude[out] = ready.bound if copies else max(abs(layer.lo), abs(layer.hi))
        layers.append(layer)
    return QuantizedNetwork(
        name=network.name,
        input=network.input,
        outputs=tuple(network.outputs),
        tensors={n: Tensor(name=n, shape=network.shapes[n], format=f) for n, f in known.items()},
        layers=tuple(layers),
    )
