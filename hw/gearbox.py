"""``Gearbox``: words of one number of units into items of another, every item its own."""

from __future__ import annotations

from math import ceil
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from .credit import credit
from .delay import delay
from .replicas import replicas
from .stream_buffer import StreamBuffer

__all__ = ["Gearbox"]

_SLICE = 64
"""Bits of the window and of what is picked that share a copy of what moves them."""


class Gearbox(Component):
    """for each request (n, drop, flush, tag), whole and rest being n // in_units and n % in_units:
        item = the next n units of the words, the first in the low bits, 0 above them
        unless drop: emit (item, tag)
        if flush: skip what is left of the word that the item ended in

    The window holds the last words in order, the newest on top: it only ever shifts by a whole word, and the
    single loop is that of the counters (units gone from the oldest word, words in the window). What an item
    is picked with is a rigid pipeline of multiplexers, two bits of the distance a stage.

    Latency: ``latency`` cycles from the last word an item needs, taken from ``i``, to ``o_valid``, if its
    request is there 2 cycles earlier. One word or one item a cycle, whichever binds.

    Parameters
    ----------
    unit_width : bits of a unit.
    in_units : units of a word, any number.
    max_out : units of an item at most; requests to drop may ask for up to in_units.
    tag_width : bits that go with the request to the item.
    credits : items that the queue behind ``o`` has room for, at least 4; 16 sustain an item a cycle.

    Members
    -------
    i : words.
    request : stream of requests; n may be 0.
    o_valid, o_data, o_tag : items; no ready.
    credit : one cycle for each item that left the queue behind ``o``.
    """

    def __init__(
        self, *, unit_width: int, in_units: int, max_out: int, tag_width: int = 1, credits: int = 16
    ) -> None:
        for name, value in (("unit_width", unit_width), ("in_units", in_units), ("max_out", max_out),
                            ("tag_width", tag_width)):  # fmt: skip
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive integer, not {value!r}")
        if credits < 4:
            raise ValueError(f"credits must be at least 4, not {credits!r}")
        self.unit_width, self.in_units, self.max_out = unit_width, in_units, max_out
        self.tag_width, self.credits = tag_width, credits
        self.max_take = max(max_out, in_units)
        self.window_words = ceil((in_units - 1 + self.max_take) / in_units) + 1
        bits = [in_units << b for b in range((self.window_words - 1).bit_length())]
        fine = [1 << b for b in range((in_units - 1).bit_length())]
        distances = (fine + bits)[::-1]
        self._stages = [distances[i : i + 2] for i in range(0, len(distances), 2)]
        self.latency = len(self._stages) + 3
        request = {"n": range(self.max_take + 1), "whole": range(self.max_take // in_units + 1),
                   "rest": range(max(2, in_units)), "drop": 1, "flush": 1, "tag": tag_width}  # fmt: skip
        super().__init__(
            {
                "i": In(stream.Signature(unit_width * in_units)),
                "request": In(stream.Signature(data.StructLayout(request))),
                "o_valid": Out(1),
                "o_data": Out(unit_width * max_out),
                "o_tag": Out(tag_width),
                "credit": In(1),
            }
        )

    def split(self, n: int) -> dict[str, int]:
        """The fields of a request that follow from ``n``."""
        return {"n": n, "whole": n // self.in_units, "rest": n % self.in_units}

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        units, words = self.in_units, self.window_words
        window = Signal(self.unit_width * units * words, reset_less=True)
        # The oldest word is number `start` of the window, `gone` of its units are gone.
        start, gone = Signal(range(words + 1), init=words), Signal(range(max(2, units)))
        shift, emit = Signal(), Signal()
        m.submodules.queued = buffer = StreamBuffer(shape=self.request.payload.shape())
        connect(m, flipped(self.request), buffer.i)
        queued = buffer.o
        go, _ = credit(m, emit & ~queued.payload.drop, self.credit, self.credits)
        request = queued.payload
        # The item ends `total` units after the start of word `after`.
        total, after = Signal(range(2 * units + 1)), Signal(range(2 * words + 1))
        enough, next_gone, next_start = Signal(), Signal.like(gone), Signal.like(start)
        m.d.comb += [
            total.eq(gone + request.rest),
            after.eq(start + request.whole),
            self.i.ready.eq(start != 0),
            shift.eq(self.i.valid & self.i.ready),
            emit.eq(queued.valid & enough & go),
            queued.ready.eq(emit),
        ]
        with m.If(total > units):
            m.d.comb += enough.eq(after <= words - 2)
        with m.Elif(total.any()):
            m.d.comb += enough.eq(after <= words - 1)
        with m.Else():
            m.d.comb += enough.eq(after <= words)
        with m.If(total >= units):
            m.d.comb += [
                next_gone.eq(total - units),
                next_start.eq(after + 1 + (request.flush & (total != units))),
            ]
        with m.Else():
            m.d.comb += [next_gone.eq(total), next_start.eq(after + (request.flush & total.any()))]
        with m.If(emit):
            m.d.sync += gone.eq(Mux(request.flush, 0, next_gone))
        m.d.sync += start.eq(Mux(emit, next_start, start) - shift)
        # Registers between the loop and all that is wide: window and multiplexers follow one cycle behind.
        newest = Signal.like(self.i.payload, reset_less=True)
        m.d.sync += newest.eq(self.i.payload)
        moved = Cat(window, newest)[-len(window) :]
        slices = range(0, len(window), _SLICE)
        for low, copy in zip(slices, replicas(m, shift, len(slices), platform, name="shifted"), strict=True):
            with m.If(copy):
                m.d.sync += window[low : low + _SLICE].eq(moved[low : low + _SLICE])
        moves = Cat(gone[: (units - 1).bit_length()], start[: (words - 1).bit_length()])
        along = (emit & ~request.drop, request.n, request.tag)
        self._pick(
            m, platform, window, moves, *(delay(m, v, 1, name=f"item_{i}") for i, v in enumerate(along))
        )
        return m

    def _pick(
        self, m: Module, platform: Any, window: Value, moves: Value, valid: Value, n: Value, tag: Value
    ) -> None:
        """Pipeline: the units from distance `moves`, a cycle before, of the window on; those after the n-th to 0."""
        left = sum(sum(stage) for stage in self._stages)
        current, mask = window, Signal(self.max_out, reset_less=True)
        for index, stage in enumerate(self._stages):
            left -= sum(stage)
            size = min(self.max_out + left, len(current) // self.unit_width)
            picked = Signal(size * self.unit_width, name=f"picked_{index}", reset_less=True)
            rest = len(moves) - len(stage)
            slices = range(0, len(picked), _SLICE)
            for low, copy in zip(
                slices, replicas(m, moves[rest:], len(slices), platform, name=f"moves_{index}"), strict=True
            ):
                part = picked[low : low + _SLICE]
                with m.Switch(copy):
                    for code in range(1 << len(stage)):
                        by = sum(d for bit, d in enumerate(reversed(stage)) if code >> bit & 1)
                        with m.Case(code):
                            m.d.sync += part.eq(current[min(by * self.unit_width + low, len(current)) :])
            m.d.sync += mask.eq(Cat(n > i for i in range(self.max_out)))
            valid, n, tag = (
                delay(m, v, 1, name=f"{name}_{index}")
                for name, v in (("valid", valid), ("n", n), ("tag", tag))
            )
            current, moves = picked, delay(m, moves[:rest], 1, name=f"left_{index}") if rest else moves[:0]
        units = [current.word_select(i, self.unit_width) for i in range(self.max_out)]
        m.d.sync += [
            self.o_valid.eq(valid),
            self.o_tag.eq(tag),
            self.o_data.eq(Cat(Mux(on, unit, 0) for on, unit in zip(mask, units, strict=True))),
        ]
