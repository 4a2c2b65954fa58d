"""Random products of a map and a vector: squeeze and excitation, and products of what is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..quant.formats import QFormat
from ..quant.network import Layer, Tensor

if TYPE_CHECKING:
    from .random_network import _Generator

__all__ = ["excite", "product"]


def excite(made: _Generator, name: str, act: Tensor) -> list[Layer]:
    """mean -> 1x1 convolution -> 1x1 convolution -> product"""
    mean = made._mean(f"{name}_mean", act)
    squeezed = _dense(
        made, f"{name}_squeeze", made.tensors[mean.output], made.number(1, act.shape[2]), made.format()
    )
    gate = _dense(made, f"{name}_excite", made.tensors[squeezed.output], act.shape[2], _gate_format(made))
    return [mean, squeezed, gate, _product(made, name, act, made.tensors[gate.output])]


def product(made: _Generator, name: str, act: Tensor) -> list[Layer]:
    """By a vector that is there, if there is one that fits; else ``excite``."""
    limit = 1 << made.wgt_width - 1
    fitting = [
        tensor
        for tensor in made.tensors.values()
        if tensor.shape == (1, 1, act.shape[2]) and -limit <= tensor.format.min and tensor.format.max < limit
    ]
    if not fitting:
        return excite(made, name, act)
    return [_product(made, name, act, fitting[made.number(0, len(fitting) - 1)])]


def _gate_format(made: _Generator) -> QFormat:
    """Of codes that are weights, too."""
    signed = bool(made.rng.random() < 0.5) or made.wgt_width == 2
    width = min(made.act_width, made.wgt_width - (not signed))
    return QFormat(width, made.number(-2, 8), signed)


def _dense(made: _Generator, name: str, act: Tensor, channels: int, fmt: QFormat) -> Layer:
    limit = 1 << made.wgt_width - 1
    wgt = made.rng.integers(-limit, limit, (channels, act.shape[2], 1, 1)).astype(np.int64)
    peak = float(np.abs(wgt).mean()) * act.format.max * wgt[0].size ** 0.5
    return Layer(
        name=name, kind="conv", inputs=(act.name,), output=made.tensor((1, 1, channels), fmt).name, wgt=wgt,
        wgt_width=made.wgt_width, bias=made.rng.integers(-int(peak) - 1, int(peak) + 1, channels).astype(np.int64),
        shift=made._shifts(peak, fmt, channels), lo=fmt.min, hi=fmt.max, macs=wgt.size,
    )  # fmt: skip


def _product(made: _Generator, name: str, act: Tensor, vector: Tensor) -> Layer:
    fmt = made.format()
    low, high = made._bounds(fmt)
    return Layer(
        name=name, kind="product", inputs=(act.name, vector.name), output=made.tensor(act.shape, fmt).name,
        shift=made._shifts(act.format.max * vector.format.max / 2, fmt, act.shape[2]), lo=low, hi=high,
    )  # fmt: skip
