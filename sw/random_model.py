"""Small random ONNX models: the same seed gives the same model; for tests of every model of the chain.

A ``ModelBuilder`` writes one node a call and keeps each tensor's map; ``random_model`` draws networks of
convolutions (strides, dilations, uneven pads), BatchNorm, Relu and Clip, residual additions, pools and a
dense head out of it; with ``branches`` also grouped convolutions and Concat; with ``functions`` activation functions
in the spellings of exporters, and squeeze and excitation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from .windows import output_size

__all__ = ["ModelBuilder", "random_model"]

Array = npt.NDArray[Any]


class ModelBuilder:
    """Writes an ONNX model node by node; every method returns the name of the node's output.

    ``shape``: channels, height, width of the input, named ``input``. ``batch``: a symbol or a static number.
    ``shapes`` maps the tensors written by ``conv``, ``pool``, ``same`` and ``dense`` to their maps.
    """

    def __init__(
        self, shape: tuple[int, int, int], seed: int = 0, opset: int = 13, batch: str | int = "N"
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.shapes: dict[str, tuple[int, ...]] = {"input": shape}
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._opset, self._batch = opset, batch
        self._count = 0

    def constant(self, values: Array, name: str | None = None) -> str:
        """An initializer."""
        name = name or f"values{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def weight(self, *shape: int, scale: float = 1.0, offset: float = 0.0) -> str:
        """A float32 initializer of normal values."""
        return self.constant((self.rng.normal(size=shape) * scale + offset).astype(np.float32))

    def node(self, op: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Any node with one output."""
        self._count += 1
        output = output or f"{op.lower()}{self._count}"
        self.nodes.append(
            helper.make_node(op, list(inputs), [output], name=f"{op}_{self._count}", **attributes)
        )
        return output

    def same(self, op: str, *inputs: str, like: str = "", **attributes: Any) -> str:
        """A node whose output has the map of its first input, or of ``like``."""
        output = self.node(op, *inputs, **attributes)
        self.shapes[output] = self.shapes[like or inputs[0]]
        return output

    def conv(
        self,
        source: str,
        channels: int,
        kernel: tuple[int, int] = (3, 3),
        stride: tuple[int, int] = (1, 1),
        pads: tuple[int, int, int, int] = (1, 1, 1, 1),
        dilation: tuple[int, int] = (1, 1),
        bias: bool = True,
        group: int = 1,
    ) -> str:
        """A convolution with He-scaled weights."""
        c, h, w = self.shapes[source]
        scale = float(np.sqrt(2.0 * group / (c * kernel[0] * kernel[1])))
        inputs = [source, self.weight(channels, c // group, *kernel, scale=scale)]
        if bias:
            inputs.append(self.weight(channels, scale=0.2))
        output = self.node(
            "Conv", *inputs, kernel_shape=kernel, strides=stride, pads=pads, dilations=dilation, group=group
        )
        rows = output_size(h, kernel[0], stride[0], dilation[0], pads[0], pads[2])
        cols = output_size(w, kernel[1], stride[1], dilation[1], pads[1], pads[3])
        self.shapes[output] = (channels, rows, cols)
        return output

    def batch_norm(self, source: str) -> str:
        """A BatchNormalization with plausible statistics."""
        c = self.shapes[source][0]
        gamma, beta, mean = (
            self.weight(c, scale=0.2, offset=1.0),
            self.weight(c, scale=0.3),
            self.weight(c, scale=0.3),
        )
        variance = self.constant((0.5 + self.rng.random(c)).astype(np.float32))
        return self.same("BatchNormalization", source, gamma, beta, mean, variance, epsilon=1e-3)

    def concat(self, *sources: str) -> str:
        """A Concat along the channels."""
        output = self.node("Concat", *sources, axis=1)
        self.shapes[output] = (sum(self.shapes[name][0] for name in sources), *self.shapes[sources[0]][1:])
        return output

    def pool(
        self,
        op: str,
        source: str,
        kernel: tuple[int, int] = (2, 2),
        stride: tuple[int, int] = (2, 2),
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
        ceil: bool = False,
        counted: bool = True,
    ) -> str:
        """MaxPool, AveragePool (with ``pads`` counted or not) or a global pool."""
        c, h, w = self.shapes[source]
        if op.startswith("Global"):
            output = self.node(op, source)
            self.shapes[output] = (c, 1, 1)
            return output
        attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "pads": pads}
        if ceil:
            attributes["ceil_mode"] = 1
        if op == "AveragePool" and any(pads) and counted:
            attributes["count_include_pad"] = 1
        output = self.node(op, source, **attributes)
        sizes = []
        for axis, size in ((0, h), (1, w)):
            count = output_size(size, kernel[axis], stride[axis], 1, pads[axis], pads[axis + 2])
            if ceil:
                count = -(-(size + pads[axis] + pads[axis + 2] - kernel[axis]) // stride[axis]) + 1
            sizes.append(count)
        self.shapes[output] = (c, sizes[0], sizes[1])
        return output

    def dense(self, source: str, outputs: int, op: str = "Gemm") -> str:
        """Flatten and a linear layer, as Gemm or as MatMul and Add."""
        features = int(np.prod(self.shapes[source]))
        flat = self.node("Flatten", source, axis=1)
        scale = float(np.sqrt(1.0 / features))
        if op == "Gemm":
            weight, bias = self.weight(outputs, features, scale=scale), self.weight(outputs, scale=0.2)
            result = self.node("Gemm", flat, weight, bias, transB=1)
        else:
            product = self.node("MatMul", flat, self.weight(features, outputs, scale=scale))
            result = self.node("Add", product, self.weight(outputs, scale=0.2))
        self.shapes[result] = (outputs,)
        return result

    def model(self, *outputs: str) -> onnx.ModelProto:
        """The finished model, checked by ONNX."""
        infos = []
        for name in outputs:
            shape: list[str | int | None] = [self._batch, *self.shapes[name]]
            infos.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        source = helper.make_tensor_value_info(
            "input", TensorProto.FLOAT, [self._batch, *self.shapes["input"]]
        )
        graph = helper.make_graph(self.nodes, "random", [source], infos, self.initializers)
        model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", self._opset)])
        onnx.checker.check_model(model)
        return model


def random_model(
    seed: int,
    max_layers: int = 5,
    max_channels: int = 9,
    max_size: int = 11,
    dilations: bool = True,
    branches: bool = False,
    functions: bool = False,
) -> onnx.ModelProto:
    """A network of 1 to ``max_layers`` blocks over maps of at most ``max_size``; the seed decides everything."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 5)), int(rng.integers(4, max_size + 1)), int(rng.integers(4, max_size + 1)))
    build = ModelBuilder(shape, seed)
    current = "input"
    for _ in range(int(rng.integers(1, max_layers + 1))):
        if branches and rng.integers(2):
            current = _grouped(build, rng, current) if rng.integers(2) else _branches(build, rng, current)
        else:
            current = _block(build, rng, current, max_channels, dilations)
        if functions:
            current = _function(build, rng, current) if rng.integers(3) else _gated(build, rng, current)
    head = rng.integers(4)
    if head == 0:
        current = build.pool("GlobalAveragePool", current)
    elif head <= 2:
        if rng.integers(2):
            current = build.pool("GlobalAveragePool", current)
        current = build.dense(current, int(rng.integers(1, 11)), "Gemm" if head == 1 else "MatMul")
    if current == "input":
        current = build.conv(current, 3)
    return build.model(current)


def _activation(build: ModelBuilder, rng: np.random.Generator, current: str) -> str:
    choice = rng.integers(4)
    if choice <= 1:
        return build.same("Relu", current)
    if choice == 2:
        lo, hi = (0.0, 1.5) if rng.integers(2) else (-0.7, 1.1)
        low, high = (build.constant(np.array(v, np.float32)) for v in (lo, hi))
        return build.same("Clip", current, low, high)
    return current


def _number(build: ModelBuilder, value: float) -> str:
    return build.constant(np.array(value, np.float32))


def _function(build: ModelBuilder, rng: np.random.Generator, current: str) -> str:
    """An activation function that takes a table, one operator or several."""
    choice = rng.integers(8)
    if choice == 0:
        return build.same("Mul", current, build.same("Sigmoid", current))
    if choice == 1:
        shifted = build.same("Add", current, _number(build, 3.0))
        bounded = build.same("Clip", shifted, _number(build, 0.0), _number(build, 6.0))
        return build.same("Div", build.same("Mul", current, bounded), _number(build, 6.0))
    if choice == 2:
        return build.same("PRelu", current, build.weight(build.shapes[current][0], 1, 1, scale=0.3))
    if choice == 3:
        inner = build.same("Erf", build.same("Div", current, _number(build, float(np.sqrt(2.0)))))
        product = build.same("Mul", current, build.same("Add", inner, _number(build, 1.0)))
        return build.same("Mul", product, _number(build, 0.5))
    if choice == 4:
        return build.same("Mul", current, build.same("Tanh", build.same("Softplus", current)))
    if choice == 5:
        return build.same("Max", current, build.same("Mul", current, _number(build, 0.1)))
    op = ("LeakyRelu", "Elu", "Tanh", "Selu", "Softsign", "Abs", "Sigmoid")[int(rng.integers(7))]
    return build.same(op, current)


def _gated(build: ModelBuilder, rng: np.random.Generator, current: str) -> str:
    """Squeeze and excitation (Hu et al., CVPR 2018)."""
    channels, edge = build.shapes[current][0], (0, 0, 0, 0)
    squeezed = build.conv(
        build.pool("GlobalAveragePool", current), int(rng.integers(1, 4)), (1, 1), pads=edge
    )
    excited = build.conv(build.same("Relu", squeezed), channels, (1, 1), pads=edge)
    gate = build.same("HardSigmoid" if rng.integers(2) else "Sigmoid", excited)
    return build.same("Mul", *((gate, current) if rng.integers(2) else (current, gate)), like=current)


def _grouped(build: ModelBuilder, rng: np.random.Generator, current: str) -> str:
    """Depthwise, with or without a multiplier, or groups of several channels; a residual now and then."""
    channels, h, w = build.shapes[current]
    group = int(
        rng.choice([n for n in range(1, channels + 1) if channels % n == 0 and (n > 1 or channels == 1)])
    )
    outputs = group * int(rng.integers(1, 4)) if rng.integers(2) else channels
    kernel = (int(rng.integers(1, min(h, 3) + 1)), int(rng.integers(1, min(w, 3) + 1)))
    stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    top, left, bottom, right = (int(rng.integers(0, kernel[i % 2])) for i in range(4))
    pads = (top, left, bottom, right)
    made = build.conv(current, outputs, kernel, stride, pads, bias=bool(rng.integers(2)), group=group)
    if build.shapes[made] == build.shapes[current] and rng.integers(2):
        made = build.same("Add", made, current)
    return _activation(build, rng, made)


def _branches(build: ModelBuilder, rng: np.random.Generator, current: str) -> str:
    """Concat of tensors of one size: convolutions, a pool, the source itself, another concat."""
    parts = [current] if rng.integers(2) else []
    for _ in range(int(rng.integers(1, 4))):
        kind = rng.integers(5)
        if kind == 0:
            part = build.pool("MaxPool", current, (3, 3), (1, 1), (1, 1, 1, 1))
        elif kind == 1 and len(parts) > 1:
            part = build.concat(*parts[-2:])
        else:
            part = _activation(build, rng, build.conv(current, int(rng.integers(1, 5))))
        parts.append(part)
    joined = build.concat(*parts)
    return _activation(build, rng, joined) if rng.integers(3) == 0 else joined


def _block(
    build: ModelBuilder, rng: np.random.Generator, current: str, max_channels: int, dilations: bool
) -> str:
    _, h, w = build.shapes[current]
    choice = rng.integers(6)
    if choice == 0 and min(h, w) >= 3:
        op = "MaxPool" if rng.integers(3) else "AveragePool"
        kernel = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
        pads = tuple(int(rng.integers(0, (kernel[i % 2] + 1) // 2)) for i in range(4))
        # ceil_mode only where its last window begins inside of the map, so that no window is left out
        ceil = all(kernel[i] >= pads[i + 2] + stride[i] for i in (0, 1))
        around = (pads[0], pads[1], pads[2], pads[3])
        return build.pool(op, current, kernel, stride, around, ceil, counted=sum(kernel) % 2 == 0)
    if choice == 1:
        other = build.conv(current, build.shapes[current][0], bias=False)
        other = build.batch_norm(other) if rng.integers(2) else other
        return _activation(
            build, rng, build.same("Add", *((other, current) if rng.integers(2) else (current, other)))
        )
    kernel = (int(rng.integers(1, min(h, 3) + 1)), int(rng.integers(1, min(w, 3) + 1)))
    stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    dilation = (1, 1)
    if dilations and rng.integers(5) == 0 and min(h, w) >= 5:
        dilation = (2, 1) if rng.integers(2) else (1, 2)
    top, left, bottom, right = (int(rng.integers(0, kernel[i % 2])) for i in range(4))
    pads = (top, left, bottom, right)
    channels = int(rng.integers(1, max_channels + 1))
    current = build.conv(current, channels, kernel, stride, pads, dilation, bool(rng.integers(2)))
    if rng.integers(2):
        current = build.batch_norm(current)
    return _activation(build, rng, current)
