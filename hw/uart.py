"""``UartReceiver``, ``UartTransmitter``: bytes on a wire, 8 bits, no parity, 1 stop bit."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import C, Cat, Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

__all__ = ["UartReceiver", "UartTransmitter"]


def _cycles(divisor: int) -> int:
    if not isinstance(divisor, int) or not 4 <= divisor <= 1 << 16:
        raise ValueError(f"divisor must be 4..65536 cycles a bit, not {divisor!r}")
    return divisor


class UartReceiver(Component):
    """o = the 8 bits after each start bit, the lowest first; a byte without its stop bit is dropped.

    Latency: a byte is on ``o`` half a bit into its stop bit, 4 cycles later. One that is not taken before the next
    comes is lost.

    Parameters
    ----------
    divisor : cycles of a bit, at least 4.

    Members
    -------
    rx : the wire, idle high; may change at any time.
    o : bytes.
    """

    def __init__(self, *, divisor: int) -> None:
        self.divisor = _cycles(divisor)
        super().__init__({"rx": In(1, init=1), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        wire = Signal(3, init=-1)  # two registers against metastability, one to see the edge
        m.d.sync += wire.eq(Cat(self.rx, wire[:2]))
        left, bit, byte = Signal(range(self.divisor + self.divisor // 2)), Signal(range(10)), Signal(8)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [left.eq(self.divisor // 2 - 1), bit.eq(0)]
                with m.If(wire[2] & ~wire[1]):
                    m.next = "BITS"
            with m.State("BITS"):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.d.sync += [left.eq(self.divisor - 1), bit.eq(bit + 1), byte.eq(Cat(byte[1:], wire[1]))]
                    with m.If((bit == 0) & wire[1]):  # not a start bit: a spike
                        m.next = "IDLE"
                    with m.If(bit == 9):
                        m.d.sync += byte.eq(byte)
                        with m.If(wire[1]):
                            m.d.sync += [self.o.payload.eq(byte), self.o.valid.eq(1)]
                        m.next = "IDLE"
        return m


class UartTransmitter(Component):
    """tx = for each byte: a start bit, 8 bits, the lowest first, a stop bit

    Latency: the start bit begins 1 cycle after a byte is taken; the next one is taken 10 bits later.

    Parameters
    ----------
    divisor : cycles of a bit, at least 4.

    Members
    -------
    i : bytes.
    tx : the wire, idle high.
    """

    def __init__(self, *, divisor: int) -> None:
        self.divisor = _cycles(divisor)
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        left, bits, shifted = Signal(range(self.divisor)), Signal(range(11)), Signal(10, init=-1)
        m.d.comb += [self.tx.eq(shifted[0]), self.i.ready.eq(bits == 0)]
        with m.If(bits == 0):
            with m.If(self.i.valid):
                m.d.sync += [
                    shifted.eq(Cat(C(0, 1), self.i.payload, C(1, 1))),
                    bits.eq(10),
                    left.eq(self.divisor - 1),
                ]
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.Else():
            m.d.sync += [shifted.eq(Cat(shifted[1:], C(1, 1))), bits.eq(bits - 1), left.eq(self.divisor - 1)]
        return m
