"""Where the cycles go, layer by layer, and which bound holds.

cycles of a layer = from the last pixel of the one before to its own last pixel
                  = pixels + stall_wait + stall_weight + stall_bank + stall_pass      of its COMPUTEs
cycles = sum over layers + drain

bound = "array shape"            the array is at work, or a pass is too short: pixels + stall_pass >= 95 % of cycles
        "weight bandwidth"       else where most stalls wait for weights
        "activation bandwidth"   for a bank, a LOAD or a STORE
        "dependency"             for a COMPUTE before, or for the instruction itself
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..program import Program
from .compute import Span
from .machine import simulate

__all__ = ["BOUNDS", "LayerCycles", "ModelResult", "model_cycles", "require_run"]

BOUNDS = ("array shape", "weight bandwidth", "activation bandwidth", "dependency")

_BUSY = 0.95


@dataclass(frozen=True, kw_only=True)
class LayerCycles:
    """One layer of the first image."""

    index: int
    """in the network's layers."""
    name: str
    macs: int
    computes: int
    passes: int
    pixels: int
    cycles: int
    stall_wait: int
    waited_for: Mapping[str, int]
    """cycles of ``stall_wait`` by what the instruction waited for: "fetch", "load", "compute", "store"."""
    stall_weight: int
    stall_bank: int
    stall_pass: int
    weight_beats: int
    """port words of its segments in the weight stream."""
    utilization: float
    """useful MACs / (rows * cols * cycles)."""
    bound: str


@dataclass(frozen=True, kw_only=True)
class ModelResult:
    """Cycles of one image alone, of a batch back to back; counters and layers as the engine's registers have them."""

    network: str
    images: int
    mem_latency: int
    macs: int
    cycles: int
    cycles_total: int
    utilization: float
    utilization_stream: float
    counters: Mapping[str, int]
    """of the batch."""
    layers: tuple[LayerCycles, ...]
    drain: int
    """cycles behind the last pixel: pipeline, last STORE."""

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return asdict(self)


def require_run(images: int, mem_latency: int) -> None:
    """Raises ``ValueError`` for what is no number of images, or no latency of the bench memory."""
    if isinstance(images, bool) or not isinstance(images, int) or images < 1:
        raise ValueError(f"images must be a positive integer, not {images!r}")
    if isinstance(mem_latency, bool) or not isinstance(mem_latency, int) or not 1 <= mem_latency <= 200:
        raise ValueError(f"mem_latency must be an integer in 1..200, not {mem_latency!r}")


def model_cycles(program: Program, images: int = 1, mem_latency: int = 30) -> ModelResult:
    """What ``images`` images take on the program's engine. Raises ``ValueError`` for a program that it would refuse."""
    require_run(images, mem_latency)
    alone = simulate(program, 1, mem_latency)
    batch = alone if images == 1 else simulate(program, images, mem_latency)
    pes = program.config.rows * program.config.cols
    layers = _layers(program, alone.spans)
    return ModelResult(
        network=program.name, images=images, mem_latency=mem_latency, macs=program.macs,
        cycles=alone.cycles, cycles_total=batch.cycles,
        utilization=program.macs / (pes * alone.cycles),
        utilization_stream=images * program.macs / (pes * batch.cycles),
        counters=batch.counters, layers=layers, drain=alone.cycles - sum(layer.cycles for layer in layers),
    )  # fmt: skip


def _layers(program: Program, spans: Sequence[Span]) -> tuple[LayerCycles, ...]:
    found: dict[int, list[Span]] = {}
    for span in spans:
        found.setdefault(program.computes[span.index].layer, []).append(span)
    return tuple(_layer(program, layer, found[layer]) for layer in found)


def _layer(program: Program, layer: int, spans: Sequence[Span]) -> LayerCycles:
    infos = [program.computes[span.index] for span in spans]
    macs = sum(info.macs for info in infos)
    cycles = sum(span.cycles for span in spans)
    waited: dict[str, int] = {}
    for span in spans:
        if span.wait:
            waited[span.cause] = waited.get(span.cause, 0) + span.wait
    pixels, weight = sum(span.pixels for span in spans), sum(span.weight for span in spans)
    bank, short = sum(span.bank for span in spans), sum(span.short for span in spans)
    return LayerCycles(
        index=layer, name=infos[0].name, macs=macs, computes=len(spans), passes=sum(span.passes for span in spans),
        pixels=pixels, cycles=cycles, stall_wait=sum(waited.values()), waited_for=waited, stall_weight=weight,
        stall_bank=bank, stall_pass=short, weight_beats=sum(span.weight_beats for span in spans),
        utilization=macs / (program.config.rows * program.config.cols * cycles),
        bound=_bound(pixels + short, cycles, weight, bank, waited),
    )  # fmt: skip


def _bound(busy: int, cycles: int, weight: int, bank: int, waited: Mapping[str, int]) -> str:
    if busy >= _BUSY * cycles:
        return BOUNDS[0]
    memory = bank + waited.get("load", 0) + waited.get("store", 0)
    order = waited.get("compute", 0) + waited.get("fetch", 0)
    stalls = (weight, memory, order)
    return BOUNDS[1 + stalls.index(max(stalls))]
