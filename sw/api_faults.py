"""Faults on purpose: a model with one wrong weight, to see what ``verify`` says of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from . import quantized_io
from .quantized_io import QuantizedModel

__all__ = ["with_weight"]


def with_weight(
    source: QuantizedModel | str | Path, layer: str, index: tuple[int, int, int, int], code: int
) -> QuantizedModel:
    """The quantized model with another code at wgt[k, c, r, s] of one convolution; nothing else changes.

    Compile it and give the program to ``verify`` of the model as it was: the first mismatch is where the weight counts.

    Raises ValueError for a layer or index that the model does not have, and for a code that is no weight.
    """
    model = source if isinstance(source, QuantizedModel) else quantized_io.load(source)
    found = {item.name: item for item in model.network.layers if item.kind == "conv" and item.wgt is not None}
    if layer not in found:
        raise ValueError(f"layer must be one of {', '.join(found)}, not {layer!r}")
    wgt = found[layer].wgt
    assert wgt is not None
    if len(index) != 4 or not all(0 <= i < size for i, size in zip(index, wgt.shape, strict=True)):
        raise ValueError(f"index must be k, c, r, s inside of {wgt.shape}, not {index!r}")
    reach = 1 << (found[layer].wgt_width - 1)
    if not -reach <= code < reach:
        raise ValueError(
            f"code must be a weight of {found[layer].wgt_width} bits, {-reach}..{reach - 1}, not {code!r}"
        )
    changed = wgt.copy()
    changed[index] = code
    layers = [replace(item, wgt=changed) if item.name == layer else item for item in model.network.layers]
    return replace(model, network=replace(model.network, layers=tuple(layers)))
