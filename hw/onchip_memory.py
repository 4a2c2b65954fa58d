"""``OnChipMemory``: block RAM behind the engine's memory port, and a second door for the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from .byte_memory import ByteMemory
from .config import EngineConfig
from .delay import delay
from .interfaces import Axi4
from .memory import Memory1R1W

__all__ = ["OnChipMemory", "memory_parts"]

_DECERR = 3

_LARGEST, _SMALLEST, _PARTS = 1 << 14, 1 << 9, 3
"""Words of the parts: what a block RAM holds of 1 bit and of 36 on ECP5. Parts that are not the largest: so many."""


def memory_parts(words: int) -> list[int]:
    """Depths, powers of two that only fall, of the memories that ``words`` words are made of; a few words more.

    With depths of 2**14 .. 2**11 no bit of a block RAM that an ECP5 has for words of 1 to 8 bits is left unused.
    """
    parts = [_LARGEST] * (words // _LARGEST)
    left = words % _LARGEST
    for number in range(_PARTS):
        if left > 0:
            above = 1 << (left - 1).bit_length()
            depth = above if number == _PARTS - 1 or above == left else above >> 1
            parts.append(max(depth, _SMALLEST))
            left -= parts[-1]
    return parts


class OnChipMemory(Component):
    """axi reads and writes ``words`` port words from address 0 on; so does the host, in cycles the engine leaves free.

    Latency: the first beat of a read burst comes 5 cycles after its address is taken, the others without gaps, those of
    the next burst too: address register, block RAM (2), selection of the part. The response to a write burst comes 1
    cycle after its last beat. A host's read is answered 4 cycles after it is taken. A word that is read while it is
    written is undefined.

    ``rready`` is not looked at: the engine holds it high. ``wstrb`` neither: the engine writes whole words. Addresses
    beyond the memory are answered with DECERR and written nowhere.

    For a serial engine it is a ``ByteMemory``, which the engine never reads and writes at a time; then every beat comes
    1 cycle earlier, and the host waits for either.

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

    serial_latency = 4, 2
    """Cycles from an address to its beat, and to the response, where the engine is serial."""

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
        if self.config.serial:
            self._single(m)
            return m
        depths = memory_parts(self.words)
        self._bits = (sum(depths) - 1).bit_length()
        self._raddr, self._waddr = Signal(self._bits), Signal(self._bits)
        self._wen, self._wdata = Signal(), Signal(self.config.port_width)
        data, first = Signal(self.config.port_width, reset_less=True), 0
        asked = delay(m, self._raddr, 1 + Memory1R1W.latency, name="raddr")
        for number, depth in enumerate(depths):
            part = Memory1R1W(
                width=self.config.port_width, depth=depth, init=self.init[first : first + depth]
            )
            m.submodules[f"part_{number}"] = part
            low = depth.bit_length() - 1
            raddr, waddr = (
                Signal(low, name=f"{name}_{number}", reset_less=True) for name in ("raddr", "waddr")
            )
            wen, wdata = Signal(name=f"wen_{number}"), Signal.like(data, name=f"wdata_{number}")
            m.d.sync += [raddr.eq(self._raddr), waddr.eq(self._waddr), wdata.eq(self._wdata)]
            m.d.sync += wen.eq(self._wen & (self._waddr[low:] == first >> low))
            m.d.comb += [part.raddr.eq(raddr), part.waddr.eq(waddr), part.wdata.eq(wdata), part.wen.eq(wen)]
            with m.If(asked[low:] == first >> low):
                m.d.sync += data.eq(part.rdata)
            first += depth
        m.d.comb += [self.axi.rdata.eq(data), self.host_rdata.eq(data)]
        writing, reading = self._writes(m), self._reads(m)
        m.d.comb += self.host_ready.eq(~Mux(self.host_write, writing, reading))
        return m

    def _single(self, m: Module) -> None:
        """One port for everything: an engine with ``serial`` does not read while it writes, and the host waits."""
        m.submodules.bytes = memory = ByteMemory(depth=self.words, init=self.init)
        self._bits = len(memory.addr)
        self._raddr, self._waddr = Signal(self._bits), Signal(self._bits)
        self._wen, self._wdata = Signal(), Signal(8)
        writing, reading = self._writes(m), self._reads(m)
        data = Signal(8, reset_less=True)
        host = self.host_valid & ~writing & ~reading
        wen = self._wen & (writing | host)
        m.d.comb += self.host_ready.eq(~writing & ~reading)
        m.d.sync += [
            memory.en.eq(wen | reading | host),
            memory.wen.eq(wen),
            memory.wdata.eq(self._wdata),
            memory.addr.eq(Mux(wen, self._waddr, self._raddr)),
            data.eq(memory.rdata),
        ]
        m.d.comb += [self.axi.rdata.eq(data), self.host_rdata.eq(data)]

    def _place(self, address: Any) -> tuple[Any, Any]:
        """The word of a byte address, and whether it is beyond the memory."""
        word = address >> (self.config.port_bytes.bit_length() - 1)
        return word, word >= self.words

    def _reads(self, m: Module) -> Signal:
        """AR and R. Returns whether the engine reads in this cycle."""
        axi, active = self.axi, Signal()
        beat, left = Signal(self.config.memory_width), Signal(8)
        word, beyond = self._place(beat)
        last = left == 0
        m.d.comb += axi.arready.eq(~active | last)
        with m.If(active):
            m.d.sync += [beat.eq(beat + self.config.port_bytes), left.eq(left - 1), active.eq(~last)]
        with m.If(axi.arvalid & axi.arready):
            m.d.sync += [beat.eq(axi.araddr), left.eq(axi.arlen), active.eq(1)]
        asked = Signal()
        m.d.comb += [
            self._raddr.eq(Mux(active, word, self.host_addr)),
            asked.eq(self.host_valid & ~self.host_write & ~active),
        ]
        fetched = Signal(4)  # of a word: engine's, last, beyond; host's
        m.d.comb += fetched.eq(active | (active & last) << 1 | beyond << 2 | asked << 3)
        single = ByteMemory.latency - Memory1R1W.latency if self.config.serial else 0
        answer = delay(m, fetched, Memory1R1W.latency + 2 + single, name="fetched")
        m.d.comb += [
            axi.rvalid.eq(answer[0]),
            axi.rlast.eq(answer[1]),
            axi.rresp.eq(Mux(answer[2], _DECERR, 0)),
            self.host_rvalid.eq(answer[3]),
        ]
        return active

    def _writes(self, m: Module) -> Signal:
        """AW, W and B. Returns whether the engine writes in this cycle."""
        axi, active, bad = self.axi, Signal(), Signal()
        beat = Signal(self.config.memory_width)
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
            self._waddr.eq(Mux(writes, word, self.host_addr)),
            self._wdata.eq(Mux(writes, axi.wdata, self.host_wdata)),
            self._wen.eq(Mux(writes, ~beyond, host)),
        ]
        return writes
