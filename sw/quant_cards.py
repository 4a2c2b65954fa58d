"""One card for the network's input and for each layer: decisions in words, facts, histograms, errors by fl."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from ..quant.evidence import Evidence
from ..quant.formats import QFormat
from ..quant.network import Layer, QuantizedNetwork, Tensor
from ..quant.report import LayerReport, QuantizationReport
from . import page
from .images import Preprocessing
from .page import text, warned
from .page_charts import bars, curve, histogram, number
from .quant_warnings import SATURATION, is_fall

__all__ = ["decibels", "fall_text", "input_card", "layer_card", "span"]

_MINUS = "\u2212"


def input_card(
    network: QuantizedNetwork, report: QuantizationReport, preprocessing: Preprocessing, seen: Evidence | None
) -> str:
    """How the network's input becomes codes."""
    tensor = network.tensors[network.input]
    mean, std = _several(preprocessing.mean), _several(preprocessing.std)
    details = page.facts([
        ("image", _times(network.image_shape)),
        ("real value", f"(image / {preprocessing.scale:g} {_MINUS} {mean}) / {std}"),
        ("codes", _format(tensor.format)),
        ("SQNR", decibels(report.input_sqnr_db)),
        ("saturated", f"{report.input_saturated:.3f} %"),
    ])  # fmt: skip
    words = text(report.input_decision)
    if network.stem is not None:
        words = "the image's own pixels: the normalization is part of the first layer"
    charts = [] if seen is None else _tensor_charts(seen, tensor.format)
    return page.card("input", network.input, "input", [f"<b>Codes:</b> {words}"], details, charts)


def layer_card(
    anchor: str,
    network: QuantizedNetwork,
    layer: Layer,
    row: LayerReport,
    drop: float,
    seen: Evidence | None,
    weights: Evidence | None,
) -> str:
    """A layer; ``drop`` is how many dB it loses, ``seen`` and ``weights`` are its output's and weights'."""
    fmt = QFormat(row.out_width, row.out_fl, row.out_signed)
    inputs = (f"{text(name)} <i>fl {network.tensors[name].format.fl}</i>" for name in layer.inputs)
    change = f" <i>({fall_text(drop)})</i>" if math.isfinite(drop) else ""
    details = [
        ("reads", ", ".join(inputs)),
        ("output map", _times(network.tensors[layer.output].shape)),
        ("codes", _format(fmt)),
        ("SQNR (change)", warned(decibels(row.sqnr_db), is_fall(drop)) + change),
        ("saturated", warned(f"{row.saturated:.3f} %", row.saturated > SATURATION)),
        *_sum_facts(layer, row),
        *_weight_facts(layer),
        *_scale_facts(network.tensors[layer.output]),
    ]
    sentences = [f"<b>Output:</b> {text(row.decision)}"] if row.decision else []
    sentences += [f"<b>Weights:</b> {text(row.wgt_decision)}"] if row.wgt_decision else []
    charts = [] if seen is None else _tensor_charts(seen, fmt)
    charts += [] if weights is None else _weight_charts(weights, layer)
    return page.card(anchor, layer.name, _kind(layer), sentences, page.facts(details), charts)


def _sum_facts(layer: Layer, row: LayerReport) -> list[tuple[str, str]]:
    if layer.table is None:
        return [("accumulator", _accumulator(row)), ("shift", f"{span(row.shift)} bits")]
    count, size = layer.table.shape
    entries = f"{size} entries of {row.out_width} bits" + (
        f" for each of {count} channels" if count > 1 else ""
    )
    return [("f(x)", text(row.function)), ("table", entries)]


def _kind(layer: Layer) -> str:
    if layer.kind == "upsample":
        return f"upsample {_times(layer.factor)}"
    words = (
        layer.kind
        if layer.kind in ("add", "concat", "table", "product")
        else f"{layer.kind} {_times(layer.kernel)}"
    )
    if layer.stride != (1, 1):
        words += f", stride {_times(layer.stride) if len(set(layer.stride)) > 1 else layer.stride[0]}"
    if layer.groups > 1:
        words += f", {layer.groups} groups"
    return words + " + residual" * (layer.kind == "conv" and len(layer.inputs) > 1)


def _weight_facts(layer: Layer) -> list[tuple[str, str]]:
    if layer.wgt is None or layer.kind != "conv":
        return []
    memory = page.bytes_text(layer.wgt.size * layer.wgt_width / 8)
    items = [("weights", f"{_times(layer.wgt.shape)}, {layer.wgt_width} bits, {memory}")]
    if layer.bias is not None and layer.bias.size:
        low, high = int(layer.bias.min()), int(layer.bias.max())
        width = max(max(high, 0).bit_length(), max(-low - 1, 0).bit_length()) + 1
        low_text = f"{low:,}".replace("-", _MINUS)
        items.append(
            ("bias", f"{layer.bias.size} of {width} bits, {low_text} to {f'{high:,}'.replace('-', _MINUS)}")
        )
    return [*items, ("MACs", f"{layer.macs:,}")]


def _scale_facts(tensor: Tensor) -> list[tuple[str, str]]:
    if tensor.scale is None:
        return []
    low, high = float(tensor.scale.min()), float(tensor.scale.max())
    return [("equalized: channels times", number(low) if low == high else f"{number(low)} to {number(high)}")]


def _accumulator(row: LayerReport) -> str:
    spare = row.acc_width - row.acc_bits
    words = f"{row.acc_bits} of {row.acc_width} bits, {spare} to spare"
    return warned(words, spare < 1) + page.meter(row.acc_bits / row.acc_width, spare < 1)


def _tensor_charts(seen: Evidence, fmt: QFormat) -> list[str]:
    free = QFormat(fmt.width, seen.free_fl, fmt.signed)
    charts = [
        _chart(
            "values and the range of codes",
            histogram(seen.counts, seen.low, seen.high, _reach(fmt), _reach(free)),
        )
    ]
    if seen.criterion:
        charts.append(
            _chart("the method's loss by fl", curve(seen.criterion, fmt.fl, seen.free_fl, "fl", ""))
        )
    if seen.errors:
        what = "squared" if seen.power == 2 else "absolute"
        charts.append(_error_chart(f"{what} error by fl, dB{' (sample)' * seen.sampled}", seen, fmt.fl))
    return charts


def _weight_charts(seen: Evidence, layer: Layer) -> list[str]:
    assert layer.wgt_fl is not None
    counts = Counter(layer.wgt_fl.tolist())
    widest = QFormat(layer.wgt_width, min(counts))
    free = QFormat(layer.wgt_width, seen.free_fl)
    drawn = histogram(seen.counts, seen.low, seen.high, _reach(widest), _reach(free))
    charts = [_chart("weights and the range of codes", drawn)]
    if len(counts) > 1:
        charts.append(_chart("channels by fl of their weights", bars(counts, "fl", "channels")))
    elif seen.errors:
        charts.append(_error_chart("squared error of weights by fl, dB", seen, min(counts)))
    return charts


def _error_chart(title: str, seen: Evidence, chosen: int) -> str:
    factor = 20.0 / seen.power
    points = [(fl, factor * math.log10(error) if error > 0.0 else -math.inf) for fl, error in seen.errors]
    return _chart(title, curve(points, chosen, seen.free_fl, "fl", "dB"))


def _chart(title: str, svg: str) -> str:
    return f'<div class="chart"><h4>{text(title)}</h4>{svg}</div>'


def _reach(fmt: QFormat) -> tuple[float, float]:
    return fmt.min * fmt.step, fmt.max * fmt.step


def _format(fmt: QFormat) -> str:
    low, high = _reach(fmt)
    kind = "signed" if fmt.signed else "unsigned"
    return (
        f"{fmt}: {fmt.width} bits {kind}, {number(low).replace('-', _MINUS)} to {number(high)} "
        f"in steps of {number(fmt.step)}"
    )


def _times(sizes: Iterable[int]) -> str:
    return " \u00d7 ".join(map(str, sizes))


def _several(values: Iterable[float]) -> str:
    parts = [f"{value:g}" for value in values]
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


def decibels(value: float) -> str:
    """``33.2 dB``; ``exact`` without an error, ``lost`` without a signal."""
    return f"{value:.1f} dB" if math.isfinite(value) else "exact" if value > 0 else "lost"


def fall_text(drop: float) -> str:
    """A loss in dB as a change: ``-1.2 dB`` for 1.2; a dash where there is nothing to compare."""
    if not math.isfinite(drop):
        return "\u2013"
    sign = "" if abs(drop) < 0.05 else _MINUS if drop > 0 else "+"
    return f"{sign}{abs(drop):.1f} dB"


def span(pair: tuple[int, int]) -> str:
    """``5``, or ``5 to 7`` where smallest and largest differ."""
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]} to {pair[1]}"
