"""``PassGenerator``: the pass loops of COMPUTE, one pass ahead of the pixels."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .interfaces import record_layout
from .isa import COMPUTE
from .loop_nest import LOOPS
from .pixel import rot_width

__all__ = ["PassGenerator"]


class PassGenerator(Component):
    """for kb in 0..kb_last: for ky in 0..ky_last: for kx in 0..kx_last: start of a pass

    ``valid`` says that the next pass's start is known; ``take`` (only while valid) makes it the current one. After
    the last pass of an instruction the next is the first pass of ``record`` (``fresh``), once ``record_valid``.
    ``fields`` are those of the instruction in execution. ``counts`` has the loop counts and residual addresses of the
    next pass, its other fields are 0; a depthwise pass has no windows. ``soon`` is ``valid`` as it will be in the next
    cycle; ``soon_last`` says then that the pass is its instruction's last.

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
                "counts": Out(record),
                "fresh": Out(1),
                "last_pass": Out(1),
                "y": Out(signed(config.coord_width)),
                "x": Out(signed(config.coord_width)),
                "addr": Out(config.addr_width),
                "next": Out(config.addr_width),
                "rot": Out(rot_width(config)),
                "waiting": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        f = self.fields
        # The pass after the one of y, x, addr ...: kx innermost.
        kx, ky, kb = Signal(4), Signal(4), Signal(12)
        base = Signal.like(self.addr)
        over = Signal(init=1)
        if not self.config.lookahead:  # then both are the same record
            self._counts(m, m.d.comb, f)
        m.d.comb += self.soon_last.eq((kx == 0) & (ky == 0) & (kb == 0))
        with m.FSM(name="state"):
            with m.State("NEXT"):
                with m.If(over):
                    m.d.comb += self.waiting.eq(1)
                    with m.If(self.record_valid):
                        self._from_record(m, base, kx, ky, kb)
                        m.next = "FINISH"
                with m.Else():
                    with m.If(kx != 0):
                        m.d.sync += [kx.eq(kx - 1), self.x.eq(self.x + f.kx_x_step)]
                        m.d.sync += self.addr.eq(self.addr + f.kx_addr_step)
                    with m.Elif(ky != 0):
                        m.d.sync += [kx.eq(f.kx_last), self.x.eq(f.x0), ky.eq(ky - 1)]
                        m.d.sync += [
                            self.y.eq(self.y + f.ky_y_step),
                            self.addr.eq(self.addr + f.ky_addr_step),
                        ]
                    with m.Else():
                        m.d.sync += [kx.eq(f.kx_last), ky.eq(f.ky_last), kb.eq(kb - 1)]
                        m.d.sync += [self.x.eq(f.x0), self.y.eq(f.y0)]
                        self._next_block(m, base)
                    m.next = "FINISH"
            with m.State("FINISH"):
                step = Signal.like(base)
                with m.If(self.fresh):
                    m.d.comb += step.eq(self.record.in_block_step)
                with m.Else():
                    m.d.comb += step.eq(f.in_block_step)
                m.d.sync += self.next.eq(self.addr + step)
                m.d.comb += self.soon.eq(1)
                if self.config.lookahead:
                    following = Mux(self.fresh, self.record.as_value(), f.as_value())
                    self._counts(m, m.d.sync, data.View(f.shape(), following))
                m.d.sync += [self.last_pass.eq(self.soon_last), self.valid.eq(1)]
                m.next = "VALID"
            with m.State("VALID"):
                m.d.comb += self.soon.eq(~self.take)
                with m.If(self.take):
                    m.d.sync += [self.valid.eq(0), self.fresh.eq(0), over.eq(self.last_pass)]
                    m.next = "NEXT"
        return m

    def _counts(self, m: Module, domain: Any, record: Any) -> None:
        """Those of the next pass."""
        for name in (*(f"{loop}_last" for loop in LOOPS), "res_base", "res_block_step"):
            domain += self.counts[name].eq(record[name])
        with m.If(record.fir.any()):
            domain += [self.counts.wx_last.eq(0), self.counts.wy_last.eq(0)]

    def _from_record(self, m: Module, base: Signal, kx: Signal, ky: Signal, kb: Signal) -> None:
        r, lanes = self.record, self.config.group_lanes
        m.d.sync += [
            self.fresh.eq(1),
            self.x.eq(r.x0),
            self.y.eq(r.y0),
            self.addr.eq(r.in_base),
            base.eq(r.in_base),
            kx.eq(r.kx_last),
            ky.eq(r.ky_last),
            kb.eq(r.kb_last),
        ]
        with m.Switch(r.in_rot):
            for group in range(self.config.groups):
                with m.Case(group * lanes):
                    m.d.sync += self.rot.eq(group)

    def _next_block(self, m: Module, base: Signal) -> None:
        config = self.config
        groups, rows = config.groups, config.rows // config.group_lanes
        beyond = (base + self.fields.in_block_step)[: config.addr_width]
        if rows == groups:
            m.d.sync += [base.eq(beyond), self.addr.eq(beyond)]
            return
        with m.If(self.rot >= groups - rows):
            m.d.sync += [self.rot.eq(self.rot - (groups - rows)), base.eq(beyond), self.addr.eq(beyond)]
        with m.Else():
            m.d.sync += [self.rot.eq(self.rot + rows), self.addr.eq(base)]
