"""``Fetch``: sends each record of the program to its unit."""

from __future__ import annotations

from math import ceil
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from .config import EngineConfig
from .interfaces import record_layout
from .isa import COMPUTE, CONFIG, LOAD, STORE, record_bits, record_words
from .stream_buffer import StreamBuffer

__all__ = ["Fetch"]

_TARGETS = (LOAD, COMPUTE, STORE)


class Fetch(Component):
    """for each record of the program: queue[unit of the record's opcode] = its words

    A CONFIG record, the first of every iteration, stays here: its counts become n_load, n_compute, n_store
    if its hash is the engine's own, before any word after it goes on. An unknown opcode, another hash or a
    program that does not begin with CONFIG stop the unit until ``start``.

    Latency: 2 cycles from ``i`` to a queue, one word a cycle; a CONFIG record holds the words behind it up for
    3 cycles.

    Parameters
    ----------
    config : the engine.

    Members
    -------
    start : one cycle, ``i`` being empty.
    i : the program's words.
    load, compute, store : words of each unit's records.
    n_load, n_compute, n_store : instructions of one iteration; configured : they are known.
    bad_opcode, bad_config : the program was refused.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        self._kept = ceil(record_bits(CONFIG, config) / config.port_width)
        super().__init__(
            {"start": In(1), "i": In(stream.Signature(config.port_width))}
            | {target.unit: Out(stream.Signature(config.port_width)) for target in _TARGETS}
            | {f"n_{target.unit}": Out(config.wait_width - 3) for target in _TARGETS}
            | {"configured": Out(1), "bad_opcode": Out(1), "bad_config": Out(1)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.words = words = StreamBuffer(shape=self.config.port_width)
        connect(m, flipped(self.i), words.i)
        word, opcode = words.o.payload, words.o.payload[:4]
        # The word that goes out, and to whom; a word of CONFIG goes nowhere.
        targets = len(_TARGETS)
        m.submodules.out = out = StreamBuffer(shape=data.StructLayout({"word": len(word), "route": targets}))
        queues = [getattr(self, target.unit) for target in _TARGETS]
        for queue, selected in zip(queues, out.o.payload.route, strict=True):
            m.d.comb += [queue.payload.eq(out.o.payload.word), queue.valid.eq(out.o.valid & selected)]
        route, to = Signal(targets), Signal(targets)
        advance, checking, going = Signal(), Signal(), Signal(init=1)  # going: not checking and not stopped
        m.d.comb += [
            out.o.ready.eq((Cat(queue.ready for queue in queues) & out.o.payload.route).any()),
            out.i.payload.word.eq(word),
            out.i.payload.route.eq(to),
            out.i.valid.eq(advance & to.any()),
            words.o.ready.eq(out.i.ready & going),
            advance.eq(words.o.valid & words.o.ready),
        ]
        first, last, own = self._position(m, advance)
        known = Cat(opcode == target.opcode for target in _TARGETS)
        is_config = opcode == CONFIG.opcode
        m.d.comb += to.eq(Mux(first, Mux(self.configured, known, 0), route))
        with m.If(advance & first):
            m.d.sync += [
                route.eq(to),
                self.bad_opcode.eq(~is_config & ~known.any()),
                self.bad_config.eq(known.any() & ~self.configured),
            ]
        refused = first & Mux(known.any(), ~self.configured, ~is_config)
        ends = last & Mux(first, is_config, ~route.any())
        equal, judge = self._configure(m, advance & own, word, advance & ends, checking)
        m.d.sync += going.eq(self.start | Mux(judge, equal, going & ~(advance & (refused | ends))))
        with m.If(self.start):
            m.d.sync += [self.bad_opcode.eq(0), self.bad_config.eq(0), self.configured.eq(0)]
        return m

    def _position(self, m: Module, advance: Signal) -> tuple[Signal, Signal, Signal]:
        """Whether the word at hand is its record's first, its last, one of those that hold CONFIG's fields."""
        words = record_words(self.config)
        index, first, last = Signal(range(words)), Signal(init=1), Signal(init=words == 1)
        own = Signal(init=1)
        with m.If(advance):
            m.d.sync += [index.eq(index + 1), first.eq(last), last.eq(index == words - 2)]
            m.d.sync += own.eq(own & (index != self._kept - 1))
        with m.If(advance & last):
            m.d.sync += [index.eq(0), first.eq(1), own.eq(1), last.eq(words == 1)]
        return first, last, own

    def _configure(
        self, m: Module, keep: Any, word: Any, complete: Any, checking: Signal
    ) -> tuple[Signal, Signal]:
        """Keep the last record's words; where it is a complete CONFIG, compare, then take its counts."""
        record = record_layout(CONFIG, self.config)
        width = self.config.port_width
        shifter = Signal(self._kept * width, reset_less=True)
        config, equal, judge = Signal(record), Signal(), Signal()
        with m.If(keep):
            m.d.sync += shifter.eq(Cat(shifter, word)[width:])
        m.d.comb += config.eq(shifter)
        m.d.sync += [equal.eq(config.hash == self.config.hash), judge.eq(checking & ~judge)]
        with m.If(complete):
            m.d.sync += checking.eq(1)
        with m.If(judge):
            m.d.sync += [checking.eq(0), self.bad_config.eq(~equal), self.configured.eq(equal)]
            for target in _TARGETS:
                m.d.sync += getattr(self, f"n_{target.unit}").eq(config[f"n_{target.unit}"])
        return equal, judge
