"""Bit widths of single layers: the sensitivity table of a model, widths for a budget, the front.

    quantize at the default widths -> table, each layer alone at each width -> allocate
    point = quantize at an allocation's widths, measured on calibration images and on the user's own

A point takes a whole quantization, so it is kept on disk under the hash of everything that it depends on.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..quant import allocator
from ..quant.allocator import Budget, allocate, weight_bits
from ..quant.options import Options
from ..quant.scores import Score
from ..quant.sensitivity import WIDTHS, Sensitivity, sensitivity, weight_counts
from .calibrated import Accuracy, Calibrated, Judge

__all__ = [
    "Kept",
    "Point",
    "measure_point",
    "model_sensitivity",
    "pareto",
    "refuse_impossible",
    "sensitivity_from_json",
    "sensitivity_to_json",
    "widths_for",
]

_VERSION = 1
_IMPOSSIBLE = {"error": math.inf, "kl": math.inf, "agreement": 0.0}
Progress = Callable[[str], None]


def model_sensitivity(
    ready: Calibrated, options: Options, *, widths: Sequence[int] | None = None, progress: Progress
) -> Sensitivity:
    """Quantize at the options' widths, then each layer alone at each width (None: up to ``wgt_width``)."""
    if widths is None:
        widths = tuple(width for width in WIDTHS if width <= options.wgt_width)
    progress(f"quantizing {ready.graph.name} at {options.wgt_width} bits")
    made = ready.quantize(options)
    return sensitivity(made.real, made.network, ready.real, options, widths=widths, progress=progress)


def widths_for(
    ready: Calibrated, options: Options, budget: Budget, *, progress: Progress
) -> Mapping[str, int]:
    """The widths that meet the budget, none wider than the options' ``wgt_width``; raises ValueError.

    Where one width everywhere meets it too, both are quantized, and the better logits on the calibration
    images win: sensitivities of single layers only foretell what all do together.
    """
    refuse_impossible(ready, options, budget)
    table = model_sensitivity(ready, options, progress=progress)
    found = allocate(table.errors(), table.counts, budget).widths
    flat = [dict.fromkeys(table.counts, width) for width in sorted(table.widths, reverse=True)]
    fits = [widths for widths in flat if budget.of(widths, table.counts) <= budget.limit]
    if not fits or fits[0] == found:
        return found
    judge = Judge(ready, ready.images)
    worth = []
    for widths in (found, fits[0]):
        progress(f"trying {'one width everywhere' if widths is fits[0] else 'the allocation'}")
        worth.append(judge(ready.quantize(replace(options, wgt_widths=widths)).network).sqnr_db)
    best = found if worth[0] >= worth[1] else fits[0]
    progress(f"widths for {budget.say(budget.of(best, table.counts))}")
    return best


def refuse_impossible(ready: Calibrated, options: Options, budget: Budget) -> None:
    """Raise ValueError, before the long work, for a budget that no widths can meet."""
    counts = weight_counts(ready.graph)
    flat = {name: {width: 0.0 for width in WIDTHS if width <= options.wgt_width} for name in counts}
    allocate(flat, counts, budget)


@dataclass(frozen=True, kw_only=True)
class Point:
    """One quantization: its widths, the weight memory, and what it is worth."""

    name: str
    uniform: bool
    widths: Mapping[str, int]
    bits: int
    """of all weights together."""
    average: float
    calibration: Accuracy
    images: Accuracy | None
    front: bool = False
    """no other point takes as little memory for as good logits, on the calibration images."""

    @property
    def kilobytes(self) -> float:
        """Weight memory in KiB."""
        return self.bits / 8192

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {
            "name": self.name,
            "uniform": self.uniform,
            "average_bits": self.average,
            "weight_bytes": -(-self.bits // 8),
            "front": self.front,
            "widths": dict(self.widths),
            "calibration": self.calibration.to_json(),
            "images": None if self.images is None else self.images.to_json(),
        }


def pareto(points: Sequence[Point]) -> list[Point]:
    """The points with ``front`` set, by memory; judged by the calibration images' logits alone."""
    ordered = sorted(points, key=lambda point: (point.bits, -point.calibration.sqnr_db, not point.uniform))
    result, best = [], float("-inf")
    for point in ordered:
        result.append(replace(point, front=point.calibration.sqnr_db > best))
        best = max(best, point.calibration.sqnr_db)
    return result


class Kept:
    """JSON documents in a folder, each under the hash of what it was made from, the quantizer's code included."""

    def __init__(self, folder: Path, ready: Calibrated, options: Options, judges: Mapping[str, Any]) -> None:
        self._folder = folder
        digest = hashlib.sha256()
        for source in sorted(Path(allocator.__file__).parent.glob("*.py")):
            digest.update(source.read_bytes())
        digest.update(ready.model.SerializeToString(deterministic=True))
        for name, images in judges.items():
            digest.update(f"{name} {images.images.shape}".encode())
            digest.update(images.images.tobytes())
            digest.update(b"" if images.labels is None else images.labels.tobytes())
        given = {key: value for key, value in asdict(options).items() if key not in ("threads", "batch")}
        digest.update(json.dumps([_VERSION, ready.preprocessing.to_json(), given], sort_keys=True).encode())
        self._base = digest.hexdigest()

    def get(self, key: Mapping[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The document of ``key``: from the folder, or made now and kept."""
        text = json.dumps([self._base, key], sort_keys=True)
        path = self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:20]}.json"
        try:
            found = json.loads(path.read_text())
        except (OSError, ValueError):  # absent, or cut short by an interruption
            found = None
        if isinstance(found, dict):
            return found
        document = make()
        self._folder.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".part")
        scratch.write_text(json.dumps(document, allow_nan=False) + "\n")
        scratch.replace(path)
        return document


def measure_point(
    ready: Calibrated,
    options: Options,
    name: str,
    widths: Mapping[str, int],
    *,
    uniform: bool,
    judges: Mapping[str, Judge],
    kept: Kept,
) -> Point:
    """Quantize at ``widths`` and measure by each judge: ``calibration``, and ``images`` if there is one."""

    def make() -> dict[str, Any]:
        made = ready.quantize(replace(options, wgt_widths=dict(widths)))
        return {who: judge(made.network).to_json() for who, judge in judges.items()}

    found = kept.get({"widths": dict(widths)}, make)
    counts = weight_counts(ready.graph)
    bits = weight_bits(widths, counts)
    return Point(
        name=name,
        uniform=uniform,
        widths=widths,
        bits=bits,
        average=bits / sum(counts.values()),
        calibration=Accuracy.from_json(found["calibration"]),
        images=Accuracy.from_json(found["images"]) if "images" in found else None,
    )


def sensitivity_to_json(table: Sensitivity) -> dict[str, Any]:
    """A dictionary of JSON types; null for a width that a layer cannot have."""
    return {
        "images": table.images,
        "widths": list(table.widths),
        "weights": dict(table.counts),
        "default": dict(table.default),
        "base": asdict(table.base),
        "layers": {
            name: {
                str(width): asdict(found) if math.isfinite(found.error) else None
                for width, found in row.items()
            }
            for name, row in table.scores.items()
        },
    }


def sensitivity_from_json(document: Mapping[str, Any]) -> Sensitivity:
    """The inverse of ``sensitivity_to_json``."""
    return Sensitivity(
        counts=document["weights"],
        widths=tuple(document["widths"]),
        default=document["default"],
        base=Score(**document["base"]),
        scores={
            name: {int(width): Score(**(found or _IMPOSSIBLE)) for width, found in row.items()}
            for name, row in document["layers"].items()
        },
        images=document["images"],
    )
