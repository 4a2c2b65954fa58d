"""``bits``: the sensitivity table of a model, and the Pareto front of accuracy against weight memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..quant.allocator import Budget, allocate
from ..quant.options import DEFAULT_CORRECT, Options
from ..quant.search import DEFAULT_METHOD
from ..quant.sensitivity import Sensitivity
from .api_files import fresh_file, write_whole
from .api_results import table
from .api_verify import Progress, quiet
from .bit_widths import (
    Kept,
    Point,
    measure_point,
    model_sensitivity,
    pareto,
    refuse_impossible,
    sensitivity_from_json,
    sensitivity_to_json,
)
from .calibrated import Accuracy, Judge, load_calibrated
from .images import RAW_PIXELS, Images, Preprocessing, load_images
from .picture_bits import Cell, Dot, draw_bits

__all__ = ["BUDGETS", "Bits", "bits", "budget_name"]

BUDGETS = tuple(Budget("bits", limit) for limit in (2.5, 3, 3.5, 4, 5, 6))
"""Average bits of a weight at which the front is sampled, unless told otherwise."""

_KEEP, _RESULT = "points", "bits.json"


@dataclass(frozen=True, kw_only=True)
class Bits:
    """The table, and every point by weight memory: uniform widths and allocations."""

    model: str
    sensitivity: Sensitivity
    points: tuple[Point, ...]
    left_out: Mapping[str, str]
    """points that could not be quantized, by name, and why."""
    directory: Path

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {
            "model": self.model,
            "directory": str(self.directory),
            "sensitivity": sensitivity_to_json(self.sensitivity),
            "points": [point.to_json() for point in self.points],
            "left_out": dict(self.left_out),
        }

    def to_text(self) -> str:
        """Two tables: dB by layer and width, and the points."""
        found = self.sensitivity
        lines = [f"SQNR of the logits in dB, one layer at a time ({found.images} calibration images; "
                 f"as it is: {found.base.sqnr_db:.1f} dB)"]  # fmt: skip
        rows = [["layer", "weights", *(f"{width} bits" for width in found.widths)]]
        for name, cells in found.scores.items():
            rows.append([name, f"{found.counts[name]:,}", *(f"{cells[w].sqnr_db:.1f}" for w in found.widths)])
        lines += table(rows, right=range(1, len(rows[0])))
        lines += [
            "",
            "quantized whole, by weight memory (* on the front: no point has better logits for less)",
        ]
        labelled = any(point.images is not None for point in self.points)
        head = ["", "widths", "bits", "KiB", "SQNR", "agreement"]
        rows = [head + (["SQNR, images", "agreement, images", "top-1", "float"] if labelled else [])]
        for point in self.points:
            row = ["*" if point.front else "", point.name, f"{point.average:.2f}", f"{point.kilobytes:.1f}"]
            rows.append(
                [*row, *_columns(point.calibration)[:2], *(_columns(point.images) if labelled else [])]
            )
        lines += table(rows, right=range(2, len(rows[0])))
        lines += [f"left out: {name}: {why}" for name, why in self.left_out.items()]
        return "\n".join([*lines, f"written: {self.directory}"])


def _columns(found: Accuracy | None) -> list[str]:
    if found is None:
        return ["-"] * 4
    tops = ["-" if value is None else f"{value:.2f} %" for value in (found.top1, found.top1_float)]
    return [f"{found.sqnr_db:.2f} dB", f"{found.agreement:.2f} %", *tops]


def budget_name(budget: Budget) -> str:
    """``4.5 bits``, ``61440 bytes``."""
    return f"{budget.limit:.12g} {budget.kind}"


def bits(
    path: str | Path,
    calibration: str | Path,
    output: str | Path,
    *,
    images: Images | str | Path | None = None,
    image_count: int | None = None,
    budgets: Sequence[Budget] = BUDGETS,
    count: int | None = None,
    preprocessing: Preprocessing = RAW_PIXELS,
    act_width: int = 8,
    wgt_width: int = 8,
    acc_width: int = 32,
    method: str = DEFAULT_METHOD,
    correct: Sequence[str] = DEFAULT_CORRECT,
    per_channel: bool = False,
    progress: Progress = quiet,
) -> Bits:
    """The table, the points and their picture in the directory ``output``; work done before is kept there.

    Widths up to ``wgt_width``; ``images``: measured, never chosen by, ``image_count`` of them; the rest as
    ``api.quantize``. Raises ValueError for a directory that holds something else and for budgets that
    cannot be met.
    """
    options = Options(
        act_width=act_width, wgt_width=wgt_width, acc_width=acc_width, method=method, per_channel=per_channel,
        correct=tuple(correct), input_range=preprocessing.real_range(),
    )  # fmt: skip
    folder = _folder(output)
    ready = load_calibrated(path, calibration, count=count, preprocessing=preprocessing, options=options)
    for budget in budgets:
        refuse_impossible(ready, options, budget)
    sources: dict[str, Images] = {"calibration": ready.images}
    if images is not None:
        shape = ready.trained.shapes[ready.trained.input]
        shown = images if isinstance(images, Images) else load_images(images, shape)
        sources["images"] = shown if image_count is None else shown.first(image_count)
    folder.mkdir(exist_ok=True)
    kept = Kept(folder / _KEEP, ready, options, sources)
    found = kept.get(
        {"sensitivity": True},
        lambda: sensitivity_to_json(model_sensitivity(ready, options, progress=progress)),
    )
    sensitivity = sensitivity_from_json(found)
    progress("float logits")
    judges = {who: Judge(ready, shown) for who, shown in sources.items()}
    wanted: list[tuple[str, Mapping[str, int], bool]] = [
        (f"{width} everywhere", dict.fromkeys(sensitivity.counts, width), True)
        for width in sensitivity.widths
    ]
    left_out: dict[str, str] = {}
    for budget in budgets:
        try:
            widths = allocate(sensitivity.errors(), sensitivity.counts, budget).widths
            wanted.append((budget_name(budget), widths, False))
        except ValueError as error:
            left_out[budget_name(budget)] = str(error)
    points = []
    for number, (name, widths, uniform) in enumerate(wanted, 1):
        progress(f"point {number} of {len(wanted)}: {name}")
        try:
            points.append(
                measure_point(ready, options, name, widths, uniform=uniform, judges=judges, kept=kept)
            )
        except ValueError as error:
            left_out[name] = str(error)
    if not points:
        raise ValueError(next(iter(left_out.values())))
    result = Bits(
        model=Path(path).name,
        sensitivity=sensitivity,
        points=tuple(pareto(points)),
        left_out=left_out,
        directory=folder,
    )
    _write(folder, result)
    return result


def _folder(output: str | Path) -> Path:
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{str(output)!r} is a file: give the name of a directory")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _KEEP).is_dir():
        raise ValueError(f"directory {str(output)!r} holds other files: give another name")
    if not folder.parent.is_dir():
        raise ValueError(f"directory {str(folder.parent)!r} does not exist: create it, or write elsewhere")
    return folder


def _write(folder: Path, result: Bits) -> None:
    (folder / "widths").mkdir(exist_ok=True)
    for point in result.points:
        if not point.uniform:
            where = folder / "widths" / f"{point.name.replace(' ', '-')}.json"
            write_whole(where, json.dumps(dict(point.widths), indent=1) + "\n")
    found = result.sensitivity
    cells = [
        Cell(name, found.counts[name], [row[width].sqnr_db for width in found.widths])
        for name, row in found.scores.items()
    ]
    dots = [
        Dot(
            name=point.name.removesuffix(" everywhere"),
            kilobytes=point.kilobytes,
            uniform=point.uniform,
            front=point.front,
            sqnr_db=point.calibration.sqnr_db,
            accuracy=None if point.images is None else point.images.top1,
            agreement=(point.images or point.calibration).agreement,
        )
        for point in result.points
    ]
    tops = [point.images.top1_float for point in result.points if point.images is not None]
    with fresh_file(folder / "bits.png") as scratch:
        draw_bits(
            scratch,
            title=f"{result.model}: bit widths of the weights",
            widths=found.widths,
            cells=cells,
            base_db=found.base.sqnr_db,
            dots=dots,
            top1_float=tops[0] if tops else None,
        )
    write_whole(folder / "bits.txt", result.to_text() + "\n")
    write_whole(folder / _RESULT, json.dumps(result.to_json(), indent=1, allow_nan=False) + "\n")
