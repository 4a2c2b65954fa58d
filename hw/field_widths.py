"""Bits of the fields of instructions, as an engine's configuration has them."""

from __future__ import annotations

from collections.abc import Callable

from .config import EngineConfig

__all__ = ["addr", "beats", "blocks", "bound", "coord", "count", "fir", "folding", "instructions", "lane", "lanes",
           "last_block", "load_addr", "mean", "offset", "product", "row_last", "shift", "size", "skip", "slot", "table",
           "wait", "wgt"]  # fmt: skip

_BLOCKS = 12


def wait(config: EngineConfig) -> int:
    """Completion counts and thresholds, compared modulo 2**wait as signed differences."""
    return config.wait_width


def instructions(config: EngineConfig) -> int:
    """Instructions of a unit in an iteration."""
    return config.wait_width - 3


def coord(config: EngineConfig) -> int:
    """A map's row or column, signed."""
    return config.coord_width


def size(config: EngineConfig) -> int:
    """Rows or columns of a map, its padding included."""
    return config.coord_width - 1


def offset(config: EngineConfig) -> int:
    """Bytes of external memory."""
    return config.memory_width


def beats(config: EngineConfig) -> int:
    """Port words of external memory."""
    return min(24, config.memory_width)


def blocks(config: EngineConfig) -> int:
    """How many words of a pixel."""
    return min(_BLOCKS, config.addr_width + 1)


def last_block(config: EngineConfig) -> int:
    """The last of the words of a pixel."""
    return min(_BLOCKS, config.addr_width)


def folding(bits: int) -> Callable[[EngineConfig], int]:
    """What only an engine that folds has."""
    return lambda config: bits if config.folds else 0


def row_last(config: EngineConfig) -> int:
    """The last pixel of a row to fold."""
    return size(config) if config.folds else 0


def mean(width: Callable[[EngineConfig], int]) -> Callable[[EngineConfig], int]:
    """What only an engine with pool MEAN has."""
    return lambda config: width(config) if config.means else 0


def fir(bits: int) -> Callable[[EngineConfig], int]:
    """What only an engine with depthwise hardware has."""
    return lambda config: bits if config.fir_lines else 0


def product(config: EngineConfig) -> int:
    """Only where there are products."""
    return int(config.products)


def table(config: EngineConfig) -> int:
    """Only where there are tables."""
    return int(config.tables > 0)


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
    return max(1, (config.tables - 1).bit_length()) if config.tables else 0


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
