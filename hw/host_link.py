"""``HostLink``: a host's bytes as accesses to the engine's registers and to its memory."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from . import link
from .config import EngineConfig
from .interfaces import AxiLite

__all__ = ["HostLink"]

_REGISTER = 32


class HostLink(Component):
    """for ever: take a command of ``hw.link``, do it, answer

    A command whose next byte does not come within ``patience`` cycles is forgotten, so that a host that was stopped in
    the middle of one can start again.

    Latency: a register or word takes as long as its bytes, and up to 10 cycles.

    Parameters
    ----------
    config : the engine.
    words : port words of the memory.
    patience : cycles that a command may pause, a power of two.

    Members
    -------
    i, o : bytes from and to the host. ``i`` is taken at once while a command or its data come.
    ctl : the engine's control port, manager side.
    host_* : the host's side of ``OnChipMemory``. A word beyond the memory is read and written modulo its size.
    reset : the engine's, 8 cycles.
    """

    def __init__(self, *, config: EngineConfig, words: int, patience: int = 1 << 24) -> None:
        if patience < 16 or patience & (patience - 1):
            raise ValueError(f"patience must be a power of two of at least 16, not {patience!r}")
        self.config, self.words, self.patience = config, words, patience
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "ctl": Out(AxiLite()),
                "host_addr": Out(range(words)),
                "host_write": Out(1),
                "host_wdata": Out(config.port_width),
                "host_valid": Out(1),
                "host_ready": In(1),
                "host_rvalid": In(1),
                "host_rdata": In(config.port_width),
                "reset": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self.header = header = Signal(8 * link.HEADER)
        self.opcode, self.address, self.left = (
            header[:8],
            header[8:40],
            header[40:],
        )  # left: also the argument
        self.word = Signal(max(self.config.port_width, _REGISTER))  # words of a narrow port come from above
        self.sum, self.bytes, self.known = Signal(8), Signal(range(64)), Signal()
        self.turned = Cat(
            self.word[8:], self.i.payload
        )  # the next byte comes from above, the lowest leaves below
        self._registers(m)
        bytes_in, bytes_out = self.i.valid & self.i.ready, self.o.valid & self.o.ready
        with m.If(bytes_in | bytes_out):
            m.d.sync += self.sum.eq(self.sum + Mux(bytes_in, self.i.payload, self.o.payload))
        waited = Signal(range(self.patience + 1))
        with m.FSM():
            self._header(m, waited)
            self._register_states(m)
            self._memory_states(m, waited)
            self._answer(m)
        return m

    def _header(self, m: Module, waited: Signal) -> None:
        """Bytes of the header, then what it asks for."""
        with m.State("HEADER"):
            m.d.comb += self.i.ready.eq(1)
            m.d.sync += [self.known.eq(1), waited.eq(Mux(self.bytes == 0, 0, waited + 1))]
            with m.If(self.i.valid):
                m.d.sync += [self.header.eq(Cat(self.header[8:], self.i.payload)), waited.eq(0)]
                m.d.sync += self.bytes.eq(self.bytes + 1)
                with m.If(self.bytes == 0):
                    m.d.sync += self.sum.eq(self.i.payload)
                with m.If(self.bytes == link.HEADER - 1):
                    m.next = "START"
            with m.If(waited[-1]):
                m.d.sync += self.bytes.eq(0)
        with m.State("START"):
            m.d.sync += self.bytes.eq(0)
            with m.Switch(self.opcode):
                for opcode, state in (
                    (link.WRITE_REGISTER, "WRITE"),
                    (link.READ_REGISTER, "READ"),
                    (link.WRITE_MEMORY, "COLLECT"),
                    (link.READ_MEMORY, "FETCH"),
                    (link.RESET, "RESET"),
                ):
                    with m.Case(opcode):
                        m.next = state
                        if state in ("COLLECT", "FETCH"):
                            with m.If(self.left == 0):
                                m.next = "SUM"
                with m.Default():
                    m.d.sync += self.known.eq(0)
                    m.next = "SUM"
        with m.State("RESET"):
            m.d.comb += self.reset.eq(1)
            m.d.sync += self.bytes.eq(self.bytes + 1)
            with m.If(self.bytes == 7):
                m.next = "SUM"

    def _registers(self, m: Module) -> None:
        """What the control port sees."""
        ctl = self.ctl
        m.d.comb += [
            ctl.awaddr.eq(self.address),
            ctl.araddr.eq(self.address),
            ctl.wdata.eq(self.left),
            ctl.wstrb.eq(-1),
            ctl.bready.eq(1),
            ctl.rready.eq(1),
        ]
        for valid, ready in (
            (ctl.awvalid, ctl.awready),
            (ctl.wvalid, ctl.wready),
            (ctl.arvalid, ctl.arready),
        ):
            with m.If(ready):
                m.d.sync += valid.eq(0)

    def _register_states(self, m: Module) -> None:
        """One access of the control port."""
        ctl = self.ctl
        with m.State("WRITE"):
            m.d.sync += [ctl.awvalid.eq(1), ctl.wvalid.eq(1)]
            m.next = "WRITTEN"
        with m.State("WRITTEN"), m.If(ctl.bvalid):
            m.next = "SUM"
        with m.State("READ"):
            m.d.sync += [ctl.arvalid.eq(1), self.left.eq(1), self.bytes.eq(4 - 1)]
            m.next = "READING"
        with m.State("READING"), m.If(ctl.rvalid):
            m.d.sync += self.word.eq(ctl.rdata)
            m.next = "SEND"

    def _memory_states(self, m: Module, waited: Signal) -> None:
        """Words, one after the other, until none is left."""
        last = self.config.port_bytes - 1
        m.d.comb += [
            self.host_addr.eq(self.address >> last.bit_length()),
            self.host_wdata.eq(self.word[-self.config.port_width :]),
        ]
        with m.State("COLLECT"):
            m.d.comb += self.i.ready.eq(1)
            m.d.sync += waited.eq(waited + 1)
            with m.If(self.i.valid):
                m.d.sync += [self.word.eq(self.turned), self.bytes.eq(self.bytes + 1), waited.eq(0)]
                with m.If(self.bytes == last):
                    m.next = "STORE"
            with m.If(waited[-1]):
                m.d.sync += [self.bytes.eq(0), waited.eq(0)]
                m.next = "HEADER"
        with m.State("STORE"):
            m.d.comb += [self.host_valid.eq(1), self.host_write.eq(1)]
            with m.If(self.host_ready):
                m.d.sync += [
                    self.bytes.eq(0),
                    self.left.eq(self.left - 1),
                    self.address.eq(self.address + last + 1),
                ]
                m.next = "COLLECT"
                with m.If(self.left == 1):
                    m.next = "SUM"
        with m.State("FETCH"):
            m.d.comb += self.host_valid.eq(1)
            m.d.sync += self.bytes.eq(last)
            with m.If(self.host_ready):
                m.d.sync += self.address.eq(self.address + last + 1)
                m.next = "FETCHING"
        with m.State("FETCHING"), m.If(self.host_rvalid):
            m.d.sync += self.word.eq(self.host_rdata)
            m.next = "SEND"

    def _answer(self, m: Module) -> None:
        """``bytes`` + 1 bytes of the word, again while words are left; the sum."""
        with m.State("SEND"):
            m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(self.word[:8])]
            with m.If(self.o.ready):
                m.d.sync += [self.word.eq(self.turned), self.bytes.eq(self.bytes - 1)]
                with m.If(self.bytes == 0):
                    m.d.sync += self.left.eq(self.left - 1)
                    m.next = "FETCH"
                    with m.If(self.left == 1):
                        m.next = "SUM"
        with m.State("SUM"):
            m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(Mux(self.known, self.sum, ~self.sum))]
            m.d.sync += self.bytes.eq(0)
            with m.If(self.o.ready):
                m.next = "HEADER"
