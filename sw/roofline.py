"""Each layer under the roofs of its engine: the multipliers, and the memory port.

    intensity = macs / max(bytes read, bytes written)                 MACs a byte
    speed     = macs / cycles                                         MACs a cycle
    roof      = min(rows * cols, intensity * port_bytes)              MACs a cycle

Bytes are those of the port's busier direction, for it reads and writes at once: loads and weights, or stores. Cycles
are those of ``cycle_model.report``, from the last pixel of the layer before to its own last one. Weights and maps may
come while the layer before computes: a layer may be faster than the port alone would let it, the whole network may not.

Williams, Waterman, Patterson, Roofline: an insightful visual performance model, CACM 52(4), 2009.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..hw.config import EngineConfig
from .cycle_model.report import model_cycles
from .program import Program

__all__ = ["Roof", "RoofLayer", "roof_of"]


@dataclass(frozen=True, kw_only=True)
class RoofLayer:
    """One layer with products, or all of them; ``bound`` as in ``cycle_model.report``, "" for all."""

    name: str
    macs: int
    bytes: int
    cycles: int
    bound: str = ""

    @property
    def intensity(self) -> float:
        """MACs a byte; infinite where nothing goes over the port."""
        return self.macs / self.bytes if self.bytes else float("inf")

    @property
    def speed(self) -> float:
        """MACs a cycle."""
        return self.macs / self.cycles


@dataclass(frozen=True, kw_only=True)
class Roof:
    """An engine's roofs, and what a network reaches under them. ``total``: of the whole image."""

    config: EngineConfig
    layers: tuple[RoofLayer, ...]
    total: RoofLayer

    @property
    def flat(self) -> int:
        """MACs a cycle of the array."""
        return self.config.rows * self.config.cols

    @property
    def ridge(self) -> float:
        """MACs a byte from which on the array limits, not the port."""
        return self.flat / self.config.port_bytes

    def at(self, intensity: float) -> float:
        """The roof in MACs a cycle over so many MACs a byte."""
        return min(float(self.flat), intensity * self.config.port_bytes)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {
            "rows": self.config.rows, "cols": self.config.cols, "port_bytes": self.config.port_bytes,
            "flat": self.flat, "ridge": self.ridge,
            "layers": [{**asdict(layer), "speed": layer.speed} for layer in (*self.layers, self.total)],
        }  # fmt: skip


def roof_of(program: Program, mem_latency: int = 30) -> Roof:
    """Of one image with the bench memory; ``mem_latency`` 1..200 cycles. Raises ``ValueError``."""
    found = model_cycles(program, 1, mem_latency)
    read = {info.layer: info.loaded + info.weights for info in program.layers}
    written = {info.layer: info.stored for info in program.layers}
    layers = tuple(
        RoofLayer(
            name=layer.name,
            macs=layer.macs,
            bytes=max(read[layer.index], written[layer.index]),
            cycles=layer.cycles,
            bound=layer.bound,
        )
        for layer in found.layers
        if layer.macs
    )
    total = RoofLayer(name="all", macs=found.macs, cycles=found.cycles,
                      bytes=max(sum(read.values()), sum(written.values())))  # fmt: skip
    return Roof(config=program.config, layers=layers, total=total)
