"""``InstructionQueue``: one unit's instructions, each held back until those it waits for have completed."""

from __future__ import annotations

from math import ceil
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from .block_fifo import BlockFifo
from .config import EngineConfig
from .interfaces import Progress, record_layout
from .isa import Instruction, record_bits, record_words
from .replicas import replicas

__all__ = ["InstructionQueue"]

_UNITS = ("load", "compute", "store")
_PART = 48
"""Bits of a record that share a register."""


class InstructionQueue(Component):
    """o = the next record, valid once completed_k >= base_k + wait_k for k in load, compute, store.

    base_k is 0 at ``start`` and grows by n_k after every record with ``last``. Differences are taken modulo
    2**wait_width, as signed numbers. A wait once met stays met.

    Latency: where ``progress`` first shows a count at cycle t, ``o.valid`` rises at t+1. A record taken at t is
    followed by the next one at t+3 at the earliest. From the last word of a record, taken from ``i`` into an
    empty queue, to ``o.valid``: 8 cycles. One record is assembled, ``record_words`` cycles, while the one
    before waits on ``o``; without lookahead from the cycle on in which that one is taken.

    Parameters
    ----------
    config : the engine.
    instruction : LOAD, COMPUTE or STORE.
    depth : port words of the queue, a power of two.

    Members
    -------
    start : one cycle, the queue being empty.
    halt : no further record becomes valid; one that is valid stays.
    i : the records' words. o : the records, ``record_layout(instruction, config)``.
    progress : instructions completed. n_load, n_compute, n_store : those of one iteration.
    iteration_end : one cycle, the one after a record with ``last`` was taken.
    """

    def __init__(self, *, config: EngineConfig, instruction: Instruction, depth: int = 512) -> None:
        self.config, self.instruction, self.depth = config, instruction, depth
        super().__init__(
            {
                "start": In(1),
                "halt": In(1),
                "i": In(stream.Signature(config.port_width)),
                "o": Out(stream.Signature(record_layout(instruction, config))),
                "progress": In(Progress(config)),
                "iteration_end": Out(1),
            }
            | {f"n_{unit}": In(config.wait_width - 3) for unit in _UNITS}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        assembled = Signal(record_layout(self.instruction, self.config), reset_less=True)
        full = Signal()  # assembled holds a record
        armed, held = Signal(), Signal()  # its thresholds are loaded; it is on o
        met, next_met = Signal(len(_UNITS)), Signal(len(_UNITS))
        taken = Signal()  # its name, and that of valid_0, are known to sim/bench_probe.sv
        arm, move, next_held = Signal(), Signal(), Signal()
        # One for the unit, which may be far away, one for here, one for its own next value.
        gone = Signal()
        valid, here, own = replicas(m, armed & ~gone & next_met.all(), 3, platform, name="valid")
        m.d.comb += [
            self.o.valid.eq(valid),
            taken.eq(here & self.o.ready),
            gone.eq(own & self.o.ready),
            arm.eq(full & ~armed),
            move.eq(armed & ~held),
        ]
        ahead = self.config.lookahead
        self._assemble(m, assembled, full, move if ahead else taken)
        m.d.comb += next_held.eq(armed & ~taken)
        m.d.sync += [
            armed.eq(arm | (armed & ~taken)),
            held.eq(next_held),
            met.eq(next_met),
            self.iteration_end.eq(taken & self.o.payload.last),
        ]
        if ahead:
            new, payload = Value.cast(assembled), Value.cast(self.o.payload)
            parts = range(0, len(new), _PART)
            for part, copy in zip(
                parts, replicas(m, next_held, len(parts), platform, name="held"), strict=True
            ):
                with m.If(~copy):  # a register alone enables so many
                    m.d.sync += payload[part : part + _PART].eq(new[part : part + _PART])
        else:
            m.d.comb += self.o.payload.eq(assembled)
        for index, unit in enumerate(_UNITS):
            base, threshold, ahead = (
                Signal(self.config.wait_width, name=f"{name}_{unit}")
                for name in ("base", "threshold", "ahead")
            )
            with m.If(self.start):
                m.d.sync += base.eq(0)
            with m.Elif(move & assembled.last):
                m.d.sync += base.eq(base + getattr(self, f"n_{unit}"))
            m.d.comb += ahead.eq(getattr(self.progress, unit) - threshold)
            with m.If(arm):
                m.d.sync += threshold.eq(base + assembled[f"wait_{unit}"])
            m.d.comb += next_met[index].eq(~arm & (met[index] | ~(ahead[-1] | self.halt)))
        return m

    def _assemble(self, m: Module, assembled: Any, full: Signal, leaves: Signal) -> None:
        """Every word into its place; those past the instruction's own fields are dropped."""
        width = self.config.port_width
        words, kept = record_words(self.config), ceil(record_bits(self.instruction, self.config) / width)
        m.submodules.fifo = fifo = BlockFifo(width=width, depth=self.depth)
        connect(m, flipped(self.i), fifo.i)
        slots = [Signal(width, name=f"word_{i}", reset_less=True) for i in range(kept)]
        word, here = Signal(width, reset_less=True), Signal(words)  # here[i]: word is number i of its record
        index = Signal(words, init=1)  # one bit: the next word's number
        taking = Signal(init=1)
        taken = fifo.o.valid & fifo.o.ready
        m.d.comb += [assembled.eq(Cat(slots)), fifo.o.ready.eq(taking)]
        m.d.sync += [word.eq(fifo.o.payload), here.eq(Mux(taken, index, 0))]
        with m.If(taken):
            m.d.sync += index.eq(index.rotate_left(1))
        with m.If(taken & index[-1]):
            m.d.sync += taking.eq(0)
        for i, slot in enumerate(slots):
            with m.If(here[i]):
                m.d.sync += slot.eq(word)
        with m.If(here[words - 1]):
            m.d.sync += full.eq(1)
        with m.If(leaves):
            m.d.sync += [full.eq(0), taking.eq(1)]
