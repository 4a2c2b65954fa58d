"""``DisorderedSimulator``: the same instructions in any order that the waits allow.

    repeat: at random, start a unit's next instruction whose waits hold, or complete a unit's oldest one;
            it reads, and writes, at its start or as late as its completion

Within a unit reads and writes keep their order, and a COMPUTE may start before the one before it has written.
A missing wait shows as a wrong code for some seed; a superfluous one does not show.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..hw.config import EngineConfig
from .iss import UNITS, Command, ComputeTrace, EngineError, InstructionSetSimulator

__all__ = ["DisorderedSimulator"]

_IN_FLIGHT = 3
"""Instructions a unit may have started and not completed."""


@dataclass(eq=False)
class _Flight:
    """A started instruction; ``result`` is what it has read and will write."""

    command: Command
    result: object = None
    read: bool = False
    written: bool = False


class DisorderedSimulator(InstructionSetSimulator):
    """``seed`` picks one of the orders; see the module."""

    def __init__(
        self,
        config: EngineConfig,
        memory: bytearray | npt.NDArray[np.uint8],
        base: int = 0,
        *,
        seed: int = 0,
    ) -> None:
        super().__init__(config, memory, base)
        self._rng = np.random.default_rng(seed)

    def run(self, registers: Mapping[str, int]) -> Iterator[ComputeTrace]:
        """As in program order; the traces come in the order of the writes."""
        queues: dict[str, deque[Command]] = {unit: deque() for unit in UNITS}
        for command in self.fetch(registers):
            queues[command.name].append(command)
        flights: dict[str, deque[_Flight]] = {unit: deque() for unit in UNITS}
        completed = dict.fromkeys(UNITS, 0)
        speed = dict.fromkeys(UNITS, 1.0)
        while any(queues.values()) or any(flights.values()):
            choices = [(unit, False) for unit in UNITS if flights[unit]]
            for unit in UNITS:
                if (
                    queues[unit]
                    and len(flights[unit]) < _IN_FLIGHT
                    and self._ready(queues[unit][0], completed)
                ):
                    choices.append((unit, True))
            if not choices:
                heads = ", ".join(str(queue[0]) for queue in queues.values() if queue)
                raise EngineError(6, f"{heads}: none can ever start")
            if self._rng.random() < 0.2:  # now one unit runs ahead, now another
                speed = dict(zip(UNITS, 10.0 ** self._rng.uniform(-2, 2, len(UNITS)), strict=True))
            weights = np.array([speed[unit] for unit, _ in choices])
            unit, starts = choices[self._rng.choice(len(choices), p=weights / weights.sum())]
            if starts:
                flight = _Flight(queues[unit].popleft())
                yield from self._begin(flight, flights[unit], registers)
                flights[unit].append(flight)
            else:
                yield from self._finish(flights[unit].popleft(), registers)
                completed[unit] += 1

    def _ready(self, command: Command, completed: Mapping[str, int]) -> bool:
        return all(
            completed[unit] >= command.iteration * self.counts[unit] + command.values[f"wait_{unit}"]
            for unit in UNITS
        )

    def _begin(
        self, flight: _Flight, before: deque[_Flight], registers: Mapping[str, int]
    ) -> Iterator[ComputeTrace]:
        if all(other.read for other in before) and self._rng.random() < 0.6:
            self._read_now(flight, registers)
            if all(other.written for other in before) and self._rng.random() < 0.5:
                yield from self._write_now(flight)

    def _finish(self, flight: _Flight, registers: Mapping[str, int]) -> Iterator[ComputeTrace]:
        if not flight.read:
            self._read_now(flight, registers)
        if not flight.written:
            yield from self._write_now(flight)

    def _read_now(self, flight: _Flight, registers: Mapping[str, int]) -> None:
        flight.read = True
        command = flight.command
        if command.name == "load":
            flight.result = self.load(command, registers)
        elif command.name == "compute":
            flight.result = self.compute(command)
        else:
            self.store(command, registers)

    def _write_now(self, flight: _Flight) -> Iterator[ComputeTrace]:
        flight.written = True
        if isinstance(flight.result, ComputeTrace):
            self.write_codes(flight.command, flight.result)
            yield flight.result
        elif isinstance(flight.result, tuple):
            self.write(*flight.result)
