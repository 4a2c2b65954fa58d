"""``Writeback``: output codes into the scratchpad."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .pixel import Tail
from .scratchpad import OutputWrite

__all__ = ["Writeback"]


class Writeback(Component):
    """word[base + n][rot + c] = codes[c], n counting the outputs of an instruction, or word[base][rot + c] = mean[c]

    ``tail`` is that of the instruction whose outputs come; ``tail_take`` drops it with the last one. ``done`` says a
    cycle later that the instruction is complete: a read asked for after it sees all outputs. The ``trace_*`` signals
    show each write before its rotation; benches read them, nothing else.

    Latency: 2 cycles from ``codes`` or ``mean`` to ``output``; never both at a time.
    """

    latency = 2

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "codes": In(config.cols * config.act_width),
                "valid": In(1),
                "last": In(1),
                "mean": In(config.cols * config.act_width),
                "mean_valid": In(1),
                "tail": In(Tail(config)),
                "tail_take": Out(1),
                "output": Out(OutputWrite(config)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        count = Signal(config.addr_width)
        trace_valid = Signal(name="trace_valid")
        trace_addr, after = Signal(config.addr_width, name="trace_addr"), Signal(config.addr_width)
        trace_codes = Signal(config.cols * config.act_width, name="trace_codes", reset_less=True)
        rot = Signal.like(self.tail.rot)
        m.d.comb += self.tail_take.eq((self.valid & self.last) | self.mean_valid)
        m.d.sync += [
            trace_valid.eq(self.valid | self.mean_valid),
            self.done.eq(self.tail_take),
            trace_addr.eq(self.tail.base + count),
            after.eq(self.tail.next + count),
            trace_codes.eq(Mux(self.mean_valid, self.mean, self.codes)),
            rot.eq(self.tail.rot),
        ]
        with m.If(self.tail_take):
            m.d.sync += count.eq(0)
        with m.Elif(self.valid):
            m.d.sync += count.eq(count + 1)
        m.d.sync += [
            self.output.valid.eq(trace_valid),
            self.output.addr.eq(trace_addr),
            self.output.next.eq(after),
        ]
        self._rotate(m, trace_codes, rot)
        return m

    def _rotate(self, m: Module, codes: Signal, rot: Signal) -> None:
        """Column c goes to lane (rot + c) % lanes; groups that wrap belong to the next block."""
        config = self.config
        used = config.cols // config.group_lanes
        word = Signal(config.lanes * config.act_width)
        m.d.comb += word.eq(codes)
        with m.Switch(rot):
            for amount in range(config.groups):
                with m.Case(amount):
                    rotated = word.rotate_left(amount * config.group_lanes * config.act_width)
                    groups = [(amount + i) for i in range(used)]
                    m.d.sync += [
                        self.output.data.eq(rotated),
                        self.output.enable.eq(sum(1 << g % config.groups for g in groups)),
                        self.output.wrapped.eq(
                            sum(1 << g % config.groups for g in groups if g >= config.groups)
                        ),
                    ]
