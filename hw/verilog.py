"""Verilog of a component: the only user of Amaranth's back end.

The text depends on the component alone: no source locations, no folders, no time. Modules of equal text are written
once (a row's PE, not one module for each of ``cols`` instances); a module's name is its place in the hierarchy
joined by ``_``, an instance's is the submodule's.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from importlib import metadata
from os.path import commonprefix

from amaranth.back import rtlil, verilog
from amaranth.lib.wiring import Component

from .config import EngineConfig

__all__ = ["WAIVERS", "engine_verilog", "to_rtlil", "to_verilog"]

WAIVERS: Mapping[str, str] = {
    "CASEINCOMPLETE": "a case assigns a default before it, so no value is a latch",
    "DECLFILENAME": "one file holds every module",
    "PROCASSINIT": "registers start with their reset value: FPGAs load it with the bitstream",
    "SYMRSVDWORD": "`switch` is a word of C++, not of Verilog",
    "UNUSEDSIGNAL": "results are as wide as their values need; the bits nobody uses are dropped later",
    "WIDTHEXPAND": "Verilog extends operands as Amaranth's widths and signs want it",
    "WIDTHTRUNC": "likewise; ! of a vector is a comparison with 0",
}
"""What ``verilator --lint-only -Wall`` says of Amaranth's output and does not mean: name and reason."""

_MODULE = re.compile(r"^module (\\\S+|\w+) ?(.*?^endmodule$)", re.MULTILINE | re.DOTALL)
_INSTANCE = re.compile(r"^  (\\\S+|\w+) +(?=(?:\\\S+|\w+) +\($)", re.MULTILINE)
_BODY = re.compile(r"^  (\\\S+|\w+) +(?:\\\S+|\w+) +\($.*?^  \);$", re.MULTILINE | re.DOTALL)
_PORT = re.compile(r"\\port\$\d+\$\d+ ")
_EMPTY = re.compile(r"^ *wire \[-1:0\] [^;]*;\n", re.MULTILINE)
"""Names of fields that an engine does not have: they have no bits, and nothing reads them."""

_INITIAL = re.compile(r"\\\$auto\$verilog_backend\.cc:\d+:dump_module\$\d+")
_ZEROED = re.compile(r"  initial begin\n((?:    \w+\[\d+\] = \d+'[hd]0+;\n)+)  end\n")
_CLOCK = ("clk", "rst")
_WORD = re.compile(r"\w+\Z")


def _renamed(modules: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """The bodies with every instance's module renamed as ``names`` says."""
    return {
        name: _INSTANCE.sub(lambda m: f"  {names.get(m[1], m[1])} ", body) for name, body in modules.items()
    }


def _with_ports(modules: Mapping[str, str]) -> dict[str, str]:
    """The bodies with sorted ports; those that Amaranth numbered over the whole design are numbered in each module."""
    ports: dict[str, dict[str, str]] = {}
    for name, body in modules.items():
        found = sorted(set(_PORT.findall(body.split(";", 1)[0])), key=lambda port: (len(port), port))
        ports[name] = {port: f"port_{number} " for number, port in enumerate(found)}

    def instance(match: re.Match[str]) -> str:
        inside = ports.get(match[1], {})
        return re.sub(r"(?<=^    \.)" + _PORT.pattern, lambda m: inside[m[0]], match[0], flags=re.MULTILINE)

    def own(name: str, body: str) -> str:
        heading, rest = _PORT.sub(lambda m: ports[name].get(m[0], m[0]), body).split(");", 1)
        listed = sorted((port.strip() for port in heading[1:].split(",")), key=lambda p: (p not in _CLOCK, p))
        lines = textwrap.wrap(
            ", ".join(f"{p} " if p[0] == "\\" else p for p in listed),
            100,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return "(" + "\n    ".join(lines) + " );" + rest

    return {name: own(name, _BODY.sub(instance, body)) for name, body in modules.items()}


def _shared(modules: dict[str, str]) -> dict[str, list[str]]:
    """Groups of modules of equal text, by the first; ``modules`` is left with the first ones and instances of them.

    A level of the hierarchy becomes equal once the level below it has been merged.
    """
    groups = {name: [name] for name in modules}
    while True:
        first: dict[str, str] = {}
        replaced: dict[str, str] = {}
        for name, body in modules.items():
            keeper = first.setdefault(body, name)
            if keeper != name:
                replaced[name] = keeper
        if not replaced:
            return groups
        for name, keeper in replaced.items():
            groups[keeper] += groups.pop(name)
            del modules[name]
        modules.update(_renamed(modules, replaced))


def _zero_loop(match: re.Match[str]) -> str:
    """A memory that starts as zeros, in a loop instead of a line a word."""
    memory, count = match[1].strip().split("[")[0], match[1].count("\n")
    return (
        f"  initial begin : {memory}_zero\n    integer i;\n"
        f"    for (i = 0; i < {count}; i = i + 1) {memory}[i] = 0;\n  end\n"
    )


def _plain(members: list[str], taken: set[str]) -> str:
    """A module name without escapes: the parents that all members share, then what their own names share."""
    paths = [name.removeprefix("\\").split(".") for name in members]
    parents = commonprefix([path[:-1] for path in paths])
    own = commonprefix([path[-1] for path in paths]) if len(paths) > 1 else paths[0][-1]
    own = own.rstrip("_") or paths[0][-1]
    name = base = re.sub(r"\W", "_", "_".join((*parents, own)))
    number = 1
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    taken.add(name)
    return name


def to_verilog(component: Component, name: str, *, header: str = "", platform: object = None) -> str:
    """The component as Verilog: one file of text, its top module called ``name``, ``header`` as a comment.

    ``name`` must be a plain identifier; ``platform`` chooses a family's primitives. Ports are the members of the
    signature joined by ``__``, ``clk`` and ``rst``.
    """
    if not _WORD.match(name) or name[0].isdigit():
        raise ValueError(f"name must be an identifier, not {name!r}")
    text = verilog.convert(component, name=name, platform=platform, emit_src=False, strip_internal_attrs=True)
    text = _EMPTY.sub("", text)
    text = _INITIAL.sub(r"\\$initial", text)
    text = _ZEROED.sub(_zero_loop, text)
    modules = {match[1]: match[2] for match in _MODULE.finditer(text)}
    modules = _with_ports(modules)
    groups = _shared(modules)
    taken: set[str] = set()
    names = {first: _plain(groups[first], taken) for first in sorted(modules, key=lambda n: (n != name, n))}
    parts = [f"module {names[first]} {body}" for first, body in _renamed(modules, names).items()]
    lines = [f"// {line}".rstrip() for line in header.splitlines()]
    lines += [f"/* verilator lint_off {waiver} */  // {reason}" for waiver, reason in WAIVERS.items()]
    return "\n".join(lines) + "\n\n" + "\n\n".join(parts) + "\n"


def to_rtlil(component: Component, name: str, *, platform: object = None) -> str:
    """The component as yosys's own language, for synthesis; ``platform`` chooses a family's primitives."""
    text: str = rtlil.convert(component, name=name, platform=platform, emit_src=False)
    return text


def engine_verilog(config: EngineConfig) -> str:
    """The engine of one configuration, top module ``engine``; the header names version, sizes and hash."""
    from .engine import Engine

    header = (
        f"Systolith {metadata.version('systolith')}: systolic CNN engine.\n"
        f"{config.describe()}, {config.banks} banks.\n"
        f"Configuration hash {config.hash:#010x}."
    )
    return to_verilog(Engine(config), "engine", header=header)
