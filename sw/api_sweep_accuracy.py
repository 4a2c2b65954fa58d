"""Accuracy of a sweep's widths: the network quantized once for each, its integer reference on labelled images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..quant.options import DATA_FREE_CORRECT, DEFAULT_CORRECT, Options
from . import onnx_reader, quantized_io
from .api_verify import Progress
from .calibrated import Calibrated, Judge, load_calibrated
from .images import Images, Preprocessing, load_images
from .quantized_io import QuantizedModel
from .sweep.keys import content_digest, key_of
from .sweep.measure import Widths
from .sweep.store import Store

__all__ = ["AccuracyPlan"]

Rows = dict[Widths, dict[str, Any]]


class AccuracyPlan:
    """What is measured, checked before any work. Raises ``ValueError`` for images without a use, or without labels."""

    def __init__(
        self,
        source: QuantizedModel | str | Path,
        preprocessing: Preprocessing | None,
        images: Images | str | Path | None,
        count: int | None,
        calibration: str | Path | None,
        calibration_count: int | None,
    ) -> None:
        self._source, self._images = source, None
        self._preprocessing = preprocessing or Preprocessing(255.0)
        self._calibration, self._calibration_count = calibration, calibration_count
        self._fixed = isinstance(source, QuantizedModel) or Path(source).is_dir()
        if images is None:
            if calibration is not None:
                raise ValueError("calibration images are for accuracy: give accuracy images too")
            return
        if not self._fixed and Path(str(source)).suffix.lower() == ".csv":
            raise ValueError("a layer table has no accuracy: give a model")
        if self._fixed and calibration is not None:
            raise ValueError("a quantized model is calibrated already: give no calibration images")
        if not self._fixed:
            graph = onnx_reader.read(str(source))
            shape = graph.shapes[graph.input]
        else:
            self._source = source if isinstance(source, QuantizedModel) else quantized_io.load(source)
            shape = self._source.network.image_shape
        found = images if isinstance(images, Images) else load_images(images, shape)
        self._images = found if count is None else found.first(count)
        if self._images.labels is None:
            raise ValueError("accuracy images must have labels: an .npz file with `images` and `labels`")

    def measure(self, every: Sequence[Widths], store: Store, progress: Progress) -> Rows:
        """Accuracy by widths; what is in the store is taken from there. Widths that cannot be have ``reason``."""
        if self._images is None:
            return {}
        if isinstance(self._source, QuantizedModel):
            row = self._fixed_row(self._source, store, progress)
            return dict.fromkeys(every, row)
        return {widths: self._row(widths, store, progress) for widths in every}

    def _fixed_row(self, model: QuantizedModel, store: Store, progress: Progress) -> dict[str, Any]:
        assert self._images is not None
        key = key_of("accuracy", content_digest(model.network), content_digest(vars(self._images)))
        if (found := store.get(key)) is None:
            progress(f"accuracy of the quantized model on {len(self._images)} images")
            graph = onnx_reader.read(model.model)
            ready = Calibrated(
                model=model.model, trained=graph, exact=None, preprocessing=model.preprocessing,
                images=self._images,
            )  # fmt: skip
            found = Judge(ready, self._images)(model.network).to_json()
            store.put(key, found)
        return found

    def _row(self, widths: Widths, store: Store, progress: Progress) -> dict[str, Any]:
        assert self._images is not None
        act, wgt, acc = widths
        correct = DATA_FREE_CORRECT if self._calibration is None else DEFAULT_CORRECT
        options = Options(
            act_width=act, wgt_width=wgt, acc_width=acc, correct=correct,
            input_range=self._preprocessing.real_range(),
        )  # fmt: skip
        try:
            ready = load_calibrated(
                str(self._source), self._calibration, count=self._calibration_count,
                preprocessing=self._preprocessing, options=options,
            )  # fmt: skip
            key = key_of(
                "accuracy", widths, list(correct), self._preprocessing.to_json(),
                content_digest(ready.model.SerializeToString(deterministic=True)),
                content_digest(ready.images.images), content_digest(vars(self._images)),
            )  # fmt: skip
            if (found := store.get(key)) is None:
                kind = "synthetic" if ready.data_free else "calibration"
                progress(
                    f"quantizing: {act}-bit activations, {wgt}-bit weights, {len(ready.images)} {kind} images"
                )
                network = ready.quantize(options).network
                progress(f"accuracy on {len(self._images)} images")
                found = {**Judge(ready, self._images)(network).to_json(), "calibration": kind}
                store.put(key, found)
        except ValueError as error:
            return {"reason": str(error)}
        return found
