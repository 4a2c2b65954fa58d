"""Where tensors and slots lie in the scratchpad.

    words of a tensor = blocks * height * width,  blocks = ceil(max(channels up to cols, channels up to rows) / lanes)

A request lives through moments first..last; requests that live at the same time do not overlap. Any such placement
is correct. Among them the one with the fewest collisions is taken: operands read together in one bank (each such
word is a bubble), reads of STORE and writes of LOAD in a busy bank. A request may wish for more moments than it
needs: so that the next image, or the next operation's first rows, are loaded meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from itertools import product
from typing import NamedTuple

import numpy as np

from ..hw.config import EngineConfig

__all__ = ["Conflicts", "Placement", "Request", "place", "tensor_blocks"]

_SHUFFLES = 12

_ROUNDS = 2
"""How often each request may move when all are placed."""


@dataclass(frozen=True)
class Placement:
    """Words base .. base + blocks * block_step - 1. ``wished``: free as early as wished."""

    base: int
    block_step: int
    blocks: int
    wished: bool = True

    @property
    def end(self) -> int:
        """The word after the last one."""
        return self.base + self.blocks * self.block_step

    def overlaps(self, other: Placement) -> bool:
        """Words in common; a place has them with itself."""
        return self.base < other.end and other.base < self.end


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
    high: bool | None = None
    """Near the end of the scratchpad (True) or its start, where slots are placed from both ends; None: no slot."""

    @property
    def words(self) -> int:
        """All of them."""
        return self.blocks * self.block_step

    @cached_property
    def wish(self) -> Request:
        """The same, living as long as wished."""
        first = self.first if self.early is None else self.early
        return replace(self, first=first, last=self.last if self.late is None else self.late)


Span = tuple[int, int]

_Rivals = tuple[Hashable, tuple[tuple[Hashable, int], ...]]

Conflicts = Mapping[Hashable, Mapping[Hashable, int]]
"""conflicts[one][other]: how bad each word is that both have in the same bank."""


class Room(NamedTuple):
    """The scratchpad: banks of so many words."""

    banks: int
    depth: int


def tensor_blocks(channels: int, config: EngineConfig) -> int:
    """Blocks a tensor takes, with room for partial tiles: they write and read lanes nobody looks at."""
    widest = max(-(-channels // side) * side for side in (config.rows, config.cols))
    return -(-widest // config.lanes)


def place(
    requests: Sequence[Request], conflicts: Conflicts, config: EngineConfig
) -> dict[Hashable, Placement] | Request:
    """Every request's place, all wishes met if that is possible. Without room for all: one that found none."""
    rivals = tuple((one, tuple(others.items())) for one, others in conflicts.items())
    found = _place(tuple(requests), rivals, config.banks, config.bank_depth)
    return found if isinstance(found, Request) else dict(found)


@lru_cache(maxsize=256)
def _place(
    requests: tuple[Request, ...], rivals: tuple[_Rivals, ...], banks: int, bank_depth: int
) -> dict[Hashable, Placement] | Request:
    """As ``place``; engines whose scratchpads are alike ask for the same again and again."""
    room, conflicts = Room(banks, bank_depth), {one: dict(others) for one, others in rivals}
    found = _search(requests, conflicts, room, True)
    return _search(requests, conflicts, room, False) if isinstance(found, Request) else found


def _search(
    requests: Sequence[Request], conflicts: Conflicts, room: Room, strict: bool
) -> dict[Hashable, Placement] | Request:
    """The cheapest of the placements that greedy choices in a few orders give."""
    orders = [
        sorted(requests, key=lambda r: (-r.words, r.first)),
        sorted(requests, key=lambda r: (-r.words * (r.last - r.first + 1), r.first)),
        sorted(requests, key=lambda r: (r.first, -r.words)),
        sorted(requests, key=lambda r: (r.first - r.last, -r.words)),
    ]
    shuffle = np.random.default_rng(0)
    orders += [_shuffled(requests, shuffle) for _ in range(_SHUFFLES)]
    ways: list[tuple[Sequence[Request], _Choose]] = list(product(orders, (_cheapest, _lowest)))
    in_time = sorted(requests, key=lambda r: (r.wish.first, -r.words))
    tensors_first = sorted(in_time, key=lambda r: r.high is not None)
    ways += product((tensors_first, in_time), (_slots_at_both_ends, _from_both_ends))
    best: tuple[int, dict[Hashable, Placement]] | None = None
    failed = requests[0]
    for order, choose in ways:
        placed = _greedy(order, conflicts, room, choose, strict)
        if isinstance(placed, Request):
            failed = placed
            continue
        price = placed.price()
        if best is not None and price >= best[0]:  # moves change collisions alone
            continue
        price += placed.settle(conflicts, room)
        if best is None or price < best[0]:
            best = price, placed.places()
        if best[0] == 0:  # nothing is cheaper
            break
    return failed if best is None else best[1]


def _shuffled(requests: Sequence[Request], shuffle: np.random.Generator) -> list[Request]:
    """Large first, with noise of a factor up to 4."""
    noise = shuffle.uniform(0, 2, len(requests))
    keys = {r.key: -np.log2(r.words) + n for r, n in zip(requests, noise, strict=True)}
    return sorted(requests, key=lambda r: float(keys[r.key]))


class _Placed:
    """What is placed already, as arrays: when it is needed, how long it lives as wished, its words."""

    def __init__(self, order: Sequence[Request]) -> None:
        self._order = order
        self._needs = np.array([(r.first, r.last) for r in order]).T
        self._lives = np.array([(r.wish.first, r.wish.last) for r in order]).T
        self._words = np.zeros((2, len(order)), np.int64)
        self._number = {request.key: n for n, request in enumerate(order)}
        self.count = 0

    def busy(self, first: int, last: int, wishes: bool) -> list[tuple[int, int]]:
        """Words of what lives in these moments, as wished or as needed."""
        births, deaths = (self._lives if wishes else self._needs)[:, : self.count]
        meets = (births <= last) & (deaths >= first)
        return list(map(tuple, self._words[:, : self.count][:, meets].T.tolist()))

    def add(self, base: int, first: int, last: int) -> None:
        """Place the next request, living through these moments. Wishes of others that are in its way are given up."""
        n, request = self.count, self._order[self.count]
        self._words[:, n] = base, base + request.words
        self._lives[:, n] = first, last
        meets = (self._words[0, :n] < base + request.words) & (self._words[1, :n] > base)
        meets &= (self._lives[0, :n] <= last) & (self._lives[1, :n] >= first)
        for other in np.flatnonzero(meets):
            side = 0 if self._needs[0, other] > last else 1
            self._lives[side, other] = self._needs[side, other]
        self.count += 1

    def settle(self, conflicts: Conflicts, room: Room) -> int:
        """Move requests, one after the other, to where they collide least; returns what is left."""
        left = 0
        for _ in range(_ROUNDS):
            left = 0
            for n, request in enumerate(self._order):
                words = self._words.T.tolist()
                rivals = [
                    (*words[self._number[other]], weight)
                    for other, weight in conflicts.get(request.key, {}).items()
                    if other in self._number
                ]
                cost = _costs([words[n][0]], request.words, rivals, room)[0]
                if not cost:  # it stays
                    continue
                first, last = self._lives[:, n]
                meets = (self._lives[0] <= last) & (self._lives[1] >= first)
                meets[n] = False
                busy = [words[other] for other in np.flatnonzero(meets).tolist()]
                starts = _free(request.words, busy, room)
                costs = _costs(starts, request.words, rivals, room)
                least = min(costs, default=cost)
                if least < cost:
                    start = starts[costs.index(least)]
                    self._words[:, n] = start, start + request.words
                left += min(least, cost)
            if not left:
                break
        return left // 2

    def price(self) -> int:
        """Of the wishes that are not met."""
        price = 0
        for n, request in enumerate(self._order):
            early, late = self._lives[0, n] <= request.wish.first, self._lives[1, n] >= request.wish.last
            price += request.words * (64 * (not early) + 4 * (not late))
        return price

    def places(self) -> dict[Hashable, Placement]:
        """Every request's."""
        return {
            request.key: Placement(
                int(self._words[0, n]), request.block_step, request.blocks,
                bool(self._lives[0, n] <= request.wish.first),
            )
            for n, request in enumerate(self._order)
        }  # fmt: skip


_Choose = Callable[[Request, list[int], Callable[[], list[int]]], int]
"""One of several free starts, which ascend; what each costs, if that is asked for."""


def _cheapest(request: Request, starts: list[int], costs: Callable[[], list[int]]) -> int:
    found = costs()
    return starts[found.index(min(found))]


def _lowest(request: Request, starts: list[int], costs: Callable[[], list[int]]) -> int:
    return starts[0]


def _from_both_ends(request: Request, starts: list[int], costs: Callable[[], list[int]]) -> int:
    return starts[-1 if request.high else 0]


def _slots_at_both_ends(request: Request, starts: list[int], costs: Callable[[], list[int]]) -> int:
    choose = _cheapest if request.blocks > 1 or request.high is None else _from_both_ends
    return choose(request, starts, costs)


def _greedy(
    order: Sequence[Request], conflicts: Conflicts, room: Room, choose: _Choose, strict: bool
) -> _Placed | Request:
    """Each request at one of its free starts: next to a neighbour, or at a bank."""
    placed, spans = _Placed(order), dict[Hashable, Span]()
    for request in order:
        wish = request.wish
        tries = [(wish.first, wish.last, True)]
        if not strict:
            tries += [(wish.first, request.last, True), (request.first, request.last, True)]
            tries += [(request.first, request.last, False)]
        for first, last, wishes in tries:
            if free := _free(request.words, placed.busy(first, last, wishes), room):
                break
        else:
            return request
        chosen = choose(request, free, partial(_rivalry, request, free, conflicts, spans, room))
        placed.add(chosen, first, last)
        spans[request.key] = chosen, chosen + request.words
    return placed


def _rivalry(
    request: Request,
    starts: Sequence[int],
    conflicts: Conflicts,
    spans: Mapping[Hashable, tuple[int, int]],
    room: Room,
) -> list[int]:
    """What each start costs beside those that have their place."""
    others = conflicts.get(request.key, {}).items()
    rivals = [(*spans[other], weight) for other, weight in others if other in spans]
    return _costs(starts, request.words, rivals, room)


def _free(words: int, busy: Sequence[Sequence[int]], room: Room) -> list[int]:
    """Starts of so many words between what is busy, at the ends of gaps and of banks, ascending."""
    banks, depth = room
    highest = banks * depth - words
    starts = {edge for bank in range(banks + 1) for edge in (bank * depth, bank * depth - words)}
    for base, end in busy:
        starts.add(end)
        starts.add(base - words)
    tried = sorted(start for start in starts if 0 <= start <= highest)
    found, spans, at = [], sorted(map(tuple, busy)), 0
    reach = 0  # the end of all that begin before a start's own end
    for start in tried:
        stop = start + words
        while at < len(spans) and spans[at][0] < stop:
            reach = max(reach, spans[at][1])
            at += 1
        if reach <= start:
            found.append(start)
    return found


def _costs(starts: Sequence[int], words: int, rivals: Sequence[Sequence[int]], room: Room) -> list[int]:
    """Of each start: words that share a bank with a rival, weighted."""
    depth = room.depth
    inside: list[list[tuple[int, int]]] = [[] for _ in range(room.banks)]
    for base, end, weight in rivals:
        for bank in range(base // depth, (end - 1) // depth + 1):
            inside[bank].append((min(end, (bank + 1) * depth) - max(base, bank * depth), weight))
    costs = []
    for start in starts:
        stop, cost = start + words, 0
        for bank in range(start // depth, (stop - 1) // depth + 1):
            if others := inside[bank]:
                mine = min(stop, (bank + 1) * depth) - max(start, bank * depth)
                for other, weight in others:
                    cost += weight * (other if other < mine else mine)
        costs.append(cost)
    return costs
