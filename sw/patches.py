"""Patches: the part of a map that a strip of output reads, and where a patch lies in the scratchpad.

    word of (block, y, x) = planes[block] + (y - y0) / dy * width + x - x0

A resident tensor is one patch, the whole map; a streamed one goes through slots, patch after patch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..hw.config import EngineConfig
from ..quant.network import Tensor
from .operations import Operation
from .strip import Strip

__all__ = ["Patch", "Span", "View", "act_patch", "flat", "output_patch", "residual_patch", "whole"]

Span = tuple[int, int]
"""Words low..high-1."""


class Patch(NamedTuple):
    """``rows`` rows y0, y0 + dy, ..., each of columns x0..x1-1."""

    y0: int
    rows: int
    dy: int
    x0: int
    x1: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.x1 - self.x0

    @property
    def pixels(self) -> int:
        """How many."""
        return self.rows * self.width


@dataclass(frozen=True)
class View:
    """A patch in the scratchpad: the first word of each block's plane."""

    planes: Mapping[int, int]
    patch: Patch

    def word(self, block: int, y: int, x: int) -> int:
        """Address of a pixel, which may lie outside of the patch."""
        patch = self.patch
        return self.planes[block] + (y - patch.y0) // patch.dy * patch.width + x - patch.x0

    def rows(self, count: int) -> int:
        """Words from a row of the map to the one ``count`` below, a multiple of dy."""
        return count // self.patch.dy * self.patch.width

    def step(self, block: int) -> int:
        """Words from a block's plane to the next one's."""
        return self.planes[block + 1] - self.planes[block] if block + 1 in self.planes else 0

    def spans(self, blocks: Iterable[int], low: int | None = None, high: int | None = None) -> list[Span]:
        """Words of rows ``low``..``high`` of the map (all of the patch) in those blocks that exist."""
        start = 0 if low is None else self.rows(low - self.patch.y0)
        end = self.patch.pixels if high is None else self.rows(high - self.patch.y0) + self.patch.width
        bases = [self.planes[block] for block in blocks if block in self.planes]
        return [(base + start, base + end) for base in bases if end > start]


def whole(height: int, width: int) -> Patch:
    """The patch of a whole map."""
    return Patch(0, height, 1, 0, width)


def flat(op: Operation, config: EngineConfig) -> Operation:
    """The operation on maps of one column, where that is the same: strips may then end at any pixel.

    A convolution with a kernel of one tap that makes each pixel from one; its maps lie pixel after pixel anyway.
    """
    height, width, _ = op.output.shape
    one = op.kernel == op.stride == op.window == op.window_stride == (1, 1)
    if op.wgt is None or not one or any(op.origin) or op.act.shape[:2] != (height, width):
        return op
    if height * width >= 1 << config.coord_width - 1:
        return op

    def column(tensor: Tensor) -> Tensor:
        return replace(tensor, shape=(height * width, 1, tensor.shape[2]))

    residual = None if op.residual is None else column(op.residual)
    return replace(op, act=column(op.act), residual=residual, output=column(op.output))


def act_patch(op: Operation, strip: Strip, full_rows: bool = False) -> Patch:
    """What a strip reads of ``op.act``. Where one row is read for each row of output, the rows between are left out.

    ``full_rows``: all columns, even for a piece of a row.
    """
    x0, x1 = 0, op.act.shape[1]
    if strip.x1 - strip.x0 < op.output.shape[1] and not full_rows:
        left, right = op.read(1, strip.x0, strip.x1 - 1)
        x0, x1 = (left, right + 1) if left <= right else (0, 0)
    low, high = op.read(0, strip.y0, strip.y1 - 1)
    stride = op.window_stride[0] * op.stride[0]
    if op.kernel[0] > 1 or op.window[0] > 1 or stride == 1:
        return Patch(low, max(high - low + 1, 0), 1, x0, x1)
    low += (-op.origin[0] - low) % stride
    return Patch(low, max((high - low) // stride + 1, 0), stride, x0, x1)


def residual_patch(op: Operation, strip: Strip) -> Patch:
    """What a strip reads of ``op.residual``: the pixels of its convolution."""
    assert op.residual is not None
    ends = [
        (last - 1) * op.window_stride[axis] + (op.window[axis] - 1) * op.window_dilation[axis] + 1
        for axis, last in enumerate((strip.y1, strip.x1))
    ]
    y0, x0, x1 = strip.y0 * op.window_stride[0], strip.x0 * op.window_stride[1], ends[1]
    if strip.x1 - strip.x0 == op.output.shape[1]:
        x0, x1 = 0, op.residual.shape[1]
    return Patch(y0, ends[0] - y0, 1, x0, x1)


def output_patch(strip: Strip) -> Patch:
    """What a strip writes."""
    return Patch(strip.y0, strip.y1 - strip.y0, 1, strip.x0, strip.x1)
