"""What each layer took in a run: its COMPUTEs together, and the bytes that the compiler moves for it.

cycles of a layer = from the last pixel of the one before to its own last pixel = pixels + wait + weight + bank + short
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from .program import Program

if TYPE_CHECKING:
    from .timeline import Span

__all__ = ["LayerTime", "layer_times"]


@dataclass(frozen=True, kw_only=True)
class LayerTime:
    """One layer in one image."""

    index: int
    """in the network's layers."""
    name: str
    image: int
    start: int
    """the cycle after the last pixel of the layer before."""
    started: int
    """its first pixel."""
    end: int
    """its own last pixel."""
    done: int
    """its last output is written."""
    macs: int
    cycles: int
    pixels: int
    wait: int
    waited_for: Mapping[str, int]
    """cycles of ``wait`` by what the instruction waited for: "fetch", "load", "compute", "store"."""
    weight: int
    bank: int
    short: int
    loaded: int
    """bytes that LOADs read for it."""
    weights: int
    """bytes of its segments of the weight stream."""
    stored: int
    """bytes that STOREs write of its output."""
    utilization: float
    """useful MACs / (rows * cols * cycles)."""

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return asdict(self)


def layer_times(program: Program, computes: Sequence[Span]) -> tuple[LayerTime, ...]:
    """Of COMPUTEs in order; one whose strips others interrupt is one all the same, by its first strip."""
    found: dict[tuple[int, int], list[Span]] = {}
    for span in computes:
        found.setdefault((span.image, span.layer), []).append(span)
    return tuple(_layer(program, spans) for spans in found.values())


def _layer(program: Program, spans: Sequence[Span]) -> LayerTime:
    config, first = program.config, spans[0]
    moved = next((info for info in program.layers if info.layer == first.layer), None)
    macs, cycles = sum(program.computes[s.index].macs for s in spans), sum(s.cycles for s in spans)
    waited = {cause: sum(span.wait for span in group) for cause, group in _by_cause(spans)}
    return LayerTime(
        index=first.layer, name=first.name, image=first.image, start=first.ended - first.cycles + 1,
        started=first.started, end=spans[-1].ended, done=spans[-1].done, macs=macs, cycles=cycles,
        pixels=sum(s.pixels for s in spans), wait=sum(waited.values()), waited_for=waited,
        weight=sum(s.weight for s in spans), bank=sum(s.bank for s in spans), short=sum(s.short for s in spans),
        loaded=moved.loaded if moved else 0, weights=moved.weights if moved else 0,
        stored=moved.stored if moved else 0, utilization=macs / (config.rows * config.cols * cycles),
    )  # fmt: skip


def _by_cause(spans: Sequence[Span]) -> Iterator[tuple[str, list[Span]]]:
    waiting = sorted((span for span in spans if span.wait), key=lambda span: span.waited_for)
    for cause, group in groupby(waiting, key=lambda span: span.waited_for):
        yield cause, list(group)
