"""The memories and multipliers of an engine by formulas: what ``hw.inventory`` counts, without an elaboration.

    DSP  = rows * cols            multipliers of more than 18 bits would be logic; there are none
    BRAM = sum over memories (bits, words) of ceil(bits / bits of a block that is so deep)

    scratchpad   banks * groups   of group_lanes * act_width bits, bank_depth words
    accumulators cols             of acc_width bits, acc_depth words
    queues       5, 1             of port_width bits, fifo_depth and 64 words
    tiles        1                of cols * wgt_width bits
    line buffer  1                of 2 rows' FOLD_CHANNELS pixels, fold_width words      if fold_width
    depthwise    fir_lines        of cols * (act_width + 1) bits, fir_depth words         if fir_depth
    tables       cols             of act_width bits, 2**table_addr_width words            if tables

Memories deeper than the deepest block, 16,384 words, are cut by yosys; they are counted as so many of that depth.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

from ...hw.config import EngineConfig
from ...hw.isa import FOLD_CHANNELS

__all__ = ["blocks", "engine_blocks", "memories", "memory_blocks", "multipliers"]

_QUEUES, _PROGRAM = 5, 64
_DEEPEST = 1 << 14


def memories(config: EngineConfig) -> Counter[tuple[int, int]]:
    """How many of each size, (bits, words). Raises ValueError for a serial engine, which has others."""
    if config.serial:
        raise ValueError("a serial engine has no resource model: give serial 0, or synthesize it")
    least = 4 * config.rows + 2 * config.param_rows + 16
    found: Counter[tuple[int, int]] = Counter()
    found[config.group_lanes * config.act_width, config.bank_depth] += config.banks * config.groups
    found[config.acc_width, config.acc_depth] += config.cols
    found[config.port_width, config.fifo_depth] += _QUEUES
    found[config.port_width, _PROGRAM] += 1
    found[config.cols * config.wgt_width, max(64, 1 << (least - 1).bit_length())] += 1
    if config.fold_width:
        found[2 * FOLD_CHANNELS * config.act_width, config.fold_width] += 1
    if config.fir_lines:
        found[config.cols * (config.act_width + 1), config.fir_depth] += config.fir_lines
    if config.tables:
        found[config.act_width, 1 << config.table_addr_width] += config.cols
    return found


@cache
def blocks(width: int, depth: int) -> int:
    """Block RAMs of an ECP5 for a memory of ``width`` bits and ``depth`` words."""
    from ...hw.ecp5 import block_geometry  # Amaranth is slow to import: only when there is something to do

    geometry = block_geometry(width=width, depth=depth)
    return width * -(-depth // _DEEPEST) if geometry is None else geometry[0]


def engine_blocks(config: EngineConfig) -> int:
    """Block RAMs of an engine."""
    return sum(count * blocks(*size) for size, count in memories(config).items())


def memory_blocks(config: EngineConfig, words: int) -> int:
    """Block RAMs of a board's memory of ``words`` port words."""
    from ...hw.onchip_memory import memory_parts

    return sum(blocks(config.port_width, depth) for depth in memory_parts(words))


def multipliers(config: EngineConfig) -> int:
    """DSPs of an engine: one a PE."""
    return config.rows * config.cols
