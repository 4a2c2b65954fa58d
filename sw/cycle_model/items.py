"""Items of a LOAD: what ``hw.load_writer`` asks of the gearbox, and what is made of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, repeat

from ...hw.config import EngineConfig

__all__ = ["item_count", "item_sizes", "item_words"]


def _rows(v: Mapping[str, int]) -> tuple[int, int]:
    """Rows and pixels of a row of a LOAD with fold, zeros among them."""
    return v["pixels"] // (v["row_last"] + 1) + v["rows_zero"], v["row_last"] + 1 + v["zeros"]


def item_count(v: Mapping[str, int]) -> int:
    """Items out of the gearbox: words, with fold pixels."""
    if not v["fold"]:
        return v["pixels"] * v["blocks"]
    rows, columns = _rows(v)
    return rows * columns


def item_sizes(v: Mapping[str, int], config: EngineConfig) -> Iterator[int]:
    """Elements of each item; without fold without an end."""
    if not v["fold"]:
        yield from cycle([*[config.lanes] * (v["blocks"] - 1), v["tail"]])
        return
    rows, columns = _rows(v)
    for y in range(rows):
        real = v["row_last"] + 1 if y < rows - v["rows_zero"] else 0
        yield from repeat(v["tail"], real)
        yield from repeat(0, columns - real)


def item_words(v: Mapping[str, int]) -> Iterator[Sequence[int]]:
    """The addresses of the words that are made of each item."""
    addr = v["base"]
    if not v["fold"]:
        for p in range(v["pixels"]):
            for b in range(v["blocks"]):
                yield (addr + p + b * v["block_step"],)
        return
    rows, columns = _rows(v)
    for y in range(rows):
        for x in range(columns):
            if x >= v["before"] and y >= v["rows_before"]:
                yield [addr + b * v["block_step"] for b in range(v["blocks"])]
                addr += 1
            else:
                yield ()
