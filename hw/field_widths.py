"""Bits of the fields of instructions, as an engine's configuration has them."""

from __future__ import annotations

from .config import EngineConfig

__all__ = ["addr", "bound", "count", "lane", "lanes", "load_addr", "shift", "skip", "slot", "wgt"]


def addr(config: EngineConfig) -> int:
    """A word of the scratchpad."""
    return config.addr_width


def count(config: EngineConfig) -> int:
    """How many of them."""
    return config.addr_width + 1


def load_addr(config: EngineConfig) -> int:
    """Words of the scratchpad or, if there are more of them, entries of tables."""
    return max(config.addr_width, config.table_addr_width if config.tables else 0)


def slot(config: EngineConfig) -> int:
    """A slot of tables."""
    return max(1, (config.tables - 1).bit_length())


def lane(config: EngineConfig) -> int:
    """A lane of a word."""
    return max(1, (config.lanes - 1).bit_length())


def lanes(config: EngineConfig) -> int:
    """How many lanes."""
    return config.lanes.bit_length()


def skip(config: EngineConfig) -> int:
    """An element of a port word."""
    return max(1, (config.port_bytes // config.lane_bytes - 1).bit_length())


def bound(config: EngineConfig) -> int:
    """A code, signed or not."""
    return config.act_width + 1


def wgt(config: EngineConfig) -> int:
    """A weight."""
    return config.wgt_width


def shift(config: EngineConfig) -> int:
    """A shift, as the parameters have it."""
    return config.shift_width
