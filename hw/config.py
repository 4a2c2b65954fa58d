"""``EngineConfig``: the one frozen description of an engine, passed down everywhere."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from math import ceil, gcd

__all__ = ["FIR_COLUMNS", "FOLD_ELEMENTS", "ISA_VERSION", "SERIAL", "EngineConfig"]

ISA_VERSION = 4
"""Part of the hash: a program of another version of the instruction set is refused."""

FOLD_ELEMENTS = 48
"""Elements of the window from which LOAD takes folded words: 3x3 pixels of 5 channels, 2x7 of 3."""

FOLD_TURNS = 14
"""The fewest lanes for words that take turns: 9 of a row, and between two words the 9 of another one."""

FIR_COLUMNS = 3
"""Kernel columns that a depthwise pass takes, and the most kernel rows."""

_WIDTHS = (*range(2, 9), 16)

_RANGES = {"acc_width": (16, 48), "coord_width": (4, 16), "wait_width": (8, 24), "memory_width": (12, 32),
           "count_width": (8, 32), "bank_stages": (0, 1)}  # fmt: skip


SERIAL = {"rows": 8, "cols": 8, "act_width": 8, "wgt_width": 8, "port_width": 8, "fold_width": 0, "fir_depth": 0,
          "tables": 0, "profile": False, "means": False, "products": False, "folds": False,
          "lookahead": False}  # fmt: skip
"""What a serial engine is and has not."""


def _integer(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} must be an integer in {low}..{high}, not {value!r}")


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """Every size of an engine; all else derives.

    Parameters
    ----------
    rows, cols : PEs of the array, 1..128 each; no powers of two needed. Rows hold input channels,
        columns output channels.
    act_width, wgt_width : bits of an activation and a weight, 2..8 or 16. Networks may use fewer.
    acc_width : bits of an accumulator, 16..48.
    port_width : bits of the memory port, 8..512, a power of two, at least an element's.
    scratchpad : bytes of activation memory, an upper bound: banks are rounded down to a power of two.
    acc_depth : accumulators a column, the pixels one compute instruction covers; a power of two.
    banks : scratchpad banks, each one read and one write port; a power of two.
    fold_width : pixels of the longest row of an image, its zeros included, of which LOAD can put rows above into a
        pixel's words; 3..2047, or 0: no line buffer, and kernels fold by columns only.
    fir_depth : pixels a column remembers for depthwise convolutions, a power of two, 0 for none at all; maps may be
        half as wide (see ``fir_width``).
    tables : activation functions that a column holds at a time, a power of two up to 64, 0 for none at all.

    What small FPGAs do without (docs/decisions/0038); none of it changes a cycle:

    coord_width : bits of a map's coordinates, 4..16: maps up to 2**(coord_width - 1) - 1 high and wide with padding.
    wait_width : bits of completion counts, 8..24: less than 2**(wait_width - 3) instructions of a unit in a program.
    memory_width : bits of a byte address of external memory, 12..32. Registers have no bits beyond.
    count_width : bits of a count of images, cycles and the other events, 8..32; they wrap.
    profile : count events, besides cycles.
    means : pool MEAN, global averages on the output path; else they take a pass of their own.
    products : pixels times a vector that the network makes.
    folds : LOAD makes words of neighbouring pixels.

    and what costs or saves cycles:

    bank_stages : registers of each block RAM of the scratchpad in front of it, 1 or 0: the way from a bank's address
        to all its block RAMs is long. An instruction's outputs come that much later.
    fifo_depth : port words of the queues of records, of weights and of LOAD, a power of two in 64..512.
    lookahead : the next record of each unit waits behind the one in execution; else it is put together when that one
        is done, and a COMPUTE begins when the pixels of the one before are on their way.
    serial : one instruction after the other; of a pixel a row a cycle, then a column a cycle (``hw.serial_engine``,
        docs/decisions/0041). Rows, cols, port and widths are 8, and features are those of ``SERIAL``.

    Raises ``ValueError`` naming the parameter, its range and the value.
    """

    rows: int = 8
    cols: int = 8
    act_width: int = 8
    wgt_width: int = 8
    acc_width: int = 32
    port_width: int = 64
    scratchpad: int = 128 * 1024
    acc_depth: int = 1024
    banks: int = 4
    fold_width: int = 256
    fir_depth: int = 512
    tables: int = 8
    coord_width: int = 12
    wait_width: int = 20
    memory_width: int = 32
    count_width: int = 32
    profile: bool = True
    means: bool = True
    products: bool = True
    folds: bool = True
    fifo_depth: int = 512
    lookahead: bool = True
    serial: bool = False
    bank_stages: int = 1

    def __post_init__(self) -> None:
        _integer("rows", self.rows, 1, 128)
        _integer("cols", self.cols, 1, 128)
        for name in ("act_width", "wgt_width"):
            value = getattr(self, name)
            if isinstance(value, bool) or value not in _WIDTHS:
                raise ValueError(f"{name} must be 2..8 or 16, not {value!r}")
        for name, (low, high) in _RANGES.items():
            _integer(name, getattr(self, name), low, high)
        for name in ("profile", "means", "products", "folds", "lookahead", "serial"):
            value = getattr(self, name)
            if not isinstance(value, int) or value not in (0, 1):
                raise ValueError(f"{name} must be True or False, not {value!r}")
            object.__setattr__(self, name, bool(value))  # 1 and 0 are the same engine, and hash
        if self.fold_width and not self.folds:
            raise ValueError(f"fold_width must be 0 where folds is False, not {self.fold_width}")
        for name, low, high in (
            ("port_width", 8, 512),
            ("acc_depth", 16, 1 << 16),
            ("banks", 2, 16),
            ("fir_depth", 16 if self.fir_depth else 0, 1 << 12),
            ("tables", 0, 64),
            ("fifo_depth", 64, 512),
        ):
            value = getattr(self, name)
            _integer(name, value, low, high)
            if value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value!r}")
        if self.fold_width != 0 or isinstance(self.fold_width, bool):
            try:
                _integer("fold_width", self.fold_width, 3, 2047)
            except ValueError as error:
                raise ValueError(f"{error}; or 0 for no line buffer") from None
        _integer("scratchpad", self.scratchpad, 1, 1 << 26)
        least = 16 * self.banks * self.word_bytes
        if self.scratchpad < least:
            raise ValueError(
                f"scratchpad must hold at least 16 words a bank, {least} bytes for this array, not {self.scratchpad}"
            )
        if self.port_width < 8 * self.lane_bytes:
            raise ValueError(
                f"port_width must hold an element, {8 * self.lane_bytes} bits, not {self.port_width}"
            )
        if self.acc_width < self.act_width + 1 + self.wgt_width:
            raise ValueError(
                f"acc_width must hold one product, {self.act_width + 1 + self.wgt_width} bits, not {self.acc_width}"
            )
        if self.serial:
            for name, value in SERIAL.items():
                if getattr(self, name) != value:
                    raise ValueError(
                        f"{name} must be {value} where serial is True, not {getattr(self, name)}"
                    )

    # Scratchpad geometry ---------------------------------------------------------------------

    @cached_property
    def lanes(self) -> int:
        """Elements of a scratchpad word: one pixel's block of ``max(rows, cols)`` channels."""
        return max(self.rows, self.cols)

    @property
    def group_lanes(self) -> int:
        """Lanes that always share an address: every rotation is a multiple of it."""
        return gcd(self.rows, self.cols)

    @property
    def groups(self) -> int:
        """Lane groups of a word; 1 for a square array, which needs no rotation."""
        return self.lanes // self.group_lanes

    @property
    def lane_bytes(self) -> int:
        """Bytes of an element in external memory."""
        return 1 if self.act_width <= 8 else 2

    @property
    def word_bytes(self) -> int:
        """Bytes of a scratchpad word as the host counts them."""
        return self.lanes * self.lane_bytes

    @cached_property
    def bank_depth(self) -> int:
        """Words of a bank, a power of two."""
        return 1 << ((self.scratchpad // (self.banks * self.word_bytes)).bit_length() - 1)

    @cached_property
    def words(self) -> int:
        """Words of the whole scratchpad; bank = address // bank_depth."""
        return self.banks * self.bank_depth

    @cached_property
    def addr_width(self) -> int:
        """Bits of a scratchpad word address."""
        return (self.words - 1).bit_length()

    @property
    def scratchpad_latency(self) -> int:
        """Cycles from a read to its word: ``hw.scratchpad``."""
        return 4 + self.bank_stages

    @property
    def operand_latency(self) -> int:
        """Cycles from a read to the operands at the array: ``hw.operand``."""
        return self.scratchpad_latency + 1

    @cached_property
    def least_pass(self) -> int:
        """Cycles from a pass to the next at least, each with a tile of its own: ``hw.tile_pusher``."""
        return max(self.rows, self.operand_latency + 1)

    @property
    def fold_elements(self) -> int:
        """Elements that LOAD can fold into the words of a pixel."""
        if not self.folds:
            return 0
        return FOLD_ELEMENTS if self.fold_width else min(self.lanes, FOLD_ELEMENTS)

    @property
    def fold_turns(self) -> bool:
        """Can LOAD put the 27 elements of a 3x3 kernel over 3 channels into words that take turns?"""
        return bool(self.fold_width) and self.lanes >= FOLD_TURNS

    # Depthwise convolution -------------------------------------------------------------------

    @property
    def fir_lines(self) -> int:
        """Kernel rows a depthwise pass takes; 0 where the array has too few rows for two, or fir_depth is 0."""
        lines = min(FIR_COLUMNS, self.rows // FIR_COLUMNS)
        return lines if self.fir_depth and lines > 1 else 0

    @property
    def fir_width(self) -> int:
        """The longest row of slots: the oldest line is still remembered when the newest is read."""
        return (self.fir_depth - 1) // (self.fir_lines - 1) if self.fir_lines else 0

    # Activation functions --------------------------------------------------------------------

    @property
    def table_bits(self) -> int:
        """Bits of the codes that a table is for: it has 2**table_bits entries."""
        return min(self.act_width, 8)

    @property
    def table_addr_width(self) -> int:
        """Bits of an entry's number: slot << table_bits | code."""
        return self.table_bits + max(self.tables - 1, 0).bit_length()

    @property
    def table_latency(self) -> int:
        """Cycles that every code takes through the tables: ``hw.tables``."""
        return 4 if self.tables else 0

    # Numbers -----------------------------------------------------------------------------------

    @property
    def max_left_shift(self) -> int:
        """A left shift by this much saturates every accumulator but 0; larger ones are clamped to it."""
        return self.act_width + 1

    @property
    def shift_width(self) -> int:
        """Bits of the requantizer's shift as stored: s + max_left_shift, 0..acc_width + max_left_shift."""
        return (self.acc_width + self.max_left_shift).bit_length()

    @property
    def res_shift_width(self) -> int:
        """Bits of the residual's left shift, 0..acc_width - 1."""
        return (self.acc_width - 1).bit_length()

    @property
    def param_width(self) -> int:
        """Bits of one column's parameters: bias, shift, residual shift."""
        return self.acc_width + self.shift_width + self.res_shift_width

    @property
    def param_rows(self) -> int:
        """Rows of the weight stream that one parameter block takes."""
        return ceil(self.param_width / self.wgt_width)

    @property
    def psum_width(self) -> int:
        """Bits of the partial sums in the array: exact for ``rows`` products."""
        return min(self.acc_width, self.act_width + 1 + self.wgt_width + (self.rows - 1).bit_length())

    @property
    def mean_width(self) -> int:
        """Bits of the sum of an instruction's codes, pool MEAN: all that ``acc_depth`` codes need, or that count."""
        return min(self.acc_width, self.act_width + 1 + (self.acc_depth - 1).bit_length())

    # Memory port -------------------------------------------------------------------------------

    @property
    def port_bytes(self) -> int:
        """Bytes of a beat."""
        return self.port_width // 8

    @property
    def header_words(self) -> int:
        """Port words of the header of a segment of the weight stream."""
        return ceil(32 / self.port_width)

    @property
    def word_beats(self) -> int:
        """Beats that STORE writes for one scratchpad word."""
        return ceil(self.word_bytes / self.port_bytes)

    @property
    def plane_words(self) -> int:
        """Port words a plane of ``cols`` bits takes where it is wider than the port, else 1."""
        return ceil(self.cols / self.port_width)

    @property
    def planes_per_word(self) -> int:
        """Planes of ``cols`` bits in one port word of the weight stream (1 if a plane spans words)."""
        return max(1, self.port_width // self.cols)

    # Identity ------------------------------------------------------------------------------------

    @cached_property
    def hash(self) -> int:
        """32 bits over every parameter and the instruction set's version; in the program and the ID register."""
        text = json.dumps({"isa": ISA_VERSION, **asdict(self)}, sort_keys=True)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")

    def describe(self) -> str:
        """One line for messages: ``8x8 array, 8-bit activations, ...``."""
        return (
            f"{self.rows}x{self.cols} array, {self.act_width}-bit activations, {self.wgt_width}-bit weights, "
            f"{self.acc_width}-bit accumulators, {self.port_width}-bit port, "
            f"{self.words * self.word_bytes // 1024} KB scratchpad, accumulator depth {self.acc_depth}"
        )
