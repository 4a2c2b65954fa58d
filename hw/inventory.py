"""``inventory``: the memories and multipliers of a component, from its description, without any tool."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from amaranth.hdl import Fragment

from .ecp5 import block_geometry

if TYPE_CHECKING:
    from .block_memory import BlockMemory
    from .byte_memory import ByteMemory
    from .memory import Memory1R1W
    from .multiplier import Multiplier
    from .product import Product

__all__ = ["Inventory", "inventory"]


@dataclass
class Inventory:
    """How many of each size: memories by (bits, words), multipliers by (bits, bits).

    It is the ``platform`` of an elaboration that lowers nothing and counts all.
    """

    memories: Counter[tuple[int, int]] = field(default_factory=Counter)
    multipliers: Counter[tuple[int, int]] = field(default_factory=Counter)

    def lower_memory(self, memory: Memory1R1W) -> None:
        """Counted, not lowered."""
        self.memories[memory.width, memory.depth] += 1

    def lower_multiplier(self, multiplier: Multiplier) -> None:
        """Counted, not lowered."""
        self.multipliers[len(multiplier.a), len(multiplier.b)] += 1

    def lower_block_memory(self, memory: BlockMemory) -> None:
        """Counted, not lowered."""
        self.memories[memory.width, memory.depth] += 1

    def lower_byte_memory(self, memory: ByteMemory) -> None:
        """Counted, not lowered."""
        self.memories[8, memory.depth] += 1

    def lower_product(self, product: Product) -> None:
        """Counted, not lowered."""
        self.multipliers[len(product.a), len(product.b)] += 1

    @property
    def ecp5_blocks(self) -> int:
        """Block RAMs of an ECP5 that the memories take; deeper ones than any block are not counted."""
        sizes = ((n, block_geometry(width=w, depth=d)) for (w, d), n in self.memories.items())
        return sum(n * size[0] for n, size in sizes if size is not None)

    @property
    def memory_bits(self) -> int:
        """Bits of all memories."""
        return sum(n * width * depth for (width, depth), n in self.memories.items())


def inventory(component: Any) -> Inventory:
    """What a component, not elaborated yet, holds."""
    found = Inventory()
    Fragment.get(component, found)
    return found
