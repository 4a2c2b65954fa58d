"""Fixed delays: the glue of rigid pipelines."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal

__all__ = ["delay", "delays"]


def delays(m: Module, value: Any, cycles: int, *, name: str) -> list[Any]:
    """``[value, value one cycle later, ...]``, ``cycles + 1`` entries; all registers start at 0."""
    stages = [value]
    for i in range(cycles):
        stage = Signal.like(value, name=f"{name}_{i + 1}")
        m.d.sync += stage.eq(stages[-1])
        stages.append(stage)
    return stages


def delay(m: Module, value: Any, cycles: int, *, name: str) -> Any:
    """``value`` as it was ``cycles`` cycles ago."""
    return delays(m, value, cycles, name=name)[-1]
