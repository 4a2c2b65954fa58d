"""``systolith demo``: the whole path on the network and the images of the package.

ONNX -> quantize -> evaluate float and integers -> compile -> engine -> RTL, every layer compared -> picture

``DIR`` receives ``model/`` (quantized), ``fashion.program``, ``engine.v``, ``demo.png``, ``demo.json``.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...hw.config import EngineConfig
from ...quant.metrics import sqnr_db
from .. import api, float_reference, integer_reference, onnx_reader
from ..api_files import fresh_file, write_whole
from ..api_verify import Progress, quiet
from ..evaluate import Evaluation
from ..float_reference import flat_logits
from ..images import Images, Preprocessing
from ..picture import Bar, Thumbnail, draw
from ..quantized_io import QuantizedModel
from ..verify import Verification
from .data import CLASSES, MEAN, SCALE, STD

__all__ = ["DemoResult", "run"]

HERE = Path(__file__).parent
PREPROCESSING = Preprocessing(SCALE, (MEAN,), (STD,))
CONFIG = EngineConfig(rows=8, cols=8)
IMAGES_IN_RTL = 2
IMAGES_FOR_ERROR = 64
"""Test images over which a layer's error is measured."""


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What the demo found; ``layer_sqnr_db`` by tensor, infinite where equal to float."""

    verification: Verification
    evaluation: Evaluation
    layer_sqnr_db: Mapping[str, float]
    directory: Path
    picture: Path
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether every integer of every model is equal."""
        return self.verification.ok and not self.evaluation.onnxruntime_mismatches

    def to_json(self) -> dict[str, Any]:
        """As ``Verification``, and accuracy, errors, files."""
        evaluation = self.evaluation
        return {
            **self.verification.to_json(),
            "ok": self.ok,
            "top1_float": evaluation.top1_float,
            "top1_int": evaluation.top1_int,
            "agreement": evaluation.agreement,
            "images_evaluated": evaluation.images,
            "onnxruntime_mismatches": evaluation.onnxruntime_mismatches,
            "layer_sqnr_db": {k: v if math.isfinite(v) else None for k, v in self.layer_sqnr_db.items()},
            "picture": str(self.picture),
            "directory": str(self.directory),
            "seconds": round(self.seconds, 1),
        }

    def to_text(self) -> str:
        """Table and summary."""
        verification, evaluation = self.verification, self.evaluation
        return "\n".join([
            *verification.layer_lines(),
            "",
            f"accuracy        float {evaluation.top1_float:.2f} %, 8 bit {evaluation.top1_int:.2f} % "
            f"of {evaluation.images} test images; the same class for {evaluation.agreement:.2f} %",
            *verification.summary_lines(),
            f"picture         {self.picture}",
            f"time            {self.seconds:.0f} s",
            self.verdict(),
        ])  # fmt: skip

    def verdict(self) -> str:
        """One line."""
        if self.verification.ok and not self.ok:
            return f"ONNX Runtime differs on the test images: {self.evaluation.first_mismatch}"
        return self.verification.verdict()


def run(output: str | Path = "systolith-demo", *, progress: Progress = quiet) -> DemoResult:
    """Run the demo; files go to the directory ``output``. Raises ValueError where it cannot be one."""
    start = time.monotonic()
    directory = Path(output)
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"{str(output)!r} is a file: give the name of a directory")
    directory.mkdir(parents=True, exist_ok=True)
    folder = directory / "model"
    api.quantize(HERE / "fashion.onnx", HERE / "fashion_calib.npz", folder, preprocessing=PREPROCESSING,
                 progress=progress)  # fmt: skip
    model = api.load_quantized(folder)
    images = api.load_images(HERE / "fashion_test.npz", model.network.image_shape)
    evaluation = api.evaluate(model, images, progress=progress)
    errors = layer_errors(model, images.first(min(IMAGES_FOR_ERROR, len(images))))
    progress("compiling")
    program, engine = directory / "fashion.program", directory / "engine.v"
    api.compile(model, CONFIG, program)
    api.verilog(CONFIG, engine, progress=progress)
    verification = api.verify(
        model, images, count=IMAGES_IN_RTL, config=CONFIG, program=program, verilog=engine, progress=progress
    )
    progress("drawing")
    picture = directory / "demo.png"
    with fresh_file(picture) as scratch:
        _draw(scratch, model, images, verification, evaluation, errors)
    result = DemoResult(
        verification=verification, evaluation=evaluation, layer_sqnr_db=errors, directory=directory,
        picture=picture, seconds=time.monotonic() - start,
    )  # fmt: skip
    write_whole(directory / "demo.json", json.dumps(result.to_json(), indent=1) + "\n")
    return result


def layer_errors(model: QuantizedModel, images: Images) -> dict[str, float]:
    """SQNR of every layer's output against the float network, by tensor."""
    network = model.network
    real = model.preprocessing.apply(images.images)
    floats = float_reference.run(onnx_reader.read(model.model), real, "all")
    codes = integer_reference.run(network, network.input_codes(real), "all")
    return {
        layer.output: sqnr_db(floats[layer.output], network.tensors[layer.output].real(codes[layer.output]))
        for layer in network.layers
    }


# Picture -------------------------------------------------------------------------------------------


def _draw(
    path: Path, model: QuantizedModel, images: Images, verification: Verification, evaluation: Evaluation,
    errors: Mapping[str, float],
) -> None:  # fmt: skip
    shown = images.first(verification.images)
    network = model.network
    real = model.preprocessing.apply(shown.images)
    codes = network.input_codes(real)
    output = network.outputs[0]
    logits = flat_logits(integer_reference.run(network, codes)[output]) * network.tensors[output].format.step
    config = verification.config
    compared = verification.compared["rtl"]
    differ = sum(verification.mismatches.values())
    draw(
        path,
        title=f"Fashion-MNIST on a {config['rows']}x{config['cols']} systolic array, 8 bits: "
        f"{'every integer equal' if verification.ok else f'{differ:,} integers differ'}",
        subtitle=f"top-1 float {evaluation.top1_float:.2f} %, 8 bit {evaluation.top1_int:.2f} % of "
        f"{evaluation.images} test images   |   {compared:,} codes, every layer's, compared in RTL, ONNX "
        f"Runtime and simulator: {differ} differ   |   {_cycles(verification)}",
        images=[_thumbnail(shown, n, logits[n]) for n in range(len(shown))],
        layers=[
            Bar(
                short_name(row.name),
                errors[row.tensor],
                row.utilization,
                "" if row.fused_into is None else "in one instruction with the pool below",
            )
            for row in verification.layers
        ],
        utilization=verification.utilization,
    )


def _cycles(verification: Verification) -> str:
    first = verification.cycles[0] if verification.cycles else None
    return "the engine did not finish" if first is None else f"{first:,} cycles an image"


def _thumbnail(images: Images, n: int, logits: npt.NDArray[Any]) -> Thumbnail:
    label = "" if images.labels is None else f"{CLASSES[images.labels[n]]}"
    said = CLASSES[int(np.argmax(logits))]
    caption = f"{label}" if said == label else f"{label}, taken for {said}"
    return Thumbnail(
        images.images[n], caption, [(name, float(v)) for name, v in zip(CLASSES, logits, strict=True)]
    )


def short_name(name: str) -> str:
    """``/block1/conv1/Conv`` as ``block1/conv1``."""
    parts = name.strip("/").split("/")
    return "/".join(parts[:-1]) if len(parts) > 1 else name
