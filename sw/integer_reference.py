"""The integer reference: every code of a quantized network, exact, at BLAS speed.

``out = clamp(round_half_even((bias + sum act * wgt + (residual << res_shift)) * 2**-shift), lo, hi)``

Sums run in float32 where their absolute terms stay below 2**24, in float64 below 2**53: integers of these
magnitudes are exact there in every order of addition, so BLAS computes exactly the engine's integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..quant.arithmetic import requantize_exact
from ..quant.blas_threads import batch_size, workers
from ..quant.network import COPIES, Layer, QuantizedNetwork
from ..quant.overflow import code_magnitudes, layer_bound
from .windows import conv_sum, window_max, window_sum

__all__ = ["accumulate", "run", "run_layer"]

Array = npt.NDArray[Any]


def accumulate(layer: Layer, inputs: Sequence[Array], bound: int) -> Array:
    """The exact accumulators of a layer, [N, OH, OW, K], before requantization (copies and tables: the codes).

    ``inputs`` are codes [N, H, W, C] of any numeric type; ``bound`` on the sum of absolute terms
    (``quant.overflow.layer_bound``) picks float32 or float64. Raises ValueError from 2**53 on.
    """
    if bound >= 1 << 53:
        raise ValueError(
            f"layer {layer.name!r} sums up to {bound}, not below 2**53: quantize with fewer bits"
        )
    kind = np.dtype(np.float32) if bound < 1 << 24 else np.dtype(np.float64)
    act = np.asarray(inputs[0]).astype(kind, copy=False)
    if layer.kind == "concat":
        return np.concatenate(inputs, axis=3, dtype=kind, casting="unsafe")
    if layer.kind == "maxpool":
        return window_max(act, layer.kernel, layer.stride, layer.dilation, layer.pads)
    if layer.kind == "upsample":
        return act.repeat(layer.factor[0], axis=1).repeat(layer.factor[1], axis=2)
    if layer.kind == "table":
        return _look_up(layer, act)
    if layer.kind == "product":
        product: Array = act * np.asarray(inputs[1]).astype(kind, copy=False)
        return product
    if layer.kind == "add":
        acc: Array = np.ldexp(act, layer.in_shift)
    elif layer.wgt is None:
        raise ValueError(f"layer {layer.name!r} of kind {layer.kind} needs weight codes, not None")
    elif layer.kind == "avgpool":
        acc = window_sum(act, layer.kernel, layer.stride, layer.dilation, layer.pads)
        acc *= layer.wgt[0, 0, :, :, None].astype(kind)
    else:
        wgt = layer.wgt.astype(kind)
        acc = conv_sum(act, wgt, layer.stride, layer.dilation, layer.pads, layer.groups)
    if layer.bias is not None:
        acc += layer.bias.astype(kind)
    if len(inputs) > 1:
        shift = np.zeros(1, np.int64) if layer.res_shift is None else layer.res_shift
        acc += np.ldexp(np.asarray(inputs[1]).astype(kind, copy=False), shift.astype(np.int32))
    return acc


def _look_up(layer: Layer, act: Array) -> Array:
    """table[c][code mod 2**n], in the type of ``act``."""
    if layer.table is None:
        raise ValueError(f"layer {layer.name!r} of kind table needs a table, not None")
    index = act.astype(np.int64) % layer.table.shape[1]
    table = layer.table.astype(act.dtype)
    looked_up: Array = table[0][index] if len(table) == 1 else table[np.arange(len(table)), index]
    return looked_up


def run_layer(layer: Layer, inputs: Sequence[Array], bound: int) -> Array:
    """The output codes of a layer as floating-point integers [N, OH, OW, K]."""
    out: Array = accumulate(layer, inputs, bound)
    if layer.kind not in COPIES and layer.kind != "table":
        out = requantize_exact(out, layer.shift, layer.lo, layer.hi)
    return out


def run(
    network: QuantizedNetwork,
    codes: Array,
    keep: Literal["all", "outputs"] | Sequence[str] = "outputs",
    batch: int = 0,
) -> dict[str, Array]:
    """The codes of the network's outputs, of all tensors, or of those named in ``keep``, by tensor name.

    ``codes``: the input's codes, integers [N, H, W, C]. Results are N H W C in the smallest of int8, uint8,
    int16, uint16 that holds the tensor's format. ``batch`` images run at a time in each thread (0:
    as many as are fast). Raises ValueError for
    codes of another shape or outside of the input's format, and for names the network does not have.
    """
    tensor = network.tensors[network.input]
    codes = np.asarray(codes)
    if codes.ndim != 4 or codes.shape[1:] != tensor.shape:
        h, w, c = tensor.shape
        raise ValueError(f"input codes must be [N, {h}, {w}, {c}], not {list(codes.shape)}")
    if codes.size and not tensor.format.min <= codes.min() <= codes.max() <= tensor.format.max:
        raise ValueError(
            f"input codes must lie in {tensor.format.min}..{tensor.format.max} ({tensor.format})"
        )
    if isinstance(keep, str):
        names = tuple(network.tensors) if keep == "all" else network.outputs
    else:
        names = tuple(keep)
        for name in names:
            if name not in network.tensors:
                raise ValueError(f"network {network.name!r} has no tensor {name!r}")
    batch = batch or batch_size(tensor.shape for tensor in network.tensors.values())
    bounds = _bounds(network)
    last_use = {name: i for i, layer in enumerate(network.layers) for name in layer.inputs}
    result = {name: _empty(network, name, codes.shape[0]) for name in names}

    def run_part(start: int) -> None:
        part = slice(start, min(start + batch, codes.shape[0]))
        live: dict[str, Array] = {network.input: codes[part].astype(np.float32)}
        if network.input in result:
            result[network.input][part] = codes[part]
        for i, layer in enumerate(network.layers):
            out = run_layer(layer, [live[name] for name in layer.inputs], bounds[layer.name])
            if layer.output in result:
                result[layer.output][part] = out
            live[layer.output] = out
            for name in layer.inputs:
                if last_use[name] == i:
                    live.pop(name, None)

    with ThreadPoolExecutor(workers()) as pool:
        list(pool.map(run_part, range(0, codes.shape[0], batch)))
    return result


def _bounds(network: QuantizedNetwork) -> Mapping[str, int]:
    magnitude = code_magnitudes(network)
    return {layer.name: max(layer_bound(layer, magnitude)) for layer in network.layers}


def _empty(network: QuantizedNetwork, name: str, images: int) -> Array:
    tensor = network.tensors[name]
    size = 8 if tensor.format.width <= 8 else 16 if tensor.format.width <= 16 else 64
    return np.empty((images, *tensor.shape), np.dtype(f"{'int' if tensor.format.signed else 'uint'}{size}"))
