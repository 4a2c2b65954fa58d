"""``LoopNest``: the four pixel loops of a pass."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .interfaces import record_layout
from .isa import COMPUTE

__all__ = ["LOOPS", "LoopNest"]

LOOPS = ("wx", "wy", "ox", "oy")
"""Innermost first."""


class LoopNest(Component):
    """for oy, ox, wy, wx in 0..*_last: position(y, x, addr, res)

    ``advance`` goes to the next pixel: every position adds the step of the outermost loop that moves (``fields``), see
    ``isa.steps``. With ``load`` it starts a pass at ``start_*`` instead, with the loop counts of ``counts`` and the
    residual position at ``res_base``. The ``*_next`` addresses are those of the next block.

    Latency: a position is valid one cycle after advance.

    Members
    -------
    last : all loops are at their end; ``last_next``: so they will be if ``advance`` is high.
    window_first, window_last : wx and wy are at their start, their end.
    row_first : so is ox, too.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        record, addr, coord = record_layout(COMPUTE, config), config.addr_width, signed(config.coord_width)
        super().__init__(
            {
                "fields": In(record),
                "counts": In(record),
                "load": In(1),
                "advance": In(1),
                "start_y": In(coord),
                "start_x": In(coord),
                "start_addr": In(addr),
                "start_next": In(addr),
                "y": Out(coord),
                "x": Out(coord),
                "addr": Out(addr),
                "next": Out(addr),
                "res_addr": Out(addr),
                "res_next": Out(addr),
                "last": Out(1),
                "last_next": Out(1),
                "window_first": Out(1),
                "window_last": Out(1),
                "row_first": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        ended, will_end = Signal(4), Signal(4)
        # The loop that moves next: those inside have ended and start again. As a number for the positions, as one
        # bit each for the counts: one register would drive a hundred inputs, and the way to the farthest is long.
        moving, turn = Signal(2), Signal(4, init=1)
        for i, loop in enumerate(LOOPS):
            self._count(m, i, loop, turn, ended, will_end)
        m.d.comb += [self.last_next.eq(will_end.all()), self.window_last.eq(ended[:2].all())]
        with m.If(self.advance):
            m.d.sync += [self.window_first.eq(self.load | self.window_last), self.last.eq(self.last_next)]
            m.d.sync += self.row_first.eq(self.load | ended[:3].all())
            m.d.sync += moving.eq(Mux(~will_end[0], 0, Mux(~will_end[1], 1, Mux(~will_end[2], 2, 3))))
            m.d.sync += turn.eq(Cat(will_end[:i].all() & (~will_end[i] if i < 3 else 1) for i in range(4)))
        positions = [("y", "y_step", self.start_y), ("x", "x_step", self.start_x)]
        positions += [("addr", "addr_step", self.start_addr), ("res_addr", "res_step", self.counts.res_base)]
        if self.config.groups > 1:
            after = (self.counts.res_base + self.counts.res_block_step)[: self.config.addr_width]
            positions += [("next", "addr_step", self.start_next), ("res_next", "res_step", after)]
        for name, step, start in positions:
            self._position(m, getattr(self, name), step, start, moving)
        return m

    def _count(self, m: Module, i: int, loop: str, turn: Signal, ended: Signal, will_end: Signal) -> None:
        """Turns left - 1: its sign says that the loop has ended."""
        coord = signed(self.config.coord_width)
        left, again, fresh, following = (
            Signal(coord, name=f"{loop}_{name}") for name in ("left", "again", "fresh", "following")
        )
        inside = turn[i + 1 :].any()  # of the loop that moves
        m.d.comb += [
            fresh.eq(self.counts[f"{loop}_last"] - 1),
            following.eq(Mux(inside, again, left - turn[i])),
            ended[i].eq(left[-1]),
            will_end[i].eq(Mux(self.load, fresh, following)[-1]),
        ]
        with m.If(self.advance):
            m.d.sync += left.eq(Mux(self.load, fresh, following))
        # A start that is held back changes nothing: the last pixel of a pass needs no count again.
        with m.If(self.load):
            m.d.sync += again.eq(fresh)

    def _position(self, m: Module, position: Signal, step: str, start: Any, moving: Signal) -> None:
        origin = Signal.like(position, name=f"{position.name}_origin")
        amount = Signal(unsigned(len(position)), name=f"{position.name}_step")
        m.d.comb += origin.eq(Mux(self.load, start, position))
        with m.If(~self.load), m.Switch(moving):
            for i, loop in enumerate(LOOPS):
                with m.Case(i):
                    m.d.comb += amount.eq(self.fields[f"{step}_{loop}"])
        with m.If(self.advance):
            m.d.sync += position.eq(origin + amount)
