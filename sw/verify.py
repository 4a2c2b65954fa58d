"""Every layer, every code: the models of the chain against the integer reference, and where they part.

    mismatches[model] = #{ (n, layer, y, x, channel) : reference != model's code in any run of the model }

The models are simulated elsewhere (``sw.api_verify``); here their codes are compared and the result is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..quant.network import IntArray, Layer, QuantizedNetwork

__all__ = ["MISSING", "MODELS", "Divergence", "LayerResult", "Ledger", "Verification", "layer_range",
           "layer_results"]  # fmt: skip

Array = npt.NDArray[Any]

MODELS = ("onnxruntime", "iss", "rtl")

MISSING = np.iinfo(np.int64).min
"""Stands for a code that a model never wrote."""


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """The first place, by image, then by layer, where a model parts from the integer reference."""

    model: str
    tensor: str
    n: int
    y: int
    x: int
    channel: int
    expected: int
    got: int | None
    """None where the model never wrote the code."""
    cycle: int | None = None
    """when the engine wrote it, counted from its start; None where the RTL did not run or write."""
    run: str = "alone"
    """"alone", or "back to back" where only that run is wrong."""

    def __str__(self) -> str:
        got = "nothing" if self.got is None else str(self.got)
        when = "" if self.cycle is None else f", written in cycle {self.cycle}"
        run = "" if self.run == "alone" else f", {self.run}"
        return (
            f"{self.model}, tensor {self.tensor!r}, image {self.n}, y {self.y}, x {self.x}, "
            f"channel {self.channel}: expected {self.expected}, got {got}{when}{run}"
        )


@dataclass(frozen=True, kw_only=True)
class LayerResult:
    """One layer over all images. Codes compared and wrong, by model."""

    index: int
    name: str
    kind: str
    tensor: str
    shape: tuple[int, int, int]
    """height, width, channels of the output."""
    macs: int
    """of one image."""
    compared: Mapping[str, int]
    mismatches: Mapping[str, int]
    fused_into: str | None = None
    """the tensor of the pool that works on this layer's output path: its own codes leave no engine."""
    cycles: int | None = None
    """from the last output of the layer before (the first layer: from start) to its own last one; image 0."""
    utilization: float | None = None
    """useful MACs / (rows * cols * cycles)."""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What ``verify`` found; ``cycles`` from start to done, each image alone, None where not done."""

    network: str
    config: Mapping[str, Any]
    images: int
    layers: tuple[LayerResult, ...]
    macs: int
    """useful MACs of one image, all layers."""
    compared: Mapping[str, int]
    mismatches: Mapping[str, int]
    cycles: tuple[int | None, ...]
    cycles_total: int | None
    """all images back to back."""
    utilization: float | None
    utilization_stream: float | None
    first_mismatch: Divergence | None
    errors: tuple[str, ...] = ()
    """why a model stopped before its end, one sentence each."""
    counters: Mapping[str, int] = field(default_factory=dict)
    """the engine's, all images back to back."""
    model_cycles: tuple[int | None, ...] = ()
    """``cycles`` as the cycle model has them; None where the RTL was not done."""
    model_cycles_total: int | None = None

    @property
    def ok(self) -> bool:
        """Whether every model ran to its end and every code is equal."""
        return not self.errors and not any(self.mismatches.values()) and self.first_mismatch is None

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {"ok": self.ok, **asdict(self)}

    def to_text(self) -> str:
        """A table, one line a layer, the totals and the verdict."""
        return "\n".join([*self.layer_lines(), "", *self.summary_lines(), self.verdict()])

    def layer_lines(self) -> list[str]:
        """The table."""
        wrongs = [f"wrong {short}" for short in ("ORT", "ISS", "RTL")]
        rows = [["#", "layer", "output", "MACs", "compared", *wrongs, "cycles", "util %"]]
        for row in self.layers:
            use = "" if row.utilization is None else f"{100 * row.utilization:.1f}"
            wrong = [str(row.mismatches[m]) if row.compared[m] else "-" for m in MODELS]
            rows.append([
                str(row.index), row.name, "x".join(map(str, row.shape)), f"{row.macs:,}",
                f"{max(row.compared.values()):,}", *wrong,
                "" if row.cycles is None else f"{row.cycles:,}", use,
            ])  # fmt: skip
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(
                cell.ljust(w) if i in (1, 2) else cell.rjust(w)
                for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        fused = [row for row in self.layers if row.fused_into is not None]
        lines += [f"{row.name}: fused into {row.fused_into}, its codes leave no engine" for row in fused]
        joined = [row for row in self.layers if row.kind == "concat" and not row.compared["rtl"]]
        lines += [
            f"{row.name}: its operands are made side by side, each compared where it is made"
            for row in joined
        ]
        return [line.rstrip() for line in lines]

    def summary_lines(self) -> list[str]:
        """Codes compared, cycles, utilization."""
        counts = ", ".join(f"{m} {self.compared[m]:,} ({self.mismatches[m]:,} wrong)" for m in MODELS)
        cycles = ", ".join("not done" if c is None else f"{c:,}" for c in self.cycles) or "none"
        total = "" if self.cycles_total is None else f"; {self.cycles_total:,} back to back"
        lines = [f"codes compared  {counts}", f"cycles          {cycles}{total}"]
        if any(self.model_cycles):
            modelled = ", ".join("-" if c is None else f"{c:,}" for c in self.model_cycles)
            batch = "" if self.model_cycles_total is None else f"; {self.model_cycles_total:,} back to back"
            lines.append(f"cycle model     {modelled}{batch}")
        if self.utilization is not None:
            both = self.utilization_stream
            stream = "" if both is None else f"; {100 * both:.2f} % back to back"
            lines.append(f"utilization     {100 * self.utilization:.2f} %{stream}")
        return lines

    def verdict(self) -> str:
        """One line: equal, or what is wrong and where."""
        if self.ok:
            plural = "s" if self.images > 1 else ""
            return f"equal: {self.images} image{plural}, {len(self.layers)} layers, 0 mismatches"
        parts = [] if self.first_mismatch is None else [f"first mismatch: {self.first_mismatch}"]
        return "; ".join([*parts, *self.errors])


def layer_range(text: str | None, count: int) -> range:
    """Layers ``A:B`` of ``count``: from A up to but without B, counted from 0; either may be left out."""
    if text is None:
        return range(count)
    first, colon, last = text.partition(":")
    try:
        chosen = range(int(first or 0), int(last or count)) if colon else range(-1)
    except ValueError:
        chosen = range(-1)
    if not chosen or chosen.start < 0 or chosen.stop > count:
        raise ValueError(f"layers must be A:B with 0 <= A < B <= {count}, the network's layers, not {text!r}")
    return chosen


class Ledger:
    """Collects comparisons with the integer reference.

    ``expected``: codes [N, H, W, C] of every tensor. Each ``enter`` is one run of one image by one model; a
    code counts once as compared, and once as wrong if any run has it wrong.
    """

    def __init__(self, layers: Sequence[Layer], expected: Mapping[str, Array]) -> None:
        self._layers = layers
        self._expected = expected
        self._wrong: dict[tuple[str, int, str], npt.NDArray[np.bool_]] = {}
        self._got: dict[tuple[str, int, str], tuple[str, IntArray]] = {}
        self._cycles: dict[tuple[str, int, str], IntArray] = {}

    def enter(
        self,
        model: str,
        n: int,
        codes: Mapping[str, Array],
        *,
        run: str = "alone",
        cycles: Mapping[str, IntArray] | None = None,
    ) -> None:
        """Codes [H, W, C] of image ``n`` by tensor name; tensors the model does not have are left out.

        ``cycles``: when each code was written, -1 where it never was.
        """
        for layer in self._layers:
            name = layer.output
            if name not in codes:
                continue
            key = (model, n, name)
            got = np.asarray(codes[name], np.int64)
            wrong = got != self._expected[name][n]
            if key not in self._wrong:
                self._wrong[key], self._got[key] = wrong, (run, got)
                continue
            if np.any(wrong) and not np.any(self._wrong[key]):
                self._got[key] = (run, got)
            self._wrong[key] = self._wrong[key] | wrong
        for name, when in (cycles or {}).items():
            self._cycles[run, n, name] = when

    def count(self, model: str, tensor: str) -> tuple[int, int]:
        """(compared, wrong) codes of a tensor over all images."""
        masks = [mask for (m, _, name), mask in self._wrong.items() if (m, name) == (model, tensor)]
        return sum(mask.size for mask in masks), sum(int(np.count_nonzero(mask)) for mask in masks)

    def first(self) -> Divergence | None:
        """The first divergence: of the first model that has one, in its first image, in its first layer."""
        images = sorted({n for _, n, _ in self._wrong})
        for model in MODELS:
            for n in images:
                for layer in self._layers:
                    mask = self._wrong.get((model, n, layer.output))
                    if mask is not None and np.any(mask):
                        return self._place(model, n, layer.output)
        return None

    def _place(self, model: str, n: int, tensor: str) -> Divergence:
        run, codes = self._got[model, n, tensor]
        expected = self._expected[tensor][n]
        wrong = codes != expected
        y, x, channel = (int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
        got = int(codes[y, x, channel])
        when = self._cycles.get((run, n, tensor))
        cycle = None if when is None else int(when[y, x, channel])
        return Divergence(
            model=model, tensor=tensor, n=n, y=y, x=x, channel=channel, expected=int(expected[y, x, channel]),
            got=None if got == MISSING else got, cycle=None if cycle is None or cycle < 0 else cycle, run=run,
        )  # fmt: skip


def layer_results(
    network: QuantizedNetwork, chosen: range, ledger: Ledger, fused: Mapping[str, str],
    spans: Mapping[str, int], macs: Mapping[str, int], pes: int,
) -> tuple[LayerResult, ...]:  # fmt: skip
    """The rows of the report. ``fused``, ``spans`` (cycles), ``macs`` (computed for it): by tensor name."""
    rows = []
    for index in chosen:
        layer = network.layers[index]
        counts = {model: ledger.count(model, layer.output) for model in MODELS}
        span = spans.get(layer.output)
        use = None if not span else macs.get(layer.output, 0) / (pes * span)
        rows.append(
            LayerResult(
                index=index, name=layer.name, kind=layer.kind, tensor=layer.output,
                shape=network.tensors[layer.output].shape, macs=layer.macs,
                compared={model: counts[model][0] for model in MODELS},
                mismatches={model: counts[model][1] for model in MODELS},
                fused_into=fused.get(layer.output), cycles=span, utilization=use,
            )
        )  # fmt: skip
    return tuple(rows)
