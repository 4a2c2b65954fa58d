"""What of a program takes time: its records by unit, its segments, without a single weight or activation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, prod

from ...hw.config import EngineConfig
from ...hw.isa import CONFIG, HEADER, INSTRUCTIONS, Instruction, decode, loop_counts, record_words
from ..program import Outline, Program

__all__ = ["LOOPS", "UNITS", "Plan", "Record", "Segment", "plan", "plan_steps"]

UNITS = ("load", "compute", "store")

LOOPS = ("wx", "wy", "ox", "oy")


@dataclass(frozen=True, eq=False)
class Record:
    """An instruction: its fields, the counts of completed instructions that it waits for."""

    unit: str
    values: Mapping[str, int]

    @cached_property
    def waits(self) -> tuple[int, int, int]:
        """Of loads, computes, stores, relative to the iteration."""
        v = self.values
        return v["wait_load"], v["wait_compute"], v["wait_store"]

    @cached_property
    def passes(self) -> int:
        """Passes of a COMPUTE."""
        v = self.values
        return (v["kb_last"] + 1) * (v["ky_last"] + 1) * (v["kx_last"] + 1)

    @cached_property
    def vector(self) -> bool:
        """Does a COMPUTE make its tiles of activations?"""
        return bool(self.values["product"] and not self.values["keep"])

    @cached_property
    def pixels(self) -> int:
        """Pixels of one pass of a COMPUTE, slots where it is depthwise."""
        return prod(loop_counts(self.values))


@dataclass(frozen=True)
class Segment:
    """A segment of the weight stream: bits of a weight, rows of tiles, port words after the header."""

    width: int
    rows: int
    words: int


@dataclass(frozen=True, eq=False)
class Plan:
    """Records by unit; ``route``: the unit of every record of the program, None for CONFIG."""

    config: EngineConfig
    route: tuple[str | None, ...]
    records: Mapping[str, tuple[Record, ...]]
    segments: tuple[Segment, ...]
    registers: Mapping[str, int] = field(default_factory=dict)


def plan(program: Outline) -> Plan:
    """Raises ``ValueError`` for a program that the engine would refuse, and for one without records."""
    config = program.config
    if not isinstance(program, Program):
        raise ValueError(f"{program.name!r} has no records: compile it, or give its plan")
    size = record_words(config) * config.port_bytes
    if len(program.records) % size:
        raise ValueError(f"the program of {program.name!r} must be whole records of {size} bytes")
    route: list[str | None] = []
    records: dict[str, list[Record]] = {unit: [] for unit in UNITS}
    for at in range(0, len(program.records), size):
        instruction, values = decode(program.records[at : at + size], config)
        if (instruction is CONFIG) != (at == 0):
            raise ValueError(
                f"record {at // size} of the program of {program.name!r} must not be {instruction.name}"
            )
        route.append(None if instruction is CONFIG else instruction.unit)
        if instruction is not CONFIG:
            records[instruction.unit].append(Record(instruction.unit, values))
    segments = _segments(program, config)
    if len(segments) != len(records["compute"]):
        raise ValueError(
            f"the weight stream of {program.name!r} has {len(segments)} segments for {len(records['compute'])} COMPUTEs"
        )
    return Plan(
        config, tuple(route), {unit: tuple(found) for unit, found in records.items()}, tuple(segments)
    )


def plan_steps(
    steps: Sequence[tuple[Instruction, Mapping[str, int]]],
    segments: Sequence[tuple[int, int]],
    config: EngineConfig,
) -> Plan:
    """The plan of instructions behind CONFIG, by their fields (0 if not named); ``segments``: bits, rows of tiles."""
    records: dict[str, list[Record]] = {unit: [] for unit in UNITS}
    blank = {kind.name: _blank(kind) for kind in INSTRUCTIONS.values()}
    for kind, values in steps:
        records[kind.unit].append(Record(kind.unit, {**blank[kind.name], **values}))
    return Plan(
        config,
        (None, *(kind.unit for kind, _ in steps)),
        {unit: tuple(found) for unit, found in records.items()},
        tuple(_segment(width, rows, config) for width, rows in segments),
    )


def _blank(instruction: Instruction) -> dict[str, int]:
    """Every field, 0 but the opcode."""
    names = [field.name for field in (*HEADER, *instruction.fields)]
    return {**dict.fromkeys(names, 0), "opcode": instruction.opcode}


def _segment(width: int, rows: int, config: EngineConfig) -> Segment:
    planes = config.param_rows * config.wgt_width + rows * width
    return Segment(width, rows, ceil(planes / config.planes_per_word) * config.plane_words)


def _segments(program: Program, config: EngineConfig) -> list[Segment]:
    stream, at, found = program.weights, 0, []
    while at < len(stream):
        header = int.from_bytes(stream[at : at + 4], "little")
        found.append(_segment(header >> 8 & 31, header >> 13, config))
        at += (config.header_words + found[-1].words) * config.port_bytes
    return found
