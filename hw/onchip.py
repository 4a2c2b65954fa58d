"""``OnChip``: an engine with all of its memory on the chip, behind a serial link: no processor, no other memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Module, ResetInserter, Signal
from amaranth.lib.wiring import Component, In, Out, connect

from .config import EngineConfig
from .engine import Engine
from .host_link import HostLink
from .onchip_memory import OnChipMemory
from .reset_network import spread_reset
from .uart import UartReceiver, UartTransmitter

__all__ = ["OnChip"]


class OnChip(Component):
    """host -- rx, tx -- HostLink -- control port -- Engine -- memory port -- OnChipMemory -- HostLink

    One clock. ``rst`` and ``hold`` reset everything but the memory's contents; the link's command RESET the engine and
    its memory port alone, at any cycle.

    Parameters
    ----------
    config : the engine.
    words : port words of memory.
    init : the first words' contents when the FPGA has been configured: a program and its weights.
    divisor : cycles of a bit on the link, at least 4.
    patience : cycles that a command may pause, a power of two.

    Members
    -------
    rx, tx : the link, 8N1, idle high.
    hold : a reset that the engine sees one cycle later, through the register that the command RESET uses: for boards
        whose clock becomes steady after the configuration.
    irq : the engine's; for a light.
    """

    def __init__(
        self,
        config: EngineConfig,
        *,
        words: int,
        init: Sequence[int] = (),
        divisor: int,
        patience: int = 1 << 24,
    ) -> None:
        self.config = config
        self.memory = OnChipMemory(config=config, words=words, init=init)
        self.link = HostLink(config=config, words=words, patience=patience)
        self.receiver = UartReceiver(divisor=divisor)
        self.transmitter = UartTransmitter(divisor=divisor)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "hold": In(1), "irq": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        engine, reset = Engine(self.config), Signal(init=1)
        link, held = self.link, ResetInserter(self.hold)
        m.submodules.link = held(link)
        m.domains.engine = domain = ClockDomain(local=True)  # cells that are flip-flops take its reset, too
        m.d.comb += domain.clk.eq(ClockSignal())
        spread_reset(m, reset, domain.rst, platform)
        m.submodules.engine = DomainRenamer("engine")(engine)
        m.submodules.memory = DomainRenamer("engine")(self.memory)
        m.submodules.receiver, m.submodules.transmitter = held(self.receiver), held(self.transmitter)
        connect(m, self.receiver.o, link.i)
        connect(m, link.o, self.transmitter.i)
        connect(m, link.ctl, engine.ctl)
        connect(m, engine.axi, self.memory.axi)
        for name, member in link.signature.members.items():
            if name.startswith("host_"):
                ours, theirs = getattr(link, name), getattr(self.memory, name)
                m.d.comb += theirs.eq(ours) if member.flow == Out else ours.eq(theirs)
        m.d.sync += reset.eq(link.reset | self.hold)
        m.d.comb += [self.receiver.rx.eq(self.rx), self.tx.eq(self.transmitter.tx), self.irq.eq(engine.irq)]
        return m
