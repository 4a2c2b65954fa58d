"""``Completion``: what has been done, and whether that is all."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .interfaces import Progress
from .replicas import replicas

__all__ = ["Completion"]

_UNITS = ("load", "compute", "store")


class Completion(Component):
    """progress[k], completed[k] = instructions of unit k completed since start;
    finished = completed[k] == images * n_k for k in load, compute, store

    Counted in iterations, so that nothing is multiplied: a unit has done one when its count within it reaches
    n_k. A unit without instructions is never waited for; with images = 0 all is done at once.

    Latency: 1 cycle from a unit's pulse to its counts, 5 cycles to ``finished``.

    Parameters
    ----------
    config : the engine.

    Members
    -------
    start : one cycle; all counts from 0.
    load_done, compute_done, store_done : one cycle for each instruction completed.
    n_load, n_compute, n_store : instructions of one iteration; ``configured``: they are known.
    images : iterations.
    progress : modulo 2**wait_width. loads, computes, stores : the same, count_width bits where events are counted.
    finished : stays until ``start``.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "configured": In(1),
                "images": In(config.count_width),
                "progress": Out(Progress(config)),
                "finished": Out(1),
            }
            | {f"{unit}_done": In(1) for unit in _UNITS}
            | {f"n_{unit}": In(config.wait_width - 3) for unit in _UNITS}
            | {f"{unit}s": Out(_total(config)) for unit in _UNITS}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        complete, none = Signal(len(_UNITS)), Signal()
        cleared = replicas(m, self.start, len(_UNITS), platform, name="cleared")  # nothing is done so early
        for index, unit in enumerate(_UNITS):
            done, n = getattr(self, f"{unit}_done"), getattr(self, f"n_{unit}")
            total = getattr(self, f"{unit}s")
            inside, iterations = (
                Signal(self.config.wait_width - 3, name=f"{unit}_inside"),
                Signal(self.config.count_width, name=f"{unit}_iterations"),
            )
            wrapped, idle = Signal(name=f"{unit}_wrapped"), Signal(init=1, name=f"{unit}_idle")
            m.d.comb += getattr(self.progress, unit).eq(total)
            # Cycle 0: count. Cycle 1: does this end an iteration? Cycle 2: is it the last one?
            with m.If(done):
                m.d.sync += [total.eq(total + 1), inside.eq(inside + 1)]
            m.d.sync += [wrapped.eq((inside >= n) & ~idle & ~wrapped), idle.eq(n == 0)]
            with m.If(wrapped):
                m.d.sync += [iterations.eq(iterations + 1), inside.eq(inside - n + done)]
            m.d.sync += complete[index].eq((iterations == self.images) | idle)
            with m.If(cleared[index]):
                m.d.sync += [total.eq(0), inside.eq(0), iterations.eq(0), wrapped.eq(0)]
        m.d.sync += none.eq(self.images == 0)
        known = Signal(2)
        m.d.sync += [
            known.eq(Cat(self.configured, known)),
            self.finished.eq(none | (complete.all() & known.all())),
        ]
        with m.If(self.start):
            m.d.sync += [known.eq(0), complete.eq(0), self.finished.eq(0)]
        return m


def _total(config: EngineConfig) -> int:
    """Bits of a unit's count: those that thresholds are compared with, and those that the host reads."""
    return max(config.wait_width, config.count_width) if config.profile else config.wait_width
