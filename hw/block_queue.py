"""Queues where there is no distributed RAM: their items stay in block RAM until they leave.

A register of the RAM is the output's; what ``SmallFifo`` and ``BlockFifo`` do in a cycle, these do in the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.memory import Memory

if TYPE_CHECKING:
    from .block_fifo import BlockFifo
    from .small_fifo import SmallFifo

__all__ = ["block_queue", "small_queue"]


def _output(m: Module, width: int, depth: int, put: Any, item: Any, get: Any) -> tuple[Value, Signal]:
    """What was item ``head`` when ``get`` was high last; the head."""
    m.submodules.storage = ram = Memory(shape=width, depth=depth, init=[])
    write, read = ram.write_port(), ram.read_port(domain="sync")
    bits = (depth - 1).bit_length()
    head, tail = Signal(bits), Signal(bits)
    m.d.comb += [
        write.addr.eq(tail),
        write.data.eq(item),
        write.en.eq(put),
        read.addr.eq(head),
        read.en.eq(get),
    ]
    with m.If(put):
        m.d.sync += tail.eq(tail + 1)
    return read.data, head


def small_queue(fifo: SmallFifo) -> Module:
    """``SmallFifo``: an item that finds the queue empty goes past the RAM, through a register of its own."""
    m = Module()
    i, o = fifo.i, fifo.o
    width = len(Value.cast(i.payload))
    level, empty, full = Signal(range(fifo.depth + 1)), Signal(init=1), Signal()
    given, free, taken = Signal(), Signal(), Signal()
    m.d.comb += [
        i.ready.eq(~full),
        given.eq(i.valid & ~full),
        free.eq(o.ready | ~o.valid),
        taken.eq(free & ~empty),
    ]
    stored, head = _output(m, width, fifo.depth, given, Value.cast(i.payload), free)
    past, direct = Signal(width, reset_less=True), Signal()
    # The RAM has one place for an item that goes past it, too: so does the head.
    moves = Signal()
    m.d.comb += moves.eq(free & (~empty | given))
    with m.If(moves):
        m.d.sync += head.eq(head + 1)
    with m.If(free):
        m.d.sync += [past.eq(Value.cast(i.payload)), direct.eq(empty)]
    m.d.comb += Value.cast(o.payload).eq(Mux(direct, past, stored))
    kept = Signal()  # an item comes that stays
    m.d.comb += kept.eq(given & ~(free & empty))
    m.d.sync += [
        level.eq(level + kept - taken),
        full.eq(level + given == fifo.depth),
        empty.eq(Mux(free, empty | ((level == 1) & ~given), empty & ~given)),
        o.valid.eq(~free | ~empty | given),
    ]
    return m


def block_queue(fifo: BlockFifo) -> Module:
    """``BlockFifo``: one RAM, and the counts of the generic one's RAM and of the queue behind it."""
    m = Module()
    i, o, ahead = fifo.i, fifo.o, fifo._AHEAD
    stored, some = Signal(range(fifo.depth + 1)), Signal()
    used, flight = Signal(range(ahead + 1)), Signal(2)
    waiting = Signal(range(ahead + 1))  # items that have arrived behind the generic one's RAM, o's apart
    put, get, taken, free = Signal(), Signal(), Signal(), Signal()
    arrives, moves = Signal(), Signal()
    m.d.comb += [
        i.ready.eq(~stored[-1]),
        put.eq(i.valid & i.ready),
        get.eq(some & ~used[-1]),
        taken.eq(o.valid & o.ready),
        free.eq(o.ready | ~o.valid),
        arrives.eq(flight[-1]),
        moves.eq(free & (arrives | (waiting != 0))),
    ]
    data, head = _output(m, fifo.width, 1 << (fifo.depth + ahead).bit_length(), put, i.payload, free)
    m.d.comb += o.payload.eq(data)
    with m.If(moves):
        m.d.sync += head.eq(head + 1)
    with m.If(free):
        m.d.sync += o.valid.eq(moves)
    m.d.sync += [
        flight.eq(Cat(get, flight)),
        used.eq(used + get - taken),
        waiting.eq(waiting + arrives - moves),
        stored.eq(stored + put - get),
    ]
    with m.If(put):
        m.d.sync += some.eq(1)
    with m.Elif(get):
        m.d.sync += some.eq(stored != 1)
    return m
