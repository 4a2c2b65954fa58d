"""``Timeline``: a run as spans, one an instruction, with their layers, and what each layer took.

A recording knows when the nth COMPUTE was taken and when it was complete; the program knows what the nth COMPUTE is:

    its pixels     are the next passes * pixels cycles in which the array is in state "pixel"
    its cycles     go from the last pixel of the COMPUTE before to its own last one: pixels + stalls by cause
    its weights    are the next words of the weight stream, header included
    a LOAD is of   the layer whose COMPUTE waits for it first; a STORE of the layer whose COMPUTE it waits for last
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np

from ..hw.isa import record_words
from .cycle_model.plan import Plan, plan
from .program import Program
from .recording import STATES, UNITS, Cycles, Recording
from .timeline_layers import LayerTime, layer_times

__all__ = ["LANES", "STALLS", "Span", "Timeline", "timeline"]

LANES = ("fetch", "weight", *UNITS)
"""Units of spans: words of a record, words of a COMPUTE's weights, and the instructions themselves."""

STALLS = STATES[1:]


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """An instruction in its unit, or its record or its weights on their way; cycles count from the engine's start."""

    unit: str
    """one of LANES."""
    index: int
    """in its unit's instructions of one image; of a record: in the program."""
    image: int
    layer: int
    """as ``ComputeInfo.layer``; -1 for CONFIG's record, which is of none."""
    name: str
    """the layer's."""
    taken: int
    """its unit takes the record; for records and weights: the first word comes."""
    started: int
    """first word on the port, or first pixel of a COMPUTE."""
    ended: int
    """the last one."""
    done: int
    """complete, as its successors see it; for records and weights: the last word comes."""
    bytes: int
    """over the memory port."""
    pixels: int = 0
    wait: int = 0
    weight: int = 0
    bank: int = 0
    short: int = 0
    waited_for: str = ""
    """what its record waited for last: "fetch", "load", "compute", "store"; "" for records and weights."""
    table: int = 0
    """1: a LOAD of an activation function's table."""

    @property
    def cycles(self) -> int:
        """Of a COMPUTE: from the last pixel of the one before to its own last one."""
        return self.pixels + self.wait + self.weight + self.bank + self.short


@dataclass(frozen=True, kw_only=True, eq=False)
class Timeline:
    """A run of ``images`` images back to back, as the cycle model or the RTL has it."""

    program: Program
    mem_latency: int
    recording: Recording
    spans: tuple[Span, ...]
    """by unit in the order of LANES, then in order."""
    words: dict[str, tuple[Cycles, Cycles]] = field(repr=False)
    """of each unit but "compute", for its nth span: first and last + 1 of its words in the recording."""

    @property
    def cycles(self) -> int:
        """From start to done."""
        return self.recording.cycles

    @property
    def images(self) -> int:
        """Back to back."""
        return self.recording.images

    @property
    def utilization(self) -> float:
        """Useful MACs / (rows * cols * cycles), of the whole run."""
        config = self.program.config
        return self.images * self.program.macs / (config.rows * config.cols * self.cycles)

    @cached_property
    def layers(self) -> tuple[LayerTime, ...]:
        """What each layer took in each image, in the order of time."""
        return layer_times(self.program, self.of("compute"))

    def of(self, unit: str) -> tuple[Span, ...]:
        """The spans of one unit, in order."""
        return tuple(span for span in self.spans if span.unit == unit)

    def times(self, unit: str) -> Cycles:
        """The cycles of a unit's words on the port."""
        reads = {"fetch": "program", "load": "load", "weight": "weight"}
        return self.recording.writes if unit == "store" else self.recording.reads[reads[unit]]

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        keys = Span.__dataclass_fields__
        return {
            "network": self.program.name,
            "source": self.recording.source,
            "images": self.images,
            "mem_latency": self.mem_latency,
            "cycles": self.cycles,
            "utilization": self.utilization,
            "states": self.recording.stalls(),
            "layers": [layer.to_json() for layer in self.layers],
            "spans": [{key: getattr(span, key) for key in keys} for span in self.spans],
        }


def timeline(program: Program, recording: Recording, mem_latency: int = 30) -> Timeline:
    """The spans of a recording of this program."""
    given = plan(program)
    owners = _owners(program, given)
    found = {"fetch": _fetched(program, given, recording, owners), "weight": _weights(program, given, recording),
             "load": _moved("load", program, given, recording, owners),
             "compute": tuple(_computed(program, given, recording)),
             "store": _moved("store", program, given, recording, owners)}  # fmt: skip
    spans = tuple(span for unit in LANES for span in found[unit])
    sizes = {unit: [span.bytes // program.config.port_bytes for span in found[unit]] for unit in LANES}
    ends = {unit: np.cumsum(sizes[unit], dtype=np.int64) for unit in LANES if unit != "compute"}
    words = {unit: (end - np.array(sizes[unit], np.int64), end) for unit, end in ends.items()}
    return Timeline(program=program, mem_latency=mem_latency, recording=recording, spans=spans, words=words)


def _owners(program: Program, given: Plan) -> dict[str, list[int]]:
    """For each instruction of a unit the COMPUTE whose layer it is of."""
    computes = given.records["compute"]
    needs = list(accumulate((record.waits[0] for record in computes), max))
    last = len(computes) - 1
    return {
        "load": [min(bisect_right(needs, n), last) for n in range(len(given.records["load"]))],
        "compute": list(range(len(computes))),
        "store": [max(record.waits[1], 1) - 1 for record in given.records["store"]],
    }


def _streamed(
    unit: str, program: Program, sizes: Sequence[int], owners: Sequence[int], times: Cycles
) -> Iterator[Span]:
    """Spans of a stream's parts: ``sizes`` words each, one image after the other."""
    at = 0
    for n in range(len(times) // max(sum(sizes), 1) * len(sizes)):
        image, index = divmod(n, len(sizes))
        first, last = int(times[at]), int(times[at + sizes[index] - 1])
        at += sizes[index]
        info = program.computes[owners[index]] if owners[index] >= 0 else None
        yield Span(
            unit=unit, index=index, image=image, layer=info.layer if info else -1, name=info.name if info else "",
            taken=first, started=first, ended=last, done=last, bytes=sizes[index] * program.config.port_bytes,
        )  # fmt: skip


def _fetched(
    program: Program, given: Plan, recording: Recording, owners: dict[str, list[int]]
) -> tuple[Span, ...]:
    size, counts = record_words(program.config), dict.fromkeys(UNITS, 0)
    of = []
    for unit in given.route:
        of.append(-1 if unit is None else owners[unit][counts[unit]])
        if unit is not None:
            counts[unit] += 1
    times = recording.reads["program"]
    return tuple(_streamed("fetch", program, [size] * len(of), of, times))


def _weights(program: Program, given: Plan, recording: Recording) -> tuple[Span, ...]:
    sizes = [1 + segment.words for segment in given.segments]
    return tuple(_streamed("weight", program, sizes, range(len(sizes)), recording.reads["weight"]))


def _moved(
    unit: str, program: Program, given: Plan, recording: Recording, owners: dict[str, list[int]]
) -> tuple[Span, ...]:
    """LOADs or STOREs: their words, and when they were taken and complete."""
    config, records = program.config, given.records[unit]
    if unit == "load":
        sizes, times = [record.values["beats"] for record in records], recording.reads["load"]
    else:
        sizes = [r.values["pixels"] * r.values["blocks"] * config.word_beats for r in records]
        times = recording.writes
    causes = _causes(unit, given, recording)
    return tuple(
        Span(unit=unit, index=span.index, image=span.image, layer=span.layer, name=span.name,
             taken=int(recording.taken[unit][n]), started=span.started, ended=span.ended,
             done=int(recording.done[unit][n]), bytes=span.bytes, waited_for=causes[n],
             table=records[span.index].values.get("table", 0))
        for n, span in enumerate(_streamed(unit, program, sizes, owners[unit], times))
    )  # fmt: skip


def _causes(unit: str, given: Plan, recording: Recording) -> list[str]:
    """What each record waited for last: a count is seen two cycles after the instruction is complete."""
    causes = []
    records, counts = given.records[unit], [len(given.records[other]) for other in UNITS]
    done = [recording.done[other].tolist() for other in UNITS]
    for n, at in enumerate(recording.offered[unit].tolist()):
        image, index = divmod(n, len(records))
        cause = "fetch"
        for k, wait in enumerate(records[index].waits):
            need = wait + image * counts[k]
            if need > 0 and done[k][need - 1] + 2 == at:
                cause = UNITS[k]
        causes.append(cause)
    return causes


def _computed(program: Program, given: Plan, recording: Recording) -> Iterator[Span]:
    """COMPUTEs by counting pixels."""
    records, causes = given.records["compute"], _causes("compute", given, recording)
    counts = [record.passes * record.pixels for record in records]
    ends = np.cumsum(counts * recording.images, dtype=np.int64)
    since, states = recording.since, recording.states
    until = np.append(since[1:], recording.cycles)
    before = {
        k: np.concatenate([[0], np.cumsum((until - since) * (states == k))]) for k in range(len(STATES))
    }

    def cycle(pixel: Cycles) -> Cycles:
        """In which cycle the array takes a pixel, counted from 0."""
        run = np.searchsorted(before[0], pixel, "right") - 1
        return np.asarray(since[run] + pixel - before[0][run], np.int64)

    firsts, lasts = cycle(np.append(0, ends[:-1])), cycle(ends - 1)
    total = {k: np.interp(lasts + 1, np.append(since, recording.cycles), before[k]) for k in before}
    each = {k: np.diff(total[k], prepend=0).round().astype(int).tolist() for k in total}
    for n, (first, last) in enumerate(zip(firsts.tolist(), lasts.tolist(), strict=True)):
        image, index = divmod(n, len(records))
        info = program.computes[index]
        yield Span(
            unit="compute", index=index, image=image, layer=info.layer, name=info.name,
            taken=int(recording.taken["compute"][n]), started=first, ended=last,
            done=int(recording.done["compute"][n]), bytes=0, pixels=each[0][n], wait=each[1][n], weight=each[2][n],
            bank=each[3][n], short=each[4][n], waited_for=causes[n],
        )  # fmt: skip
