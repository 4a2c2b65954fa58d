"""Operations become instructions: one COMPUTE for each strip and block of ``cols`` output channels.

What COMPUTE reads and writes are views: patches of maps somewhere in the scratchpad.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..hw.config import EngineConfig
from ..hw.isa import COMPUTE, POOL_MAX, steps
from ..quant.network import IntArray
from .block import Block
from .depthwise import Fir
from .operations import Operation
from .parts import code, parts, walk
from .patches import Span, View, act_patch, residual_patch
from .program import ComputeInfo
from .step import Step
from .streams import block_words
from .strips import Strip
from .tiles import Tiles

__all__ = ["Lowering", "Operands"]


@dataclass(frozen=True)
class Operands:
    """Where a COMPUTE's tensors are."""

    act: View
    residual: View | None
    out: View
    vector: View | None = None


class Lowering:
    """The COMPUTEs of one operation, which share its tiles and its count of MACs."""

    def __init__(self, op: Operation, config: EngineConfig) -> None:
        self.op, self.config = op, config
        self.tiles = Tiles(op, config)
        height, width, channels = op.output.shape
        self._work = height * width * channels
        self._done = self._macs = 0
        self._blocks: dict[tuple[int, int, int], Block] = {}
        self._tables: dict[int, IntArray] = {}
        self._read: tuple[int, int] | None = None  # the block that goes on, its rows above which are read

    def computes(
        self, strip: Strip, block: int, operands: Operands, after: tuple[Strip, int] | None = None
    ) -> Iterator[Step]:
        """The COMPUTEs of one block of a strip, mostly one; to be called once for each, in order.

        ``after``: the strip and block that follow, before any other depthwise operation.
        """
        for part in parts(self.op, strip):
            yield self._compute(part, block, operands, after)

    def _compute(self, strip: Strip, block: int, operands: Operands, after: tuple[Strip, int] | None) -> Step:
        """The COMPUTE of one part."""
        op, config = self.op, self.config
        channel = block * config.cols
        self._done += strip.outputs * min(config.cols, op.output.shape[2] - channel)
        macs, before = op.macs * self._done // self._work, self._macs
        self._macs = macs
        info = ComputeInfo(
            layer=op.layer, name=op.name, output=op.output.name,
            pixel=strip.y0 * op.output.shape[1] + strip.x0, channel=channel,
            count=strip.outputs, macs=macs - before,
        )  # fmt: skip
        written = operands.out.spans(block_words(block, config), strip.y0, strip.y1 - 1)
        if strip.x1 - strip.x0 < op.output.shape[1]:  # a piece of one row
            at = strip.x0 - operands.out.patch.x0
            written = [(low + at, low + at + strip.outputs) for low, _ in written]
        values = self._fields(strip, channel, operands)
        reads = list(self._reads(strip, block, operands))
        if self.tiles.fir is not None:
            depthwise, ahead = self._depthwise(self.tiles.fir, strip, block, operands.act, after)
            values |= depthwise
            if ahead and after is not None:
                top = operands.act.patch.y0
                reads += operands.act.spans(block_words(after[1], config), top, top + ahead - 1)
        return Step(
            instruction=COMPUTE,
            values=values,
            reads=reads,
            writes=written,
            weights=self._block(block, *code(op, strip)),
            table=self._table(block),
            info=info,
        )

    def _depthwise(
        self, fir: Fir, strip: Strip, block: int, act: View, after: tuple[Strip, int] | None
    ) -> tuple[dict[str, int], int]:
        """Fields of a depthwise COMPUTE, and the rows that it reads for the next block."""
        lead = fir.lead(strip)
        if self._read is not None and self._read[0] == block:
            lead = fir.left(strip, self._read[1])
        ahead, self._read = 0, None
        if after is not None and after[1] != block:
            ahead = fir.ahead(strip, block, act, *after)
            self._read = (after[1], ahead) if ahead else None
        elif after is not None and fir.follows(strip, after[0]):
            self._read = block, fir.slots(strip).rows.end
        return fir.fields(strip, block, act, lead, ahead), ahead

    def _reads(self, strip: Strip, block: int, operands: Operands) -> Iterator[Span]:
        """Whole rows of the patches read."""
        op, config = self.op, self.config
        own = block_words(block, config)
        patch = act_patch(op, strip)
        if patch.rows:
            first, count = self.tiles.inputs(block)
            blocks = range(first // config.lanes, -(-(first + count) // config.lanes))
            last = patch.y0 + (patch.rows - 1) * patch.dy
            if operands.act.patch.dy == 1:
                yield from operands.act.spans(blocks, patch.y0, last)
            else:
                yield from operands.act.spans(blocks)
        if operands.residual is not None:
            patch = residual_patch(op, strip)
            yield from operands.residual.spans(own, patch.y0, patch.y0 + patch.rows - 1)
        if operands.vector is not None:
            yield from operands.vector.spans(own)

    def _block(self, block: int, diagonal: int, lift: int) -> Block:
        """The weights and parameters of a block, the same object for each strip."""
        key = block, diagonal, lift
        if key not in self._blocks:
            self._blocks[key] = Block(self.op, self.config, self.tiles, *key)
        return self._blocks[key]

    def _table(self, block: int) -> IntArray | None:
        """The table of a block: one row where its channels share it, the same object for each strip."""
        table = self.op.table
        if table is None or len(table) == 1:
            return table
        if block not in self._tables:
            rows = table[block * self.config.cols : (block + 1) * self.config.cols]
            self._tables[block] = rows[:1] if (rows == rows[0]).all() else rows
        return self._tables[block]

    def _fields(self, strip: Strip, channel: int, operands: Operands) -> dict[str, int]:
        """Every field but the waits and keep."""
        op, config = self.op, self.config
        act, out = operands.act, operands.out
        # Positions of the strip's first pixel, in pixels of the convolution and in the input map.
        counts, across, down, pixel_y, pixel_x = walk(op, strip)
        y0, x0 = pixel_y * op.stride[0] - op.origin[0], pixel_x * op.stride[1] - op.origin[1]
        number = channel // config.cols
        start, _ = self.tiles.inputs(number)
        block, target = start // config.lanes, channel // config.lanes
        taps = steps((op.dilation[1], act.rows(op.dilation[0]) if op.kernel[0] > 1 else 0), op.kernel[::-1])
        values = {
            "kb_last": self.tiles.input_blocks(number) - 1,
            "ky_last": op.kernel[0] - 1,
            "kx_last": op.kernel[1] - 1,
            "in_base": act.word(block, y0, x0) % config.words,
            "in_block_step": act.step(block) % config.words,
            "in_rot": start % config.lanes,
            "in_signed": int(op.act.format.signed),
            "in_height": op.act.shape[0],
            "in_width": op.act.shape[1],
            "y0": y0,
            "x0": x0,
            "kx_x_step": op.dilation[1] if op.kernel[1] > 1 else 0,
            "kx_addr_step": taps[0] % config.words if op.kernel[1] > 1 else 0,
            "ky_y_step": op.dilation[0] if op.kernel[0] > 1 else 0,
            "ky_addr_step": taps[1] % config.words if op.kernel[0] > 1 else 0,
            "out_base": out.word(target, strip.y0, strip.x0) % config.words,
            "out_block_step": out.step(target) % config.words,
            "out_rot": channel % config.lanes,
            "pool": op.pool,
            "skip": int(op.pool == POOL_MAX and op.wgt is None),
            "lo": op.lo,
            "hi": op.hi,
        }
        if op.mean is not None:
            values |= {
                "mean_weight": op.mean.weight,
                "mean_shift": op.mean.shift + config.max_left_shift,
                "mean_lo": op.mean.lo,
                "mean_hi": op.mean.hi,
            }
        columns, rows = [x * op.stride[1] for x in across], [y * op.stride[0] for y in down]
        strides = {
            "x_step": columns,
            "y_step": rows,
            "addr_step": [
                x + (act.rows(y) if count > 1 else 0)
                for x, y, count in zip(columns, rows, counts, strict=True)
            ],
        }
        residual = operands.residual
        if residual is not None:
            assert op.residual is not None
            values |= {
                "res": 1,
                "res_signed": int(op.residual.format.signed),
                "res_base": residual.word(target, pixel_y, pixel_x) % config.words,
                "res_block_step": residual.step(target) % config.words,
            }
            strides["res_step"] = [x + residual.rows(y) for x, y in zip(across, down, strict=True)]
        vector = operands.vector
        if vector is not None:
            assert op.vector is not None
            values |= {
                "product": 1,
                "res_signed": int(op.vector.format.signed),
                "res_base": vector.word(target, 0, 0) % config.words,
                "res_block_step": vector.step(target) % config.words,
            }
        for name, per_loop in strides.items():
            for loop, count, step in zip(
                ("wx", "wy", "ox", "oy"), counts, steps(per_loop, counts), strict=True
            ):
                values[f"{loop}_last"] = count - 1
                wraps = name in ("addr_step", "res_step")
                values[f"{name}_{loop}"] = 0 if count == 1 else step % config.words if wraps else step
        return values
