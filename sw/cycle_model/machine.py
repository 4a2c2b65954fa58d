"""The whole engine: units run as far as they can know; then what comes first, by the clock, is decided.

    repeat: each unit computes the cycles of all its events that follow from those known
            the earliest is decided of: the port's next grant, a word of LOAD or STORE that may be in compute's way

Every event's cycle is the maximum of others plus constants, so order of evaluation does not matter; only the port's
turns and the banks depend on who comes first. An event not known yet follows from one that is still to be decided, so
it comes later than the earliest of these: deciding that one is safe.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from ..program import Outline
from .compute import Compute, Span
from .fetch import Fetch, Queue
from .loads import Load
from .meeting import Meeting
from .plan import UNITS, Plan, plan
from .port import Port, Reader
from .serial import serial
from .stores import Store
from .train import Train
from .weights import WeightStream

__all__ = ["Machine", "Timing", "run", "simulate"]


@dataclass(frozen=True)
class Timing:
    """Cycles from start to done, and the engine's counters by their names."""

    cycles: int
    counters: dict[str, int]
    spans: list[Span]


def simulate(program: Outline, images: int = 1, mem_latency: int = 30, planned: Plan | None = None) -> Timing:
    """The engine's counters after ``images`` images back to back. ``planned``: the program's plan, if it is known."""
    if program.config.serial:
        return _serial(program, images, mem_latency, planned)
    return run(program, images, mem_latency, planned).timing()


def _serial(program: Outline, images: int, mem_latency: int, planned: Plan | None) -> Timing:
    found = serial(program, images, mem_latency, planned)
    spans, cycles = found.spans, found.cycles
    counters = {
        "cycles": cycles,
        "pixels": sum(span.pixels for span in spans),
        "stall_wait": cycles - sum(span.pixels + span.weight + span.short for span in spans),
        "stall_weight": sum(span.weight for span in spans),
        "stall_bank": 0,
        "stall_pass": sum(span.short for span in spans),
        **{f"{unit}s": count for unit, count in found.done.items()},
    }
    return Timing(cycles, counters, spans)


def run(program: Outline, images: int = 1, mem_latency: int = 30, planned: Plan | None = None) -> Machine:
    """The machine after ``images`` images back to back: the cycles of all its events.

    Raises ValueError for a serial engine, where nothing overlaps.
    """
    if program.config.serial:
        raise ValueError(
            "events are not recorded on a serial engine, where nothing overlaps: see the cycles of its layers"
        )
    machine = Machine(program, images, mem_latency, planned)
    while machine.settle():
        machine.decide()
    return machine


class _Part(Protocol):
    def run(self) -> bool: ...


class Machine:
    """Its parts; what happened in each is in their lists when nothing is left to decide."""

    def __init__(self, program: Outline, images: int, mem_latency: int, planned: Plan | None = None) -> None:
        given = replace(planned or plan(program), registers=program.registers(images))
        self.name = program.name
        self.done: dict[str, list[int]] = {unit: [] for unit in UNITS}
        self.queues = {unit: Queue(given, unit, images, self.done) for unit in UNITS}
        self.fetched, self.loaded, self.weights = (
            Reader(depth) for depth in (64, given.config.fifo_depth, given.config.fifo_depth)
        )
        self.images, self.given = images, given
        self._stream(self.fetched, "program", 0)
        self.stream = WeightStream(given, self.weights, images)
        queues, done = self.queues, self.done
        self.compute = Compute(given, queues["compute"], self.stream.pusher, images, done["compute"])
        self.load = Load(given, self.loaded, queues["load"], self.compute, images, done["load"])
        self.store = Store(given, queues["store"], Meeting(self.compute), images, mem_latency, done["store"])
        self.train = Train(self.stream, self.compute)
        self.fetch = Fetch(given, self.fetched, queues, images)
        self.port = Port((self.fetched, self.loaded, self.weights), mem_latency)
        self._parts: tuple[_Part, ...] = (self.fetch, *queues.values(), self.load, self.store)
        self._seen: tuple[int, ...] = ()

    def _stream(self, reader: Reader, name: str, start: int) -> None:
        """A ``hw.stream_reader`` that starts at a cycle: a command for each image."""
        beat = self.given.registers[f"{name}_addr"] // self.given.config.port_bytes
        for image in range(self.images):
            reader.command(0 if image else start + 2, beat, self.given.registers[f"{name}_beats"])

    def settle(self) -> bool:
        """All that can be known without a decision; whether there is something left to decide."""
        while True:
            while self.stream.run() | self.compute.run():
                pass
            blocked = self.load.blocked is not None or self.store.blocked is not None
            bound = self.compute.bound + self.compute.vectors.bound
            seen = (len(self.fetched.puts), len(self.loaded.puts), len(self.queues["compute"].taken),
                    len(self.done["compute"]), bound if blocked else 0)  # fmt: skip
            if seen == self._seen:
                return any(len(self.done[unit]) < self.queues[unit].total for unit in UNITS)
            self._seen = seen
            while sum(part.run() for part in self._parts):
                pass
            if (records := self.queues["compute"].puts) and not self.weights.accepted:
                self._stream(self.weights, "weight", records[0])

    def decide(self) -> None:
        """What is first by the clock."""
        compute, at = self.compute, self.port.decide()
        if compute.held is not None and (at is None or at > compute.held):
            if not self.train.run():
                compute.limit = compute.held
            return
        blocked = min((b for b in (self.load.blocked, self.store.blocked) if b is not None), default=None)
        if blocked is not None and (at is None or blocked <= at):
            compute.lift(blocked + 1)
        elif at is None:
            raise ValueError(f"the program of {self.name!r} never ends: its instructions wait for each other")
        elif self.port.grant() is self.weights and compute.held is not None:
            # Until the pass that is held, words of weights change nothing but their own next turn.
            self.port.alone(self.weights, min(compute.held, compute.held if blocked is None else blocked))

    def timing(self) -> Timing:
        """After the end."""
        last = max([self.fetch.configured - 2, *(times[-1] for times in self.done.values() if times)])
        return _timing(self.compute, last + 5, self.done)


def _timing(compute: Compute, cycles: int, done: dict[str, list[int]]) -> Timing:
    spans = compute.spans
    counters = {
        "cycles": cycles,
        "pixels": sum(span.pixels for span in spans),
        "stall_wait": sum(span.wait for span in spans) + cycles - 1 - compute.last,
        "stall_weight": sum(span.weight for span in spans),
        "stall_bank": sum(span.bank for span in spans),
        "stall_pass": sum(span.short for span in spans),
        **{f"{unit}s": len(times) for unit, times in done.items()},
    }
    return Timing(cycles, counters, spans)
