"""``ResidualPort``: the scratchpad's second read: residuals, and the vectors of products."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .delay import delays
from .interfaces import record_layout
from .isa import COMPUTE
from .pixel import Read

__all__ = ["ResidualPort"]


class ResidualPort(Component):
    """read[t + rows + 2] = (addr, next) of a pixel that leaves the loops at t with its residual (``valid``)

    If the pixel at the loops touches a bank in the cycle in which a residual does, it waits (``conflict``).

    A product's vector is read once, before its instruction begins: as soon as its record is the next one and its
    parameters have been pushed (``known``), in the first cycle in which there is no residual, nor a pixel in its bank.
    So it never holds anything up; ``vector`` is high with its read. Until ``started`` no other one is read.

    Members
    -------
    fields, record : the COMPUTE in execution; the next one.
    valid, addr, next : a residual, by its pixel at the loops.
    active, pixel_addr, pixel_next : is there a pixel at the loops, and what it will read.
    known, started : as above, of ``record``.
    read, conflict, vector : as above. ``read.valid`` is low while ``vector`` is high: it is no residual.
    """

    vector_delay = 2
    """Cycles from ``known`` to ``vector`` at least."""

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        addr, record = config.addr_width, record_layout(COMPUTE, config)
        super().__init__(
            {"fields": In(record), "record": In(record)}
            | {name: In(1) for name in ("valid", "active", "known", "started")}
            | {name: In(addr) for name in ("addr", "next", "pixel_addr", "pixel_next")}
            | {"read": Out(Read(config)), "conflict": Out(1), "vector": Out(1)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        command = Signal(Read(self.config))
        m.d.sync += [
            command.valid.eq(self.valid),
            command.addr.eq(self.addr),
            command.next.eq(self.next),
            command.signed.eq(self.fields.res_signed),
        ]
        self._rotation(m, command, self.fields)
        due = delays(m, command, self.config.rows, name="residual")[-1]
        m.d.comb += self.conflict.eq(self.active & due.valid & self._same(due))
        m.d.sync += self.read.eq(due)
        if self.config.products:
            self._vector(m, due)
        return m

    def _rotation(self, m: Module, read: Any, record: Any) -> None:
        with m.Switch(record.out_rot):
            for group in range(self.config.groups):
                with m.Case(group * self.config.group_lanes):
                    m.d.sync += read.rot.eq(group)

    def _vector(self, m: Module, due: Any) -> None:
        """The vector's word, between residuals."""
        vector = Signal(Read(self.config))
        m.d.sync += [
            vector.addr.eq(self.record.res_base),
            vector.next.eq(self.record.res_base + self.record.res_block_step),
            vector.signed.eq(self.record.res_signed),
        ]
        self._rotation(m, vector, self.record)
        taken, wanted, goes = Signal(), Signal(), Signal()
        product = self.record.product & ~self.record.keep
        m.d.comb += goes.eq(wanted & ~due.valid & ~(self.active & self._same(vector)))
        m.d.sync += [
            wanted.eq(self.known & product & ~taken & ~goes),
            taken.eq((taken | goes) & ~self.started),
            self.vector.eq(goes),
        ]
        with m.If(goes):
            m.d.sync += [self.read.eq(vector), self.read.valid.eq(0)]

    def _same(self, other: Any) -> Any:
        """Does the pixel at the loops touch a bank of the other read?"""
        low = (self.config.bank_depth - 1).bit_length()
        mine, others = [self.pixel_addr[low:]], [other.addr[low:]]
        if self.config.groups > 1:
            mine, others = [*mine, self.pixel_next[low:]], [*others, other.next[low:]]
        return Cat(a == b for a in mine for b in others).any()
