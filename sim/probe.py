"""``sim/bench_probe.sv``'s records of a run in RTL as a ``Recording``, what the cycle model gives of its own.

The bench counts from the cycle of the register write that starts the engine; the engine's cycle 0 is the next one.
Words come in the order in which their bursts were asked for, so the address of each burst tells whose they are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..sw.program import Program
from ..sw.recording import CLIENTS, STATES, UNITS, Cycles, Recording

__all__ = ["decode_probe"]

_WORDS = 3

_START = 1
"""From the bench's cycles to the engine's."""

_COUNTED = 3
"""Cycles from an event of the array to the cycle in which it is counted; it waits from the start on."""


def decode_probe(content: bytes, program: Program, images: int, cycles: int) -> Recording:
    """The recording of ``images`` images that took so many cycles; an incomplete last record is dropped."""
    size = 4 * _WORDS
    records = (
        np.frombuffer(content[: len(content) // size * size], "<u4").reshape(-1, _WORDS).astype(np.int64)
    )
    cycle, what, address = records[:, 0] - _START, records[:, 1], records[:, 2]

    def when(bit: int) -> Cycles:
        return np.asarray(cycle[(what >> bit & 1).astype(bool)], np.int64)

    asked = (what >> 9 & 1).astype(bool)
    clients = np.repeat(_clients(program, images, address[asked]), (what[asked] >> 24) + 1)
    words = when(10)
    state = what >> 12 & 31
    changed = state != 0
    return Recording(
        source="rtl", images=images, cycles=cycles,
        done={unit: when(k) for k, unit in enumerate(UNITS)},
        taken={unit: when(3 + k) for k, unit in enumerate(UNITS)},
        offered={unit: when(6 + k) for k, unit in enumerate(UNITS)},
        reads={name: words[clients[: len(words)] == k] for k, name in enumerate(CLIENTS)},
        writes=when(11), since=np.maximum(cycle[changed] - _COUNTED, 0), states=_states(state[changed]),
    )  # fmt: skip


def _clients(program: Program, images: int, address: Cycles) -> Cycles:
    """Indices into CLIENTS: who reads at these addresses."""
    places, numbers = program.memory_map(images), {name: k for k, name in enumerate(CLIENTS)}
    found = np.full(len(address), numbers["load"])
    found[(address >= places.weights) & (address < places.input)] = numbers["weight"]
    found[address < places.program + len(program.records)] = numbers["program"]
    return found


def _states(bits: Cycles) -> npt.NDArray[np.int8]:
    """The number of the one bit that is set; raises ValueError where it is not one."""
    numbers = np.full(1 << len(STATES), -1, np.int8)
    numbers[[1 << k for k in range(len(STATES))]] = range(len(STATES))
    result = numbers[bits]
    if np.any(result < 0):
        raise ValueError(
            f"the array must be in one state at a time, not {int(bits[np.argmax(result < 0)]):#07b}"
        )
    return result
