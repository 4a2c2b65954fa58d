"""``PassGenerator``: the pass loops of COMPUTE, one pass ahead of the pixels."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .interfaces import record_layout
from .isa import COMPUTE
from .loop_nest import LOOPS, STEPS, Start, outermost
from .pixel import rot_width

__all__ = ["PassGenerator"]


class PassGenerator(Component):
    """for kb in 0..kb_last: for ky in 0..ky_last: for kx in 0..kx_last: start of a pass

    ``valid`` says that the next pass's start is known; ``take`` (only while valid) makes it the current one. After
    the last pass of an instruction the next is the first pass of ``record`` (``fresh``), once ``record_valid``.
    ``fields`` are those of the instruction in execution. ``start`` is what the loops need of the next pass; a depthwise
    pass has no windows. ``soon`` is ``valid`` as it will be in the next cycle; ``soon_last`` says then that the pass is
    its instruction's last. The record is there a cycle before ``record_valid``.

    Latency: 3 cycles from ``take`` to the next ``valid``, 2 from ``record_valid``.
    """

    latency = 3

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        record = record_layout(COMPUTE, config)
        super().__init__(
            {
                "record": In(record),
                "record_valid": In(1),
                "fields": In(record),
                "take": In(1),
                "valid": Out(1),
                "soon": Out(1),
                "soon_last": Out(1),
                "start": Out(Start(config)),
                "fresh": Out(1),
                "last_pass": Out(1),
                "rot": Out(rot_width(config)),
                "waiting": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        f, start = self.fields, self.start
        # The pass after the one of y, x, addr ...: kx innermost.
        kx, ky, kb = Signal(4), Signal(4), Signal(12)
        base = Signal.like(start.addr)
        flags = self._flags(m)
        none = self._none = Signal(3)  # kx, ky, kb are 0
        m.d.comb += self.soon_last.eq(none.all())
        with m.FSM(name="state"):
            with m.State("RECORD"):
                m.d.comb += self.waiting.eq(1)
                self._from_record(m, base, kx, ky, kb)  # again and again until it is there
                with m.If(self.record_valid):
                    m.next = "FINISH"
            with m.State("NEXT"):
                with m.If(~none[0]):
                    m.d.sync += [kx.eq(kx - 1), none[0].eq(kx == 1), start.x.eq(start.x + f.kx_x_step)]
                    m.d.sync += start.addr.eq(start.addr + f.kx_addr_step)
                with m.Elif(~none[1]):
                    m.d.sync += [kx.eq(f.kx_last), start.x.eq(f.x0), ky.eq(ky - 1)]
                    m.d.sync += none[:2].eq(Cat(f.kx_last == 0, ky == 1))
                    m.d.sync += [
                        start.y.eq(start.y + f.ky_y_step),
                        start.addr.eq(start.addr + f.ky_addr_step),
                    ]
                with m.Else():
                    m.d.sync += [kx.eq(f.kx_last), ky.eq(f.ky_last), kb.eq(kb - 1)]
                    m.d.sync += none.eq(Cat(f.kx_last == 0, f.ky_last == 0, kb == 1))
                    m.d.sync += [start.x.eq(f.x0), start.y.eq(f.y0)]
                    self._next_block(m, base)
                m.next = "FINISH"
            with m.State("FINISH"):
                step = Signal.like(base)
                with m.If(self.fresh):
                    m.d.comb += step.eq(self.record.in_block_step)
                with m.Else():
                    m.d.comb += step.eq(f.in_block_step)
                m.d.sync += start.next.eq(start.addr + step)
                m.d.comb += self.soon.eq(1)
                with m.If(self.fresh):
                    self._loops(m, flags)
                m.d.sync += [self.last_pass.eq(self.soon_last), self.valid.eq(1)]
                m.next = "VALID"
            with m.State("VALID"):
                m.d.comb += self.soon.eq(~self.take)
                with m.If(self.take):
                    m.d.sync += [self.valid.eq(0), self.fresh.eq(0)]
                    with m.If(self.last_pass):
                        m.next = "RECORD"
                    with m.Else():
                        m.next = "NEXT"
        return m

    def _flags(self, m: Module) -> Signal:
        """What the record's loop counts are, a cycle later; which loop moves first, two cycles later."""
        flags = Signal(data.StructLayout({name: len(LOOPS) for name in ("zero", "one", "two", "first")}))
        for i, loop in enumerate(LOOPS):
            last = self.record[f"{loop}_last"]
            fir = self.record.fir.any() if loop[0] == "w" else 0
            m.d.sync += [
                flags.zero[i].eq((last == 0) | fir),
                flags.one[i].eq((last == 1) & ~fir),
                flags.two[i].eq((last == 2) & ~fir),
                flags.first[i].eq(flags.zero[:i].all() & ~flags.zero[i]),
            ]
        return flags

    def _loops(self, m: Module, flags: Any) -> None:
        """What all passes of an instruction begin with."""
        r, start = self.record, self.start
        ended = Signal(len(LOOPS), name="ended_at_second")
        m.d.comb += ended.eq((flags.first & flags.one) | (~flags.first & flags.zero))
        m.d.sync += [
            start.zero.eq(flags.zero),
            start.one.eq(flags.one),
            start.ended.eq(ended),
            start.ending.eq((flags.first & flags.two) | (~flags.first & flags.one)),
            start.moves.eq(outermost(ended)),
        ]
        m.d.sync += [start.res_addr.eq(r.res_base), start.res_next.eq(r.res_base + r.res_block_step)]
        for i, loop in enumerate(LOOPS):
            m.d.sync += start.left[i].eq(r[f"{loop}_last"] - flags.first[i])
        for step in STEPS:
            # One loop at most is the first.
            m.d.sync += start[step].eq(
                Cat(
                    Cat(r[f"{step}_{loop}"][bit] & flags.first[i] for i, loop in enumerate(LOOPS)).any()
                    for bit in range(len(start[step]))
                )
            )

    def _from_record(self, m: Module, base: Signal, kx: Signal, ky: Signal, kb: Signal) -> None:
        r, start, lanes = self.record, self.start, self.config.group_lanes
        m.d.sync += [
            self.fresh.eq(1),
            start.x.eq(r.x0),
            start.y.eq(r.y0),
            start.addr.eq(r.in_base),
            base.eq(r.in_base),
            kx.eq(r.kx_last),
            ky.eq(r.ky_last),
            kb.eq(r.kb_last),
            self._none.eq(Cat(r.kx_last == 0, r.ky_last == 0, r.kb_last == 0)),
        ]
        with m.Switch(r.in_rot):
            for group in range(self.config.groups):
                with m.Case(group * lanes):
                    m.d.sync += self.rot.eq(group)

    def _next_block(self, m: Module, base: Signal) -> None:
        config, start = self.config, self.start
        groups, rows = config.groups, config.rows // config.group_lanes
        beyond = (base + self.fields.in_block_step)[: config.addr_width]
        if rows == groups:
            m.d.sync += [base.eq(beyond), start.addr.eq(beyond)]
            return
        with m.If(self.rot >= groups - rows):
            m.d.sync += [self.rot.eq(self.rot - (groups - rows)), base.eq(beyond), start.addr.eq(beyond)]
        with m.Else():
            m.d.sync += [self.rot.eq(self.rot + rows), start.addr.eq(base)]
