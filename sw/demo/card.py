"""What is known of the demo network: its layers, accuracy by ONNX Runtime, the README that states both."""

from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]

from . import data

OPERATORS = frozenset(
    {"Conv", "BatchNormalization", "Relu", "Add", "MaxPool", "GlobalAveragePool", "Flatten", "Gemm"}
)


@dataclass(frozen=True)
class Results:
    """What one training run measured; accuracies 0..1; ``minutes`` is epochs times the median epoch."""

    epochs: int
    seed: int
    threads: int
    minutes: int
    validation_top1: float
    test_top1: float
    sample_top1: float


@dataclass(frozen=True)
class Layer:
    """One Conv or Gemm: ``kernel`` and ``stride`` of its square window, shapes C x H x W, parameters."""

    name: str
    kernel: int
    stride: int
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    parameters: int

    @property
    def macs(self) -> int:
        """Multiplications for one image."""
        return prod(self.out_shape) * self.kernel**2 * self.in_shape[0]


def _session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def check(path: Path) -> None:
    """Raise unless the file is valid ONNX of ``OPERATORS`` alone, with equal logits at batch 1 and 5."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    foreign = {node.op_type for node in model.graph.node} - OPERATORS
    if foreign:
        raise ValueError(f"{path} must hold only {sorted(OPERATORS)}, not {sorted(foreign)}")
    session = _session(path)
    real = np.random.default_rng(0).standard_normal((5, 1, 28, 28)).astype(np.float32)
    together = session.run(None, {"image": real})[0]
    single = np.concatenate([session.run(None, {"image": real[i : i + 1]})[0] for i in range(5)])
    if together.shape != (5, 10) or not np.allclose(together, single, atol=1e-4):
        raise ValueError(f"{path} must compute each image of a batch by itself")


def top1(path: Path, images: data.Images) -> float:
    """Top-1 accuracy, 0..1, by ONNX Runtime in float32."""
    session = _session(path)
    right = 0
    for start in range(0, len(images), 500):
        part = images.take(slice(start, start + 500))
        logits = session.run(None, {"image": data.normalize(part.pixels)})[0]
        right += int(np.count_nonzero(logits.argmax(1) == part.labels))
    return right / len(images)


def layers(path: Path) -> tuple[list[Layer], int]:
    """The Conv and Gemm layers in order, and the trained parameters of the whole network.

    BatchNorm counts scale and offset; its running mean and variance are measured, not trained.
    """
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    sizes = {array.name: tuple(array.dims) for array in graph.initializer}
    shapes = {
        value.name: tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)[1:]
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    table, total = [], 0
    for node in graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "BatchNormalization":
            total += sum(prod(sizes[name]) for name in node.input[1:3])
        elif node.op_type in ("Conv", "Gemm"):
            parameters = sum(prod(sizes[name]) for name in node.input[1:])
            total += parameters
            table.append(
                Layer(
                    name=node.input[1].removesuffix(".weight"),
                    kernel=attributes.get("kernel_shape", [1])[0],
                    stride=attributes.get("strides", [1])[0],
                    in_shape=shapes[node.input[0]],
                    out_shape=shapes[node.output[0]],
                    parameters=parameters,
                )
            )
    return table, total


def _rows(table: list[Layer]) -> str:
    def size(shape: tuple[int, ...]) -> str:
        return "x".join(map(str, shape))

    return "\n".join(
        f"| `{layer.name}` | {layer.kernel}x{layer.kernel} | {layer.stride} | {size(layer.in_shape)} "
        f"| {size(layer.out_shape)} | {layer.parameters:,} | {layer.macs:,} |"
        for layer in table
    )


def readme(path: Path, results: Results) -> str:
    """The text of README.md beside ``path``."""
    table, parameters = layers(path)
    operators = Counter(node.op_type for node in onnx.load(path).graph.node)
    template = (Path(__file__).parent / "README.in.md").read_text(encoding="utf-8")
    return template.format(
        rows=_rows(table),
        parameters=f"{parameters:,}",
        macs=f"{sum(layer.macs for layer in table):,}",
        operators=", ".join(f"{count} {name}" for name, count in sorted(operators.items())),
        test_top1=f"{100 * results.test_top1:.2f}",
        sample_top1=f"{100 * results.sample_top1:.1f}",
        validation_top1=f"{100 * results.validation_top1:.2f}",
        epochs=results.epochs,
        seed=results.seed,
        threads=results.threads,
        minutes=results.minutes,
        test_images=data.TEST_IMAGES,
        calibration_images=data.CALIBRATION_IMAGES,
        validation_images=f"{data.VALIDATION_IMAGES:,}",
        scale=f"{data.SCALE:g}",
        mean=f"{data.MEAN:.4f}",
        std=f"{data.STD:.4f}",
        classes=", ".join(f"{number} {name}" for number, name in enumerate(data.CLASSES)),
    )
