"""``floor_plan``: where the block RAMs of the scratchpad stand, told to the placer.

block k of the scratchpad, counted bit by bit, in each bit bank by bank: row k % R, site first + k // R of the R rows

Blocks of the same bits stand together, bits in their order, as the rows of the array want them. Left alone the placer
spreads a bank over the device: its wires are a fifth longer, and the router may not end (docs/decisions/0045).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil
from typing import Any

__all__ = ["ECP5_85", "BlockRows", "floor_plan"]


@dataclass(frozen=True, kw_only=True)
class BlockRows:
    """A device's block RAMs: ``sites`` of a row, (x, name) each, and its rows in the order of filling."""

    cell: str
    sites: tuple[tuple[int, str], ...]
    rows: tuple[int, ...]

    def place(self, row: int, site: int) -> str:
        """As nextpnr names it."""
        x, name = self.sites[site]
        return f"X{x}/Y{row}/{name}"


_GROUPS = (*range(4, 66, 9), *range(69, 122, 9))
"""x of the first block of each four on an LFE5U-85F."""

ECP5_85 = BlockRows(
    cell="DP16KD",
    sites=tuple((x + 2 * i, f"EBR{i}") for x in _GROUPS for i in range(4)),
    rows=(70, 82, 46, 22),
)

_BLOCK = re.compile(r"(?:^|\.)scratchpad\.bank_(\d+)_\d+\.block_(\d+)$")
_FIRST = 3
"""Site that a row begins at: the multipliers that are in use stand to the left."""


def floor_plan(design: dict[str, Any], device: BlockRows) -> int:
    """Give the scratchpad's blocks in yosys's netlist, a document of JSON, their places; how many have one.

    All other blocks are left to the placer, and these too where there are more than the device has sites.
    """
    blocks = []
    for module in design["modules"].values():
        for name, cell in module.get("cells", {}).items():
            match = _BLOCK.search(name) if cell["type"] == device.cell else None
            if match is not None:
                bit = int(match[2]) * int(cell["parameters"]["DATA_WIDTH_A"], 2)
                blocks.append((bit, int(match[1]), name, cell))
    needed = ceil(len(blocks) / (len(device.sites) - _FIRST))
    if needed > len(device.rows):
        return 0
    for number, (*_, cell) in enumerate(sorted(blocks, key=lambda block: block[:3])):
        place = device.place(device.rows[number % needed], _FIRST + number // needed)
        cell.setdefault("attributes", {})["BEL"] = place
    return len(blocks)
