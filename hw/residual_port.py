"""``ResidualPort``: the scratchpad's second read: residuals, and the vectors of products."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .delay import delays
from .interfaces import record_layout
from .isa import COMPUTE
from .pixel import Place, Read

__all__ = ["ResidualPort"]


class ResidualPort(Component):
    """read[t + rows + 1] = residual of a pixel that is read at t

    A pixel that would be read in the cycle in which a residual is, from a bank that this one touches, waits
    (``conflict_next``, a cycle before).

    A product's vector is read once, before its instruction begins: as soon as its record is the next one and its
    parameters have been pushed (``known``), in the first cycle in which there is no residual, nor a pixel in its bank.
    So it never holds anything up; ``vector`` is high with its read. Until ``started`` no other one is read.

    Members
    -------
    record : the next COMPUTE, there a cycle before ``known``.
    residual : of the pixel that is read in this cycle, valid if it has one.
    pixel : what will be read in the next cycle, if nothing holds it back now; ``held``: if something does.
    conflict : something does. known, started : as above, of ``record``.
    read, conflict_next, vector : as above. ``read.valid`` is low while ``vector`` is high: it is no residual.
    """

    vector_delay = 2
    """Cycles from ``known`` to ``vector`` at least."""

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        place = Place(config)
        super().__init__(
            {"record": In(record_layout(COMPUTE, config)), "residual": In(Read(config))}
            | {"pixel": In(place), "held": In(place)}
            | {name: In(1) for name in ("conflict", "known", "started")}
            | {"read": Out(Read(config)), "conflict_next": Out(1), "vector": Out(1)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        *_, before, due = delays(m, self.residual, self.config.rows, name="residual")
        banks = Signal(self.config.banks)
        m.d.sync += banks.eq(self._banks(m, before, "due") & before.valid.replicate(self.config.banks))
        m.d.comb += self.conflict_next.eq(Mux(self.conflict, self._touches(self.held, banks),
                                              self._touches(self.pixel, banks)))  # fmt: skip
        m.d.sync += self.read.eq(due)
        if self.config.products:
            self._vector(m, due)
        return m

    def _vector(self, m: Module, due: Any) -> None:
        """The vector's word, between residuals."""
        vector, touched = Signal(Read(self.config)), Signal(self.config.banks, name="vector_banks")
        m.d.sync += [
            vector.addr.eq(self.record.res_base),
            vector.next.eq(self.record.res_base + self.record.res_block_step),
            vector.signed.eq(self.record.res_signed),
            touched.eq(self._banks(m, vector, "vector")),
        ]
        with m.Switch(self.record.out_rot):
            for group in range(self.config.groups):
                with m.Case(group * self.config.group_lanes):
                    m.d.sync += vector.rot.eq(group)
        taken, wanted, goes = Signal(), Signal(), Signal()
        product = self.record.product & ~self.record.keep
        free = ~Mux(self.conflict, self._touches(self.held, touched), self._touches(self.pixel, touched))
        m.d.comb += goes.eq(wanted & ~due.valid & free)
        m.d.sync += [
            wanted.eq(self.known & product & ~taken & ~goes),
            taken.eq((taken | goes) & ~self.started),
            self.vector.eq(goes),
        ]
        with m.If(goes):
            for name in ("addr", "next", "rot", "signed"):
                m.d.sync += self.read[name].eq(vector[name])

    def _banks(self, m: Module, read: Any, name: str) -> Signal:
        """One bit each: does a read touch it?"""
        low = (self.config.bank_depth - 1).bit_length()
        addresses = [read.addr, read.next] if self.config.groups > 1 else [read.addr]
        result = Signal(self.config.banks, name=f"{name}_touches")
        m.d.comb += result.eq(
            Cat(Cat(a[low:] == bank for a in addresses).any() for bank in range(len(result)))
        )
        return result

    def _touches(self, place: data.View, banks: Signal) -> Any:
        """Is there a pixel in one of the banks?"""
        low = (self.config.bank_depth - 1).bit_length()
        addresses = [place.addr, place.next] if self.config.groups > 1 else [place.addr]
        return place.valid & Cat(banks.bit_select(a[low:], 1) for a in addresses).any()
