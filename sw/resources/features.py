"""Sizes of an engine's parts, on which its look-up tables and registers depend; each is named as in ecp5.json.

LUT or FF = sum over features of coefficient * feature(config)        coefficients >= 0

``features``: the engine. ``beside``: the serial link and the memory that a board has beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log2

from ...hw.config import EngineConfig

__all__ = ["beside", "features"]


def features(config: EngineConfig) -> Mapping[str, float]:
    """Each part by its name, in bits, where it has bits.

    What a configuration may leave out for small FPGAs (``profile``, ``means``, ``products``, ``folds``, ``lookahead``,
    narrow counters) is in "control": engines without them are smaller than predicted.
    """
    act, port, lanes = config.act_width, config.port_width, config.lanes
    word = lanes * act
    return {
        "control": 1.0,
        "array": config.rows * config.cols * (config.psum_width + act + 2 * config.wgt_width),
        "columns": config.cols * config.acc_width,
        "words": word,
        "rotation": word * log2(config.groups),
        "memory port": port,
        "folding of rows": float(bool(config.fold_width)),
        "depthwise": config.cols * config.fir_lines * act,
        "tables": config.cols * act * bool(config.tables),
    }


def beside(config: EngineConfig, words: int) -> Mapping[str, float]:
    """The link, and the memory of ``words`` port words."""
    from ...hw.onchip_memory import memory_parts

    parts = len(memory_parts(words))
    return {"link": 1.0, "memory port": config.port_width, "memory parts": parts * config.port_width}
