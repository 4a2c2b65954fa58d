"""Measures one engine's clock: place and route once a seed, resources, what they must be, estimates for other parts.

Every step is kept by content (``sw.synthesis``), so a run that was interrupted goes on where it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ...hw.config import EngineConfig
from ..synthesis import synthesize
from ..synthesis_devices import device_named
from ..synthesis_netlist import yosys_output
from ..synthesis_report import CriticalPath
from ..synthesis_tools import SynthesisError, described, find
from .clock_cases import ClockCase
from .clock_results import Clock

__all__ = ["ESTIMATES", "cells_by_kind", "estimate", "limit", "measure_clock"]

ESTIMATES = {
    "xc7": "synth_xilinx -family xc7 -top engine -flatten -noiopad",
    "xcup": "synth_xilinx -family xcup -top engine -flatten -noiopad",
    "gw2a": "synth_gowin -family gw2a -top engine -noiopads -no-rw-check",
}
"""Families whose cells yosys counts, nothing placed: 7-series, UltraScale+, Gowin."""

_KINDS: tuple[tuple[str, str, float], ...] = (
    ("LUT", r"LUT[1-6]|TRELLIS_COMB|ALU", 1),
    ("LUT", r"RAM32M|RAM64M", 4),
    ("LUT", r"RAM32M16|RAM64M8", 8),
    ("LUT", r"RAM16SDP[124]|RAM16S[124]|SRL16E|SRLC32E", 1),
    ("FF", r"FD[RSPC]E(_1)?|DFF[NRSEPC]*|TRELLIS_FF", 1),
    ("DSP", r"MULT\w+|DSP48E[12]", 1),
    ("BRAM", r"DP16KD|RAMB18E[12]|DPX?9?B|SDPX?9?B|SPX?9?|pROMX?9?|BSRAM", 1),
    ("BRAM", r"RAMB36E[12]", 2),
)
"""A kind of cell, names of cells of that kind, how many of the kind each is; a BRAM is a block of 16 or 18 Kbit."""


def cells_by_kind(counts: Mapping[str, int]) -> dict[str, int]:
    """LUT, FF, DSP and BRAM of a list of cells; gates of carry chains and wide multiplexers are part of none."""
    found = dict.fromkeys(("LUT", "FF", "DSP", "BRAM"), 0.0)
    for name, count in counts.items():
        for kind, pattern, each in _KINDS:
            if re.fullmatch(pattern, name):
                found[kind] += each * count
                break
    return {kind: int(count) for kind, count in found.items()}


_STEP = re.compile(r"(\w+)\.(\w+)(?:  net .*)?$")
_BLOCK_PORT = re.compile(r"(DO|DI|AD|WE|CE|OCE|CS)[AB]\d*")


def _end(step: str) -> str:
    """DSP, block RAM or register at the end of a path that this step, ``delay total type cell.port``, is at."""
    found = _STEP.search(step)
    if found is None:
        return "register"
    return "DSP" if found[1] == "dsp" else "block RAM" if _BLOCK_PORT.fullmatch(found[2]) else "register"


def limit(path: CriticalPath) -> str:
    """What holds the clock: what the path starts and ends in, levels of logic, the share of the wires."""
    share = 100 * path.routing / path.total if path.total else 0.0
    ends = f"{_end(path.steps[0])} to {_end(path.steps[-1])}" if path.steps else "register to register"
    return (
        f"{'routing' if share > 50 else 'logic'}: {ends}, {path.levels} levels, {share:.0f} % wires; "
        f"{path.source} to {path.target}"
    )


def estimate(config: EngineConfig, say: Callable[[str], None]) -> dict[str, dict[str, int]]:
    """Cells of the generic description in each of ``ESTIMATES``. Raises SynthesisError."""
    from ...hw.engine import Engine
    from ...hw.verilog import to_rtlil

    text, found = to_rtlil(Engine(config), "engine"), {}
    for name, command in ESTIMATES.items():
        report = json.loads(yosys_output(text, command, "tee -q -o {output} stat -json", say))
        found[name] = cells_by_kind(report["design"]["num_cells_by_type"])
    return found


def _nextpnr(device: str) -> tuple[str, str]:
    """The program and the wheel it is in."""
    family = device_named(device).family
    return family.programs[1], family.packages[family.programs[1]]


def _way(device: str) -> str:
    """Placer and router, where there is a choice."""
    target = device_named(device)
    return " ".join(filter(None, (target.placer or target.family.placer, target.family.router)))


def _needed(config: EngineConfig, available: Mapping[str, int]) -> dict[str, int]:
    from ...hw.engine import Engine
    from ...hw.inventory import inventory

    found = inventory(Engine(config))
    return {
        "DSP": min(found.multipliers.total(), available.get("MULT18X18D", 0)),
        "BRAM": found.ecp5_blocks,
    }


def measure_clock(
    case: ClockCase,
    commit: str,
    *,
    seeds: Iterable[int] | None = None,
    jobs: int = 1,
    say: Callable[[str], None],
) -> Clock:
    """One row: ``seeds`` of nextpnr, by default 1 to the case's. A design that does not fit is the row's error."""
    chosen = tuple(range(1, case.seeds + 1) if seeds is None else seeds)
    row = Clock(case=case.name, commit=commit, engine=case.config.describe(), device=case.device, netlist="")
    try:
        result = synthesize(case.config, device=case.device, seeds=chosen, jobs=jobs, say=say)
    except SynthesisError as error:
        if "does not fit" not in str(error):
            raise
        return replace(row, error=str(error))
    path = result.slowest.path
    return replace(
        row,
        netlist=f"{Path(result.folder).name} {_way(case.device)}".strip(),
        nextpnr=described(find(*_nextpnr(case.device))),
        mhz={str(route.seed): round(route.mhz, 2) for route in result.routes},
        limit="" if path is None else limit(path),
        cells=cells_by_kind({name: used for name, (used, _) in result.resources.items()}),
        needed=_needed(case.config, {name: there for name, (_, there) in result.resources.items()}),
        estimates=estimate(case.config, say) if case.estimated else {},
    )
