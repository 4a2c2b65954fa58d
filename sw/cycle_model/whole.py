"""STOREs that nothing holds up: their events are known from the first of their kind.

    event of the STORE = when its record is taken + the same event of one that is alone in the engine

That is so where the STORE before is over, and where no COMPUTE reads a bank in the cycle in which the STORE reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from .port import BURST

if TYPE_CHECKING:
    from .stores import Store

__all__ = ["Jobs", "Reads", "Whole"]

Masks = npt.NDArray[np.int64]


class Jobs(Protocol):
    """When each record is valid, when it was taken."""

    valid: list[int]
    taken: list[int]


class Reads(Protocol):
    """Who else reads the scratchpad."""

    @property
    def bound(self) -> int: ...
    def reads(self, cycle: int) -> int | None: ...
    def quiet(self, cycle: int, bank: int) -> int: ...
    def meets(self, cycles: Masks, banks: Masks) -> bool: ...


@dataclass
class _One:
    """A record that is valid from cycle 0 on."""

    valid: list[int] = field(default_factory=lambda: [0])
    taken: list[int] = field(default_factory=list)


class _Nobody:
    """Reads nothing."""

    @property
    def bound(self) -> int:
        return 1 << 62

    def reads(self, cycle: int) -> int | None:
        return 0

    def quiet(self, cycle: int, bank: int) -> int:
        return self.bound

    def meets(self, cycles: Masks, banks: Masks) -> bool:
        return True


class _Alone(NamedTuple):
    """The events of a STORE whose record is taken in cycle 0."""

    accepted: int
    read: int
    idle: int
    length: int
    done: int
    sizes: tuple[tuple[int, bool], ...]
    asked: Masks
    left: Masks
    asks: Masks
    reads: Masks
    words: Masks
    entered: Masks
    sent: Masks
    answers: Masks


class Whole:
    """The next job of a store unit at once, if it can be."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[int, int, int], _Alone] = {}
        self._refused = 0 if isinstance(store.compute, _Nobody) else -1
        self.waits = False
        """it is not known yet whether a COMPUTE is in the way; nobody else may go on with the job."""

    def run(self) -> bool:
        """Whether the next job is done here."""
        store = self._store
        n = store.at[0]
        self.waits = False
        if n in (self._refused, store.begun) or n >= len(store.queue.taken) or store.at != [n] * 3:
            return False
        at = store.queue.taken[n]
        v = store.records[n % len(store.records)].values
        if store.answers and store.answers[-1] > at:
            self._refused = n
            return False
        alone, bound = self._alone(n, v), store.compute.bound
        if at + alone.read >= bound:
            # The first read of which it is not known. Where that alone is decided: word by word.
            if store.blocked is None or bound != store.blocked + 1:
                first = int(np.searchsorted(alone.reads, bound + 1 - at))
                store.blocked, self.waits = at + int(alone.reads[first]), True
                return False
            meets = True
        else:
            meets = store.compute.meets(alone.reads + at, self._banks(v))
        store.blocked = None
        if meets:
            self._refused = n
            return False
        self._go(alone, at)
        store.at = [n + 1] * 3
        return True

    def _banks(self, v: Mapping[str, int]) -> Masks:
        store = self._store
        steps = np.arange(v["blocks"])[:, None] * v["block_step"] + np.arange(v["pixels"])
        banks: Masks = np.int64(1) << ((v["base"] + steps.ravel()) % store.config.words >> store.low)
        return banks

    def _alone(self, n: int, v: Mapping[str, int]) -> _Alone:
        key = v["pixels"], v["blocks"], self._store.beat(n) % BURST
        if key not in self._known:
            self._known[key] = self._learn(n)
        return self._known[key]

    def _learn(self, n: int) -> _Alone:
        """The same STORE in an engine that does nothing else."""
        this = self._store
        record = this.records[n % len(this.records)]
        values = {**record.values, "offset": this.beat(n) % BURST * this.config.port_bytes}
        plan = replace(this.plan, records={"store": (replace(record, values=values),)}, registers=_Nowhere())
        done: list[int] = []
        store = type(this)(plan, _One(), _Nobody(), 1, this.latency, done)
        store.run()
        assert store.asks[-1] + 1 == store.reads[-1]
        lists = (
            [at for at, _, _ in store.bursts], store.left, store.asks, store.reads, store.words, store.entered,
            store.sent, store.answers,
        )  # fmt: skip
        sizes = tuple((size, last) for _, size, last in store.bursts)
        return _Alone(store.accepted[0], store.read[0], store.idle, store.length, done[0], sizes,
                      *(np.array(found, np.int64) for found in lists))  # fmt: skip

    def _go(self, alone: _Alone, at: int) -> None:
        store = self._store
        store.accepted.append(at + alone.accepted)
        store.read.append(at + alone.read)
        store.idle, store.length = at + alone.idle, at + alone.length
        store.burst += len(alone.sizes)
        store.bursts.extend(
            (asked, size, last)
            for asked, (size, last) in zip((alone.asked + at).tolist(), alone.sizes, strict=True)
        )
        for found, times in ((store.left, alone.left), (store.asks, alone.asks), (store.reads, alone.reads),
                             (store.words, alone.words), (store.entered, alone.entered),
                             (store.sent, alone.sent), (store.answers, alone.answers)):  # fmt: skip
            found.extend((times + at).tolist())
        store.done.append(at + alone.done)


class _Nowhere(dict[str, int]):
    """Regions at address 0."""

    def __missing__(self, name: str) -> int:
        return 0
