"""The control port's register map, as data: RTL, host driver and docs derive from it."""

from __future__ import annotations

from dataclasses import dataclass

from .config import EngineConfig

__all__ = ["ERRORS", "IDENTITY", "MAP", "Register"]

IDENTITY = 0x53595354
"""ID register: "SYST"."""

ERRORS = {
    0: "none",
    1: "unknown opcode in the program",
    2: "the program is for another engine configuration",
    3: "the weight stream is out of step with the program",
    4: "the memory answered a read with an error",
    5: "the memory answered a write with an error",
    6: "no progress for as long as the watchdog allows",
}
"""STATUS.error; the first error is kept and stops the engine until the next reset."""


@dataclass(frozen=True)
class Register:
    """A 32-bit register at a byte address of the control port; access is ro, rw or wo.

    ``holds`` says how many of its bits there are, the others being 0: "memory" EngineConfig.memory_width, "count"
    EngineConfig.count_width, "" 32, or a number.
    """

    name: str
    address: int
    access: str
    doc: str
    holds: str = ""

    def bits(self, config: EngineConfig) -> int:
        """How many of its bits there are on an engine."""
        widths = {"memory": config.memory_width, "count": config.count_width, "": 32}
        return widths[self.holds] if self.holds in widths else int(self.holds)


MAP = (
    Register("id", 0x00, "ro", "0x53595354"),
    Register("hash", 0x04, "ro", "EngineConfig.hash"),
    Register("control", 0x08, "wo", "bit 0: start; ignored while busy"),
    Register("status", 0x0C, "ro", "bit 0: busy, bit 1: done, bits 15..8: error code"),
    Register("program_addr", 0x10, "rw", "byte address of the records, a multiple of 4096", "memory"),
    Register("program_beats", 0x14, "rw", "port words of the program", "memory"),
    Register("weight_addr", 0x18, "rw", "byte address of the weight stream, a multiple of 4096", "memory"),
    Register("weight_beats", 0x1C, "rw", "port words of the weight stream of one iteration", "memory"),
    Register("input_addr", 0x20, "rw", "byte address of the first image", "memory"),
    Register("input_stride", 0x24, "rw", "bytes from an image to the next", "memory"),
    Register("output_addr", 0x28, "rw", "byte address of the first result", "memory"),
    Register("output_stride", 0x2C, "rw", "bytes from a result to the next", "memory"),
    Register("spill_addr", 0x30, "rw", "byte address of the working memory", "memory"),
    Register("images", 0x34, "rw", "iterations of the program", "count"),
    Register("watchdog", 0x38, "rw", "cycles without progress that are an error, 0: never", "count"),
    Register("irq_enable", 0x3C, "rw", "bit 0: raise irq while done or error", "1"),
    Register("cycles", 0x40, "ro", "cycles from start to done", "count"),
    Register("pixels", 0x44, "ro", "cycles in which the array took a pixel", "count"),
    Register(
        "stall_wait",
        0x48,
        "ro",
        "cycles compute had no instruction, or waited for load, compute or store",
        "count",
    ),
    Register("stall_weight", 0x4C, "ro", "cycles compute waited for a weight tile", "count"),
    Register("stall_bank", 0x50, "ro", "cycles lost to a scratchpad bank read twice", "count"),
    Register(
        "stall_pass", 0x54, "ro", "cycles a pass took to prepare, the one before it being too short", "count"
    ),
    Register("loads", 0x58, "ro", "LOADs completed since start"),
    Register("computes", 0x5C, "ro", "COMPUTEs completed since start"),
    Register("stores", 0x60, "ro", "STOREs completed since start"),
    Register("geometry", 0x64, "ro", "bits 7..0: rows, 15..8: cols, 23..16: act_width, 31..24: wgt_width"),
)
"""Writes while busy are ignored; unknown addresses read 0."""
