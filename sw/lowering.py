"""Operations become abstract instructions: one COMPUTE for each strip and block of ``cols`` output channels.

LOAD the rows the first strip needs, the rows the next one needs besides, ...
for operation:
  for strip:                          # outer, so that the next operation finds its first rows early
    for block: COMPUTE
  STORE the output, if it is one of the network's
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..hw.config import EngineConfig
from ..hw.isa import COMPUTE, LOAD, POOL_MAX, REGIONS, STORE, Instruction, steps
from ..quant.network import IntArray, Tensor
from .allocation import Placement
from .folding import Fold
from .operations import Operation
from .program import ComputeInfo, OutputInfo
from .strips import Strip, strips
from .tiles import Tiles
from .weights import Segment

__all__ = ["Step", "lower_loads", "lower_operation", "lower_store"]

Span = tuple[int, int]


@dataclass(kw_only=True)
class Step:
    """An instruction before its waits are known: its fields, the words [low, high) it reads and writes."""

    instruction: Instruction
    values: dict[str, int]
    reads: list[Span] = field(default_factory=list)
    writes: list[Span] = field(default_factory=list)
    segment: Segment | None = None
    info: ComputeInfo | None = None


def lower_loads(
    tensor: Tensor,
    place: Placement,
    readers: Sequence[Operation],
    config: EngineConfig,
    fold: Fold | None = None,
) -> Iterator[Step]:
    """LOADs of the network's input, split where the strips of its first reader ask for more rows."""
    height, width, channels = tensor.shape
    ends = {height}
    if readers:
        ends |= {readers[0].rows_read(s.y0, s.y1 - 1)[1] + 1 for s in strips(readers[0], config, first=True)}
    blocks = -(-channels // config.lanes)
    row_bytes = width * channels * config.lane_bytes
    top = 0
    for bottom in sorted(end for end in ends if end > 0):
        before = top * row_bytes % config.port_bytes
        words = fold.width if fold else width
        pixel = top * words
        values = {
            "region": REGIONS.index("input"),
            "offset": top * row_bytes - before,
            "beats": -(-(before + (bottom - top) * row_bytes) // config.port_bytes),
            "skip": before // config.lane_bytes,
            "pixels": (bottom - top) * width,
            "blocks": blocks,
            "tail": channels - (blocks - 1) * config.lanes,
            "base": place.base + pixel,
            "block_step": place.block_step % config.words,
        }
        if fold:
            values |= {"fold": 1, "row_last": width - 1, "before": fold.before, "zeros": fold.zeros}
        writes = _spans(place, range(blocks), pixel, bottom * words)
        yield Step(instruction=LOAD, values=values, writes=writes)
        top = bottom


def lower_store(tensor: Tensor, place: Placement, output: OutputInfo, config: EngineConfig) -> Step:
    """The STORE of a whole tensor."""
    values = {
        "region": REGIONS.index("output"),
        "offset": output.offset,
        "pixels": output.pixels,
        "blocks": output.blocks,
        "base": place.base,
        "block_step": place.block_step % config.words,
    }
    return Step(instruction=STORE, values=values, reads=_spans(place, range(output.blocks), 0, output.pixels))


def lower_operation(
    op: Operation, pieces: Sequence[Strip], places: Mapping[str, Placement], config: EngineConfig
) -> Iterator[Step]:
    """The COMPUTEs of an operation, strip after strip."""
    tiles = Tiles(op, config)
    work = op.output.shape[0] * op.output.shape[1] * op.output.shape[2]
    done = macs = 0
    for strip in pieces:
        for block in range(tiles.blocks):
            channel = block * config.cols
            done += strip.outputs * min(config.cols, op.output.shape[2] - channel)
            macs, before = op.macs * done // work, macs
            info = ComputeInfo(
                layer=op.layer, name=op.name, output=op.output.name,
                pixel=strip.y0 * op.output.shape[1] + strip.x0, channel=channel,
                count=strip.outputs, macs=macs - before,
            )  # fmt: skip
            yield Step(
                instruction=COMPUTE,
                values=_fields(op, strip, channel, tiles, places, config),
                reads=_reads(op, strip, channel, places, config),
                writes=_block_spans(
                    places[op.output.name], channel, config.cols, info.pixel, strip.outputs, config
                ),
                segment=_segment(op, block, tiles, config),
                info=info,
            )


def _spans(place: Placement, blocks: range, low: int, high: int) -> list[Span]:
    """Words of pixels low..high-1 in some blocks of a tensor."""
    bases = [place.base + block * place.block_step for block in blocks if block < place.blocks]
    return [(base + low, base + high) for base in bases]


def _block_spans(
    place: Placement, channel: int, count: int, pixel: int, pixels: int, config: EngineConfig
) -> list[Span]:
    """Words that hold ``count`` channels from ``channel`` on, of ``pixels`` pixels."""
    blocks = range(channel // config.lanes, -(-(channel + count) // config.lanes))
    return _spans(place, blocks, pixel, pixel + pixels)


def _reads(
    op: Operation, strip: Strip, channel: int, places: Mapping[str, Placement], config: EngineConfig
) -> list[Span]:
    """Whole rows of the maps read."""
    low, high = op.rows_read(strip.y0, strip.y1 - 1)
    width = op.act.shape[1]
    start, count = (0, op.act.shape[2]) if op.wgt is not None else (channel, config.cols)
    spans = []
    if low <= high:
        rows = (high - low + 1) * width
        spans += _block_spans(places[op.act.name], start, count, low * width, rows, config)
    if op.residual is not None:
        width = op.residual.shape[1]
        low = strip.y0 * op.window_stride[0]
        high = (strip.y1 - 1) * op.window_stride[0] + (op.window[0] - 1) * op.window_dilation[0]
        rows = (high - low + 1) * width
        spans += _block_spans(places[op.residual.name], channel, config.cols, low * width, rows, config)
    return spans


def _segment(op: Operation, block: int, tiles: Tiles, config: EngineConfig) -> Segment:
    def column(values: IntArray) -> IntArray:
        part = values[block * config.cols : (block + 1) * config.cols]
        return np.pad(part, (0, config.cols - len(part)))

    return Segment(
        width=tiles.width,
        tiles=tiles.block(block),
        bias=column(op.bias),
        shift=column(op.shift),
        res_shift=column(op.res_shift),
    )


def _fields(
    op: Operation,
    strip: Strip,
    channel: int,
    tiles: Tiles,
    places: Mapping[str, Placement],
    config: EngineConfig,
) -> dict[str, int]:
    """Every field but the waits and keep."""
    place, out = places[op.act.name], places[op.output.name]
    width = op.act.shape[1]
    # Positions of the strip's first pixel, in pixels of the convolution and in the input map.
    pixel_y, pixel_x = strip.y0 * op.window_stride[0], strip.x0 * op.window_stride[1]
    y0, x0 = pixel_y * op.stride[0] - op.origin[0], pixel_x * op.stride[1] - op.origin[1]
    start = channel if op.wgt is None else 0
    counts = (op.window[1], op.window[0], strip.x1 - strip.x0, strip.y1 - strip.y0)
    across = (op.window_dilation[1], 0, op.window_stride[1], 0)
    down = (0, op.window_dilation[0], 0, op.window_stride[0])
    taps = steps((op.dilation[1], op.dilation[0] * width), op.kernel[::-1])
    in_base = place.base + start // config.lanes * place.block_step + y0 * width + x0
    values = {
        "kb_last": tiles.input_blocks - 1,
        "ky_last": op.kernel[0] - 1,
        "kx_last": op.kernel[1] - 1,
        "in_base": in_base % config.words,
        "in_block_step": place.block_step % config.words,
        "in_rot": start % config.lanes,
        "in_signed": int(op.act.format.signed),
        "in_height": op.act.shape[0],
        "in_width": width,
        "y0": y0,
        "x0": x0,
        "kx_x_step": op.dilation[1] if op.kernel[1] > 1 else 0,
        "kx_addr_step": taps[0] % config.words if op.kernel[1] > 1 else 0,
        "ky_y_step": op.dilation[0] if op.kernel[0] > 1 else 0,
        "ky_addr_step": taps[1] % config.words if op.kernel[0] > 1 else 0,
        "out_base": (
            out.base + channel // config.lanes * out.block_step + strip.y0 * op.output.shape[1] + strip.x0
        )
        % config.words,
        "out_block_step": out.block_step % config.words,
        "out_rot": channel % config.lanes,
        "pool": op.pool,
        "skip": int(op.pool == POOL_MAX and op.wgt is None),
        "lo": op.lo,
        "hi": op.hi,
    }
    strides = {
        "x_step": [s * op.stride[1] for s in across],
        "y_step": [s * op.stride[0] for s in down],
        "addr_step": [x * op.stride[1] + y * op.stride[0] * width for x, y in zip(across, down, strict=True)],
    }
    if op.residual is not None:
        res, res_width = places[op.residual.name], op.residual.shape[1]
        base = res.base + channel // config.lanes * res.block_step + pixel_y * res_width + pixel_x
        values |= {
            "res": 1,
            "res_signed": int(op.residual.format.signed),
            "res_base": base % config.words,
            "res_block_step": res.block_step % config.words,
        }
        strides["res_step"] = [x + y * res_width for x, y in zip(across, down, strict=True)]
    for name, per_loop in strides.items():
        for loop, count, step in zip(("wx", "wy", "ox", "oy"), counts, steps(per_loop, counts), strict=True):
            values[f"{loop}_last"] = count - 1
            wraps = name in ("addr_step", "res_step")
            values[f"{name}_{loop}"] = 0 if count == 1 else step % config.words if wraps else step
    return values
