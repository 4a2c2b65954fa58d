"""The choices of weights' widths: average bits that the layers share by their sensitivity, and what each is worth.

    sensitivity table -> widths for each average (``quant.allocator``) -> quantize -> accuracy on the user's images,
    else signal to noise against float on the calibration images

Everything is kept in a folder by content, as ``systolith bits`` keeps it. Cycles depend on the widths alone, so they
are those of the network in nominal formats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...quant.allocator import Budget, allocate
from ...quant.network import QuantizedNetwork
from ...quant.options import DATA_FREE_CORRECT, DEFAULT_CORRECT, Options
from ...quant.sensitivity import WIDTHS, weight_counts
from .. import onnx_reader
from ..bit_widths import Kept, measure_point, model_sensitivity, sensitivity_from_json, sensitivity_to_json
from ..calibrated import Accuracy, Calibrated, Judge, load_calibrated
from ..cycle_model.nominal import nominal_network
from ..images import Images, Preprocessing
from ..quantized_io import QuantizedModel

__all__ = ["BITS", "Precision", "fixed_precision", "precisions"]

Progress = Callable[[str], None]

BITS = (8.0, 6.0, 4.0)
"""Average bits of a weight that an exploration chooses from, unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class Precision:
    """``network``: for cycles; ``widths``: by layer, empty where all have ``wgt_width``; ``judged``: on what."""

    name: str
    network: QuantizedNetwork
    wgt_width: int
    widths: Mapping[str, int] = field(default_factory=dict)
    accuracy: Accuracy | None = None
    judged: str = ""


def fixed_precision(model: QuantizedModel, images: Images | None) -> Precision:
    """That of a network that is quantized already."""
    width = max((layer.wgt_width for layer in model.network.layers if layer.wgt is not None), default=8)
    found = Precision(name="as quantized", network=model.network, wgt_width=width)
    if images is None:
        return found
    ready = Calibrated(model=model.model, trained=onnx_reader.read(model.model), exact=None,
                       preprocessing=model.preprocessing, images=images)  # fmt: skip
    return replace(found, accuracy=Judge(ready, images)(model.network), judged=_kind(images, "images"))


def _unlabelled(found: Accuracy) -> Accuracy:
    """Calibration images may have labels, which say little of so few images that the formats were chosen by."""
    return replace(found, top1=None, top1_float=None)


def _kind(images: Images, without: str) -> str:
    return "labelled images" if images.labels is not None else without


def precisions(
    path: str | Path,
    folder: Path,
    *,
    bits: Sequence[float],
    calibration: str | Path | None,
    count: int | None,
    images: Images | None,
    preprocessing: Preprocessing,
    act_width: int,
    acc_width: int,
    progress: Progress,
) -> tuple[Precision, ...]:
    """One for each average of ``bits``; ``folder`` keeps them.

    With one average, a whole width, and no images there is nothing to compare, and nothing is quantized. Raises
    ValueError for bits that no widths meet.
    """
    _check(bits)
    graph = onnx_reader.read(path)
    if images is None and calibration is None and len(bits) == 1 and bits[0] in WIDTHS:
        width = int(bits[0])
        network = nominal_network(
            graph, preprocessing, act_width=act_width, wgt_width=width, acc_width=acc_width
        )
        return (Precision(name=_name(bits[0]), network=network, wgt_width=width),)
    widest = min(width for width in WIDTHS if width >= max(bits))
    options = Options(
        act_width=act_width, wgt_width=widest, acc_width=acc_width, input_range=preprocessing.real_range(),
        correct=DATA_FREE_CORRECT if calibration is None else DEFAULT_CORRECT,
    )  # fmt: skip
    ready = load_calibrated(path, calibration, count=count, preprocessing=preprocessing, options=options)
    sources = {"calibration": ready.images} | ({} if images is None else {"images": images})
    kept = Kept(folder, ready, options, sources)
    every = _allocated(ready, options, bits, kept, progress)
    judges = {who: Judge(ready, shown) for who, shown in sources.items()}
    judged = "synthetic images" if ready.data_free else "calibration images"
    found = []
    for average, widths in every.items():
        name = _name(average)
        progress(f"quantizing at {name}")
        uniform, width = len(set(widths.values())) == 1, max(widths.values())
        point = measure_point(ready, replace(options, wgt_width=width), name, widths, uniform=uniform, judges=judges,
                              kept=kept)  # fmt: skip
        network = nominal_network(graph, preprocessing, act_width=act_width, wgt_width=width, acc_width=acc_width,
                                  wgt_widths=widths)  # fmt: skip
        found.append(
            Precision(
                name=name, network=network, wgt_width=width, widths={} if uniform else widths,
                accuracy=_unlabelled(point.calibration) if point.images is None else point.images,
                judged=judged if images is None else _kind(images, "images"),
            )
        )  # fmt: skip
    return tuple(found)


def _allocated(
    ready: Calibrated, options: Options, bits: Sequence[float], kept: Kept, progress: Progress
) -> dict[float, Mapping[str, int]]:
    """Widths by layer for each average."""
    counts = weight_counts(ready.graph)
    flat = {one: dict.fromkeys(counts, int(one)) for one in bits if one == options.wgt_width}
    if len(flat) == len(bits):
        return dict(flat)
    found = kept.get(
        {"sensitivity": True},
        lambda: sensitivity_to_json(model_sensitivity(ready, options, progress=progress)),
    )
    table = sensitivity_from_json(found)
    return {
        one: flat.get(one) or allocate(table.errors(), table.counts, Budget("bits", one)).widths
        for one in bits
    }


def _name(average: float) -> str:
    return f"{average:g} bits"


def _check(bits: Sequence[float]) -> None:
    wrong = [one for one in bits if isinstance(one, bool) or not 2 <= one <= 16]
    if wrong or not bits or len(set(bits)) != len(bits):
        raise ValueError(f"wgt_bits must be averages of 2 to 16, each once, not {list(bits)!r}")
