"""Credits: a rigid pipeline in front of a queue whose ready nobody reads."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal

__all__ = ["HELD_BACK", "credit"]

HELD_BACK = 2
"""Items of the queue's room that are never used: the last ones that went in are not counted yet."""


def credit(m: Module, item: Any, back: Any, depth: int) -> tuple[Signal, Signal]:
    """go(t) = room for an item: depth - items(..t-3) + backs(..t-3) >= 3

    ``item``: one cycle for each item that goes in, only while go is high. ``back``: one cycle for each that left.
    Registers all the way. Item n goes 3 cycles after item n - depth + 2 has left at the earliest, one item later for
    each of the two cycles before without one. Returns go and what it will be in the next cycle.
    """
    room = Signal(range(depth + 1), init=depth, name="room")
    go, soon = Signal(name="go"), Signal(name="go_soon")
    used, returned = Signal(name="used"), Signal(name="returned")
    m.d.sync += [used.eq(item), returned.eq(back), go.eq(soon)]
    m.d.comb += soon.eq(room > HELD_BACK)
    with m.If(used ^ returned):
        m.d.sync += room.eq(room + Mux(used, -1, 1))
    return go, soon
