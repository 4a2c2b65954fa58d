"""What the engine cannot compute, layer by layer and all at once: the compiler's own rules, before any quantizing.

    refused[name] = what ``operations`` says of a network of that one layer, in nominal formats

``compile`` stops at the first layer; ``check`` lists them all. Both ask the same function. What depends on all layers
together, room in the scratchpad say, is tried on the whole network in nominal formats (``unfit``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from ..hw.config import EngineConfig
from ..quant.formats import QFormat
from ..quant.network import IntArray, Layer, QuantizedNetwork, Tensor
from ..quant.overflow import prove
from ..quant.protocol import RealLayer
from .compiler import check_network
from .cycle_model.nominal import nominal_network
from .graph import Graph
from .images import Preprocessing
from .operations import operations

__all__ = ["refused", "unfit"]

Shape = tuple[int, int, int]
_SUMS = ("conv", "avgpool", "add")


def refused(
    layers: Iterable[RealLayer], shapes: Mapping[str, Shape], config: EngineConfig
) -> dict[str, tuple[str, str]]:
    """(why, cure) of every layer that an engine of this configuration cannot compute, by the layer's name.

    ``shapes``: (height, width, channels) by tensor; a layer whose tensors it lacks is left out.
    """
    found = {}
    for layer in layers:
        if all(name in shapes for name in (*layer.inputs, layer.output)):
            try:
                operations(_alone(layer, shapes, config), config, fuse_pools=False)
            except ValueError as error:
                why = str(error).removeprefix(f"layer {layer.name!r} ")
                why, _, cure = why.partition(": ")
                found[layer.name] = (f"it {why}", cure or "use a smaller one")
    return found


def unfit(
    graph: Graph, config: EngineConfig, preprocessing: Preprocessing | None = None
) -> tuple[str, str] | None:
    """(why, cure) where an engine cannot run a network whose every layer alone it can; None where it can.

    ``preprocessing``: with which the network will be quantized, for that folds into its first layer.
    """

    def nominal(signed: bool) -> QuantizedNetwork:
        return nominal_network(
            graph, preprocessing or Preprocessing(255.0), act_width=config.act_width, wgt_width=config.wgt_width,
            acc_width=config.acc_width, signed=signed,
        )  # fmt: skip

    try:
        check_network(nominal(True), config)
        prove(nominal(False), config.acc_width)
    except ValueError as error:
        why, _, cure = str(error).partition(": ")
        return why, cure or "use a larger engine"
    return None


def _alone(real: RealLayer, shapes: Mapping[str, Shape], config: EngineConfig) -> QuantizedNetwork:
    """A network of one layer, all codes 0 or 1, of bits the engine has: its shapes are what matters."""
    codes, width = QFormat(min(8, config.act_width), 0), min(8, config.wgt_width)
    wgt: IntArray | None = None
    if real.weight is not None:
        wgt = np.zeros(real.weight.shape, np.int64)
    elif real.kind == "avgpool":
        wgt = np.ones((1, 1, 1, 1), np.int64)
        if real.counts is not None:
            wgt = real.counts[None, None].astype(np.int64) % (1 << width - 1)
    table: IntArray | None = None
    if real.function is not None:
        table = np.zeros((real.function.channels, 1 << codes.width), np.int64)
    inputs = real.inputs if real.kind in ("add", "concat", "product") else real.inputs[:1]
    layer = Layer(
        name=real.name, kind=real.kind, inputs=inputs, output=real.output, kernel=real.kernel, stride=real.stride,
        dilation=real.dilation, pads=real.pads, groups=real.groups, factor=real.factor, wgt=wgt, wgt_width=width,
        res_shift=np.zeros(1, np.int64) if real.kind in _SUMS else None, table=table, lo=codes.min, hi=codes.max,
    )  # fmt: skip
    tensors = {n: Tensor(name=n, shape=shapes[n], format=codes) for n in (*inputs, real.output)}
    if real.kind == "product" and len(inputs) > 1:  # the second operand is quantized as weights are
        tensors[inputs[1]] = replace(tensors[inputs[1]], format=QFormat(width, 0))
    return QuantizedNetwork(
        name=real.name, input=inputs[0], outputs=(real.output,), tensors=tensors, layers=(layer,)
    )
