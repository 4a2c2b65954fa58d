"""``ports_of``: a component's ports as data, for everything that is written around its Verilog."""

from __future__ import annotations

import re
from dataclasses import dataclass

from amaranth.lib.wiring import Out, Signature

from .config import EngineConfig
from .interfaces import EnginePorts

__all__ = ["Port", "engine_ports", "ports_of"]


_PAYLOAD = re.compile(r"(aw|ar|w|r|b)(?!valid|ready)")


@dataclass(frozen=True, kw_only=True)
class Port:
    """One port of a Verilog module: ``axi__araddr`` is signal ``araddr`` of bus ``axi``; clk, rst, irq have no bus."""

    name: str
    width: int
    output: bool

    @property
    def bus(self) -> str:
        """The interface it belongs to, "" for none."""
        return self.name.rpartition("__")[0]

    @property
    def signal(self) -> str:
        """Its name in the interface."""
        return self.name.rpartition("__")[2]

    @property
    def valid(self) -> str:
        """The port that says whether this one means anything, "" if it always does: AXI's channels."""
        found = _PAYLOAD.match(self.signal) if self.bus else None
        return f"{self.bus}__{found[1]}valid" if found else ""

    @property
    def range(self) -> str:
        """``[31:0] ``, "" for a single bit."""
        return f"[{self.width - 1}:0] " if self.width > 1 else ""


def ports_of(signature: Signature) -> tuple[Port, ...]:
    """clk, rst, then the members of the signature as ``hw.verilog`` names them, in their order."""
    found = [Port(name=name, width=1, output=False) for name in ("clk", "rst")]
    for path, member, value in signature.flatten(signature.create()):
        width = len(value.as_value() if hasattr(value, "as_value") else value)
        found.append(Port(name="__".join(map(str, path)), width=width, output=member.flow == Out))
    return tuple(found)


def engine_ports(config: EngineConfig) -> tuple[Port, ...]:
    """The ports of a configuration's engine."""
    return ports_of(EnginePorts(config))
