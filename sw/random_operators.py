"""Random models of one operator each: every attribute that the reader says it takes.

``OPERATORS[name](rng)`` draws a model; what ONNX Runtime itself refuses is drawn again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from .random_model import ModelBuilder

__all__ = ["OPERATORS", "finished"]

Rng = np.random.Generator


def _pick(rng: Rng, *choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _window(rng: Rng, size: tuple[int, int], largest: int) -> dict[str, Any]:
    """Kernel, strides, dilations, pads or auto_pad that leave at least one window."""
    while True:
        kernel, stride = ([int(v) for v in rng.integers(1, high, 2)] for high in (largest + 1, 4))
        dilation = [int(v) for v in rng.integers(1, 4, 2)] if rng.random() < 0.3 else [1, 1]
        attributes: dict[str, Any] = {"strides": stride, "dilations": dilation}
        pads = [
            int(rng.integers(0, kernel[i % 2] // 2 + 1 if rng.random() < 0.7 else kernel[i % 2]))
            for i in range(4)
        ]
        auto = _pick(rng, "NOTSET", "NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
        if auto == "NOTSET":
            attributes["pads"] = pads
        else:
            attributes["auto_pad"], pads = auto, [0] * 4
        if auto.startswith("SAME") and (dilation != [1, 1] or stride[0] > kernel[0] or stride[1] > kernel[1]):
            continue  # ONNX Runtime counts no dilation there, and refuses negative pads
        reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        if auto.startswith("SAME") or all(size[i] + pads[i] + pads[i + 2] >= reach[i] for i in (0, 1)):
            return {"kernel_shape": kernel} | attributes


def _pooled(rng: Rng, op: str, opset: int) -> onnx.ModelProto:
    shape = (int(rng.integers(1, 6)), int(rng.integers(1, 12)), int(rng.integers(1, 12)))
    build = ModelBuilder(shape, int(rng.integers(1 << 30)), opset=opset)
    attributes = _window(rng, shape[1:], 5)
    attributes["ceil_mode"] = int(rng.integers(2))
    if op == "AveragePool":
        attributes["count_include_pad"] = int(rng.integers(2))
        if opset < 19:
            del attributes["dilations"]
    elif rng.random() < 0.5:
        attributes["storage_order"] = 1
    return finished(build, build.node(op, "input", **attributes))


def finished(build: ModelBuilder, output: str) -> onnx.ModelProto:
    """The model, with the shape of its output left to ONNX."""
    build.shapes[output] = (1, 1, 1)
    model = build.model(output)
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    return model


def _average_pool(rng: Rng) -> onnx.ModelProto:
    return _pooled(rng, "AveragePool", _pick(rng, 10, 13, 18, 19, 22))


def _max_pool(rng: Rng) -> onnx.ModelProto:
    return _pooled(rng, "MaxPool", _pick(rng, 11, 13, 22))


def _conv(rng: Rng) -> onnx.ModelProto:
    group = int(rng.integers(1, 4))
    inside, outside = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    if rng.random() < 0.4:  # depthwise, perhaps with a multiplier
        group, inside = int(rng.integers(2, 8)), 1
    shape = (group * inside, int(rng.integers(1, 14)), int(rng.integers(1, 14)))
    build = ModelBuilder(shape, int(rng.integers(1 << 30)))
    attributes = _window(rng, shape[1:], 11)
    weight = build.weight(group * outside, inside, *attributes["kernel_shape"], scale=0.3)
    return finished(build, build.node("Conv", "input", weight, group=group, **attributes))


def _resize(rng: Rng) -> onnx.ModelProto:
    shape = (int(rng.integers(1, 8)), int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    build = ModelBuilder(shape, int(rng.integers(1 << 30)), opset=_pick(rng, 13, 19))
    scales = build.constant(np.array([1, 1, rng.integers(1, 5), rng.integers(2, 5)], np.float32))
    source = build.same("Relu", "input") if rng.random() < 0.5 else "input"
    modes = _pick(
        rng, ("asymmetric", "floor"), *(("half_pixel", f"round_prefer_{way}") for way in ("floor", "ceil"))
    )
    return finished(
        build,
        build.node(
            "Resize", source, "", scales, coordinate_transformation_mode=modes[0], nearest_mode=modes[1]
        ),
    )


def _sum(rng: Rng) -> onnx.ModelProto:
    """Two to five tensors, one of them perhaps of one value along some axes, a constant now and then."""
    shape = (int(rng.integers(1, 6)), int(rng.integers(2, 8)), int(rng.integers(2, 8)))
    build = ModelBuilder(shape, int(rng.integers(1 << 30)))
    op = _pick(rng, "Add", "Sub", "Sum", "Mean")
    operands = ["input"]
    for _ in range(1 if op in ("Add", "Sub") else int(rng.integers(1, 5))):
        operands.append(build.conv("input", shape[0]))  # functions of the input alone would be a table
    if rng.random() < 0.5:
        kind = int(rng.integers(3))
        other = build.pool("GlobalAveragePool", operands.pop()) if kind < 2 else operands.pop()
        operands.append(other if kind == 0 else build.conv(other, 1, (1, 1), pads=(0, 0, 0, 0)))
    if op in ("Sum", "Mean") and rng.random() < 0.4:
        operands.append(build.weight(shape[0], 1, 1))
    order = rng.permutation(len(operands))
    return finished(build, build.node(op, *(operands[i] for i in order)))


def _space_to_depth(rng: Rng) -> onnx.ModelProto:
    block = int(rng.integers(2, 4))
    shape = (int(rng.integers(1, 5)), block * int(rng.integers(1, 5)), block * int(rng.integers(1, 5)))
    build = ModelBuilder(shape, int(rng.integers(1 << 30)))
    return finished(build, build.node("SpaceToDepth", "input", blocksize=block))


OPERATORS: dict[str, Callable[[Rng], onnx.ModelProto]] = {
    "AveragePool": _average_pool, "MaxPool": _max_pool, "Conv": _conv, "Resize": _resize, "Sum": _sum,
    "SpaceToDepth": _space_to_depth,
}  # fmt: skip
"""By the operator's ONNX name."""
