"""``Counters``: where the cycles went."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .sequencer import Events

__all__ = ["COUNTED", "Counters"]

COUNTED = {
    "pixel": "pixels",
    "wait": "stall_wait",
    "weight": "stall_weight",
    "bank": "stall_bank",
    "short": "stall_pass",
}
"""Event and its register."""


class Counters(Component):
    """count[k] = busy cycles with event k since ``start``

    Latency: 2 cycles from the event. ``busy`` gates the events of the same cycle.

    Parameters
    ----------
    config : the engine.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        super().__init__(
            {"start": In(1), "busy": In(1), "events": In(Events)}
            | {name: Out(config.count_width) for name in COUNTED.values()}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for event, name in COUNTED.items():
            count, now = getattr(self, name), Signal(name=f"{event}_now")
            m.d.sync += now.eq(self.events[event] & self.busy)
            with m.If(self.start):
                m.d.sync += count.eq(0)
            with m.Elif(now):
                m.d.sync += count.eq(count + 1)
        return m
