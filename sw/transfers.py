"""LOADs and STOREs: between external memory and the scratchpad.

A patch of the network's input is dense pixels, all blocks in one LOAD (one a row where rows are not whole). A patch of
a spilled tensor is words, block after block: one LOAD each, or one a row likewise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil

from ..hw.config import EngineConfig
from ..hw.isa import LOAD, REGIONS, STORE
from ..quant.network import Tensor
from .folding import Fold
from .homes import Home
from .patches import Patch, View
from .step import Step

__all__ = ["fetch_words", "load_image", "store_words"]


def load_image(tensor: Tensor, view: View, config: EngineConfig, fold: Fold | None = None) -> Iterator[Step]:
    """LOADs of a view's patch of the network's input, ``tensor`` as it is in memory.

    With ``fold`` rows are whole, and the patch counts the columns that folding leaves.
    """
    _, width, channels = tensor.shape
    blocks = -(-channels // config.lanes)
    patch = view.patch
    for y, rows, at in _runs(patch, fold.width if fold else width):
        count = rows * (width if fold else patch.width)
        start = (y * width + (0 if fold else patch.x0)) * channels * config.lane_bytes
        before = start % config.port_bytes
        values = {
            "region": REGIONS.index("input"),
            "offset": start - before,
            "beats": -(-(before + count * channels * config.lane_bytes) // config.port_bytes),
            "skip": before // config.lane_bytes,
            "pixels": count,
            "blocks": blocks,
            "tail": channels - (blocks - 1) * config.lanes,
            "base": (view.planes[0] + at) % config.words,
            "block_step": view.step(0) % config.words,
        }
        if fold:
            values |= {"fold": 1, "row_last": width - 1, "before": fold.before, "zeros": fold.zeros}
        planes = [view.planes[block] + at for block in range(blocks)]
        writes = [(plane, plane + rows * patch.width) for plane in planes]
        yield Step(instruction=LOAD, values=values, writes=writes)


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
