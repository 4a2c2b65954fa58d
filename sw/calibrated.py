"""A trained network with its calibration images: what every quantization of it starts from.

    file -> graph -> input folded (its codes are pixels) -> quantize(options) -> integer network with its stem

Several quantizations of one network read and fold it once; accuracy is measured against one run of the float
network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from ..quant import quantizer
from ..quant.network import QuantizedNetwork
from ..quant.options import Options
from ..quant.scores import score
from ..quant.synthetic import synthetic_images
from . import integer_reference, onnx_reader
from .float_reference import FloatSession, flat_logits
from .graph import Graph
from .images import Images, Preprocessing, load_images
from .input_folding import ExactInput, exact_input, given_input

__all__ = ["CALIBRATION_IMAGES", "Accuracy", "Calibrated", "Judge", "load_calibrated"]

Array = npt.NDArray[Any]
CALIBRATION_IMAGES = 256


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """``images``: the calibration images as pixels; ``real``: what the network to quantize takes."""

    model: onnx.ModelProto
    trained: Graph
    exact: ExactInput | None
    preprocessing: Preprocessing
    images: Images
    data_free: bool = False
    """the images are synthetic."""

    @property
    def graph(self) -> Graph:
        """The network to quantize: the input folded where that can be."""
        return self.trained if self.exact is None else self.exact.graph

    @property
    def real(self) -> Array:
        """Calibration images [N, H, W, C] for ``graph``, float32."""
        real = self.preprocessing.apply(self.images.images)
        return real if self.exact is None else self.exact.real(real)

    def folded(self, options: Options) -> Calibrated:
        """The same with the input folded for codes of the width that ``options`` give it."""
        if self.trained.formats:
            return replace(self, exact=given_input(self.trained))
        width = options.act_widths.get(self.trained.input, options.act_width)
        return replace(self, exact=exact_input(self.trained, self.preprocessing, width))

    def quantize(self, options: Options) -> quantizer.Quantization:
        """The quantized network, for images of the trained one."""
        if self.exact is not None:
            options = replace(options, input_format=self.exact.format)
        if self.graph.formats:  # quantized already: the file's own codes
            if (options.act_width, options.wgt_width) != (8, 8) or options.act_widths or options.wgt_widths:
                raise ValueError(
                    f"model {self.trained.name!r} is quantized already, its formats are kept: "
                    "give no widths, or quantize the float model"
                )
            options = replace(options, formats=self.graph.formats, wgt_fl=self.graph.wgt_fl, correct=())
        result = quantizer.quantize(self.graph, self.real, options)
        network = result.network if self.exact is None else replace(result.network, stem=self.exact.stem)
        return replace(result, network=network, report=replace(result.report, data_free=self.data_free))


def load_calibrated(
    path: str | Path,
    calibration: str | Path | None,
    *,
    count: int | None,
    preprocessing: Preprocessing,
    options: Options,
) -> Calibrated:
    """Read an ONNX file and its calibration images; ``count`` of them, None: at most 256.

    Without ``calibration`` the images are synthetic ones, and no file is read for them.

    Of ``options`` only the input's width matters here. Raises ModelError and ImageError, one sentence each.
    """
    model = onnx_reader.load_model(path)
    graph = onnx_reader.read(path)
    shape = graph.shapes[graph.input]
    preprocessing.check_channels(shape[2])
    if calibration is None:
        images = Images(synthetic_images(CALIBRATION_IMAGES if count is None else count, shape))
    else:
        images = load_images(calibration, shape)
    ready = Calibrated(
        model=model,
        trained=graph,
        exact=None,
        preprocessing=preprocessing,
        images=images.first(min(CALIBRATION_IMAGES, len(images)) if count is None else count),
        data_free=calibration is None,
    )
    return ready.folded(options)


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """An integer network against the float one: percent and dB; top-1 None without labels.

    ``sqnr_db`` is infinite where all logits are equal; JSON has null there.
    """

    images: int
    agreement: float
    sqnr_db: float
    kl: float
    top1: float | None
    top1_float: float | None

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {**vars(self), "sqnr_db": self.sqnr_db if np.isfinite(self.sqnr_db) else None}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Accuracy:
        """The inverse of ``to_json``."""
        return cls(**{**row, "sqnr_db": np.inf if row["sqnr_db"] is None else row["sqnr_db"]})


class Judge:
    """Images whose float logits (by ONNX Runtime) are known: measures any integer network of that model."""

    def __init__(self, ready: Calibrated, images: Images) -> None:
        self._images, self._preprocessing = images, ready.preprocessing
        output = ready.trained.outputs[0]
        session = FloatSession(ready.model, ready.trained, [output])
        logits = session.run(ready.preprocessing.apply(images.images))[output]
        self._logits: Array = logits.reshape(len(images), -1)

    def __call__(self, network: QuantizedNetwork) -> Accuracy:
        """The network's accuracy; the class is the largest of the first output's values, the first on a tie."""
        output = network.outputs[0]
        real = self._preprocessing.apply(self._images.images)
        codes = integer_reference.run(network, network.input_codes(real))[output]
        fixed = flat_logits(network.tensors[output].real(codes))
        found = score(self._logits, fixed)
        return Accuracy(
            images=len(self._images),
            agreement=found.agreement,
            sqnr_db=found.sqnr_db,
            kl=found.kl,
            top1=self._top1(fixed),
            top1_float=self._top1(self._logits),
        )

    def _top1(self, logits: Array) -> float | None:
        if self._images.labels is None:
            return None
        right = np.count_nonzero(logits.argmax(axis=1) == self._images.labels)
        return 100.0 * int(right) / len(self._images)
