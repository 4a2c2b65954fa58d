"""Contents of block RAM put into an ECP5 design that is routed already: another program in seconds.

    .bram_init NUMBER       2048 numbers of 9 bits, hexadecimal, of one block RAM; an empty line ends them

The design is placed with ``marks`` as contents, random and so different in every block; a block is found by them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from ..hw.ecp5 import block_contents
from ..hw.onchip_memory import memory_parts

__all__ = ["marks", "memory_blocks", "patched"]

_SECTION = re.compile(r"^\.bram_init (\d+)\n((?:[0-9a-f]{3}[ \n]+)+)", re.MULTILINE)
_LINE = 8


def marks(words: int, width: int) -> list[int]:
    """Contents of ``hw.onchip_memory`` that no two blocks share, the words that fill its last part included."""
    source = random.Random(0)
    return [source.getrandbits(width) for _ in range(words)]


def memory_blocks(words: int, width: int, init: Sequence[int]) -> list[tuple[int, ...]]:
    """Of each block RAM of an ``OnChipMemory`` with these contents its 2048 numbers of 9 bits, on ECP5."""
    blocks, first = [], 0
    for depth in memory_parts(words):
        part = init[first : first + depth]
        blocks += [tuple(block) for block in block_contents(width=width, depth=depth, init=part)]
        first += depth
    return blocks


def patched(config: str, old: Sequence[tuple[int, ...]], new: Sequence[tuple[int, ...]]) -> str:
    """nextpnr's text with every block of ``old`` contents holding those of ``new`` at the same place.

    Raises ValueError where a block of ``old`` is not in the text exactly once.
    """
    wanted, found = dict(zip(old, new, strict=True)), []
    if len(wanted) != len(old):
        raise ValueError("the marks of two block RAMs are equal: one could not be told from the other")

    def replace(match: re.Match[str]) -> str:
        values = tuple(int(value, 16) for value in match[2].split())
        if values not in wanted:
            return match[0]
        found.append(values)
        written = [f"{value:03x}" for value in wanted[values]]
        lines = [" ".join(written[i : i + _LINE]) for i in range(0, len(written), _LINE)]
        return f".bram_init {match[1]}\n" + "\n".join(lines) + "\n\n"

    text = _SECTION.sub(replace, config)
    if len(found) != len(wanted) or len(set(found)) != len(found):
        raise ValueError(f"{len(set(found))} of {len(wanted)} block RAMs of the memory are in the routed design: "
                         f"place it again")  # fmt: skip
    return text
