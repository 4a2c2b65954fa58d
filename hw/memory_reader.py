"""``MemoryReader``: several readers share the port's read channels."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .interfaces import ReadClient
from .small_fifo import SmallFifo

__all__ = ["MemoryReader"]


class MemoryReader(Component):
    """for ever: take a burst of the next client that asks, round robin; return its beats to that client.

    Latency: a request that shows at cycle t is taken at t+1 and on AR at t+2; one burst every 2 cycles at most. A
    beat on R at t is at its client at t+1.

    Parameters
    ----------
    config : the engine.
    clients : readers that share the port.
    outstanding : bursts under way at most, a power of two.

    Members
    -------
    client : one ReadClient each.
    ar*, r* : the read channels of ``Axi4``, manager side.
    error : one cycle, the memory answered a beat with an error.
    """

    def __init__(self, *, config: EngineConfig, clients: int = 3, outstanding: int = 16) -> None:
        if not 1 <= clients <= 16:
            raise ValueError(f"clients must be in 1..16, not {clients!r}")
        self.config, self.clients, self.outstanding = config, clients, outstanding
        sent = {"araddr": 32, "arlen": 8, "arsize": 3, "arburst": 2, "arvalid": 1, "rready": 1}
        received = {"arready": 1, "rdata": config.port_width, "rresp": 2, "rlast": 1, "rvalid": 1}
        super().__init__(
            {"client": In(ReadClient(config)).array(clients), "error": Out(1)}
            | {name: Out(bits) for name, bits in sent.items()}
            | {name: In(bits) for name, bits in received.items()}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.order = order = SmallFifo(shape=range(self.clients), depth=self.outstanding)
        asking = Cat(c.request.valid for c in self.client)
        previous, grant = Signal(range(self.clients)), Signal(self.clients)
        chosen, free = Signal(self.clients), Signal()
        granted = Signal()  # one of them
        with m.Switch(previous):
            for last in range(self.clients):
                with m.Case(last):
                    for i in reversed(range(1, self.clients + 1)):  # the nearest after `last` wins
                        index = (last + i) % self.clients
                        with m.If(asking[index]):
                            m.d.comb += chosen.eq(1 << index)
        # A register takes requests: one that is there stays, and no grant follows another.
        m.d.comb += free.eq(~granted & (~self.arvalid | self.arready) & order.i.ready)
        m.d.sync += [grant.eq(Mux(free, chosen, 0)), granted.eq(free & asking.any())]
        m.d.comb += [
            order.i.valid.eq(granted),
            self.arsize.eq(self.config.port_bytes.bit_length() - 1),
            self.arburst.eq(1),
            self.rready.eq(1),
        ]
        with m.If(granted):
            m.d.sync += [previous.eq(order.i.payload), self.arvalid.eq(1)]
        with m.Elif(self.arready):
            m.d.sync += self.arvalid.eq(0)
        for index, client in enumerate(self.client):
            m.d.comb += client.request.ready.eq(grant[index])
            with m.If(grant[index]):
                m.d.comb += order.i.payload.eq(index)
                m.d.sync += [
                    self.araddr.eq(client.request.payload.addr),
                    self.arlen.eq(client.request.payload.last),
                ]
        self._beats(m, order)
        return m

    def _beats(self, m: Module, order: SmallFifo) -> None:
        """R, one cycle later, to the client of the oldest burst."""
        data = Signal(self.config.port_width, reset_less=True)
        m.d.comb += order.o.ready.eq(self.rvalid & self.rlast)
        m.d.sync += [data.eq(self.rdata), self.error.eq(self.rvalid & self.rresp.any())]
        for index, client in enumerate(self.client):
            m.d.sync += client.valid.eq(self.rvalid & (order.o.payload == index))
            m.d.comb += client.data.eq(data)
