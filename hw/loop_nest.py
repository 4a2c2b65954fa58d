"""``LoopNest``: the four pixel loops of a pass."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .interfaces import record_layout
from .isa import COMPUTE
from .replicas import replicas

__all__ = ["LOOPS", "STEPS", "LoopNest", "Start", "outermost"]

LOOPS = ("wx", "wy", "ox", "oy")
"""Innermost first."""

STEPS = ("y_step", "x_step", "addr_step", "res_step")
"""What positions move by: fields of COMPUTE, one for each loop."""


def outermost(ended: Any) -> Any:
    """The outermost loop that moves where those are at their end."""
    return Mux(ended[0], Mux(ended[1], 2 | ended[2], 1), 0)


class Start(data.StructLayout):
    """A pass before its first pixel.

    Positions of the first pixel and their steps to the second one; ``zero``, ``one``: which loops count to so little
    (``*_last``); at the second pixel ``ended``, ``ending``: which are at their end, which will be a turn later,
    ``moves``: the loop that moves then, ``left``: turns of each loop left.
    """

    def __init__(self, config: EngineConfig) -> None:
        width, addr = config.coord_width, config.addr_width
        coord = signed(width)
        super().__init__(
            {
                "y": coord,
                "x": coord,
                "addr": addr,
                "next": addr,
                "res_addr": addr,
                "res_next": addr,
                **{step: width if step[0] in "xy" else addr for step in STEPS},
                **{flags: len(LOOPS) for flags in ("zero", "one", "ended", "ending")},
                "moves": 2,
                "left": data.ArrayLayout(width - 1, len(LOOPS)),
            }
        )


class LoopNest(Component):
    """for oy, ox, wy, wx in 0..*_last: position(y, x, addr, res)

    With ``go`` the next pixel follows: every position adds the step of the outermost loop that moves (``fields``), see
    ``isa.steps``; with ``load``, too, the first pixel of a pass instead, that of ``start``. The ``next`` addresses are
    those of the next block. The loops are counted a pixel ahead of the positions, so that what moves is in registers.

    Latency: a position is valid one cycle after go.

    Members
    -------
    load, go : two equal copies each, for the positions and for the counts.
    fields : the COMPUTE in execution from the cycle after ``load`` on.
    last : all loops are at their end; ``last_next``: so they will be after the next ``go`` without ``load``.
    window_first, window_last : wx and wy are at their start, their end.
    row_first : so is ox, too.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        addr = config.addr_width
        super().__init__(
            {
                "fields": In(record_layout(COMPUTE, config)),
                "start": In(Start(config)),
                "load": In(2),
                "go": In(2),
                "y": Out(signed(config.coord_width)),
                "x": Out(signed(config.coord_width)),
                **{name: Out(addr) for name in ("addr", "next", "res_addr", "res_next")},
                **{
                    name: Out(1) for name in ("last", "last_next", "window_first", "window_last", "row_first")
                },
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        start, load, go = self.start, self.load[1], self.go[1]
        # Of the pixel after the one of the positions: which loops are at their end, which would be a turn later.
        ended, ending = Signal(4), Signal(4)
        zero, one = Signal(4), Signal(4)  # of the pass
        inside = Cat(ended[: i + 1].all() for i in range(4))  # it starts again, as all those inside do
        turns = Cat(ended[:i].all() & ~ended[i] for i in range(4))
        ahead, moves = (
            Signal(4),
            Signal(2),
        )  # of the pixel after that, if no pass starts; the loop that moves then
        row_last = Signal()
        for i, loop in enumerate(LOOPS):
            m.d.comb += ahead[i].eq(Mux(inside[i], zero[i], Mux(turns[i], ending[i], ended[i])))
            self._count(m, i, loop, inside[i], turns[i], one[i], ending)
        m.d.comb += moves.eq(Mux(load, start.moves, outermost(ahead)))
        with m.If(go):
            m.d.sync += [
                ended.eq(Mux(load, start.ended, ahead)),
                self.last_next.eq(Mux(load, start.ended.all(), ahead.all())),
                self.last.eq(Mux(load, start.zero.all(), self.last_next)),
                self.window_last.eq(Mux(load, start.zero[:2].all(), ended[:2].all())),
                self.window_first.eq(load | self.window_last),
                row_last.eq(Mux(load, start.zero[:3].all(), ended[:3].all())),
                self.row_first.eq(load | row_last),
            ]
            with m.If(load):
                m.d.sync += [zero.eq(start.zero), one.eq(start.one)]
        self._positions(m, moves, platform)
        return m

    def _count(self, m: Module, i: int, loop: str, again: Any, turn: Any, one: Any, ending: Signal) -> None:
        """Turns left - 1 at the pixel ahead; of a loop that has but one nobody looks at them."""
        left, start = Signal(self.config.coord_width - 1, name=f"{loop}_left"), self.start
        with m.If(self.go[1]):
            with m.If(self.load[1]):
                m.d.sync += left.eq(start.left[i])
                m.d.sync += ending[i].eq(start.ending[i])
            with m.Elif(again):
                m.d.sync += [left.eq(self.fields[f"{loop}_last"]), ending[i].eq(one)]
            with m.Elif(turn):
                m.d.sync += [left.eq(left - 1), ending[i].eq(left == 2)]

    def _positions(self, m: Module, moves: Signal, platform: Any) -> None:
        """position += amount; amounts are chosen a pixel ahead, by a copy of ``moves`` each."""
        amounts = {}
        copies = replicas(m, moves, len(STEPS), platform, enable=self.go[1], name="moves")
        for step, sel in zip(STEPS, copies, strict=True):
            amounts[step] = amount = Signal.like(self.start[step], name=f"{step}_amount")
            with m.If(self.go[0]):
                with m.If(self.load[0]):
                    m.d.sync += amount.eq(self.start[step])
                with m.Else(), m.Switch(sel):
                    for i, loop in enumerate(LOOPS):
                        with m.Case(i):
                            m.d.sync += amount.eq(self.fields[f"{step}_{loop}"])
        moved = {"y": "y_step", "x": "x_step", "addr": "addr_step", "res_addr": "res_step"}
        if self.config.groups > 1:
            moved |= {"next": "addr_step", "res_next": "res_step"}
        for name, step in moved.items():
            position = getattr(self, name)
            with m.If(self.go[0]):
                m.d.sync += position.eq(Mux(self.load[0], self.start[name], position + amounts[step]))
