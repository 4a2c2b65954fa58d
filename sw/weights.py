"""The weight stream: segments of parameters and tiles as planes of bits.

    segment = header words | param_rows * wgt_width planes of parameters | n_rows * width planes of tiles
    plane i of a row: bit c = bit i of column c's value; planes_per_word planes a port word, from bit 0 on

``hw.isa.SEGMENT`` is the contract. The planes run on from the parameters into the tiles without a gap; only
the segment as a whole is padded to whole port words.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
import numpy.typing as npt

from ..hw.config import EngineConfig
from ..hw.isa import MAGIC, SEGMENT
from ..quant.network import IntArray

__all__ = ["Segment", "decode_segment", "encode_segment", "segment_bytes", "tile_width"]

Bits = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class Segment:
    """The weights and parameters of one COMPUTE.

    ``tiles`` [n_rows, cols] signed codes of ``width`` bits, tile after tile, row 0 first; ``bias``, ``shift``
    and ``res_shift`` [cols].
    """

    width: int
    tiles: IntArray
    bias: IntArray
    shift: IntArray
    res_shift: IntArray


def tile_width(tiles: IntArray) -> int:
    """The least width 2..8 or 16 that holds every code."""
    largest = int(np.where(tiles < 0, ~tiles, tiles).max(initial=0))
    bits = max(2, largest.bit_length() + 1)
    return bits if bits <= 8 else 16


def _planes(values: IntArray, width: int) -> Bits:
    """[n, cols] codes -> [n * width, cols] bits."""
    bits = values[:, None, :] >> np.arange(width)[None, :, None] & 1
    return bits.reshape(-1, values.shape[1]).astype(np.uint8)


def _words(n_planes: int, config: EngineConfig) -> int:
    return ceil(n_planes / config.planes_per_word) * config.plane_words


def segment_bytes(width: int, n_rows: int, config: EngineConfig) -> int:
    """Bytes of a segment, its header among them."""
    words = _words(config.param_rows * config.wgt_width + n_rows * width, config)
    return (config.header_words + words) * config.port_bytes


def encode_segment(segment: Segment, config: EngineConfig) -> bytes:
    """The segment's port words. Raises ``ValueError`` for a code or parameter that does not fit."""
    for name, width, offset in (("bias", config.acc_width, 1 << config.acc_width - 1),
                                ("shift", config.shift_width, config.max_left_shift),
                                ("res_shift", config.res_shift_width, 0)):  # fmt: skip
        values = getattr(segment, name) + offset
        if values.min() < 0 or int(values.max()) >> width:
            raise ValueError(f"{name} must fit in {width} bits, not {getattr(segment, name).tolist()}")
    if segment.width > config.wgt_width:
        raise ValueError(f"width must be at most {config.wgt_width} bits, not {segment.width}")
    if segment.tiles.size and tile_width(segment.tiles) > segment.width:
        raise ValueError(
            f"weights must fit in {segment.width} bits, not {segment.tiles.min()}..{segment.tiles.max()}"
        )
    block = segment.bias.astype(np.int64) & ((1 << config.acc_width) - 1)
    block |= segment.shift.astype(np.int64) + config.max_left_shift << config.acc_width
    block |= segment.res_shift.astype(np.int64) << config.acc_width + config.shift_width
    planes = np.concatenate([
        _planes(block[None], config.param_rows * config.wgt_width),
        _planes(segment.tiles, segment.width),
    ])  # fmt: skip
    return _header(segment.width, len(segment.tiles), config) + _pack(planes, config)


def _header(width: int, n_rows: int, config: EngineConfig) -> bytes:
    word, low = 0, 0
    for field, value in zip(SEGMENT, (MAGIC, width, n_rows), strict=True):
        word |= field.check(value, config) << low
        low += field.bits(config)
    return word.to_bytes(config.header_words * config.port_bytes, "little")


def _pack(planes: Bits, config: EngineConfig) -> bytes:
    count, cols = planes.shape
    if config.plane_words > 1:
        padded = np.zeros((count, config.plane_words * config.port_width), np.uint8)
        padded[:, :cols] = planes
    else:
        words = _words(count, config)
        used = config.planes_per_word * cols
        flat = np.zeros((words * config.planes_per_word, cols), np.uint8)
        flat[:count] = planes
        padded = np.zeros((words, config.port_width), np.uint8)
        padded[:, :used] = flat.reshape(words, used)
    return np.packbits(padded, axis=1, bitorder="little").tobytes()


def _unpack(words: Bits, count: int, config: EngineConfig) -> Bits:
    bits = np.unpackbits(words.reshape(-1, config.port_bytes), axis=1, bitorder="little")
    if config.plane_words > 1:
        return bits.reshape(count, -1)[:, : config.cols]
    used = config.planes_per_word * config.cols
    return bits[:, :used].reshape(-1, config.cols)[:count]


def _values(planes: Bits, width: int) -> IntArray:
    """[n * width, cols] bits -> [n, cols] unsigned codes."""
    bits = planes.reshape(-1, width, planes.shape[1]).astype(np.int64)
    values: IntArray = (bits << np.arange(width)[None, :, None]).sum(axis=1)
    return values


def _signed(values: IntArray, width: int) -> IntArray:
    return values - ((values >> width - 1 & 1) << width)


def decode_segment(stream: Bits, config: EngineConfig) -> tuple[Segment, int]:
    """The segment at the start of a stream of bytes, and the bytes it takes.

    Raises ``ValueError`` where the magic number is wrong, the width is none, or the stream ends too early.
    """
    header_bytes = config.header_words * config.port_bytes
    if len(stream) < header_bytes:
        raise ValueError("the weight stream ends where a segment should begin")
    header = int.from_bytes(stream[:4].tobytes(), "little")
    magic, width, n_rows = header & 0xFF, header >> 8 & 31, header >> 13
    if magic != MAGIC:
        raise ValueError(f"a segment must begin with {MAGIC:#x}, not {magic:#x}")
    if not 2 <= width <= config.wgt_width:
        raise ValueError(f"a segment's weights must have 2..{config.wgt_width} bits, not {width}")
    n_param = config.param_rows * config.wgt_width
    count = n_param + n_rows * width
    size = header_bytes + _words(count, config) * config.port_bytes
    if len(stream) < size:
        raise ValueError(f"the weight stream ends inside a segment of {size} bytes")
    planes = _unpack(stream[header_bytes:size], count, config)
    at = (0, config.acc_width, config.acc_width + config.shift_width, config.param_width)
    bias, shift, res_shift = (_values(planes[low:high], high - low)[0] for low, high in pairwise(at))
    return Segment(
        width=width,
        tiles=_signed(_values(planes[n_param:], width), width),
        bias=_signed(bias, config.acc_width),
        shift=shift - config.max_left_shift,
        res_shift=res_shift,
    ), size
