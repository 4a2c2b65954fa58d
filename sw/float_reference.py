"""The float reference: the trained network's own outputs, from NumPy on the fused graph or from ONNX Runtime.

``outputs = network(real)`` without any quantization, at N H W C (NumPy) or as the file says (ONNX Runtime).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime  # type: ignore[import-untyped]

from ..quant.blas_threads import batch_size, workers
from .graph import Graph

__all__ = ["FloatSession", "as_file", "flat_logits", "run", "with_dynamic_batch"]

Array = npt.NDArray[Any]


def run(
    graph: Graph,
    real: Array,
    keep: Literal["all", "outputs"] = "outputs",
    batch: int = 0,
) -> dict[str, Array]:
    """Real tensors [N, H, W, C] by name, in the type of ``real`` (float32 or float64).

    ``real``: normalized images [N, H, W, C]; ``batch`` at a time in each thread (0: as many as are fast). Raises
    ValueError for another shape.
    """
    shape = graph.shapes[graph.input]
    if real.ndim != 4 or real.shape[1:] != shape:
        raise ValueError(f"input must be [N, {shape[0]}, {shape[1]}, {shape[2]}], not {list(real.shape)}")
    batch = batch or batch_size(graph.shapes.values())
    names = tuple(graph.shapes) if keep == "all" else graph.outputs
    result = {name: np.empty((real.shape[0], *graph.shapes[name]), real.dtype) for name in names}

    def run_part(start: int) -> None:
        part = slice(start, start + batch)
        live = {graph.input: real[part]}
        for layer in graph.layers:
            live[layer.output] = graph.forward(layer, [live[name] for name in layer.inputs])
        for name in names:
            result[name][part] = live[name]

    with ThreadPoolExecutor(workers()) as pool:
        list(pool.map(run_part, range(0, real.shape[0], batch)))
    return result


def flat_logits(values: Array) -> Array:
    """[N, H, W, C] as the ONNX file flattens it: [N, C*H*W]."""
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2)).reshape(values.shape[0], -1)


def with_dynamic_batch(model: onnx.ModelProto, outputs: Sequence[str] | None = None) -> onnx.ModelProto:
    """A copy of the model that takes any batch, with other outputs if ``outputs`` names tensors.

    A static batch becomes symbolic; Reshapes that repeat it copy the batch of their input instead.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    constants = {tensor.name for tensor in graph.initializer}
    batch = 0
    for value in graph.input:
        if value.name not in constants and value.type.tensor_type.shape.dim:
            dim = value.type.tensor_type.shape.dim[0]
            batch = dim.dim_value
            dim.dim_param = "N"
    if batch > 0:
        _free_reshapes(graph, batch)
    del graph.value_info[:]
    if outputs is not None:
        _set_outputs(graph, outputs)
    for value in graph.output:
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "N"
    return copy


def _set_outputs(graph: onnx.GraphProto, outputs: Sequence[str]) -> None:
    """Other outputs; ONNX Runtime finds their types."""
    del graph.output[:]
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)


def _free_reshapes(graph: onnx.GraphProto, batch: int) -> None:
    values = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    values[node.output[0]] = attribute.t
    for i, node in enumerate(graph.node):
        if node.op_type != "Reshape" or len(node.input) < 2 or node.input[1] not in values:
            continue
        shape = onnx.numpy_helper.to_array(values[node.input[1]]).copy()
        if shape.size > 1 and shape[0] == batch:
            shape[0] = 0
            name = f"{node.input[1]}:batch{i}"
            graph.initializer.append(onnx.numpy_helper.from_array(shape, name))
            node.input[1] = name
            kept = [attribute for attribute in node.attribute if attribute.name != "allowzero"]
            del node.attribute[:]
            node.attribute.extend(kept)


_LOADED = 13, 26
"""The newest file format and opset that ONNX Runtime loads; later ones differ in nothing that the reader takes."""


class FloatSession:
    """ONNX Runtime on the trained network, any batch: the third party's word on the float outputs."""

    def __init__(self, model: onnx.ModelProto, graph: Graph, outputs: Sequence[str] | None = None) -> None:
        self._names = tuple(graph.outputs if outputs is None else outputs)
        self._axes = graph.input_axes
        self._orders = {name: (graph.shapes[name], "".join(axes)) for name, axes in graph.output_axes.items()}
        self._input = _graph_input(model)
        self._codes = graph.codes
        self._model = model
        self._session = _session(with_dynamic_batch(model, self._names))
        self._fixed = 0
        """the file's batch, once it has turned out that the network takes no other."""

    def run(self, real: Array, batch: int = 64) -> dict[str, Array]:
        """Outputs by name, for normalized images [N, H, W, C] float32.

        [N, ...] as the file shapes them, but always channels first.
        """
        try:
            parts = self._parts(real, self._fixed or batch)
        except Exception:
            # a symbolic batch that is none: a constant of one image, in a Concat say
            self._fixed = (_static_batch(self._model) or 1) if not self._fixed else 0
            if not self._fixed:
                raise
            again = onnx.ModelProto()
            again.CopyFrom(self._model)
            _set_outputs(again.graph, self._names)
            self._session = _session(again)
            parts = self._parts(real, self._fixed)
        found = {
            name: np.concatenate([p[i] for p in parts])[: len(real)] for i, name in enumerate(self._names)
        }
        return {name: self._channels_first(name, self._real(name, values)) for name, values in found.items()}

    def _parts(self, real: Array, batch: int) -> list[list[Array]]:
        parts = []
        for start in range(0, real.shape[0], batch):
            part = np.asarray(real[start : start + batch], np.float32)
            if self._fixed and len(part) < batch:
                part = np.concatenate([part, np.zeros((batch - len(part), *part.shape[1:]), np.float32)])
            values = self._session.run(list(self._names), {self._input: as_file(part, self._axes)})
            for name, value in zip(self._names, values, strict=True):
                if value.shape[:1] != (len(part),):
                    raise ValueError(f"output {name!r} is of batch {value.shape[:1]}, not {len(part)}")
            parts.append(values)
        return parts

    def _real(self, name: str, values: Array) -> Array:
        if values.dtype.kind == "f":
            return values
        scale, zero = self._codes[name]
        return ((values.astype(np.int64) - zero) * np.float32(scale)).astype(np.float32)

    def _channels_first(self, name: str, values: Array) -> Array:
        if name not in self._orders:
            return values
        shape, order = self._orders[name]
        sizes = dict(zip("HWC", shape, strict=True))
        full = values.reshape(-1, *(sizes[x] for x in order))
        first = full.transpose(0, *(order.index(x) + 1 for x in "CHW" if x in order))
        return np.ascontiguousarray(first if values.ndim == 4 else first.reshape(values.shape))


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is tried with the file's own batch
    # ONNX Runtime's sums of uint8 * int8 saturate on processors without VNNI. Between QDQ pairs it computes real
    # values, as the file says, once it does not fuse them; of operators that take unsigned codes it makes the
    # weights unsigned.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    if _unsigned_operators(model):
        options.add_session_config_entry("session.x64quantprecision", "1")
    model.ir_version = min(model.ir_version, _LOADED[0])
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx"):
            opset.version = min(opset.version, _LOADED[1])
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _unsigned_operators(model: onnx.ModelProto) -> bool:
    """Whether there are quantized operators, and all take unsigned codes."""
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type in ("QLinearConv", "QLinearMatMul")]
    return bool(nodes) and all(types.get(node.input[2]) == onnx.TensorProto.UINT8 for node in nodes)


def _static_batch(model: onnx.ModelProto) -> int:
    name = _graph_input(model)
    dims = next(value for value in model.graph.input if value.name == name).type.tensor_type.shape.dim
    return int(dims[0].dim_value) if dims else 0


def as_file(real: Array, axes: Sequence[str]) -> Array:
    """Images [N, H, W, C] with the axes of a file (``Graph.input_axes``)."""
    sizes = dict(zip("HWC", real.shape[1:], strict=True))
    order = "".join(axes)
    moved = real.transpose(
        0, *("HWC".index(x) + 1 for x in order), *(i + 1 for i, x in enumerate("HWC") if x not in order)
    )
    shape = [math.prod(sizes[x] for x in axis) for axis in axes]
    return np.ascontiguousarray(moved).reshape(len(real), *shape)


def _graph_input(model: onnx.ModelProto) -> str:
    constants = {tensor.name for tensor in model.graph.initializer}
    names = [str(value.name) for value in model.graph.input if value.name not in constants]
    return names[0]
