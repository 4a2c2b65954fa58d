"""Bits of block memory in an engine, by what they are for: every ``hw.memory.Memory1R1W``.

    scratchpad   = words * lanes * act_width              accumulators = cols * acc_depth * acc_width
    queues       = (3 units' records + LOAD + weights + program) * port_width + rows of tiles on their way
    line buffer  = 2 rows of an image of fold_width pixels            depthwise = fir_lines * fir_depth * cols codes
    tables       = cols * 2**table_addr_width codes

Registers and the small FIFOs between units (LUT RAM) are not counted.
"""

from __future__ import annotations

from ...hw.config import EngineConfig
from ...hw.isa import FOLD_CHANNELS

__all__ = ["memory_bits"]

_QUEUES, _PROGRAM = 5, 64
"""Queues of fifo_depth port words: three of records, LOAD's, the weights'; port words of the program's."""


def memory_bits(config: EngineConfig) -> dict[str, int]:
    """Bits by use; as generated, before they are rounded up to an FPGA's blocks."""
    least = 4 * config.rows + 2 * config.param_rows + 16
    pushed = max(64, 1 << (least - 1).bit_length()) * config.cols * config.wgt_width
    return {
        "scratchpad": config.words * config.lanes * config.act_width,
        "accumulators": config.cols * config.acc_depth * config.acc_width,
        "queues": (_QUEUES * config.fifo_depth + _PROGRAM) * config.port_width + pushed,
        "line_buffer": 2 * FOLD_CHANNELS * config.act_width * config.fold_width,
        "tables": (config.cols * config.act_width << config.table_addr_width) if config.tables else 0,
        "depthwise": config.fir_lines * config.fir_depth * config.cols * (config.act_width + 1),
    }
