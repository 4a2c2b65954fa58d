"""``static``: one fl for all weights and one for all activations against one for each layer, measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..quant import quantizer
from ..quant.network import QuantizedNetwork
from ..quant.options import DEFAULT_CORRECT, Options
from ..quant.search import DEFAULT_METHOD
from ..quant.static_precision import StaticPrecision, search_static
from .api_files import fresh_folder, write_whole
from .api_results import table
from .api_verify import Progress, quiet
from .calibrated import Accuracy, Calibrated, Judge, load_calibrated
from .images import RAW_PIXELS, Images, Preprocessing, load_images
from .picture_static import Bars, Map, draw_static

__all__ = ["PRECISIONS", "SCHEMES", "Static", "StaticRow", "static"]

PRECISIONS = ((16, 16), (8, 8), (8, 4))
"""Bits of activations and weights, unless told otherwise."""

SCHEMES = {
    "static": "one fl for all weights, one for all activations: the best pair",
    "dynamic": "one fl a layer, weights rounded to nearest, nothing else",
    "corrected": "one fl a layer, exact input, with the corrections",
}
"""Name and meaning."""


@dataclass(frozen=True, kw_only=True)
class StaticRow:
    """One scheme at one precision."""

    act_width: int
    wgt_width: int
    scheme: str
    calibration: Accuracy
    images: Accuracy | None
    fl: tuple[int, int] | None = None
    """static: of weights and of activations."""

    @property
    def precision(self) -> str:
        """``8/4`` of activations and weights, ``8`` for equal ones."""
        same = self.act_width == self.wgt_width
        return f"{self.act_width}" if same else f"{self.act_width}/{self.wgt_width}"

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {
            "precision": self.precision,
            "act_width": self.act_width,
            "wgt_width": self.wgt_width,
            "scheme": self.scheme,
            "wgt_fl": None if self.fl is None else self.fl[0],
            "act_fl": None if self.fl is None else self.fl[1],
            "calibration": self.calibration.to_json(),
            "images": None if self.images is None else self.images.to_json(),
        }


@dataclass(frozen=True, kw_only=True)
class Static:
    """All rows, and the errors of every pair of fl that the searches tried, by precision."""

    model: str
    rows: tuple[StaticRow, ...]
    searches: dict[str, StaticPrecision]
    directory: Path

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types; an error is null where the engine cannot compute the pair."""
        return {
            "model": self.model,
            "directory": str(self.directory),
            "criterion": "sum |float - fixed|**2 / sum |float|**2 of the logits, calibration images",
            "schemes": SCHEMES,
            "rows": [row.to_json() for row in self.rows],
            "searched": {
                precision: [
                    {"wgt_fl": w, "act_fl": a, "error": error if np.isfinite(error) else None}
                    for (w, a), error in found.searched.items()
                ]
                for precision, found in self.searches.items()
            },
        }

    def to_text(self) -> str:
        """A table, a line a scheme and precision."""
        labelled = any(row.images is not None for row in self.rows)
        head = ["bits", "scheme", "fl (weights, activations)", "SQNR", "agreement"]
        rows = [head + (["SQNR, images", "agreement, images", "top-1", "float"] if labelled else [])]
        for row in self.rows:
            fl = "by layer" if row.fl is None else f"{row.fl[0]}, {row.fl[1]}"
            line = [row.precision, row.scheme, fl, *_columns(row.calibration)[:2]]
            rows.append([*line, *(_columns(row.images) if labelled else [])])
        lines = [f"{self.model}: logits against float, and classes"]
        lines += table(rows, right=range(3, len(rows[0])))
        lines += [f"{name}: {meaning}" for name, meaning in SCHEMES.items()]
        return "\n".join([*lines, f"written: {self.directory}"])


def _columns(found: Accuracy | None) -> list[str]:
    if found is None:
        return ["-"] * 4
    tops = ["-" if value is None else f"{value:.2f} %" for value in (found.top1, found.top1_float)]
    return [f"{found.sqnr_db:.2f} dB", f"{found.agreement:.2f} %", *tops]


def static(
    path: str | Path,
    calibration: str | Path,
    output: str | Path,
    *,
    images: Images | str | Path | None = None,
    image_count: int | None = None,
    precisions: Sequence[tuple[int, int]] = PRECISIONS,
    count: int | None = None,
    preprocessing: Preprocessing = RAW_PIXELS,
    method: str = DEFAULT_METHOD,
    correct: Sequence[str] = DEFAULT_CORRECT,
    per_channel: bool = False,
    progress: Progress = quiet,
) -> Static:
    """Every scheme of ``SCHEMES`` at every precision, in the directory ``output``.

    ``precisions``: (bits of activations, bits of weights); accumulators have 48 bits where one is 16, else 32.
    ``images``: measured, never chosen by; ``image_count`` of them. The rest as ``api.quantize``.
    """
    plans = [
        Options(
            act_width=act, wgt_width=wgt, acc_width=48 if max(act, wgt) > 8 else 32, method=method,
            correct=tuple(correct), per_channel=per_channel, input_range=preprocessing.real_range(),
        )
        for act, wgt in precisions
    ]  # fmt: skip
    ready = load_calibrated(path, calibration, count=count, preprocessing=preprocessing, options=plans[0])
    judges = {"calibration": Judge(ready, ready.images)}
    if images is not None:
        shape = ready.trained.shapes[ready.trained.input]
        shown = images if isinstance(images, Images) else load_images(images, shape)
        judges["images"] = Judge(ready, shown if image_count is None else shown.first(image_count))
    rows: list[StaticRow] = []
    searches: dict[str, StaticPrecision] = {}
    for options in plans:
        for scheme in SCHEMES:
            precision = f"{options.act_width}/{options.wgt_width} bits"
            progress(f"{precision}: {scheme}")
            network, found = _quantized(ready, options, scheme, progress)
            measured = {who: judge(network) for who, judge in judges.items()}
            row = StaticRow(
                act_width=options.act_width,
                wgt_width=options.wgt_width,
                scheme=scheme,
                calibration=measured["calibration"],
                images=measured.get("images"),
                fl=None if found is None else (found.wgt_fl, found.act_fl),
            )
            rows.append(row)
            if found is not None:
                searches[row.precision] = found
    result = Static(model=Path(path).name, rows=tuple(rows), searches=searches, directory=Path(output))
    fresh_folder(output, lambda folder: _write(folder, result), mark="static.json")
    return result


def _quantized(
    ready: Calibrated, options: Options, scheme: str, progress: Progress
) -> tuple[QuantizedNetwork, StaticPrecision | None]:
    real = ready.preprocessing.apply(ready.images.images)
    if scheme == "static":
        found = search_static(
            ready.trained, real, act_width=options.act_width, wgt_width=options.wgt_width,
            acc_width=options.acc_width, input_range=options.input_range, progress=progress,
        )  # fmt: skip
        return found.network, found
    if scheme == "corrected":
        return ready.folded(options).quantize(options).network, None
    plain = Options(**{**vars(options), "correct": ()})
    return quantizer.quantize(ready.trained, real, plain).network, None


def _write(folder: Path, result: Static) -> None:
    labelled = all(row.images is not None and row.images.top1 is not None for row in result.rows)
    bars = []
    for row in result.rows:
        shown = row.images or row.calibration
        value = shown.top1 if labelled and shown.top1 is not None else shown.agreement
        bars.append(Bars(precision=row.precision, scheme=row.scheme, sqnr_db=shown.sqnr_db, accuracy=value))
    maps = [
        Map(
            precision=precision,
            errors_db={pair: -10 * float(np.log10(max(e, 1e-30))) for pair, e in found.searched.items()},
            best=(found.wgt_fl, found.act_fl),
        )
        for precision, found in result.searches.items()
    ]
    first = result.rows[0].images
    draw_static(
        folder / "static.png",
        title=f"{result.model}: static against dynamic precision",
        bars=bars,
        maps=maps,
        accuracy="top-1, %" if labelled else "same class as float, %",
        measured="images given" if first is not None else "calibration images",
        top1_float=first.top1_float if first is not None and labelled else None,
    )
    write_whole(folder / "static.txt", result.to_text() + "\n")
    write_whole(folder / "static.json", json.dumps(result.to_json(), indent=1, allow_nan=False) + "\n")
