"""``TapWindow``: words of neighbouring pixels, so that few channels fill the array."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .interfaces import load_word, record_layout
from .isa import FOLD_CHANNELS, LOAD
from .stream_buffer import StreamBuffer

__all__ = ["TapWindow", "turn_lanes"]

_TURNS = 4
"""Words that take turns are numbered from here: with as many lanes as they need, a pixel has 4 blocks at most."""


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

    Latency: 2 cycles; one pixel or word a cycle, whichever binds; one between instructions.

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

    latency = 2

    def __init__(self, *, config: EngineConfig, elements: int) -> None:
        self.config, self.elements = config, elements
        self.blocks = max(1, -(-config.fold_elements // config.lanes))
        record = record_layout(LOAD, config)
        folding = ("fold", "rows_above", "blocks", "block_step", "turns", "half") if config.folds else ()
        names = (*folding, "tail", "table")
        self.job_layout = data.StructLayout({name: record[name].shape for name in names})
        word = load_word(config).members | {"last": 1}
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
            return self._words()
        m = Module()
        m.submodules.buffer = buffer = StreamBuffer(shape=self.o.payload.shape())
        pixel, word, ready = self.i.payload, buffer.i.payload, buffer.i.ready
        job, active, step, end = Signal(self.job_layout), Signal(), Signal(), Signal()
        # The word at hand: a block of the window, or, from _TURNS on, one that takes turns.
        block = Signal(range(_TURNS + 4 if self.config.fold_turns else max(2, self.blocks)))
        left = Signal(range(self.blocks + 2))
        # Has the pixel at hand more words to come, has the job's every pixel several, one element?
        more, several, single = Signal(), Signal(), Signal()
        m.d.comb += [
            self.job.ready.eq(~active & ~more),
            self.i.ready.eq(active & ~more & ready),
            step.eq(self.i.valid & self.i.ready),
            word.last.eq(end & ~more),
        ]
        with m.If(ready):
            m.d.sync += [
                buffer.i.valid.eq(more),
                block.eq(block + 1),
                left.eq(left - 1),
                more.eq(more & (left != 2)),
                word.addr.eq(word.addr + job.block_step),
            ]
        with m.If(step):
            m.d.sync += [
                active.eq(~pixel.last),
                buffer.i.valid.eq(pixel.makes),
                word.addr.eq(pixel.addr),
                word.table.eq(job.table),
                word.shared.eq(single),
                end.eq(pixel.last),
                block.eq(Mux(job.turns, _TURNS | Cat(pixel.turn, job.half), 0)),
                left.eq(job.blocks),
                more.eq(pixel.makes & several),
            ]
        shape = Signal(range(len(self._shapes)))
        with m.If(~active & ~more):
            new = self.job.payload
            m.d.sync += [job.eq(new), active.eq(self.job.valid), several.eq(new.fold & (new.blocks != 1))]
            m.d.sync += single.eq(new.tail == 1)
            for code, (above, channels) in enumerate(self._shapes.values()):
                same = [(new.rows_above == a) & (new.tail == c) for a, c in zip(above, channels, strict=True)]
                with m.If(Cat(same).any()):
                    m.d.sync += shape.eq(code)
        window = self._window(m, shape, step)
        with m.Switch(block):
            for b in range(self.blocks):
                with m.Case(b):
                    m.d.comb += word.data.eq(window[b * len(word.data) :][: len(word.data)])
            for turn in range(4 if self.config.fold_turns else 0):
                with m.Case(_TURNS + turn):
                    lanes = turn_lanes(turn % 2, turn // 2, self.config.lanes)
                    codes = [window.word_select(e, self.config.act_width) for e in lanes]
                    m.d.comb += word.data.eq(Cat(codes))
        for name in self.o.payload.shape().members:
            m.d.comb += self.o.payload[name].eq(buffer.o.payload[name])
        m.d.comb += [self.o.valid.eq(buffer.o.valid), buffer.o.ready.eq(self.o.ready)]
        return m

    def _words(self) -> Module:
        """Without fold every word as it is, in the same cycles."""
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

    @property
    def _shapes(self) -> dict[int, tuple[list[int], list[int]]]:
        """What a pixel's elements may be: by their number, the rows above and channels that make it."""
        found: dict[int, tuple[list[int], list[int]]] = {}
        for above in range(3 if self.config.fold_width else 1):
            for channels in range(1, min(FOLD_CHANNELS, self.config.lanes) + 1):
                rows, counts = found.setdefault((above + 1) * channels, ([], []))
                rows.append(above)
                counts.append(channels)
        return found

    def _window(self, m: Module, shape: Signal, step: Signal) -> Any:
        """The newest pixel in the lowest lanes; zeros above the last element that is folded."""
        width, pixel = self.config.act_width, self.i.payload
        elements = Signal(max(self.config.fold_elements, self.elements) * width, reset_less=True)
        folded = elements[: self.config.fold_elements * width]
        kept = Signal.like(folded)
        with m.If(~pixel.first), m.Switch(shape):
            for code, count in enumerate(self._shapes):
                with m.Case(code):
                    m.d.comb += kept.eq(folded << count * width)
        with m.If(step):
            m.d.sync += elements.eq(kept | pixel.data)
        return Cat(elements, Const(0, self.blocks * self.config.lanes * width))
