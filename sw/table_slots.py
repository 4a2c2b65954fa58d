"""Which table is in which slot, when: LOADs of tables among the instructions.

    for COMPUTE with a table:  slot = the one that holds it, or the one that is free for longest
    LOAD table -> slot         so long before the COMPUTE that it hides behind others, but behind the slot's last user

A table that is used all over the program takes two slots where there are enough of them, one for each half: else the
next image, whose LOADs come in order, could not be loaded before the last COMPUTE of this one is complete.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod

from ..hw.config import EngineConfig
from ..hw.isa import COMPUTE, LOAD, REGIONS, record_words
from ..quant.network import IntArray
from .program import STRIDE
from .step import Step

__all__ = ["place_tables"]

_LATENCY = 400
"""Cycles that a LOAD may take beside four for each of its beats, or one for each entry: others have their turns."""

_Key = tuple[bytes, int]


@dataclass
class _Slot:
    """What is in it, and the last COMPUTE that uses that; nothing at first."""

    key: _Key | None = None
    used: int = -1


def place_tables(steps: Sequence[Step], config: EngineConfig) -> tuple[list[Step], bytes]:
    """The instructions with LOADs of tables among them, and the tables, for ``Program.tables``.

    COMPUTEs that have a table, and their LOADs, get their slot, as a word behind those of the scratchpad.
    """
    placer = _Placer(steps, config)
    before = placer.loads()
    if not before:
        return list(steps), b""
    result: list[Step] = []
    for at, step in enumerate(steps):
        result += before.get(at, [])
        result.append(step)
    size = record_words(config) * config.port_bytes * (len(result) + 1)
    blob, offsets = bytearray(), dict[bytes, int]()
    for step in (step for found in before.values() for step in found):
        assert step.table is not None
        data = _bytes(step.table, config)
        if data not in offsets:
            offsets[data] = len(blob)
            blob += data + bytes(-len(data) % STRIDE)
        step.values["offset"] = -(-size // STRIDE) * STRIDE + offsets[data]
    loads = [step for step in result if step.instruction is LOAD]
    for step in loads:
        step.values["last"] = int(step is loads[-1])
    return result, bytes(blob)


def _bytes(table: IntArray, config: EngineConfig) -> bytes:
    """Entry after entry, the columns of each side by side."""
    codes = table.T & (1 << config.act_width) - 1
    return codes.astype("<u1" if config.lane_bytes == 1 else "<u2").tobytes()


class _Placer:
    def __init__(self, steps: Sequence[Step], config: EngineConfig) -> None:
        self.steps, self.config = steps, config
        self.computes = [at for at, step in enumerate(steps) if step.instruction is COMPUTE]
        self.start = [0, *accumulate(_cycles(steps[at], config) for at in self.computes)]
        names: dict[int, bytes] = {}  # a block's table is the same object for each strip
        self.keys: dict[int, _Key] = {}
        for k, at in enumerate(self.computes):
            if (table := steps[at].table) is not None:
                name = names.setdefault(id(table), len(table).to_bytes(1, "little") + _bytes(table, config))
                self.keys[k] = name, int(2 * self.start[k] >= self.start[-1])
        if len(set(self.keys.values())) > config.tables:
            self.keys = {k: (name, 0) for k, (name, _) in self.keys.items()}
        self.users: dict[_Key, list[int]] = {}
        for k, key in self.keys.items():
            self.users.setdefault(key, []).append(k)

    def loads(self) -> dict[int, list[Step]]:
        """LOADs, by the number of the step that they come before."""
        slots = [_Slot() for _ in range(self.config.tables)]
        before: dict[int, list[Step]] = {}
        for k, key in self.keys.items():
            held = [n for n, slot in enumerate(slots) if slot.key == key]
            number = held[0] if held else self._choose(slots, k)
            if not held:
                before.setdefault(self._place(k, slots[number].used), []).append(self._load(k, number))
            slots[number] = _Slot(key, k)
            step = self.steps[self.computes[k]]
            step.values |= {"table": 1, "slot": number}
            step.reads.append(self._span(number))
        return before

    def _lead(self, k: int) -> int:
        """Cycles by which the LOAD of COMPUTE ``k``'s table should come first."""
        table = self.steps[self.computes[k]].table
        assert table is not None
        beats = int(table.size) * self.config.lane_bytes // self.config.port_bytes
        return max(4 * beats, int(table.shape[1])) + _LATENCY

    def _choose(self, slots: Sequence[_Slot], k: int) -> int:
        """A slot that nobody uses any more; else, of those free long enough, the one needed again last."""

        def wanted(n: int) -> int:
            key = slots[n].key
            users = [] if key is None else self.users[key]
            at = bisect_right(users, k)
            return users[at] if at < len(users) else len(self.computes)

        def free(n: int) -> int:
            return self.start[k] - self.start[slots[n].used + 1] if slots[n].key else self.start[-1] + 1

        early = [n for n in range(len(slots)) if free(n) >= self._lead(k)]
        if not early:
            return max(range(len(slots)), key=free)
        return max(early, key=lambda n: (wanted(n), free(n)))

    def _place(self, k: int, used: int) -> int:
        """The step that the LOAD for COMPUTE ``k`` comes before, its slot last used by COMPUTE ``used``."""
        late = bisect_right(self.start, self.start[k] - self._lead(k)) - 1
        at = max(late, used + 1)
        if at > 0:
            return self.computes[at]
        # Behind the LOADs that the first COMPUTE waits for, before the rest of the image.
        needed = self.steps[self.computes[0]].reads
        loads = range(self.computes[0])
        waited = [i for i in loads if any(_meet(a, b) for a in self.steps[i].writes for b in needed)]
        return max(waited, default=-1) + 1

    def _load(self, k: int, number: int) -> Step:
        config, step = self.config, self.steps[self.computes[k]]
        assert step.table is not None
        size = step.table.size * config.lane_bytes
        values = {
            "region": REGIONS.index("program"),
            "offset": 0,
            "beats": -(-size // config.port_bytes),
            "pixels": step.table.shape[1],
            "blocks": 1,
            "tail": len(step.table),
            "base": number << config.table_bits,
            "table": 1,
        }
        return Step(
            instruction=LOAD, values=values, writes=[self._span(number)], table=step.table, op=step.op
        )

    def _span(self, number: int) -> tuple[int, int]:
        return self.config.words + number, self.config.words + number + 1


def _cycles(step: Step, config: EngineConfig) -> int:
    """Of a COMPUTE, about."""
    v = step.values
    loops = ("ox", "oy") if v.get("fir") else ("wx", "wy", "ox", "oy")
    pixels = prod(v[f"{loop}_last"] + 1 for loop in loops)
    passes = prod(v[f"{loop}_last"] + 1 for loop in ("kb", "ky", "kx"))
    return passes * max(pixels, config.rows)


def _meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]
