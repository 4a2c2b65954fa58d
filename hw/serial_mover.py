"""``SerialMover``: LOAD and STORE, byte by byte."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .interfaces import record_layout
from .isa import LOAD, STORE

__all__ = ["SerialMover"]


class SerialMover(Component):
    """LOAD:  for p in 0..pixels-1: for b in 0..blocks-1: word[base + p + b*block_step] = next n elements, then zeros
    STORE: for b in 0..blocks-1: for p in 0..pixels-1: memory[...] = word[base + p + b*block_step], byte by byte

    Latency: of a LOAD's word lanes + 2 cycles and the memory's, of a STORE's lanes * 3 + 2 and lanes times the
    memory's (``sw.cycle_model.serial``).

    Parameters
    ----------
    config : the engine.

    Members
    -------
    load, store : the record as each of them. start : one cycle; storing : which. region : where offsets count from.
    done : one cycle, in the end.
    ask, count, addr, step, valid, data : of the ``ByteReader``.
    pad_addr, pad_en, pad_wen, pad_wdata, pad_rdata : the scratchpad's bytes.
    aw*, w*, b* : the write channels of ``Axi4``, manager side. error : one cycle, the memory answered with an error.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        sent = {"awaddr": 32, "awlen": 8, "awsize": 3, "awburst": 2, "awvalid": 1, "wdata": 8, "wstrb": 1, "wlast": 1,
                "wvalid": 1, "bready": 1}  # fmt: skip
        received = {"awready": 1, "wready": 1, "bresp": 2, "bvalid": 1}
        lanes = (config.lanes - 1).bit_length()
        super().__init__(
            {"load": In(record_layout(LOAD, config)), "store": In(record_layout(STORE, config))}
            | {"start": In(1), "storing": In(1), "region": In(config.memory_width), "done": Out(1)}
            | {"ask": Out(1), "count": Out(4), "addr": Out(config.memory_width)}
            | {"step": In(1), "valid": In(1), "data": In(8)}
            | {"pad_addr": Out(config.addr_width + lanes), "pad_en": Out(1), "pad_wen": Out(1)}
            | {"pad_wdata": Out(8), "pad_rdata": In(8), "error": Out(1)}
            | {name: Out(bits) for name, bits in sent.items()}
            | {name: In(bits) for name, bits in received.items()}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, lanes = self.config, self.config.lanes
        self._fields()
        self._word, lane = Signal(config.addr_width), Signal(range(lanes))
        self._last = Signal()  # this word is its LOAD's pixel's, its STORE's block's last
        zero = Signal()
        m.d.comb += [
            self.count.eq(Mux(~self.storing & self._last, self.load.tail, lanes)),
            self.pad_addr.eq(Cat(lane, self._word)),
            self.pad_wdata.eq(Mux(zero, 0, self.data)),
            self.awaddr.eq(self.addr),
            self.awburst.eq(1),
            self.wdata.eq(self.pad_rdata),
            self.wstrb.eq(1),
            self.wlast.eq(1),
            self.bready.eq(1),
            self.error.eq(self.bvalid & self.bresp.any()),
        ]
        with m.If(self.start):
            m.d.sync += self.addr.eq(self.region + self._field("offset"))
        with m.Elif(self.step | (self.bvalid & self.storing)):
            m.d.sync += self.addr.eq(self.addr + 1)
        with m.If((self.pad_en & self.pad_wen) | self.bvalid):
            m.d.sync += lane.eq(lane + 1)
        self._counts(m)
        with m.FSM():
            with m.State("IDLE"), m.If(self.start):
                m.next = "WORD"
            with m.State("WORD"):
                m.d.comb += self.ask.eq(~self.storing)
                m.next = "TAKE"
                with m.If(self.storing):
                    m.next = "READ"
            with m.State("TAKE"):
                m.d.comb += [self.pad_en.eq(self.valid), self.pad_wen.eq(1)]
                with m.If(self.valid & (lane == self.count - 1)):
                    m.next = "NEXT"
                    with m.If(lane != lanes - 1):
                        m.next = "ZERO"
            with m.State("ZERO"):
                m.d.comb += [self.pad_en.eq(1), self.pad_wen.eq(1), zero.eq(1)]
                with m.If(lane == lanes - 1):
                    m.next = "NEXT"
            with m.State("READ"):
                m.d.comb += self.pad_en.eq(1)
                m.d.sync += [self.awvalid.eq(1), self.wvalid.eq(1)]
                m.next = "SEND"
            with m.State("SEND"):
                with m.If(self.awready):
                    m.d.sync += self.awvalid.eq(0)
                with m.If(self.wready):
                    m.d.sync += self.wvalid.eq(0)
                with m.If(self.bvalid):
                    m.next = "READ"
                    with m.If(lane == lanes - 1):
                        m.next = "NEXT"
            with m.State("NEXT"):
                m.d.comb += self._moves.eq(1)
                m.next = "WORD"
                with m.If(self._end):
                    m.d.comb += self.done.eq(1)
                    m.next = "IDLE"
        return m

    def _field(self, name: str) -> Any:
        return Mux(self.storing, self.store[name], self.load[name])

    def _fields(self) -> None:
        """What is counted inside of what, and steps by how many words."""
        pixels, blocks = (self._field(name) for name in ("pixels", "blocks"))
        self._inner, self._outer = Mux(self.storing, pixels, blocks), Mux(self.storing, blocks, pixels)
        step = self._field("block_step")
        self._near, self._far = Mux(self.storing, 1, step), Mux(self.storing, step, 1)

    def _counts(self, m: Module) -> None:
        """Words of the inner loop left, rounds of the outer one; with ``_moves`` the next word."""
        width = self.config.addr_width + 1
        inner, outer, base = Signal(width), Signal(width), Signal(self.config.addr_width)
        self._moves, self._end = Signal(name="moves"), Signal(name="end")
        m.d.comb += [self._last.eq(inner == 1), self._end.eq(self._last & (outer == 1))]
        with m.If(self.start):
            m.d.sync += [inner.eq(self._inner), outer.eq(self._outer)]
            m.d.sync += [self._word.eq(self._field("base")), base.eq(self._field("base"))]
        with m.Elif(self._moves & self._last):
            m.d.sync += [inner.eq(self._inner), outer.eq(outer - 1)]
            m.d.sync += [self._word.eq(base + self._far), base.eq(base + self._far)]
        with m.Elif(self._moves):
            m.d.sync += [inner.eq(inner - 1), self._word.eq(self._word + self._near)]
