"""Cycles of an engine that does one thing after the other (``EngineConfig.serial``): a sum, nothing overlaps.

    cycles = 1 + sum over images (1 + sum over records (record_words + L + 3 + instruction))
    load    = words * (lanes + 2 + L)
    store   = words * (2 + lanes * (2 + L))
    compute = 4 + L + param_rows * (wgt_width + cols + 1 + L)
            + sum over passes (2 + (rows * (wgt_width + 2 + L) if it has a tile) + pixels * (rows + turns))
    turns   = cols + SerialColumns.latency in the last pass, else cols + 2

L is the memory's latency. The constants are the states of ``hw.serial_engine``, ``serial_mover``, ``serial_weights``
and ``serial_compute``.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...hw.config import EngineConfig
from ...hw.isa import record_words
from ..program import Outline
from .compute import Span
from .plan import UNITS, Plan, Record, Segment, plan

__all__ = ["Serial", "serial"]

_COLUMN = 9
"""Cycles from a column's turn to its code, ``hw.serial_columns.SerialColumns.latency``: a test compares."""

_HEADER = 4
"""Bytes of a segment's header."""


@dataclass(frozen=True)
class Serial:
    """Cycles from start to done, what happened to each COMPUTE, instructions of each unit."""

    cycles: int
    spans: list[Span]
    done: dict[str, int]


def serial(
    program: Outline, images: int, latency: int, planned: Plan | None = None, *, write: int | None = None
) -> Serial:
    """``images`` images back to back. ``write``: the memory's latency of a STORE, if it is another."""
    given = planned or plan(program)
    config = given.config
    size = record_words(config)
    now, last, spans = 0, 0, []
    for image in range(images):
        now += 1
        units = {unit: iter(given.records[unit]) for unit in UNITS}
        segments = iter(given.segments)
        index = 0
        for unit in given.route:
            now += size + latency + 2  # asked for, fetched, decoded: what follows begins in the next cycle
            if unit == "compute":
                record, segment = next(units[unit]), next(segments)
                span = _compute(config, record, segment, latency, index, image, now, last)
                now, last = now + _length(config, record, latency), span.end
                spans.append(span)
                index += 1
            elif unit is not None:
                now += _moved(
                    config, unit, next(units[unit]), latency if unit == "load" or write is None else write
                )
            now += 1
    return Serial(now + 1, spans, {unit: images * len(given.records[unit]) for unit in UNITS})


def _moved(config: EngineConfig, unit: str, record: Record, latency: int) -> int:
    """A LOAD or a STORE."""
    words, lanes = record.values["pixels"] * record.values["blocks"], config.lanes
    return words * (lanes + 2 + latency if unit == "load" else 2 + lanes * (2 + latency))


def _parts(config: EngineConfig, record: Record, latency: int) -> tuple[int, int]:
    """Cycles of a COMPUTE that go to its weights, and the others."""
    tiles = record.passes - record.values["keep"]
    weights = _HEADER + latency + config.param_rows * (config.wgt_width + config.cols + 1 + latency)
    weights += tiles * config.rows * (config.wgt_width + 2 + latency)
    turns = record.passes * (config.cols + 2) + _COLUMN - 2
    return weights, 2 * record.passes + record.pixels * (record.passes * config.rows + turns)


def _length(config: EngineConfig, record: Record, latency: int) -> int:
    return sum(_parts(config, record, latency))


def _compute(config: EngineConfig, record: Record, segment: Segment, latency: int, index: int, image: int, now: int,
             last: int) -> Span:  # fmt: skip
    """A COMPUTE whose first cycle is the one after ``now``; its last code is there in its last one."""
    weights, others = _parts(config, record, latency)
    pixels, first = record.passes * record.pixels, _HEADER + latency
    first += config.param_rows * (config.wgt_width + config.cols + 1 + latency) + 1
    first += 0 if record.values["keep"] else config.rows * (config.wgt_width + 2 + latency)
    end = now + weights + others
    return Span(
        index=index, image=image, passes=record.passes, weight_beats=config.header_words + segment.words,
        start=now + first + 1, end=end, pixels=pixels,
        wait=now - last, weight=weights, short=others - pixels, cause="load",
    )  # fmt: skip
