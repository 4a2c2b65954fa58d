"""``Layers``: writes an ONNX network layer by layer, its weights from a seed; the same bytes on every machine.

    weight = (2 * u - 1) * sqrt(6 / fan_in) * gain        u = k / 2**24, k: the high 24 bits of a PCG64 word

so weights have He's variance, 2 / fan_in, times gain squared: activations neither vanish nor explode. Only exact
operations make them, and only the bit generator, whose stream NumPy promises never to change.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..windows import output_size

__all__ = ["Layers"]

Shape = tuple[int, int, int]

_BIAS = 0.05
"""Biases lie in -_BIAS.._BIAS."""


class Layers:
    """A network under construction. Every layer takes a name, which its node and its output tensor bear.

    Parameters
    ----------
    name : of the ONNX graph.
    shape : channels, height, width of the input, which is named ``image``.
    seed : of the weights and biases.

    ``shapes`` has the channels, height and width of every tensor.
    """

    def __init__(self, name: str, shape: Shape, seed: int) -> None:
        self.name = name
        self.shapes: dict[str, Shape] = {"image": shape}
        self._generator = np.random.PCG64(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def conv(
        self,
        name: str,
        source: str,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        relu: bool = True,
        add: str | None = None,
        gain: float = 1.0,
    ) -> str:
        """A square convolution padded by kernel // 2, then ``add`` + it, then ReLU; the last output's name."""
        ins, height, width = self.shapes[source]
        weight = self._uniform((channels, ins, kernel, kernel), (6 / (ins * kernel**2)) ** 0.5 * gain)
        pad = kernel // 2
        parts = [source, *self._parameters(name, weight)]
        result = self._node(
            "Conv", name, parts, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4
        )
        rows, cols = (output_size(size, kernel, stride, 1, pad, pad) for size in (height, width))
        self.shapes[name] = (channels, rows, cols)
        if add is not None:
            if self.shapes[add] != self.shapes[name]:
                raise ValueError(
                    f"{name} of {self.shapes[name]} cannot be added to {add} of {self.shapes[add]}"
                )
            result = self._same("Add", f"{name}.add", [name, add])
        return self._same("Relu", f"{name}.relu", [result]) if relu else result

    def max_pool(self, name: str, source: str, kernel: int, stride: int, pad: int = 0) -> str:
        """A square maximum pool."""
        channels, height, width = self.shapes[source]
        self._node("MaxPool", name, [source], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)
        rows, cols = (output_size(size, kernel, stride, 1, pad, pad) for size in (height, width))
        self.shapes[name] = (channels, rows, cols)
        return name

    def average_pool(self, name: str, source: str) -> str:
        """The average over the whole map."""
        channels, height, width = self.shapes[source]
        self._node("AveragePool", name, [source], kernel_shape=[height, width], strides=[1, 1])
        self.shapes[name] = (channels, 1, 1)
        return name

    def dense(self, name: str, source: str, outputs: int) -> str:
        """A fully connected layer over everything of ``source``."""
        features = int(np.prod(self.shapes[source]))
        flat = self._node("Flatten", f"{name}.flat", [source], axis=1)
        weight = self._uniform((outputs, features), (3 / features) ** 0.5)
        self._node("Gemm", name, [flat, *self._parameters(name, weight)], transB=1)
        self.shapes[name] = (outputs, 1, 1)
        return name

    def model(self, output: str) -> onnx.ModelProto:
        """The finished network, checked by ONNX; ``output`` is its one output."""

        def value(name: str, dims: list[int]) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *dims])

        dims = list(self.shapes[output])
        if self._nodes[-1].op_type == "Gemm":
            dims = dims[:1]
        ends = value("image", list(self.shapes["image"])), value(output, dims)
        graph = helper.make_graph(self._nodes, self.name, [ends[0]], [ends[1]], self._weights)
        model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
        onnx.checker.check_model(model)
        return model

    def _uniform(self, shape: tuple[int, ...], bound: float) -> npt.NDArray[np.float32]:
        words = self._generator.random_raw(int(np.prod(shape))) >> np.uint64(40)
        unit = words.astype(np.float64) * 2.0**-23 - 1.0
        return (unit * bound).astype(np.float32).reshape(shape)

    def _parameters(self, name: str, weight: npt.NDArray[np.float32]) -> list[str]:
        bias = self._uniform((len(weight),), _BIAS)
        self._weights += [
            numpy_helper.from_array(weight, f"{name}.weight"),
            numpy_helper.from_array(bias, f"{name}.bias"),
        ]
        return [f"{name}.weight", f"{name}.bias"]

    def _node(self, op: str, name: str, inputs: list[str], **attributes: Any) -> str:
        self._nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def _same(self, op: str, name: str, inputs: list[str]) -> str:
        self.shapes[name] = self.shapes[inputs[0]]
        return self._node(op, name, inputs)
