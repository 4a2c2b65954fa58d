"""What a point of a sweep costs: networks compiled for an engine, their cycles, what they move and access.

    cycles = sum over networks of the cycle model's           (a model is one network, a layer table one a layer)

This is all that a worker runs, so it imports the compiler and the cycle model alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...hw.config import EngineConfig
from ...hw.isa import REGIONS
from ...quant.network import QuantizedNetwork
from ..cycle_model.machine import simulate
from ..sketch import Sketch, sketch
from .energy import LEVELS

__all__ = ["KINDS", "Figures", "Job", "Widths", "Workload", "measure", "run_job"]

Widths = tuple[int, int, int]
"""Bits of activations, weights, accumulators."""

KINDS = ("weights", "activations", "spills", "program")
"""Of bytes moved: the weight stream; image in and result out; maps that do not stay in the scratchpad, both ways;
instructions."""


class Workload(Protocol):
    """What runs on every engine of a sweep."""

    def networks(self, widths: Widths) -> Iterable[QuantizedNetwork]:
        """Its networks in formats of these widths. Raises ``ValueError`` where they cannot be."""

    def digest(self, widths: Widths) -> str:
        """A hash of all that cycles depend on."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One point's, of one image but for ``cycles_total``. ``reason``: why there are none."""

    cycles: int = 0
    cycles_total: int = 0
    macs: int = 0
    bytes: Mapping[str, int] = field(default_factory=dict)
    """By ``KINDS``."""
    accesses: Mapping[str, int] = field(default_factory=dict)
    """By ``energy.LEVELS``: MACs; bits read and written."""
    memory: int = 0
    """Bytes of external memory for program, weights, images, results; of the largest network."""
    reason: str = ""
    refused: bool = False
    """The configuration or the compiler refuses it; else a ``reason`` is a fault of this program."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What all points of a sweep have in common."""

    workload: Workload
    images: int
    mem_latency: int


def run_job(job: Job, values: Mapping[str, Any]) -> Figures:
    """The figures of one configuration; whatever goes wrong is a reason, not an error."""
    try:
        return measure(job, EngineConfig(**values))
    except ValueError as error:
        return Figures(reason=str(error), refused=True)
    except Exception as error:  # noqa: BLE001 - a point that fails must not take the others with it
        return Figures(reason=f"{type(error).__name__}: {error}")


def measure(job: Job, config: EngineConfig) -> Figures:
    """Compile and model. Raises ``ValueError`` for what the engine cannot compute."""
    cycles = total = macs = memory = 0
    moved, accessed = dict.fromkeys(KINDS, 0), dict.fromkeys(LEVELS, 0)
    for network in job.workload.networks((config.act_width, config.wgt_width, config.acc_width)):
        program = sketch(network, config)
        alone = simulate(program, 1, job.mem_latency, program.plan)
        batch = alone if job.images == 1 else simulate(program, job.images, job.mem_latency, program.plan)
        cycles, total, macs = cycles + alone.cycles, total + batch.cycles, macs + program.macs
        memory = max(memory, program.memory_map(job.images).end)
        bytes_ = _moved(program)
        for kind, count in bytes_.items():
            moved[kind] += count
        for level, count in _accesses(program, bytes_, alone.counters["pixels"]).items():
            accessed[level] += count
    return Figures(
        cycles=cycles, cycles_total=total, macs=macs, bytes=moved, accesses=accessed, memory=memory
    )


def _moved(program: Sketch) -> dict[str, int]:
    """Bytes over the memory port by ``KINDS``."""
    config, kinds = program.config, {REGIONS.index("spill"): "spills"}
    moved = {**dict.fromkeys(KINDS, 0), "weights": program.sizes.weights, "program": program.sizes.records}
    for record in program.plan.records["load"]:
        kind = kinds.get(record.values["region"], "activations")
        moved[kind] += record.values["beats"] * config.port_bytes
    for record in program.plan.records["store"]:
        kind = kinds.get(record.values["region"], "activations")
        words = record.values["pixels"] * record.values["blocks"]
        moved[kind] += words * config.word_beats * config.port_bytes
    return moved


def _accesses(program: Sketch, moved: Mapping[str, int], pixels: int) -> dict[str, int]:
    """MACs, and bits that each level of memory reads and writes.

    A pixel of a pass reads ``rows`` activations, and an accumulator of each column, which it writes again. An output
    pixel writes ``cols`` activations. What goes over the port passes a queue; what is no weight and no instruction,
    the scratchpad too.
    """
    config = program.config
    outputs = sum(info.count for info in program.computes)
    through = moved["activations"] + moved["spills"]
    return {
        "mac": program.macs,
        "scratchpad": (pixels * config.rows + outputs * config.cols) * config.act_width + 8 * through,
        "accumulators": 2 * pixels * config.cols * config.acc_width,
        "queues": 16 * sum(moved.values()),
        "memory": 8 * sum(moved.values()),
    }
