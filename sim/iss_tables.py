"""Tables of the instruction-set simulator: ``hw.isa`` LOAD and COMPUTE with ``table``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..hw.config import EngineConfig
from ..hw.isa import POOL_MEAN
from ..quant.network import IntArray

__all__ = ["TableError", "Tables"]

Values = Mapping[str, int]


class TableError(ValueError):
    """What the engine cannot do."""


@dataclass
class Tables:
    """``entries`` [2**table_addr_width, cols]: low act_width bits of each column's codes."""

    config: EngineConfig
    entries: IntArray = field(init=False)

    def __post_init__(self) -> None:
        self.entries = np.zeros((1 << self.config.table_addr_width, self.config.cols), np.int64)

    def load(self, v: Values, codes: IntArray) -> tuple[IntArray, IntArray]:
        """Numbers [n] and codes [n, cols] of the entries that a LOAD writes, of its elements [n, tail]."""
        config, count = self.config, codes.shape[1]
        if v["fold"] or v["blocks"] != 1 or count > config.cols:
            raise TableError(f"entries of {count} codes in {v['blocks']} words, at most {config.cols} in 1")
        at = v["base"] + np.arange(len(codes))
        if at[-1] >= len(self.entries):
            raise TableError(f"entry {at[-1]} of {len(self.entries)}")
        columns = np.zeros((len(codes), config.cols), np.int64)
        columns[:, : count if count > 1 else config.cols] = codes
        return at, columns

    def look_up(self, v: Values, codes: IntArray) -> IntArray:
        """Codes [n, cols] of a COMPUTE through its table, if it has one."""
        if not v["table"]:
            return codes
        if v["pool"] == POOL_MEAN:
            raise TableError("a table for a mean")
        bits = self.config.table_bits
        found: IntArray = np.take_along_axis(
            self.entries, v["slot"] << bits | codes & (1 << bits) - 1, axis=0
        )
        return found
