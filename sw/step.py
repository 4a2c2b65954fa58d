"""``Step``: an instruction before its waits are known."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..hw.isa import Instruction
from ..quant.network import IntArray
from .block import Block
from .patches import Span
from .program import ComputeInfo

__all__ = ["Step"]


@dataclass(kw_only=True)
class Step:
    """An instruction, its fields, the words [low, high) it reads and writes: of the scratchpad and of all homes."""

    instruction: Instruction
    values: dict[str, int]
    reads: list[Span] = field(default_factory=list)
    writes: list[Span] = field(default_factory=list)
    memory_reads: list[Span] = field(default_factory=list)
    memory_writes: list[Span] = field(default_factory=list)
    weights: Block | None = None
    table: IntArray | None = None
    """[1 or columns, 2**table_bits]: the entries that a COMPUTE looks up, or that a LOAD brings."""
    info: ComputeInfo | None = None
    op: int = 0
    """the operation it is for."""
