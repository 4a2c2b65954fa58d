"""Convolutions too large for exact float32, cut into pieces that are not.

``sum act * wgt = sum over pieces of 2**unit * sum act_piece * wgt_piece``, each piece's absolute terms < limit
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from ..quant.network import Tensor

__all__ = ["WeightPart", "split_activation", "split_weights"]

Array = npt.NDArray[Any]


class Builder(Protocol):
    """What a splitter needs of the model under construction."""

    def add(self, op: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str: ...
    def scalar(self, value: float, dtype: str) -> str: ...
    def real(self, tensor: str) -> str: ...


@dataclass(frozen=True, kw_only=True)
class WeightPart:
    """Weights of one piece: ``codes * 2**unit`` over the input channels first..last-1."""

    codes: Array
    unit: int
    channels: tuple[int, int]


def split_activation(build: Builder, tensor: Tensor, magnitude: int) -> Iterator[tuple[str, int, int]]:
    """(name of real float32 values, unit, largest code) of each digit of a tensor's codes.

    Up to 8 bits: the tensor itself. 16 bits: ``code = high * 2**8 + low`` with 0 <= low < 2**8; the high
    digit's values come divided by 2**8, unit 8.
    """
    if tensor.format.width <= 8:
        yield build.real(tensor.name), 0, magnitude
        return
    code = build.add("Cast", [f"{tensor.name}:codes"], to=TensorProto.FLOAT)
    high = build.add("Floor", [build.add("Mul", [code, build.scalar(2.0**-8, "float32")])])
    low = build.add("Sub", [code, build.add("Mul", [high, build.scalar(2.0**8, "float32")])])
    step = build.scalar(tensor.format.step, "float32")
    yield build.add("Mul", [low, step]), 0, 255
    yield build.add("Mul", [high, step]), 8, (magnitude >> 8) + 1


def split_weights(
    wgt: Array, width: int, magnitude: int, limit: int, whole: bool = False
) -> Iterator[WeightPart]:
    """Pieces of ``wgt`` [K, C, R, S] with ``sum |codes| * magnitude < limit`` in every output channel.

    ``whole`` keeps all channels in every piece, as groups need. Weights above 8 bits fall into two digits
    first. Raises ValueError where one product reaches ``limit``.
    """
    if width <= 8:
        digits = [(wgt, 0)]
    else:
        low = wgt & 255
        digits = [(low, 0), ((wgt - low) >> 8, 8)]
    taps = wgt.shape[2] * wgt.shape[3]
    for codes, unit in digits:
        terms = np.abs(codes.reshape(codes.shape[0], -1)).astype(np.int64) * magnitude
        if terms.size and int(terms.max()) >= limit:
            raise ValueError(f"one product of {int(terms.max())} reaches the limit {limit}; raise the limit")
        sums = np.concatenate([np.zeros((terms.shape[0], 1), np.int64), np.cumsum(terms, axis=1)], axis=1)
        first = 0
        while first < terms.shape[1]:
            ends = [int(np.searchsorted(row, row[first] + limit, "left")) - 1 for row in sums]
            last = max(min(ends), first + 1)
            if np.any(terms[:, first:last]):
                c0, c1 = (0, wgt.shape[1]) if whole else (first // taps, -(-last // taps))
                mask = np.zeros(terms.shape[1], bool)
                mask[first:last] = True
                part = np.where(mask.reshape(1, *wgt.shape[1:]), codes, 0)[:, c0:c1]
                yield WeightPart(codes=part, unit=unit, channels=(c0, c1))
            first = last
