"""What deserves attention in a quantized network, in words.

``fall = min(SQNR of the inputs) - SQNR of the output``      in dB, of each layer

A layer is named where its SQNR falls by more than ``FALL`` dB, where more than ``SATURATION`` percent of its
codes saturate, and where the accumulator has less than one bit to spare.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..quant.decisions import share
from ..quant.evidence import Evidence
from ..quant.network import COPIES, QuantizedNetwork
from ..quant.report import QuantizationReport

__all__ = ["FALL", "MOST", "SATURATION", "Remark", "falls", "is_fall", "remarks", "rounding_db"]

FALL = 3.0
SATURATION = 0.1
MOST = 6


@dataclass(frozen=True)
class Remark:
    """A sentence about a layer, about the network's input (layer ``None``), or about several layers ("")."""

    layer: str | None
    words: str


def falls(network: QuantizedNetwork, report: QuantizationReport) -> dict[str, float]:
    """By layer, how many dB its output's SQNR lies below its worst input's; negative: above.

    The network's input is nearly exact: it counts as what rounding the output alone would leave, if that is less.
    """
    known: dict[str, float] = {network.input: report.input_sqnr_db}
    seen = {item.name: item for item in report.evidence if not item.weights}
    result: dict[str, float] = {}
    for layer, row in zip(network.layers, report.layers, strict=True):
        before = min(known[name] for name in layer.inputs)
        if network.input in layer.inputs and layer.output in seen:
            before = min(before, rounding_db(seen[layer.output], row.out_fl))
        known[layer.output] = row.sqnr_db
        result[layer.name] = 0.0 if before == row.sqnr_db else before - row.sqnr_db
    return result


def rounding_db(seen: Evidence, fl: int) -> float:
    """``10 log10(mean(x**2) / (step**2 / 12))``: the SQNR that rounding at fl alone leaves; x from the histogram."""
    step = (seen.high - seen.low) / max(len(seen.counts), 1)
    total = sum(seen.counts)
    square = sum(n * (seen.low + (i + 0.5) * step) ** 2 for i, n in enumerate(seen.counts)) / max(total, 1)
    return math.inf if square == 0.0 else 10.0 * math.log10(12.0 * square) + 20.0 * fl * math.log10(2.0)


def remarks(network: QuantizedNetwork, report: QuantizationReport) -> list[Remark]:
    """What to look at: the falls (largest first), saturation, accumulators; of each the worst ``MOST`` layers."""
    drop = falls(network, report)
    rows = {row.name: row for row in report.layers}
    reads = {layer.name: layer.inputs for layer in network.layers}
    lost = []
    for name in sorted((name for name in drop if is_fall(drop[name])), key=lambda item: -drop[item]):
        after, before = rows[name].sqnr_db, rows[name].sqnr_db + drop[name]
        words = f"SQNR falls from {before:.1f} to {after:.1f} dB"
        if network.input in reads[name]:
            words = f"SQNR {after:.1f} dB, where {before:.1f} dB could remain"
        lost.append(Remark(name, f"loses {drop[name]:.1f} dB: {words}"))
    cut = [
        Remark(row.name, f"saturates {share(row.saturated)} of its output codes")
        for row in sorted(report.layers, key=lambda row: -row.saturated)
        if row.saturated > SATURATION and row.kind not in COPIES
    ]
    if report.input_saturated > SATURATION:
        cut.insert(0, Remark(None, f"saturates {share(report.input_saturated)} of its codes"))
    full = [
        Remark(row.name, f"needs all {row.acc_width} bits of the accumulator: none to spare")
        for row in report.layers
        if row.acc_bits >= row.acc_width
    ]
    return [
        *_most(lost, f"lose more than {FALL:g} dB"),
        *_most(cut, f"saturate more than {SATURATION:g} % of their codes"),
        *_most(full, "need every bit of the accumulator"),
    ]


def _most(found: list[Remark], rest: str) -> list[Remark]:
    if len(found) <= MOST + 1:
        return found
    return [*found[:MOST], Remark("", f"{len(found) - MOST} more layers {rest}")]


def is_fall(drop: float) -> bool:
    """Whether a layer's loss in dB is worth a remark."""
    return FALL < drop < math.inf
