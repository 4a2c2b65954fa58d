"""The oracle: ONNX Runtime on the exported QDQ model, compared code by code with the integer reference.

``mismatches = #{ (tensor, n, y, x, channel) : reference code != ONNX Runtime's code }``

An independent program computes the same integers, so a mismatch is a bug of ours (or of the export).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime  # type: ignore[import-untyped]

from ..quant.network import QuantizedNetwork
from . import integer_reference
from .qdq import codes_name, export_qdq

__all__ = ["Comparison", "Mismatch", "Oracle", "compare", "first_difference"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """Where two models part: the first differing code of a tensor."""

    tensor: str
    n: int
    y: int
    x: int
    channel: int
    expected: int
    got: int

    def __str__(self) -> str:
        place = f"image {self.n}, y {self.y}, x {self.x}, channel {self.channel}"
        return f"tensor {self.tensor!r}, {place}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Codes compared and codes that differ, over all and by tensor; ``first`` in the network's order."""

    images: int
    compared: int
    mismatches: int
    by_tensor: dict[str, int] = field(default_factory=dict)
    first: Mismatch | None = None


def first_difference(
    tensor: str, expected: Array, got: Array, first_image: int = 0
) -> tuple[int, Mismatch | None]:
    """(count, first place) of the differences of two code arrays [N, H, W, C]; ValueError where shapes differ."""
    if expected.shape != got.shape:
        raise ValueError(f"tensor {tensor!r}: shapes differ, {list(expected.shape)} and {list(got.shape)}")
    different = expected.astype(np.int64) != got.astype(np.int64)
    count = int(np.count_nonzero(different))
    if count == 0:
        return 0, None
    n, y, x, c = (int(i) for i in np.unravel_index(int(np.argmax(different)), different.shape))
    place = Mismatch(
        tensor=tensor, n=n + first_image, y=y, x=x, channel=c,
        expected=int(expected[n, y, x, c]), got=int(got[n, y, x, c]),
    )  # fmt: skip
    return count, place


class Oracle:
    """ONNX Runtime on a QDQ model, graph optimizations off.

    ``model`` replaces the export of ``network`` (a model from disk); it must give the codes asked for.
    """

    def __init__(
        self,
        network: QuantizedNetwork,
        keep: Literal["all", "outputs"] = "outputs",
        model: onnx.ModelProto | None = None,
    ) -> None:
        self._network = network
        self._names = tuple(network.tensors) if keep == "all" else network.outputs
        proto = (
            export_qdq(network, "all" if keep == "all" else "codes")
            if model is None
            else _codes(model, self._names)
        )
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def run(self, real: Array) -> dict[str, Array]:
        """Codes [N, H, W, C] by tensor name for normalized images [N, H, W, C]."""
        feed = np.ascontiguousarray(np.asarray(real, np.float32).transpose(0, 3, 1, 2))
        values = self._session.run([codes_name(n) for n in self._names], {self._network.input: feed})
        return {name: value.transpose(0, 2, 3, 1) for name, value in zip(self._names, values, strict=True)}


def _codes(model: onnx.ModelProto, names: tuple[str, ...]) -> onnx.ModelProto:
    made = {output for node in model.graph.node for output in node.output}
    for name in names:
        if codes_name(name) not in made:
            raise ValueError(f"the QDQ model has no tensor {codes_name(name)!r}: export it again")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(onnx.ValueInfoProto(name=codes_name(name)) for name in names)
    return copy


def compare(
    network: QuantizedNetwork,
    real: Array,
    keep: Literal["all", "outputs"] = "outputs",
    batch: int = 32,
    model: onnx.ModelProto | None = None,
    expected: Mapping[str, Array] | None = None,
) -> Comparison:
    """Integer reference against ONNX Runtime on normalized images [N, H, W, C] (float32).

    ``keep``: every tensor, the input's codes included, or the network's outputs. ``model``: a QDQ model
    from disk instead of a fresh export. ``expected``: the reference's codes, where they are known already.
    """
    oracle = Oracle(network, keep, model)
    counts: dict[str, int] = {}
    firsts: dict[str, Mismatch] = {}
    compared = 0
    for start in range(0, real.shape[0], batch):
        part = np.asarray(real[start : start + batch], np.float32)
        if expected is None:
            wanted = integer_reference.run(network, network.input_codes(part), keep)
        else:
            wanted = {name: codes[start : start + batch] for name, codes in expected.items()}
        got = oracle.run(part)
        for name, codes in wanted.items():
            count, place = first_difference(name, codes, got[name], start)
            compared += codes.size
            counts[name] = counts.get(name, 0) + count
            if place is not None:
                firsts.setdefault(name, place)
    order = [name for name in network.tensors if name in firsts]
    return Comparison(
        images=int(real.shape[0]), compared=compared, mismatches=sum(counts.values()), by_tensor=counts,
        first=firsts[order[0]] if order else None,
    )  # fmt: skip
