"""Writes tests/sw/models/ort_*.onnx: quantized by ONNX Runtime, in QDQ and in QOperator format.

    python tests/sw/exporters/quantize_onnxruntime.py

Sources are files of the two other scripts. The tests need only what is written.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

MODELS = Path(__file__).parent.parent / "models"
SOURCES = ("torch_padded_script_symbolic", "torch_flatten_dynamo_symbolic", "tf_residual_symbolic_nhwc_13")
TYPES = {
    "uint8": (QuantType.QUInt8, QuantType.QInt8, False),
    "int8": (QuantType.QInt8, QuantType.QInt8, True),
}


class Noise(CalibrationDataReader):  # type: ignore[misc]
    """Eight images of noise."""

    def __init__(self, path: Path) -> None:
        value = onnxruntime.InferenceSession(path).get_inputs()[0]
        shape = [1, *value.shape[1:]]
        random = np.random.default_rng(0)
        self._left = [{value.name: random.normal(size=shape).astype(np.float32)} for _ in range(8)]

    def get_next(self) -> Any:
        """The next one."""
        return self._left.pop() if self._left else None


if __name__ == "__main__":
    for source in SOURCES:
        for form in (QuantFormat.QDQ, QuantFormat.QOperator):
            for kind, (act, wgt, per_channel) in TYPES.items():
                path, result = MODELS / f"{source}.onnx", MODELS / f"ort_{source}_{form.name}_{kind}.onnx"
                quantize_static(
                    path, result, Noise(path), quant_format=form, activation_type=act, weight_type=wgt,
                    per_channel=per_channel,
                )  # fmt: skip
                model = onnx.load(result)
                del model.metadata_props[:]
                onnx.save(model, result)
