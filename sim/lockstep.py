"""``lockstep``: two descriptions of a module side by side, equal in every cycle or the simulation stops.

    for every clock edge: for every output port that means something: port of the netlist == port of the RTL

A channel's payload means something while its valid is high: what a memory returns that is written in the same cycle
is left open by the RTL, and may wait behind a valid that is low. The module around both has their ports and their name,
so any bench takes it for one of them. Outputs are the RTL's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..hw.ports import Port

__all__ = ["MARK", "lockstep"]

MARK = "netlist differs from the RTL"
"""What the simulation says, with the port, the cycle and both values, before it ends."""


_MODULE = re.compile(r"^\s*module\s+(\w+)", re.MULTILINE)


def _renamed(text: str, name: str, new: str) -> str:
    if not re.search(rf"^\s*module\s+{name}\b", text, re.MULTILINE):
        raise ValueError(f"the Verilog holds no module `{name}`")
    return re.sub(rf"^(\s*module\s+){name}\b", rf"\g<1>{new}", text, flags=re.MULTILINE)


def _apart(rtl: str, netlist: str, name: str) -> None:
    """A simulator would take one of two modules for both."""
    shared = set(_MODULE.findall(rtl)) & set(_MODULE.findall(netlist)) - {name}
    if shared:
        raise ValueError(f"both hold a module `{min(shared)}`: the second must be a netlist, not RTL")


def _compared(port: Port) -> list[str]:
    """The check of one output."""
    when = f"{port.valid} && " if port.valid else ""
    return [
        f"    if ({when}{port.name} !== {port.name}_netlist)",
        f'      $fatal(1, "{MARK}: {port.name} is %h, not %h, in cycle %0d", {port.name}_netlist, {port.name}, cycle);',
    ]


def lockstep(rtl: str, netlist: str, ports: Sequence[Port], name: str = "engine") -> str:
    """Verilog of a module ``name`` that holds both; they may share no other module's name.

    Raises ValueError where one of the texts has no module ``name``, or where both have another one.
    """
    _apart(rtl, netlist, name)
    both = {"rtl": _renamed(rtl, name, f"{name}_rtl"), "netlist": _renamed(netlist, name, f"{name}_netlist")}
    outputs = [port for port in ports if port.output]
    lines = [f"module {name} ({', '.join(port.name for port in ports)});"]
    lines += [f"  {'output' if port.output else 'input'} {port.range}{port.name};" for port in ports]
    lines += [f"  wire {port.range}{port.name}_netlist;" for port in outputs]
    lines += ["  reg [31:0] cycle = 0;"]
    for which in both:
        suffix = "_netlist" if which == "netlist" else ""
        joined = [f"    .{p.name}({p.name}{suffix if p.output else ''})" for p in ports]
        lines += [f"  {name}_{which} {which} (", ",\n".join(joined), "  );"]
    lines += ["  always @(posedge clk) begin", "    cycle <= cycle + 1;"]
    lines += [line for port in outputs for line in _compared(port)]
    lines += ["  end", "endmodule"]
    return "\n\n".join((*both.values(), "\n".join(lines))) + "\n"
