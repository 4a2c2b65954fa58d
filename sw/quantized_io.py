"""A quantized model on disk: one directory, written whole or not at all, the same bytes every time.

``network.json`` layers and formats, ``codes.npz`` weight and bias codes and shifts, ``report.json``,
``report.txt`` and ``report.html``, ``evidence.json`` what the quantizer saw, ``preprocessing.json``,
``qdq.onnx`` the QDQ export, ``model.onnx`` the float model.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ..quant.evidence import Evidence
from ..quant.formats import QFormat
from ..quant.network import IntArray, Layer, QuantizedNetwork, Stem, Tensor
from ..quant.report import QuantizationReport
from .images import Preprocessing
from .onnx_reader import load_model
from .qdq import codes_name, export_qdq
from .quant_page import quantization_page

__all__ = ["QuantizedModel", "QuantizedModelError", "load", "network_from_json", "network_to_json", "save"]

_VERSION = 2
_ARRAYS = ("wgt", "wgt_fl", "bias", "shift", "res_shift", "table")


class QuantizedModelError(ValueError):
    """The directory holds no usable quantized model; one sentence."""


@dataclass(frozen=True, kw_only=True)
class QuantizedModel:
    """What a directory holds. ``model`` is the float model, ``qdq`` the export, both as loaded from disk."""

    network: QuantizedNetwork
    preprocessing: Preprocessing
    report: QuantizationReport
    model: onnx.ModelProto
    qdq: onnx.ModelProto


def network_to_json(network: QuantizedNetwork) -> tuple[dict[str, Any], dict[str, IntArray]]:
    """(JSON document, arrays by name): all of a network but its arrays, and these."""
    arrays: dict[str, IntArray] = {}
    layers = []
    for i, layer in enumerate(network.layers):
        row = {key: value for key, value in vars(layer).items() if key not in _ARRAYS}
        for key in _ARRAYS:
            values = getattr(layer, key)
            if values is not None:
                arrays[f"{i}.{key}"] = values
        layers.append(row)
    document = {
        "version": _VERSION,
        "name": network.name,
        "input": network.input,
        "outputs": network.outputs,
        "tensors": [
            {
                "name": t.name,
                "shape": t.shape,
                "format": asdict(t.format),
                "scale": None if t.scale is None else t.scale.tolist(),
            }
            for t in network.tensors.values()
        ],
        "layers": layers,
        "stem": None if network.stem is None else _stem_to_json(network.stem),
    }
    return document, arrays


def network_from_json(document: Mapping[str, Any], arrays: Mapping[str, IntArray]) -> QuantizedNetwork:
    """The inverse of ``network_to_json``; raises QuantizedModelError for another version."""
    if document.get("version") != _VERSION:
        raise QuantizedModelError(
            f"the quantized model is of format version {document.get('version')!r}, this reads {_VERSION}: "
            "quantize the model again"
        )
    layers = []
    for i, row in enumerate(document["layers"]):
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in row.items()
        }
        for key in _ARRAYS:
            if f"{i}.{key}" in arrays:
                values[key] = arrays[f"{i}.{key}"].astype(np.int64)
        layers.append(Layer(**values))
    tensors = {
        row["name"]: Tensor(
            name=row["name"],
            shape=tuple(row["shape"]),
            format=QFormat(**row["format"]),
            scale=None if row["scale"] is None else np.array(row["scale"], np.float64),
        )
        for row in document["tensors"]
    }
    stem = document["stem"]
    return QuantizedNetwork(
        name=document["name"],
        input=document["input"],
        outputs=tuple(document["outputs"]),
        tensors=tensors,
        layers=tuple(layers),
        stem=None if stem is None else _stem_from_json(stem),
    )


def _stem_to_json(stem: Stem) -> dict[str, Any]:
    return {"gain": stem.gain.tolist(), "offset": stem.offset.tolist(), "pads": stem.pads}


def _stem_from_json(row: Mapping[str, Any]) -> Stem:
    top, left, bottom, right = row["pads"]
    gain, offset = (np.array(row[name], np.float64) for name in ("gain", "offset"))
    return Stem(gain=gain, offset=offset, pads=(top, left, bottom, right))


def save(
    directory: str | Path,
    network: QuantizedNetwork,
    preprocessing: Preprocessing,
    report: QuantizationReport,
    model: onnx.ModelProto,
    flat: frozenset[str] = frozenset(),
) -> None:
    """Write the directory; an existing one is replaced whole or, on any error, kept whole.

    ``model``: the float model; ``flat``: outputs the float model has as [N, features] (``Graph.flat``).
    Raises QuantizedModelError where ``directory`` is a file, or a folder that holds something else.
    """
    target = Path(directory)
    if target.exists() and not target.is_dir():
        raise QuantizedModelError(f"{str(directory)!r} is a file: give the name of a directory")
    if target.is_dir() and any(target.iterdir()) and not (target / "network.json").is_file():
        raise QuantizedModelError(
            f"directory {str(directory)!r} holds no quantized model and is not empty: give another name"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        fresh = scratch / "new"
        fresh.mkdir()
        document, arrays = network_to_json(network)
        (fresh / "network.json").write_text(_dump(document))
        (fresh / "codes.npz").write_bytes(_archive(arrays))
        (fresh / "preprocessing.json").write_text(_dump(preprocessing.to_json()))
        (fresh / "report.json").write_text(_dump(report.to_json()))
        (fresh / "report.txt").write_text(report.to_text())
        (fresh / "evidence.json").write_text(_lines([seen.to_json() for seen in report.evidence]))
        (fresh / "report.html").write_text(quantization_page(network, report, preprocessing), "utf-8")
        (fresh / "qdq.onnx").write_bytes(export_qdq(network, flat=flat).SerializeToString(deterministic=True))
        (fresh / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
        _replace(fresh, target, scratch / "old")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _replace(fresh: Path, target: Path, old: Path) -> None:
    """Rename ``fresh`` to ``target``; what was there survives an error."""
    if not target.exists():
        fresh.rename(target)
        return
    target.rename(old)
    try:
        fresh.rename(target)
    except OSError:
        old.rename(target)
        raise


def load(directory: str | Path) -> QuantizedModel:
    """Read a directory that ``save`` wrote.

    Raises QuantizedModelError for a directory that is absent, incomplete or damaged.
    """
    source = Path(directory)
    if not source.is_dir():
        raise QuantizedModelError(
            f"quantized model {str(directory)!r} does not exist: quantize a model first"
        )
    if not (source / "network.json").is_file():
        raise QuantizedModelError(
            f"directory {str(directory)!r} holds no quantized model: quantize a model first"
        )
    try:
        document = json.loads((source / "network.json").read_text())
        with (source / "codes.npz").open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            arrays = {name: archive[name] for name in archive.files}
        network = network_from_json(document, arrays)
        preprocessing = Preprocessing.from_json(json.loads((source / "preprocessing.json").read_text()))
        report = QuantizationReport.from_json(json.loads((source / "report.json").read_text()))
        seen = [Evidence.from_json(row) for row in json.loads((source / "evidence.json").read_text())]
        report = replace(report, evidence=tuple(seen))
        model, qdq = load_model(source / "model.onnx"), load_model(source / "qdq.onnx")
    except QuantizedModelError:
        raise
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise QuantizedModelError(
            f"quantized model {str(directory)!r} is damaged ({text}): quantize the model again"
        ) from None
    made = {output for node in qdq.graph.node for output in node.output}
    if not all(codes_name(name) in made for name in network.outputs):
        raise QuantizedModelError(
            f"qdq.onnx in {str(directory)!r} is of another network: quantize the model again"
        )
    return QuantizedModel(network=network, preprocessing=preprocessing, report=report, model=model, qdq=qdq)


def _dump(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _lines(rows: Sequence[Mapping[str, Any]]) -> str:
    """A JSON list, one element a line."""
    return "[\n" + ",\n".join(json.dumps(row, allow_nan=False) for row in rows) + "\n]\n"


def _archive(arrays: Mapping[str, IntArray]) -> bytes:
    """An .npz of the smallest integer types, with fixed dates: equal arrays give equal bytes."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            small = values
            for kind in (np.int8, np.int16, np.int32):
                limits = np.iinfo(kind)
                if values.size == 0 or limits.min <= values.min() <= values.max() <= limits.max:
                    small = values.astype(kind)
                    break
            item = BytesIO()
            np.lib.format.write_array(item, np.ascontiguousarray(small), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, item.getvalue())
    return buffer.getvalue()
