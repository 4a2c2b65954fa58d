"""LOADs and STOREs: between external memory and the scratchpad.

A patch of the network's input is dense pixels, all blocks in one LOAD (one a row where rows are not whole), or folded
words of them. A patch of a spilled tensor is words, block after block: one LOAD each, or one a row likewise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil

from ..hw.config import EngineConfig
from ..hw.isa import LOAD, REGIONS, STORE
from ..quant.network import Tensor
from .folding import Fold
from .homes import Home
from .patches import Patch, Span, View
from .step import Step

__all__ = ["FoldedImage", "fetch_words", "load_image", "store_words"]


def load_image(tensor: Tensor, view: View, config: EngineConfig) -> Iterator[Step]:
    """LOADs of a view's patch of the network's input, ``tensor`` as it is in memory."""
    _, width, channels = tensor.shape
    blocks = -(-channels // config.lanes)
    patch = view.patch
    for y, rows, at in _runs(patch, width):
        count = rows * patch.width
        values = _pixels(tensor, y * width + patch.x0, count, config) | {
            "blocks": blocks,
            "tail": channels - (blocks - 1) * config.lanes,
            "base": (view.planes[0] + at) % config.words,
            "block_step": view.step(0) % config.words,
        }
        yield Step(instruction=LOAD, values=values, writes=_writes(view, blocks, at, count))


def _pixels(tensor: Tensor, first: int, count: int, config: EngineConfig) -> dict[str, int]:
    """Fields of ``count`` pixels of the network's input from number ``first`` on."""
    size = tensor.shape[2] * config.lane_bytes
    start = first * size
    before = start % config.port_bytes
    return {
        "region": REGIONS.index("input"),
        "offset": start - before,
        "beats": -(-(before + count * size) // config.port_bytes),
        "skip": before // config.lane_bytes,
        "pixels": count,
    }


def _writes(view: View, blocks: int, at: int, count: int) -> list[Span]:
    return [(view.planes[block] + at, view.planes[block] + at + count) for block in range(blocks)]


class FoldedImage:
    """LOADs of the network's input, ``tensor`` as it is in memory, in folded words, ``fold.merge`` pixels as one.

    Patches count the folded map's rows and columns, and come in the order of the program: rows that the LOAD before has
    left in the line buffer are not loaded again.
    """

    def __init__(self, tensor: Tensor, fold: Fold, config: EngineConfig) -> None:
        self._tensor, self._fold, self._config = fold.image(tensor), fold, config
        self._next = -1
        """the row below those of the LOAD before"""

    def end(self, row: int) -> int:
        """Where a LOAD of the folded rows above ``row`` ends: behind all where none of the image is left."""
        return self._fold.rows if row + self._fold.ahead >= self._tensor.shape[0] else row

    def load(self, view: View) -> Iterator[Step]:
        """LOADs of a view's patch, of whole rows."""
        for y, rows, at in _runs(view.patch, self._fold.width):
            yield self._load(view, y, rows, at)

    def _load(self, view: View, y: int, rows: int, at: int) -> Step:
        """Words of folded rows y.. : image rows y - top .., as far as they are not in the line buffer."""
        fold, config = self._fold, self._config
        height, width, channels = self._tensor.shape
        least, own, end = max(0, y - fold.top), y + fold.ahead, y + rows + fold.ahead
        held = least < self._next <= min(own, height - 1)
        start = self._next if held else least
        self._next = end
        real = min(end, height) - start
        values = _pixels(self._tensor, start * width, real * width, config) | {
            "blocks": -(-fold.elements // config.lanes),
            "tail": channels,
            "base": (view.planes[0] + at) % config.words,
            "block_step": view.step(0) % config.words,
            "fold": 1,
            "row_last": width - 1,
            "before": fold.before,
            "zeros": fold.zeros,
            "rows_above": fold.stack - 1,
            "rows_held": min(fold.stack - 1, start) if held else 0,
            "rows_before": own - start,
            "rows_zero": end - start - real,
            "turns": int(fold.turns),
            "second": (y + fold.above) % 2 if fold.turns else 0,
            "half": fold.half,
        }
        return Step(
            instruction=LOAD,
            values=values,
            writes=_writes(view, values["blocks"], at, rows * view.patch.width),
        )


def _runs(patch: Patch, width: int) -> Iterator[tuple[int, int, int]]:
    """(row of the map, rows, word in the plane) of what lies together in memory."""
    if patch.dy == 1 and patch.width == width:
        if patch.rows:
            yield patch.y0, patch.rows, 0
        return
    for row in range(patch.rows):
        yield patch.y0 + row * patch.dy, 1, row * patch.width


def fetch_words(home: Home, view: View, blocks: Iterable[int], config: EngineConfig) -> Iterator[Step]:
    """LOADs of a view's patch of a spilled tensor, those blocks that exist.

    A word that does not fill its beats comes with its padding as more blocks, each one word on: the next word
    overwrites it, and behind the last one lies a guard.
    """
    elements = config.word_beats * config.port_bytes // config.lane_bytes
    parts = ceil(elements / config.lanes)
    patch = view.patch
    for block in blocks:
        for y, rows, at in _runs(patch, home.width):
            if block >= home.blocks:
                continue
            count, base = rows * patch.width, view.planes[block] + at
            word = block * home.pixels + y * home.width + patch.x0
            values = {
                "region": REGIONS.index(home.region),
                "offset": home.offset + word * config.word_beats * config.port_bytes,
                "beats": count * config.word_beats,
                "pixels": count,
                "blocks": parts,
                "tail": elements - (parts - 1) * config.lanes,
                "base": base % config.words,
                "block_step": 1,
            }
            yield Step(
                instruction=LOAD,
                values=values,
                writes=[(base, base + count + parts - 1)],
                memory_reads=[(home.first + word, home.first + word + count)],
            )


def store_words(home: Home, view: View, blocks: Iterable[int], config: EngineConfig) -> Iterator[Step]:
    """STOREs of a view's patch of a tensor to its home, those blocks that exist."""
    patch = view.patch
    for block in blocks:
        for y, rows, at in _runs(patch, home.width):
            if block >= home.blocks:
                continue
            count, base = rows * patch.width, view.planes[block] + at
            word = block * home.pixels + y * home.width + patch.x0
            values = {
                "region": REGIONS.index(home.region),
                "offset": home.offset + word * config.word_beats * config.port_bytes,
                "pixels": count,
                "blocks": 1,
                "base": base % config.words,
                "block_step": 0,
            }
            yield Step(
                instruction=STORE,
                values=values,
                reads=[(base, base + count)],
                memory_writes=[(home.first + word, home.first + word + count)],
            )
