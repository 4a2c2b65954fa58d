"""Export of a quantized network as ONNX QDQ with power-of-two scales: the form other programs can check.

``real = code * 2**-fl`` between QuantizeLinear and DequantizeLinear; ``codes`` of a tensor t are ``t:codes``.

The exactness rule (design, section 1): a layer is a plain float32 Conv only where the sum of absolute terms
(real weight codes, bias and residual included) stays below 2**24; beyond, it is split into float32 Convs that
each stay below, summed in double, requantized by Mul, Round, Clip, Cast in double. Widths that ONNX 13 lacks
become a Clip around a wider type (int8, uint8, int32). A table is a Gather by the code. Run it with graph
optimizations off.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..quant.formats import QFormat
from ..quant.network import Layer, QuantizedNetwork, Tensor
from ..quant.overflow import code_magnitudes, layer_bound
from .qdq_split import split_activation, split_weights

__all__ = ["FLOAT32_EXACT", "codes_name", "export_qdq"]

Array = npt.NDArray[Any]
FLOAT32_EXACT = 1 << 24
"""Integers up to here are exact in float32."""


def codes_name(tensor: str) -> str:
    """The name of a tensor's codes in the exported model."""
    return f"{tensor}:codes"


def export_qdq(
    network: QuantizedNetwork,
    outputs: Literal["real", "codes", "all"] = "real",
    flat: Collection[str] = (),
    exact_below: int = FLOAT32_EXACT,
) -> onnx.ModelProto:
    """The QDQ model: real input NCHW float32, symbolic batch, opset 13.

    ``outputs``: ``real`` the network's outputs as real values under their own names, those in ``flat`` as
    [N, C*H*W]; ``codes`` the codes of the outputs instead; ``all`` the codes of every tensor, the input's
    included. ``exact_below`` lowers the exactness limit (tests use it to force the split form).
    """
    build = _Builder(network, exact_below)
    source = network.tensors[network.input]
    build.quantize_input(source)
    for layer in network.layers:
        build.layer(layer)
    infos = []
    if outputs == "real":
        for name in network.outputs:
            infos.append(build.real_output(network.tensors[name], name in flat))
    else:
        for name in network.tensors if outputs == "all" else network.outputs:
            tensor = network.tensors[name]
            h, w, c = tensor.shape
            kind = _code_type(tensor.format)
            infos.append(helper.make_tensor_value_info(codes_name(name), kind, ["N", c, h, w]))
    h, w, c = network.image_shape
    graph = helper.make_graph(
        build.nodes,
        network.name,
        [helper.make_tensor_value_info(build.input_name, TensorProto.FLOAT, ["N", c, h, w])],
        infos,
        build.initializers,
    )
    return helper.make_model(
        graph, producer_name="systolith", ir_version=8, opset_imports=[helper.make_opsetid("", 13)]
    )


def _code_type(fmt: QFormat) -> int:
    if fmt.width > 8:
        return int(TensorProto.INT32)
    return int(TensorProto.INT8 if fmt.signed else TensorProto.UINT8)


def _code_dtype(fmt: QFormat) -> str:
    return "int32" if fmt.width > 8 else "int8" if fmt.signed else "uint8"


class _Builder:
    """Nodes and initializers of the model under construction."""

    def __init__(self, network: QuantizedNetwork, exact_below: int) -> None:
        self.network = network
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.input_name = network.input
        self._exact_below = exact_below
        self._magnitude = code_magnitudes(network)
        self._known: dict[str, str] = {}
        self._count = 0

    def add(self, op: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        """Append a node; returns its output's name."""
        if output is None:
            self._count += 1
            output = f"{op}:{self._count}"
        self.nodes.append(
            helper.make_node(op, inputs, [output], name=f"{op}:{len(self.nodes)}", **attributes)
        )
        return output

    def constant(self, values: Array, name: str | None = None) -> str:
        """Append an initializer; equal small constants share one."""
        key = f"{values.dtype}:{values.tolist()}" if values.ndim == 0 else ""
        if key and key in self._known:
            return self._known[key]
        self._count += 1
        name = name or f"constant:{self._count}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        if key:
            self._known[key] = name
        return name

    def scalar(self, value: float, dtype: str) -> str:
        """A scalar initializer."""
        return self.constant(np.array(value, dtype))

    def quantize_input(self, tensor: Tensor) -> None:
        """``input:codes`` from the real input, through the stem (``quant.network.Stem.apply``) if there is one."""
        value, stem = self.input_name, self.network.stem
        if stem is not None:
            gain, offset = (
                self.constant(values.astype(np.float32).reshape(1, -1, 1, 1))
                for values in (stem.gain, stem.offset)
            )
            value = self.add("Mul", [value, gain])
            if any(stem.pads):
                top, left, bottom, right = stem.pads
                around = self.constant(np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))
                value = self.add("Pad", [value, around])
            value = self.add("Add", [value, offset])
        self._to_codes(value, tensor, tensor.format.min, tensor.format.max, double=False)

    def real_output(self, tensor: Tensor, flat: bool) -> onnx.ValueInfoProto:
        """The tensor's real values under its own name."""
        h, w, c = tensor.shape
        real = self.real(tensor.name)
        if flat:
            self.add("Flatten", [real], tensor.name, axis=1)
        else:
            self.add("Identity", [real], tensor.name)
        shape: list[str | int | None] = ["N", c * h * w] if flat else ["N", c, h, w]
        return helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, shape)

    def real(self, tensor: str) -> str:
        """The name of a tensor's real float32 values."""
        key = "real:" + tensor
        if key not in self._known:
            step = self.scalar(self.network.tensors[tensor].format.step, "float32")
            self._known[key] = self.add("DequantizeLinear", [codes_name(tensor), step], f"{tensor}:real")
        return self._known[key]

    def layer(self, layer: Layer) -> None:
        """One layer, from the codes of its inputs to the codes of its output."""
        tensor = self.network.tensors[layer.output]
        if layer.kind == "concat":
            self.add("Concat", [codes_name(name) for name in layer.inputs], codes_name(tensor.name), axis=1)
            return
        if layer.kind == "upsample":
            self._upsample(layer)
            return
        if layer.kind == "maxpool":
            self._to_codes(self._max_pool(layer), tensor, layer.lo, layer.hi, double=False)
            return
        if layer.table is not None:
            self._gather(layer, layer.table, tensor)
            return
        double = max(layer_bound(layer, self._magnitude)) >= self._exact_below
        if layer.kind == "product":
            factors = [self._as(self.real(name), double) for name in layer.inputs]
            self._to_codes(self.add("Mul", factors), tensor, layer.lo, layer.hi, double=double)
            return
        if layer.kind == "add":
            value = self._as(self.real(layer.inputs[0]), double)
        elif double:
            value = self._weigh(layer, self._split_conv(layer), double)
        else:
            value = self._weigh(layer, self._plain_conv(layer), double)
        if len(layer.inputs) > 1:
            value = self.add("Add", [value, self._as(self.real(layer.inputs[1]), double)])
        self._to_codes(value, tensor, layer.lo, layer.hi, double=double)

    def _gather(self, layer: Layer, table: Array, tensor: Tensor) -> None:
        """``table[c][code mod 2**n]``: a Gather from all tables, one behind the other."""
        size = table.shape[1]
        index = self.add("Cast", [codes_name(layer.inputs[0])], to=TensorProto.INT64)
        index = self.add("Mod", [index, self.scalar(size, "int64")])
        if len(table) > 1:
            first = self.constant(np.arange(len(table), dtype=np.int64).reshape(1, -1, 1, 1) * size)
            index = self.add("Add", [index, first])
        values = self.constant(table.reshape(-1).astype(_code_dtype(tensor.format)), f"{layer.name}:table")
        self.add("Gather", [values, index], codes_name(tensor.name))

    def _max_pool(self, layer: Layer) -> str:
        value, pads = self.real(layer.inputs[0]), layer.pads
        if any(
            pad >= taps for pad, taps in zip(pads, layer.kernel * 2, strict=True)
        ):  # ONNX Runtime refuses these
            fmt, (top, left, bottom, right) = self.network.tensors[layer.inputs[0]].format, pads
            around = self.constant(np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))
            least = self.scalar(fmt.min * fmt.step, "float32")
            value, pads = self.add("Pad", [value, around, least]), (0, 0, 0, 0)
        return self.add(
            "MaxPool",
            [value],
            kernel_shape=layer.kernel,
            strides=layer.stride,
            pads=pads,
            dilations=layer.dilation,
        )

    def _upsample(self, layer: Layer) -> None:
        scales = self.constant(np.array([1, 1, *layer.factor], np.float32))
        self.add(
            "Resize", [codes_name(layer.inputs[0]), "", scales], codes_name(layer.output), mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip

    def _as(self, value: str, double: bool) -> str:
        return self.add("Cast", [value], to=TensorProto.DOUBLE) if double else value

    def _weights(self, layer: Layer) -> tuple[Array, Array, int]:
        """(codes [K, C/group, R, S], fl [K], group) of a conv, or of an average pool as a depthwise one."""
        if layer.wgt is None or layer.wgt_fl is None:
            raise ValueError(f"layer {layer.name!r} of kind {layer.kind} needs weight codes, not None")
        if layer.kind == "conv":
            return layer.wgt, np.broadcast_to(layer.wgt_fl, (layer.wgt.shape[0],)), layer.groups
        channels = self.network.tensors[layer.inputs[0]].shape[2]
        mapped = layer.wgt.shape[2:] != (1, 1)  # then a product follows: see ``_weigh``
        code, fl = (
            (np.ones((1, 1, 1, 1), np.int64), 0 * layer.wgt_fl) if mapped else (layer.wgt, layer.wgt_fl)
        )
        codes = np.broadcast_to(code, (channels, 1, *layer.kernel))
        return codes, np.broadcast_to(fl, (channels,)), channels

    def _weigh(self, layer: Layer, value: str, double: bool) -> str:
        """The sums of an average pool's windows times a weight for each output, where there is more than one."""
        if (
            layer.kind != "avgpool"
            or layer.wgt is None
            or layer.wgt_fl is None
            or layer.wgt.shape[2:] == (1, 1)
        ):
            return value
        real = np.ldexp(layer.wgt.astype(np.float64 if double else np.float32), -int(layer.wgt_fl[0]))
        return self.add("Mul", [value, self.constant(real)])

    def _conv(self, layer: Layer, act: str, weight: str, group: int, bias: str | None = None) -> str:
        inputs = [act, weight] if bias is None else [act, weight, bias]
        return self.add(
            "Conv", inputs, kernel_shape=layer.kernel, strides=layer.stride, pads=layer.pads,
            dilations=layer.dilation, group=group,
        )  # fmt: skip

    def _plain_conv(self, layer: Layer) -> str:
        wgt, fl, group = self._weights(layer)
        name = layer.name
        kind = "int8" if layer.wgt_width <= 8 else "int32"
        steps = self.constant(np.ldexp(np.float32(1), -fl.astype(np.int32)), f"{name}:wgt_step")
        codes = self.constant(wgt.astype(kind), f"{name}:wgt")
        weight = self.add("DequantizeLinear", [codes, steps], axis=0)
        bias = None
        if layer.bias is not None:
            fl_acc = fl + self.network.tensors[layer.inputs[0]].format.fl
            steps = self.constant(np.ldexp(np.float32(1), -fl_acc.astype(np.int32)), f"{name}:bias_step")
            codes = self.constant(layer.bias.astype(np.int32), f"{name}:bias")
            bias = self.add("DequantizeLinear", [codes, steps], axis=0)
        return self._conv(layer, self.real(layer.inputs[0]), weight, group, bias)

    def _split_conv(self, layer: Layer) -> str:
        """Sum in double of float32 Convs whose absolute terms stay below the limit."""
        wgt, fl, group = self._weights(layer)
        source = self.network.tensors[layer.inputs[0]]
        total: str | None = None
        for act, unit, magnitude in split_activation(self, source, self._magnitude[source.name]):
            for part in split_weights(wgt, layer.wgt_width, magnitude, self._exact_below, whole=group > 1):
                values = np.ldexp(
                    part.codes.astype(np.float32), part.unit - fl.astype(np.int32)[:, None, None, None]
                )
                piece = act
                if part.channels != (0, wgt.shape[1]):
                    bounds = [np.array([edge], np.int64) for edge in (*part.channels, 1)]
                    piece = self.add("Slice", [act, *(self.constant(edge) for edge in bounds)])
                summand = self._as(self._conv(layer, piece, self.constant(values), group), double=True)
                if unit:
                    summand = self.add("Mul", [summand, self.scalar(2.0**unit, "float64")])
                total = summand if total is None else self.add("Add", [total, summand])
        if total is None:  # all weights are zero
            shape = self.network.tensors[layer.output].shape
            zeros = self.constant(np.zeros((wgt.shape[0], wgt.shape[1], *layer.kernel), np.float32))
            assert shape[2] == wgt.shape[0]
            total = self._as(self._conv(layer, self.real(source.name), zeros, group), double=True)
        if layer.bias is not None:
            real = np.ldexp(layer.bias.astype(np.float64), -(fl + source.format.fl).astype(np.int32))
            total = self.add("Add", [total, self.constant(real.reshape(1, -1, 1, 1))])
        return total

    def _to_codes(self, value: str, tensor: Tensor, lo: int, hi: int, double: bool) -> None:
        """Round and saturate real values to the tensor's codes, within lo..hi."""
        fmt = tensor.format
        codes = codes_name(tensor.name)
        dtype = _code_dtype(fmt)
        if double or dtype == "int32":
            kind = "float64" if double else "float32"
            value = self.add("Mul", [value, self.scalar(2.0**fmt.fl, kind)])
            value = self.add("Round", [value])
            value = self.add("Clip", [value, self.scalar(lo, kind), self.scalar(hi, kind)])
            self.add("Cast", [value], codes, to=_code_type(fmt))
            return
        limits = np.iinfo(dtype)
        if (lo, hi) != (limits.min, limits.max):
            bounds = [self.scalar(bound * fmt.step, "float32") for bound in (lo, hi)]
            value = self.add("Clip", [value, *bounds])
        step = self.scalar(fmt.step, "float32")
        self.add("QuantizeLinear", [value, step, self.scalar(0, dtype)], codes)
