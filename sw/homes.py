"""Homes: where spilled tensors lie in external memory.

    word of (block, y, x) = offset + (block * pixels + y * width + x) * word_beats * port_bytes

as STORE leaves them. An output of the network has its home in the result, all others in the spill region, one after
the other. For the waits the words of all homes are numbered from 0 on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ..hw.config import EngineConfig
from ..quant.network import Tensor
from .program import STRIDE, OutputInfo

__all__ = ["Home", "homes"]


@dataclass(frozen=True)
class Home:
    """``first``: number of its first word; ``offset`` in bytes from the region's start."""

    region: str
    offset: int
    first: int
    blocks: int
    height: int
    width: int

    def shaped(self, tensor: Tensor) -> Home:
        """The same for a tensor whose map has other rows of as many pixels."""
        return replace(self, height=tensor.shape[0], width=tensor.shape[1])

    def part(self, block: int, blocks: int, config: EngineConfig) -> Home:
        """Some of its blocks."""
        before = block * self.pixels
        return replace(
            self,
            offset=self.offset + before * config.word_beats * config.port_bytes,
            first=self.first + before,
            blocks=min(blocks, self.blocks - block),
        )

    @property
    def pixels(self) -> int:
        """Words of a block."""
        return self.height * self.width

    @property
    def words(self) -> int:
        """All of them."""
        return self.blocks * self.pixels


def homes(
    spilled: Collection[str],
    tensors: Mapping[str, Tensor],
    outputs: Sequence[OutputInfo],
    config: EngineConfig,
) -> tuple[dict[str, Home], int]:
    """Homes of tensors, in the order of ``spilled``, and the bytes of the spill region."""
    result: dict[str, Home] = {}
    results = {out.tensor: out.offset for out in outputs}
    first = end = 0
    for name in spilled:
        height, width, channels = tensors[name].shape
        region, offset = ("output", results[name]) if name in results else ("spill", end)
        home = Home(region, offset, first, -(-channels // config.lanes), height, width)
        first += home.words
        if region == "spill":
            end = offset + home.words * config.word_beats * config.port_bytes
            end = -(-end // STRIDE) * STRIDE
        result[name] = home
    return result, end
