"""An energy proxy: how often what is accessed, times what the access costs by a published table (energy.json).

    energy = macs * (multiply(act_width, wgt_width) + add(acc_width))
           + bits of scratchpad, accumulators and queues, read and written, * sram(bytes of that memory)
           + bits over the memory port * dram                                                 pJ an image

    multiply(a, w) = 0.2 * a * w / 64      add(n) = 0.1 * n / 32       the table's 8 and 32 bits, in proportion
    sram(bytes)    = between the table's sizes a power law, outside of them the nearest one; a bit of 64
    dram           = the middle of the table's range; a bit of 64

The table is of 45 nm silicon, not of an FPGA: the figure ranks points, it measures nothing. Idle PEs, clock and
leakage are not in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from math import log
from pathlib import Path
from typing import Any

from ...hw.config import EngineConfig

__all__ = ["LEVELS", "energy", "table"]

LEVELS = ("mac", "scratchpad", "accumulators", "queues", "memory")
"""From the arithmetic outwards."""

_QUEUE_BYTES = 8192
"""Queues and FIFOs are small: the table's smallest memory."""


@cache
def table() -> Mapping[str, Any]:
    """The costs, and their source."""
    found: Mapping[str, Any] = json.loads(Path(__file__).with_name("energy.json").read_text())
    return found


def _sram(size: float) -> float:
    """pJ to read or write a bit of a memory of ``size`` bytes."""
    costs = table()["sram"]
    sizes, energies = costs["bytes"], costs["energy"]
    if size <= sizes[0] or size >= sizes[-1]:
        return float(energies[0] if size <= sizes[0] else energies[-1]) / float(costs["bits"])
    for (low, high), (cheap, dear) in zip(pairwise(sizes), pairwise(energies), strict=True):
        if size <= high:
            part = log(size / low) / log(high / low)
            return float(cheap * (dear / cheap) ** part) / float(costs["bits"])
    raise AssertionError("a size between the first and the last")


def energy(accesses: Mapping[str, int], config: EngineConfig) -> dict[str, float]:
    """pJ by level. ``accesses``: MACs under "mac", bits under the other ``LEVELS``."""
    multiply, add, dram = table()["multiply"], table()["add"], table()["dram"]
    one = (
        multiply["energy"] * config.act_width * config.wgt_width / (multiply["bits"][0] * multiply["bits"][1])
    )
    each = {
        "mac": one + add["energy"] * config.acc_width / add["bits"],
        "scratchpad": _sram(config.words * config.lanes * config.act_width / 8 / config.banks),
        "accumulators": _sram(config.acc_depth * config.acc_width / 8),
        "queues": _sram(_QUEUE_BYTES),
        "memory": sum(dram["energy"]) / 2 / dram["bits"],
    }
    return {level: accesses[level] * each[level] for level in LEVELS}
