"""Accuracy of a model on labelled images: float against integers, and integers against ONNX Runtime.

``agreement = 100 * #{ n : argmax float[n] == argmax int[n] } / images``, ``top1 = 100 * #{ n : argmax == label }
/ images``, ``sqnr_db = 10 log10(sum float**2 / sum (int - float)**2)`` over the logits
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from ..quant.metrics import sqnr_db
from . import integer_reference, oracle
from .float_reference import FloatSession, flat_logits
from .images import Images, Preprocessing
from .onnx_reader import load_model, read
from .quantized_io import QuantizedModel, load

__all__ = ["Evaluation", "evaluate", "evaluate_float"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Figures of one evaluation, percent and dB; None where unknown (no labels, or a float model alone)."""

    images: int
    top1_float: float | None
    top1_int: float | None = None
    agreement: float | None = None
    sqnr_db: float | None = None
    """over the logits; None also where float and integer logits are equal."""
    onnxruntime_mismatches: int | None = None
    """codes of the network's outputs, over all images."""
    first_mismatch: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return asdict(self)


def evaluate(
    source: QuantizedModel | str | Path, images: Images, preprocessing: Preprocessing | None = None
) -> Evaluation:
    """Evaluate a quantized model (loaded, or its directory), or an ONNX file's float network alone.

    Float runs in ONNX Runtime, integers in the reference, and both integer models are compared. The class
    is the largest of the first output's values, the lowest index on a tie. ``preprocessing`` is for ONNX
    files (a quantized model has its own, so giving one is an error).
    """
    if isinstance(source, (str, Path)) and not Path(source).is_dir():
        return evaluate_float(source, images, preprocessing or Preprocessing())
    if preprocessing is not None:
        raise ValueError("a quantized model holds its preprocessing: give none")
    model = load(source) if isinstance(source, (str, Path)) else source
    graph = read(model.model)
    real = model.preprocessing.apply(images.images)
    network = model.network
    output = network.outputs[0]
    logits = _flat(FloatSession(model.model, graph, [output]).run(real)[output])
    fmt = network.tensors[output].format
    codes = network.input_codes(real)
    expected = integer_reference.run(network, codes)
    result = flat_logits(expected[output])
    checked = oracle.compare(network, real, "outputs", model=model.qdq, expected=expected)
    quality = sqnr_db(logits, result.astype(np.float64) * fmt.step)
    return Evaluation(
        images=len(images),
        top1_float=_top1(logits, images),
        top1_int=_top1(result, images),
        agreement=_percent(logits.argmax(axis=1) == result.argmax(axis=1)),
        sqnr_db=quality if np.isfinite(quality) else None,
        onnxruntime_mismatches=checked.mismatches,
        first_mismatch=None if checked.first is None else str(checked.first),
    )


def evaluate_float(
    model: str | Path | onnx.ModelProto, images: Images, preprocessing: Preprocessing
) -> Evaluation:
    """Evaluate a float model alone: ``top1_float``."""
    proto = model if isinstance(model, onnx.ModelProto) else load_model(model)
    graph = read(proto)
    output = graph.outputs[0]
    logits = _flat(FloatSession(proto, graph, [output]).run(preprocessing.apply(images.images))[output])
    return Evaluation(images=len(images), top1_float=_top1(logits, images))


def _flat(values: Array) -> Array:
    return values.reshape(values.shape[0], -1)


def _top1(logits: Array, images: Images) -> float | None:
    if images.labels is None:
        return None
    return _percent(logits.argmax(axis=1) == images.labels)


def _percent(right: Array) -> float:
    return 100.0 * int(np.count_nonzero(right)) / len(right)
