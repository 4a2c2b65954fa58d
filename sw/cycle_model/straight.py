"""LOADs that nothing holds up: all of their events at once.

    shifted = running maximum of arrived + 4, one a cycle       emitted[k] = shifted[last word of k] + 1, one a cycle
    left = emitted + constant                                   written = left + constant

That is so where no window is full, no credit missing and no COMPUTE at work writes the banks of the words.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from .gear import CREDITS, TAP_WINDOW, credit
from .plan import Plan, Record

if TYPE_CHECKING:
    from .loads import Load

__all__ = ["Clear", "Straight"]

Times = npt.NDArray[np.int64]

_TRIES = 3
"""Words may wait for the window, which items free, which wait for words."""


class _Job(NamedTuple):
    """A LOAD's words: the port words that each needs, the word with which each port word is used up."""

    words: int
    items: int
    last: Times
    freed_by: Times


def _job(v: Mapping[str, int], lanes: int, units: int) -> _Job:
    """Port words and elements are counted from the LOAD's start."""
    sizes = np.full((v["pixels"], v["blocks"]), lanes, np.int64)
    sizes[:, -1] = v["tail"]
    ends = v["skip"] + np.cumsum(sizes)
    words = -(-int(ends[-1]) // units)
    used = ends // units
    used[-1] = words
    return _Job(words, len(ends), (ends - 1) // units, np.searchsorted(used, np.arange(1, words + 1)))


def _running(times: Times, first: int) -> Times:
    """t[i] = max(times[i], t[i-1] + 1), t[0] at least ``first``."""
    if not len(times):
        return times
    steps = np.arange(len(times))
    times = times - steps
    times[0] = max(int(times[0]), first)
    result: Times = np.maximum.accumulate(times) + steps
    return result


class Straight:
    """Jobs of a load unit as far as their words have come, while nothing else is under way."""

    def __init__(self, load: Load, clear: Clear) -> None:
        self._load, self._clear = load, clear
        self._jobs: dict[tuple[int, ...], _Job] = {}
        self._job: _Job | None = None
        self._refused = -1
        self._done = 0

    def run(self) -> bool:
        """Whether the next job is done here; what has come of it is."""
        load = self._load
        n = load.at[0]
        if n == self._refused or any(load.busy) or load.at != [n] * 4:
            return False
        if self._job is None and not self._begin(n):
            return False
        assert self._job is not None
        here, known = len(load.shifts) - load.base, min(len(load.reader.puts) - load.base, self._job.words)
        count = int(np.searchsorted(self._job.last, known))
        # a drop goes with the first word that is made
        if not count or (known <= here and count == self._done):
            return True
        if known < self._job.words and load.reader.asks_on():
            return True  # more of its words come before anybody looks at what they make
        if self._go(n, self._job, here, known):
            load.moved = True
            return True
        if not self._done:
            load.dropped.pop()
            load.folded.pop()
        self._refused, self._job, load.begun = n, None, (n, self._done)
        self._done = 0
        return False

    def _begin(self, n: int) -> bool:
        """A job starts: its drop is asked for, the tap window is its own."""
        load = self._load
        if n >= min(load.total, len(load.jobs), len(load.folds)):
            return False
        v = load.records[n % len(load.records)].values
        if v["fold"] or len(load.left) < CREDITS or load.base < load.window or not self._clear.load(n):
            return False
        key = (v["pixels"], v["blocks"], v["tail"], v["skip"])
        if key not in self._jobs:
            self._jobs[key] = _job(v, load.config.lanes, load.units)
        self._job = self._jobs[key]
        load.dropped.append(max(load.asked[-1] + 1, load.jobs[n] + 1, load.emits[-2] + 1))
        load.folded.append(max(load.folds[n], load.end) + 1)
        load.moved = True
        return True

    def _go(self, n: int, job: _Job, here: int, known: int) -> bool:
        """The events of words ``here`` to ``known``, unless something holds them up."""
        load, done = self._load, self._done
        base, emits, left = load.base, load.emits, load.left
        through = TAP_WINDOW if load.config.folds else 2
        skip = load.records[n % len(load.records)].values["skip"]
        arrived = _times(load.reader.puts, base + here, base + known) + 4
        shifted = _running(arrived, load.shifts[-1] + 1)
        gone, count = len(load.freed) - base, int(np.searchsorted(job.last, known))
        at = base + here - load.window
        limits = _times(load.freed, at, min(base + gone, at + known - here))
        credits = _times(left, len(left) - CREDITS, len(left)) + 3
        by = job.freed_by[gone : int(np.searchsorted(job.freed_by, count))] - done
        first = max(left[-1] + 1, load.written[-1], load.folded[n] + 1) - load.to_queue - 1
        for _ in range(_TRIES):
            before, asked = emits[-1], load.asked[-1]
            if not done:
                asked = load.dropped[n]
                item = max(asked + 1, load.jobs[n] + 3)  # the first one is asked for
                word = load.shifts[base] if here else int(shifted[0])
                at = max(asked + 1, word + 1 if skip else 0, before + 1)
                before = credit(load.items, left, at)
            emitted = np.zeros(0, np.int64)
            if count > done:
                last = job.last[done:count]
                low = min(here, int(last[0]))
                window = np.concatenate([_times(load.shifts, base + low, base + here), shifted])
                emitted = _running(window[last - low] + 1, before + 1 if done else max(before, item) + 1)
            freed = emitted[by]
            free = np.concatenate([limits, freed])[: known - here] + 1
            if np.all(free <= shifted):
                break
            shifted = _running(np.maximum(arrived, free), load.shifts[-1] + 1)
        else:
            return False
        leaves = emitted + load.to_queue + 1
        if before < 0 or (count > done and int(emitted[0]) < first):
            return False
        if np.any(np.concatenate([credits, leaves + 3])[: count - done] > emitted):
            return False
        if not done:
            emits.append(before)
            load.asked.append(asked)
        for times, new in ((load.shifts, shifted), (emits, emitted), (load.items, emitted), (left, leaves),
                           (load.freed, freed), (load.made, leaves), (load.entered, leaves + 1),
                           (load.written, leaves + through)):  # fmt: skip
            times.frombytes(new.tobytes())
        # Of the requests only the last counts: the next one follows it.
        if count > done:
            load.asked.frombytes(bytes(8 * (count - done - 1)))
            load.asked.append(max((asked if done else item - 1) + count - done, emits[-3] + 1))
        self._done = count
        if count == job.items:
            load.base += job.words
            load.step = load.end = left[-1]
            load.done.append(load.written[-1] + 1)
            load.at = [n + 1] * 4
            self._job, self._done = None, 0
        return True


def _times(found: array[int], first: int, last: int) -> Times:
    return np.frombuffer(found[first:last], np.int64)


class Clear:
    """Which LOADs, and which STOREs, no COMPUTE can meet in a bank, whenever they run."""

    def __init__(self, plan: Plan, images: int) -> None:
        self._plan, self._images = plan, images
        self._computes = plan.records["compute"]

    @cached_property
    def _after(self) -> list[int]:
        """The COMPUTEs that are complete before LOAD i begins, at least."""
        count, loads = len(self._computes), self._plan.records["load"]
        return list(
            accumulate((r.waits[1] + image * count for image in range(self._images) for r in loads), max)
        )

    @cached_property
    def _needs(self) -> list[int]:
        """The LOADs that must be complete before COMPUTE i begins, as far as those before it tell."""
        count, total = len(self._plan.records["load"]), len(self._computes)
        needs = (
            record.waits[0] + image * count for image in range(self._images) for record in self._computes
        )
        return list(accumulate(needs, max)) if total else []

    @cached_property
    def _written(self) -> list[list[int]]:
        """[bank][i]: COMPUTEs before i that write the bank."""
        masks = [self._writes(record) for record in self._computes] * self._images
        return [
            [0, *accumulate(mask >> bank & 1 for mask in masks)] for bank in range(self._plan.config.banks)
        ]

    def load(self, n: int) -> bool:
        """Of LOAD ``n``, counted over the images: COMPUTEs at work are behind those it waits for, and before
        the first that waits for it."""
        record = self._plan.records["load"][n % len(self._plan.records["load"])]
        first = max(0, self._after[n])
        last = bisect_right(self._needs, n)
        mask = self._words(record)
        return all(
            self._written[bank][max(first, last)] == self._written[bank][first]
            for bank in range(self._plan.config.banks)
            if mask >> bank & 1
        )

    def _range(self, base: int, count: int) -> int:
        """The banks of ``count`` words from ``base`` on."""
        config, mask = self._plan.config, 0
        low = (config.bank_depth - 1).bit_length()
        for bank in range(base >> low, (base + count - 1 >> low) + 1):
            mask |= 1 << bank % config.banks
        return mask

    def _words(self, record: Record) -> int:
        v, mask = record.values, 0
        for block in range(v["blocks"]):
            mask |= self._range(v["base"] + block * v["block_step"], v["pixels"])
        return mask

    def _writes(self, record: Record) -> int:
        v, config = record.values, self._plan.config
        mask = self._range(v["out_base"], record.pixels)
        if v["out_rot"] + config.cols > config.lanes:
            mask |= self._range(v["out_base"] + v["out_block_step"], record.pixels)
        return mask
