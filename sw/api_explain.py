"""``compile --explain``: how each layer is cut, what it moves, where its cycles go, and the bound that holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .api_results import table
from .cycle_model.report import LayerCycles, ModelResult, model_cycles
from .program import LayerInfo, Program

__all__ = ["Explanation", "explain"]

_HEAD = ("layer", "input", "output", "strips", "passes", "pixels", "loaded", "weights", "stored", "cycles", "wait",
         "weight", "bank", "pass", "util %", "bound")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A program's plan beside its cycles: one image, the bench memory."""

    plan: tuple[LayerInfo, ...]
    model: ModelResult

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        cycles = {layer.index: layer for layer in self.model.layers}
        return {
            "cycles": self.model.cycles,
            "utilization": self.model.utilization,
            "mem_latency": self.model.mem_latency,
            "layers": [{**asdict(cycles[info.layer]), **asdict(info)} for info in self.plan],
        }

    def lines(self) -> list[str]:
        """A table, one line a layer, and what its columns are."""
        cycles = {layer.index: layer for layer in self.model.layers}
        rows = [_HEAD, *(_row(info, cycles[info.layer]) for info in self.plan)]
        model = self.model
        return [
            *table(rows, right=range(3, 15)),
            "",
            f"{model.cycles:,} cycles an image, {100 * model.utilization:.2f} % of the array, "
            f"memory latency {model.mem_latency}",
            "bytes loaded, of weights, stored; cycles: pixels + wait (for load, compute, store) + weight + bank + pass",
        ]


def _row(info: LayerInfo, cycles: LayerCycles) -> tuple[str, ...]:
    source = f"{info.act} + {info.residual}" if info.residual else info.act
    counts = (info.strips, cycles.passes, cycles.pixels, info.loaded, info.weights, info.stored, cycles.cycles,
              cycles.stall_wait, cycles.stall_weight, cycles.stall_bank, cycles.stall_pass)  # fmt: skip
    return (
        info.name, source, info.output, *(f"{count:,}" for count in counts), f"{100 * cycles.utilization:.1f}",
        cycles.bound,
    )  # fmt: skip


def explain(program: Program, mem_latency: int = 30) -> Explanation:
    """Why a program takes as long as it does; ``mem_latency`` of the bench memory, 1..200 cycles."""
    return Explanation(plan=program.layers, model=model_cycles(program, 1, mem_latency))
