"""Where tensors and slots lie in the scratchpad.

    words of a tensor = blocks * height * width,  blocks = ceil(max(channels up to cols, channels up to rows) / lanes)

A request lives through moments first..last; requests that live at the same time do not overlap. Any such placement
is correct. Among them the one with the fewest collisions is taken: operands read together in one bank (each such
word is a bubble), reads of STORE and writes of LOAD in a busy bank. A request may wish for more moments than it
needs: so that the next image, or the next operation's first rows, are loaded meanwhile.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..hw.config import EngineConfig

__all__ = ["Conflicts", "Placement", "Request", "place", "tensor_blocks"]

_SHUFFLES = 12


@dataclass(frozen=True)
class Placement:
    """Words base .. base + blocks * block_step - 1. ``wished``: it lives as long as wished."""

    base: int
    block_step: int
    blocks: int
    wished: bool = True

    @property
    def end(self) -> int:
        """The word after the last one."""
        return self.base + self.blocks * self.block_step


@dataclass(frozen=True)
class Request:
    """Words to place: ``blocks`` times ``block_step``, needed through moments first..last, wished early..late."""

    key: Hashable
    block_step: int
    blocks: int
    first: int
    last: int
    early: int | None = None
    late: int | None = None

    @property
    def words(self) -> int:
        """All of them."""
        return self.blocks * self.block_step

    @property
    def wish(self) -> Request:
        """The same, living as long as wished."""
        first = self.first if self.early is None else self.early
        return replace(self, first=first, last=self.last if self.late is None else self.late)


Conflicts = Mapping[Hashable, Mapping[Hashable, int]]
"""conflicts[one][other]: how bad each word is that both have in the same bank."""


def tensor_blocks(channels: int, config: EngineConfig) -> int:
    """Blocks a tensor takes, with room for partial tiles: they write and read lanes nobody looks at."""
    widest = max(-(-channels // side) * side for side in (config.rows, config.cols))
    return -(-widest // config.lanes)


def place(
    requests: Sequence[Request], conflicts: Conflicts, config: EngineConfig
) -> dict[Hashable, Placement] | None:
    """Every request's place, all wishes met if that is possible; None if there is no room."""
    return _search(requests, conflicts, config, True) or _search(requests, conflicts, config, False)


def _search(
    requests: Sequence[Request], conflicts: Conflicts, config: EngineConfig, strict: bool
) -> dict[Hashable, Placement] | None:
    """The cheapest of the placements that greedy choices in a few orders give."""
    orders = [
        sorted(requests, key=lambda r: (-r.words, r.first)),
        sorted(requests, key=lambda r: (-r.words * (r.last - r.first + 1), r.first)),
        sorted(requests, key=lambda r: (r.first, -r.words)),
        sorted(requests, key=lambda r: (r.first - r.last, -r.words)),
    ]
    shuffle = np.random.default_rng(0)
    orders += [_shuffled(requests, shuffle) for _ in range(_SHUFFLES)]
    best: tuple[int, dict[Hashable, Placement]] | None = None
    for order in orders:
        for compact in (False, True):
            found = _greedy(order, conflicts, config, compact, strict)
            if found is not None and (best is None or found[0] < best[0]):
                best = found
    return None if best is None else best[1]


def _shuffled(requests: Sequence[Request], shuffle: np.random.Generator) -> list[Request]:
    """Large first, with noise of a factor up to 4."""
    noise = shuffle.uniform(0, 2, len(requests))
    keys = {r.key: -np.log2(r.words) + n for r, n in zip(requests, noise, strict=True)}
    return sorted(requests, key=lambda r: float(keys[r.key]))


class _Placed:
    """What is placed already, as arrays."""

    def __init__(self, count: int) -> None:
        self._spans = np.zeros((4, count), np.int64)  # first, last, base, end
        self._count = 0

    def add(self, request: Request, base: int) -> None:
        self._spans[:, self._count] = request.first, request.last, base, base + request.words
        self._count += 1

    def busy(self, request: Request) -> list[tuple[int, int]]:
        """Words of what lives at the same time."""
        first, last, base, end = self._spans[:, : self._count]
        meets = (first <= request.last) & (last >= request.first)
        return list(zip(base[meets].tolist(), end[meets].tolist(), strict=True))


def _greedy(
    order: Sequence[Request], conflicts: Conflicts, config: EngineConfig, compact: bool, strict: bool
) -> tuple[int, dict[Hashable, Placement]] | None:
    """Each request at its cheapest free start, or the lowest: next to a neighbour, or at a bank."""
    placed, result = _Placed(len(order)), dict[Hashable, Placement]()
    total = 0
    for request in order:
        taken, wished = request.wish, True
        free = _free(taken, placed.busy(taken), config)
        if not free and not strict:
            taken, wished = request, False
            free = _free(taken, placed.busy(taken), config)
            total += 64 * request.words
        if not free:
            return None
        rivals = [
            (result[other].base, result[other].end, weight)
            for other, weight in conflicts.get(request.key, {}).items()
            if other in result
        ]
        costs = [_cost(start, start + request.words, rivals, config.bank_depth) for start in free]
        cheapest = 0 if compact else int(np.argmin(costs))
        total += costs[cheapest]
        placed.add(taken, free[cheapest])
        result[request.key] = Placement(free[cheapest], request.block_step, request.blocks, wished)
    return total, result


def _free(request: Request, busy: Sequence[tuple[int, int]], config: EngineConfig) -> list[int]:
    starts = {bank * config.bank_depth for bank in range(config.banks)}
    starts |= {end for _, end in busy} | {base - request.words for base, _ in busy}
    starts |= {bank * config.bank_depth - request.words for bank in range(1, config.banks + 1)}
    return [
        start
        for start in sorted(starts)
        if 0 <= start <= config.words - request.words
        and all(end <= start or start + request.words <= base for base, end in busy)
    ]


def _cost(base: int, end: int, rivals: Sequence[tuple[int, int, int]], depth: int) -> int:
    """Words that share a bank with a rival, weighted."""
    cost = 0
    for rival_base, rival_end, weight in rivals:
        for bank in range(base // depth, -(-end // depth)):
            low, high = bank * depth, (bank + 1) * depth
            mine, other = min(end, high) - max(base, low), min(rival_end, high) - max(rival_base, low)
            cost += weight * min(mine, max(other, 0))
    return cost
