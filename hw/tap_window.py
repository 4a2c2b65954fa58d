"""``TapWindow``: words of neighbouring pixels, so that few channels fill the array."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from .config import EngineConfig
from .credit import credit
from .credit_fifo import CreditFifo
from .delay import delay
from .interfaces import load_word, record_layout
from .isa import LOAD
from .replicas import replicas
from .stream_buffer import StreamBuffer
from .tap_shifter import TapShifter

__all__ = ["TapWindow", "turn_lanes"]

_GROUP = 8
"""Lanes that share a copy of what selects them."""


def turn_lanes(turn: int, half: int, lanes: int) -> list[int]:
    """The window's elements in a word that takes turns, of ``hw.isa.LOAD``.

    The window holds pixel x, three rows of 6 elements each, then pixel x-1 likewise.
    """

    def row(i: int) -> list[int]:
        return [*range(18 + 6 * i, 24 + 6 * i), *range(6 * i, 6 * i + 6)][3 * half :][:9]

    more = min(lanes - 9, 9)
    return row(0) + (row(2)[9 - more :] if turn else row(1)[:more])


class TapWindow(Component):
    """for each pixel, of (rows_above + 1) * tail elements:
        window = (0 if first else window << elements) | pixel
        if makes: for b in 0..blocks-1 with fold, else 0:
            o = (addr + b*block_step, elements b*lanes .. (b+1)*lanes-1 of the window)
        with turns: the lanes of ``turn_lanes`` instead

    ``last`` marks an instruction's last word on either side; ``table`` is the instruction's, ``shared`` is 1 where its
    words have one element.

    Latency: ``latency`` cycles; one pixel or word a cycle, whichever binds; one between instructions. A rigid pipeline
    that takes credits of the queue behind it: words wait there, up to ``depth``. Without fold 2 cycles and a slice.

    Parameters
    ----------
    config : the engine.
    elements : of a pixel at most.

    Members
    -------
    job : fold, rows_above, tail, blocks, block_step, turns, half, table of an instruction, before its first pixel.
    i : data of each pixel, or word without fold; addr, first, makes, turn, last.
    o : addr, data, table, shared and last of each word.
    """

    depth = 16

    def __init__(self, *, config: EngineConfig, elements: int) -> None:
        self.config, self.elements = config, elements
        self.latency = (
            TapShifter.latency + 1 + CreditFifo.latency if config.folds else 1 + StreamBuffer.latency
        )
        self.blocks = max(1, -(-config.fold_elements // config.lanes))
        record = record_layout(LOAD, config)
        folding = ("fold", "rows_above", "blocks", "block_step", "turns", "half") if config.folds else ()
        names = (*folding, "tail", "table")
        self.job_layout = data.StructLayout({name: record[name].shape for name in names})
        word = load_word(config).members | {"last": 1}
        self._about = data.StructLayout({name: word[name] for name in ("addr", "table", "shared", "last")})
        flags = dict.fromkeys(("first", "makes", "turn", "last"), 1)
        pixel = {"addr": word["addr"], "data": elements * config.act_width} | flags
        super().__init__(
            {
                "job": In(stream.Signature(self.job_layout)),
                "i": In(stream.Signature(data.StructLayout(pixel))),
                "o": Out(stream.Signature(data.StructLayout(word))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        if not self.config.folds:
            return self._plain()
        m = Module()
        m.submodules.words = words = CreditFifo(shape=self.o.payload.shape(), depth=self.depth)
        m.submodules.shifter = shifter = TapShifter(config=self.config, elements=self.elements)
        connect(m, flipped(self.o), words.o)
        made, step, job = Signal(), Signal(), Signal(self.job_layout)
        _, go = credit(m, made, self.o.valid & self.o.ready, self.depth)
        word, select, valid = self._words(m, go, made, step, job)
        m.d.comb += [
            shifter.rows_above.eq(job.rows_above),
            shifter.tail.eq(job.tail),
            shifter.valid.eq(step),
            shifter.first.eq(self.i.payload.first),
            shifter.pixel.eq(self.i.payload.data),
        ]
        # Cycles 1 and 2: beside the shifter. Cycle 3: a block of the window, or a word that takes turns.
        about = delay(m, word, 3, name="about")
        groups = -(-self.config.lanes // _GROUP)
        chosen = replicas(m, delay(m, select, 1, name="select"), groups, platform, name="chosen")
        m.d.comb += [words.i_valid.eq(delay(m, valid, 3, name="valid"))]
        m.d.comb += [words.i_payload[name].eq(about[name]) for name in self._about.members]
        sources = self._sources(
            Cat(shifter.taps, Const(0, self.blocks * self.config.lanes * self.config.act_width))
        )
        for lane in range(self.config.lanes):
            code = Signal(self.config.act_width, name=f"code_{lane}", reset_less=True)
            terms = (
                source[lane] & chosen[lane // _GROUP][i].replicate(len(code))
                for i, source in enumerate(sources)
                if lane < len(source)
            )
            m.d.sync += code.eq(reduce(or_, terms))
            m.d.comb += words.i_payload.data.word_select(lane, len(code)).eq(code)
        return m

    def _sources(self, window: Value) -> list[list[Any]]:
        """The elements of each word that may be made of a window: its blocks, then the four that take turns."""
        lanes, width = self.config.lanes, self.config.act_width
        numbers = [[*range(b * lanes, (b + 1) * lanes)] for b in range(self.blocks)]
        if self.config.fold_turns:
            numbers += [turn_lanes(code % 2, code // 2, lanes) for code in range(4)]
        return [[window.word_select(e, width) for e in word] for word in numbers]

    def _words(
        self, m: Module, go: Signal, made: Signal, step: Signal, job: Any
    ) -> tuple[Any, Signal, Signal]:
        """A pixel, or the next word of the one before, whenever there is a credit; what is known of the word.

        ``go``: will there be one in the next cycle? What may happen then stands in registers.
        """
        pixel, new = self.i.payload, self.job.payload
        word, select, valid = Signal(self._about), Signal(self.blocks + 4 * self.config.fold_turns), Signal()
        # No instruction is at work; a pixel may come; one has more words to come, this one is its last.
        idle, open_, more, final = Signal(init=1), Signal(), Signal(), Signal()
        left, end = Signal.like(job.blocks), Signal()
        may, again = Signal(), Signal()  # open_ and more, with a credit
        next_open, next_more = Signal(), Signal()
        several, two, single = (
            Signal(),
            Signal(),
            Signal(),
        )  # of the job: words of a pixel, elements of a word
        follow = Signal()
        m.d.comb += [
            self.job.ready.eq(idle),
            self.i.ready.eq(may),
            step.eq(self.i.valid & self.i.ready),
            made.eq((step & pixel.makes) | again),
            follow.eq(pixel.makes & several),
            next_open.eq(open_),
            next_more.eq(more),
        ]
        m.d.sync += [
            *(open_.eq(next_open), may.eq(next_open & go), more.eq(next_more), again.eq(next_more & go)),
            valid.eq(made),
            word.last.eq(Mux(more, final & end, pixel.last & ~follow)),
        ]
        with m.If(again):
            m.d.sync += [
                select.eq(select << 1),
                word.addr.eq(word.addr + job.block_step),
                left.eq(left - 1),
                final.eq(left == 3),
                idle.eq(final & end),
            ]
            m.d.comb += [next_more.eq(~final), next_open.eq(final & ~end)]
        with m.If(step):
            m.d.sync += [
                word.addr.eq(pixel.addr),
                word.table.eq(job.table),
                word.shared.eq(single),
                select.eq(1),
                left.eq(job.blocks),
                final.eq(two),
                end.eq(pixel.last),
                idle.eq(~follow & pixel.last),
            ]
            m.d.comb += [next_more.eq(follow), next_open.eq(~follow & ~pixel.last)]
            if self.config.fold_turns:
                with m.If(job.turns):
                    turn = Cat(~(job.half ^ h) & ~(pixel.turn ^ t) for h in range(2) for t in range(2))
                    m.d.sync += select.eq(turn << self.blocks)
        with m.If(idle):
            m.d.sync += [job.eq(new), several.eq(new.fold & (new.blocks != 1)), two.eq(new.blocks == 2)]
            m.d.sync += [single.eq(new.tail == 1), idle.eq(~self.job.valid)]
            m.d.comb += next_open.eq(self.job.valid)
        return word, select, valid

    def _plain(self) -> Module:
        """Without fold every word as it is, through a register slice: few queues fit where there is no fold."""
        m = Module()
        m.submodules.buffer = buffer = StreamBuffer(shape=self.o.payload.shape())
        item, word, ready = self.i.payload, buffer.i.payload, buffer.i.ready
        job, active, step = Signal(self.job_layout), Signal(), Signal()
        m.d.comb += [
            self.job.ready.eq(~active),
            self.i.ready.eq(active & ready),
            step.eq(self.i.valid & self.i.ready),
        ]
        with m.If(ready):
            m.d.sync += buffer.i.valid.eq(step)
        with m.If(step):
            m.d.sync += [
                active.eq(~item.last),
                word.addr.eq(item.addr),
                word.data.eq(item.data),
                word.table.eq(job.table),
                word.shared.eq(job.tail == 1),
                word.last.eq(item.last),
            ]
        with m.If(~active):
            m.d.sync += [job.eq(self.job.payload), active.eq(self.job.valid)]
        m.d.comb += [
            *(self.o.payload[name].eq(buffer.o.payload[name]) for name in self.o.payload.shape().members),
            self.o.valid.eq(buffer.o.valid),
            buffer.o.ready.eq(self.o.ready),
        ]
        return m
