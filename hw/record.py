"""Records of named fields: what an instruction is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .config import EngineConfig

__all__ = ["Field", "Instruction", "Width"]

Width = int | Callable[[EngineConfig], int]
"""Bits of a field, or how they follow from the configuration."""


@dataclass(frozen=True)
class Field:
    """One field: its width in bits (or a function of the configuration), signedness, meaning with unit."""

    name: str
    width: Width
    doc: str
    signed: bool = False

    def bits(self, config: EngineConfig) -> int:
        """The width for one configuration."""
        return self.width if isinstance(self.width, int) else self.width(config)

    def range(self, config: EngineConfig) -> tuple[int, int]:
        """The least and the greatest value."""
        bits = self.bits(config)
        half = 1 << bits >> 1
        return (-half, max(half - 1, 0)) if self.signed else (0, (1 << bits) - 1)

    def check(self, value: int, config: EngineConfig) -> int:
        """The value's bit pattern. Raises ``ValueError`` naming the field if it does not fit."""
        bits = self.bits(config)
        low, high = self.range(config)
        if not low <= value <= high:
            kind = "signed bits" if self.signed else "bits"
            raise ValueError(f"{self.name} must fit in {bits} {kind}, not {value}")
        return int(value) & ((1 << bits) - 1)


@dataclass(frozen=True)
class Instruction:
    """One instruction: its opcode, the unit that executes it, the loop nest it stands for, its fields."""

    name: str
    opcode: int
    unit: str
    doc: str
    fields: tuple[Field, ...]
