"""The quantizer's report: one row a layer, as text for people and as JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from .evidence import Evidence

__all__ = ["LayerReport", "QuantizationReport"]


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """What became of one layer; ranges over output channels are (smallest, largest)."""

    name: str
    kind: str
    act_fl: int
    """fractional length of the first input."""
    wgt_fl: tuple[int, int] | None
    """None without weights."""
    wgt_width: int | None
    out_fl: int
    out_width: int
    out_signed: bool
    shift: tuple[int, int]
    acc_bits: int
    """accumulator bits needed at worst, proved from the weight codes."""
    acc_width: int
    """accumulator bits available."""
    saturated: float
    """percent of the output codes on the calibration images that a bound of the format cut off
    (the activation function's own bounds not counted)."""
    sqnr_db: float
    """output against the float network, on the calibration images; infinite where equal."""
    decision: str = ""
    """why the output has its fl, in words (``decisions``)."""
    wgt_decision: str = ""
    """the same of the weights."""
    function: str = ""
    """table only: what it computes, in words."""
    wgt_mean_bits: float | None = None
    """bits of a weight code, the mean over the channels, where these have bits of their own (``channel_bits``)."""


@dataclass(frozen=True, kw_only=True)
class QuantizationReport:
    """How a network was quantized, and what each layer lost."""

    network: str
    method: str
    act_width: int
    wgt_width: int
    acc_width: int
    per_channel: bool
    images: int
    """calibration images, or synthetic ones."""
    input_format: str
    input_sqnr_db: float
    layers: tuple[LayerReport, ...]
    correct: tuple[str, ...] = ()
    """corrections applied."""
    data_free: bool = False
    """no images were given."""
    input_saturated: float = 0.0
    """percent of the input's codes."""
    input_decision: str = ""
    evidence: tuple[Evidence, ...] = field(default=(), compare=False)
    """of the input, then of each layer its output and, where it has some, its weights; not part of the JSON."""

    @property
    def calibration(self) -> str:
        """What it was calibrated on, in words."""
        return (
            f"no images: {self.images} synthetic ones"
            if self.data_free
            else f"{self.images} calibration image{'s' * (self.images != 1)}"
        )

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types; an infinite SQNR becomes None, a negative infinite one "-inf"."""
        rows = [{key: _plain(value) for key, value in vars(row).items()} for row in self.layers]
        rest = {key: _plain(value) for key, value in vars(self).items() if key not in ("layers", "evidence")}
        return {**rest, "layers": rows}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> QuantizationReport:
        """The inverse of ``to_json``."""
        rows = []
        for row in data["layers"]:
            values = dict(row)
            for key in ("wgt_fl", "shift"):
                values[key] = None if values[key] is None else (int(values[key][0]), int(values[key][1]))
            values["sqnr_db"] = _number(values["sqnr_db"])
            rows.append(LayerReport(**values))
        known = {f.name for f in fields(cls)}
        rest = {
            key: value for key, value in data.items() if key in known and key not in ("layers", "evidence")
        }
        rest["correct"] = tuple(rest.get("correct", ()))
        rest["input_sqnr_db"] = _number(rest["input_sqnr_db"])
        return cls(layers=tuple(rows), **rest)

    def to_text(self) -> str:
        """An aligned table, one line a layer."""
        head = ("layer", "kind", "act", "wgt", "out", "shift", "acc bits", "sat %", "SQNR dB")
        rows = [head]
        for row in self.layers:
            mean = "" if row.wgt_mean_bits is None else f" ({row.wgt_mean_bits:.1f})"
            wgt = "-" if row.wgt_fl is None else f"{row.wgt_width}b{mean} fl {_span(row.wgt_fl)}"
            out = f"{row.out_width}{'s' if row.out_signed else 'u'} fl {row.out_fl}"
            bits = f"{row.acc_bits}/{row.acc_width}"
            sqnr = _decibels(row.sqnr_db)
            rows.append((row.name, row.kind, f"fl {row.act_fl}", wgt, out, _span(row.shift), bits,
                         f"{row.saturated:.3f}", sqnr))  # fmt: skip
        widths = [max(len(line[i]) for line in rows) for i in range(len(head))]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in rows
        ]
        how = " + ".join((self.method, *self.correct))
        title = (
            f"{self.network}: {how}, activations {self.act_width} bits, weights {self._wgt_bits()} bits "
            f"{'per channel' if self.per_channel else 'per layer'}, {self.calibration}, "
            f"input {self.input_format} at {_decibels(self.input_sqnr_db)} dB"
        )
        return "\n".join([title, "", *lines]) + "\n"

    def _wgt_bits(self) -> str:
        """The bits of the weights, as a span where convolutions differ."""
        widths = [row.wgt_width for row in self.layers if row.kind == "conv" and row.wgt_width is not None]
        return _span((min(widths), max(widths))) if widths else str(self.wgt_width)


def _span(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}..{pair[1]}"


def _decibels(value: float) -> str:
    return "exact" if math.isinf(value) and value > 0 else f"{value:.1f}"


def _plain(value: Any) -> Any:
    if isinstance(value, float) and math.isinf(value):
        return None if value > 0 else "-inf"
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value


def _number(value: float | str | None) -> float:
    return math.inf if value is None else float(value)
