"""The quantizer's report as a page for people: what was decided for each layer, why, and what it costs.

The page says nothing of accuracy: that takes labelled images (``evaluate``).
"""

from __future__ import annotations

import math

from ..quant.formats import QFormat
from ..quant.network import QuantizedNetwork
from ..quant.report import QuantizationReport
from . import page
from .images import Preprocessing
from .page import Chapter, Tile, text, warned
from .page_flow import Column, flow
from .quant_cards import decibels, fall_text, input_card, layer_card, span
from .quant_warnings import FALL, SATURATION, falls, is_fall, remarks

__all__ = ["CALM", "quantization_chapters", "quantization_page", "quantization_remarks", "quantization_tiles",
           "short_name"]  # fmt: skip

CALM = (
    f"Nothing stands out: no layer loses more than {FALL:g} dB, none saturates more than {SATURATION:g} % of "
    "its codes, every accumulator has a bit to spare."
)
_READ = (
    "A code stands for <b>code &#215; 2<sup>&#8722;fl</sup></b>: a larger fl means finer steps and a smaller "
    "range. <b>Overflow-free</b> is the largest fl at which no float value of the calibration images saturates; "
    "going beyond it gives up head-room: a few large values are cut off, all others are rounded more finely.",
    "<b>SQNR</b> = 10 log<sub>10</sub>(&#931; float<sup>2</sup> / &#931; error<sup>2</sup>) over all calibration "
    "images and elements of a tensor, against the float network: 6 dB are one bit. <b>Change</b> compares it with "
    "the worst of the layer's inputs. The network's input is nearly exact; for layers that read it, the comparison "
    "is with what rounding their output alone would leave, if that is less.",
    "<b>Saturated</b> counts output codes that a bound of the format cuts off; bounds of the activation function do "
    "not count. <b>Accumulator</b> bits are proved from the weight codes, for any image.",
    "Histograms count float values on a logarithmic axis, after equalization where channels were scaled. The "
    "shaded range is what codes reach, dashed lines show the overflow-free one, values outside of the range have "
    "the warning colour. Charts of errors show, in dB relative to the values, what each fl would leave; the filled "
    "point was chosen, the dashed line is overflow-free. Errors of weights are those of rounding each weight to the "
    "nearest code; corrections may choose other codes on purpose.",
)


def quantization_page(
    network: QuantizedNetwork, report: QuantizationReport, preprocessing: Preprocessing
) -> str:
    """The whole HTML document; the same network and report give the same bytes."""
    lead = (
        f"Dynamic fixed point by {report.method}: activations {report.act_width} bits, "
        f"weights {_weight_words(network, report)}, {report.calibration}."
    )
    foot = "Made by systolith from network.json, report.json and evidence.json of this directory."
    chapters = quantization_chapters(network, report, preprocessing)
    attention = page.words(quantization_remarks(network, report), CALM)
    body = [
        page.tiles(quantization_tiles(network, report)),
        page.section("attention", "What deserves attention", attention),
        *(chapter.html for chapter in chapters),
    ]
    return page.document(f"{report.network}, quantized", lead, body, foot)


def quantization_tiles(network: QuantizedNetwork, report: QuantizationReport) -> list[Tile]:
    """The figures to see first."""
    return _Overview(network, report).tiles()


def quantization_remarks(network: QuantizedNetwork, report: QuantizationReport) -> list[str]:
    """What deserves attention: sentences (HTML) that link to their layers; ``CALM`` where there are none."""
    return _Overview(network, report).remarks()


def quantization_chapters(
    network: QuantizedNetwork, report: QuantizationReport, preprocessing: Preprocessing
) -> list[Chapter]:
    """The chapters of the page, to stand alone or among others."""
    overview = _Overview(network, report)
    outputs = {seen.name: seen for seen in report.evidence if not seen.weights}
    weights = {seen.name: seen for seen in report.evidence if seen.weights}
    cards = [input_card(network, report, preprocessing, outputs.get(network.input))]
    for layer, row in zip(network.layers, report.layers, strict=True):
        anchor, drop = overview.anchors[layer.name], overview.drop[layer.name]
        seen = outputs.get(layer.output), weights.get(layer.name)
        cards.append(layer_card(anchor, network, layer, row, drop, *seen))
    reading = [f'<p class="note">{words}</p>' for words in _READ]
    return [
        Chapter("precision", "Precision through the network", [page.panel(overview.flow(), wide=True)]),
        Chapter("formats", "Formats of all layers", [page.panel(overview.table(), wide=True)]),
        Chapter("layers", "Quantization, layer by layer", cards),
        Chapter("reading", "How to read formats and charts", reading),
    ]


def _weight_words(network: QuantizedNetwork, report: QuantizationReport) -> str:
    widths = [layer.wgt_width for layer in network.layers if layer.kind == "conv"] or [report.wgt_width]
    each = str(widths[0]) if min(widths) == max(widths) else f"{min(widths)} to {max(widths)}"
    return f"{each} bits with one fl {'a channel' if report.per_channel else 'a layer'}"


class _Overview:
    """Everything above the cards."""

    def __init__(self, network: QuantizedNetwork, report: QuantizationReport) -> None:
        self._network, self._report = network, report
        self._pairs = list(zip(network.layers, report.layers, strict=True))
        self.anchors = {layer.name: f"layer-{i}" for i, layer in enumerate(network.layers)}
        self.drop = falls(network, report)

    def remarks(self) -> list[str]:
        """Sentences that link to their layers."""
        result = []
        for item in remarks(self._network, self._report):
            anchor, name = (
                ("input", "input") if item.layer is None else (self.anchors.get(item.layer), item.layer)
            )
            link = f'<a href="#{anchor}">{text(name)}</a> ' if anchor else ""
            result.append(link + text(item.words))
        return result

    def tiles(self) -> list[Tile]:
        """The figures to see first."""
        report, convs = self._report, [layer for layer in self._network.layers if layer.kind == "conv"]
        count = sum(layer.wgt.size for layer in convs if layer.wgt is not None)
        biases = sum(layer.bias.size for layer in convs if layer.bias is not None)
        bits = sum(layer.wgt.size * layer.wgt_width for layer in convs if layer.wgt is not None)
        last = {layer.output: row.sqnr_db for layer, row in self._pairs}
        finite = {name: drop for name, drop in self.drop.items() if math.isfinite(drop)}
        worst = max(finite, key=lambda name: finite[name], default="")
        widest = max(report.layers, key=lambda row: row.acc_bits)
        return [
            ("SQNR of the output", " / ".join(decibels(last[name]) for name in self._network.outputs),
             "against float, on the calibration images"),
            ("largest fall", fall_text(finite.get(worst, math.inf)), worst),
            ("method", report.method, "corrections: " + (", ".join(report.correct) or "none")),
            ("input", report.input_format, f"SQNR {decibels(report.input_sqnr_db)}"),
            ("layers", str(len(self._pairs)), f"{sum(layer.macs for layer in convs):,} MACs an image"),
            ("parameters", f"{count + biases:,}", f"{count:,} weights, {biases:,} biases"),
            ("weight memory", page.bytes_text(bits / 8),
             f"{bits / max(count, 1):.3g} bits a weight; as float32 {page.bytes_text(4 * count)}"),
            ("accumulator", f"{widest.acc_bits} of {widest.acc_width} bits", f"at most, in {widest.name}"),
        ]  # fmt: skip

    def flow(self) -> str:
        """The chart of the whole network."""
        made = {layer.output: i for i, layer in enumerate(self._network.layers)}
        columns = [
            Column(
                anchor=self.anchors[layer.name], name=short_name(layer.name), sqnr_db=row.sqnr_db,
                sources=tuple(made.get(name, -1) for name in layer.inputs), saturated=row.saturated,
                acc_bits=row.acc_bits, acc_width=row.acc_width, bad=is_fall(self.drop[layer.name]),
            )
            for layer, row in self._pairs
        ]  # fmt: skip
        return flow(columns, self._report.input_sqnr_db, SATURATION)

    def table(self) -> str:
        """One line a layer."""
        rows = []
        for layer, row in self._pairs:
            drop = self.drop[layer.name]
            rows.append([
                f'<a href="#{self.anchors[layer.name]}">{text(layer.name)}</a>',
                row.kind,
                str(QFormat(row.out_width, row.out_fl, row.out_signed)),
                "" if row.wgt_fl is None else f"{row.wgt_width} bits, fl {span(row.wgt_fl)}",
                decibels(row.sqnr_db),
                warned(fall_text(drop), is_fall(drop)),
                warned(f"{row.saturated:.3f}", row.saturated > SATURATION),
                warned(f"{row.acc_bits} / {row.acc_width}", row.acc_bits >= row.acc_width),
            ])  # fmt: skip
        head = ("layer", "kind", "output", "weights", "SQNR", "change", "saturated, %", "accumulator, bits")
        return page.table(head, rows, right=(4, 5, 6, 7))


def short_name(name: str) -> str:
    """``block1/conv2`` of ``/block1/conv2/Conv``: exporters add the operator, whose name begins with a capital."""
    parts = [part for part in name.split("/") if part]
    if len(parts) > 1 and parts[-1][0].isupper():
        parts.pop()
    return "/".join(parts) or name
