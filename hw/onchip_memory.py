"""``OnChipMemory``: block RAM behind the engine's memory port, and a second door for the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .interfaces import Axi4

__all__ = ["OnChipMemory"]

_DECERR = 3


class OnChipMemory(Component):
    """axi reads and writes ``words`` port words from address 0 on; so does the host, in cycles the engine leaves free.

    Latency: the first beat of a read burst comes 3 cycles after its address is taken, the others without gaps, those of
    the next burst too; the response to a write burst comes 1 cycle after its last beat. A host's read is answered 2
    cycles after it is taken. A word that is read while it is written is undefined.

    ``rready`` is not looked at: the engine holds it high. ``wstrb`` neither: the engine writes whole words. Addresses
    beyond the memory are answered with DECERR and written nowhere.

    Parameters
    ----------
    config : the engine.
    words : port words.
    init : the first words' contents when the FPGA has been configured; the others are 0.

    Members
    -------
    axi : the engine's memory port, subordinate side.
    host_addr : a word; host_write, host_wdata : to write it. host_valid, host_ready : as of a stream.
    host_rvalid, host_rdata : a read's answer.
    """

    def __init__(self, *, config: EngineConfig, words: int, init: Sequence[int] = ()) -> None:
        if not isinstance(words, int) or not 2 <= words <= 1 << 28:
            raise ValueError(f"words must be 2..2**28, not {words!r}")
        if len(init) > words:
            raise ValueError(f"init must be at most {words} words, not {len(init)}")
        self.config, self.words, self.init = config, words, list(init)
        super().__init__(
            {
                "axi": In(Axi4(config)),
                "host_addr": In(range(words)),
                "host_write": In(1),
                "host_wdata": In(config.port_width),
                "host_valid": In(1),
                "host_ready": Out(1),
                "host_rvalid": Out(1),
                "host_rdata": Out(config.port_width),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.storage = storage = Memory(
            shape=self.config.port_width, depth=self.words, init=self.init
        )
        writing = self._writes(m, storage.write_port())
        reading = self._reads(m, storage.read_port(domain="sync"))
        m.d.comb += self.host_ready.eq(~Mux(self.host_write, writing, reading))
        return m

    def _place(self, address: Any) -> tuple[Any, Any]:
        """The word of a byte address, and whether it is beyond the memory."""
        word = address >> (self.config.port_bytes.bit_length() - 1)
        return word, word >= self.words

    def _reads(self, m: Module, port: Any) -> Signal:
        """AR and R. Returns whether the engine reads in this cycle."""
        axi, active = self.axi, Signal()
        beat, left = Signal(32), Signal(8)
        word, beyond = self._place(beat)
        last = left == 0
        m.d.comb += axi.arready.eq(~active | last)
        with m.If(active):
            m.d.sync += [beat.eq(beat + self.config.port_bytes), left.eq(left - 1), active.eq(~last)]
        with m.If(axi.arvalid & axi.arready):
            m.d.sync += [beat.eq(axi.araddr), left.eq(axi.arlen), active.eq(1)]
        m.d.comb += [port.en.eq(1), port.addr.eq(Mux(active, word, self.host_addr))]
        asked = Signal()
        m.d.comb += asked.eq(self.host_valid & ~self.host_write & ~active)
        data = Signal(self.config.port_width, reset_less=True)
        fetched = Signal(4)  # what the memory's output register holds: engine's, last, beyond; host's
        m.d.sync += [
            data.eq(port.data),
            fetched.eq(active | (active & last) << 1 | beyond << 2 | asked << 3),
            axi.rvalid.eq(fetched[0]),
            axi.rlast.eq(fetched[1]),
            axi.rresp.eq(Mux(fetched[2], _DECERR, 0)),
            self.host_rvalid.eq(fetched[3]),
        ]
        m.d.comb += [axi.rdata.eq(data), self.host_rdata.eq(data)]
        return active

    def _writes(self, m: Module, port: Any) -> Signal:
        """AW, W and B. Returns whether the engine writes in this cycle."""
        axi, active, bad = self.axi, Signal(), Signal()
        beat = Signal(32)
        word, beyond = self._place(beat)
        writes = Signal()
        m.d.comb += [
            axi.awready.eq(~active & ~axi.bvalid),
            axi.wready.eq(active),
            writes.eq(active & axi.wvalid),
        ]
        with m.If(axi.awvalid & axi.awready):
            m.d.sync += [beat.eq(axi.awaddr), active.eq(1), bad.eq(0)]
        with m.If(writes):
            m.d.sync += [beat.eq(beat + self.config.port_bytes), bad.eq(bad | beyond)]
            with m.If(axi.wlast):
                m.d.sync += [active.eq(0), axi.bvalid.eq(1), axi.bresp.eq(Mux(bad | beyond, _DECERR, 0))]
        with m.If(axi.bvalid & axi.bready):
            m.d.sync += axi.bvalid.eq(0)
        host = self.host_valid & self.host_write & ~writes
        m.d.comb += [
            port.addr.eq(Mux(writes, word, self.host_addr)),
            port.data.eq(Mux(writes, axi.wdata, self.host_wdata)),
            port.en.eq(Mux(writes, ~beyond, host)),
        ]
        return writes
