"""Where tensors lie in the scratchpad.

    words = blocks * height * width,  blocks = ceil(max(channels up to cols, channels up to rows) / lanes)

A tensor lives from the operation that makes it to the last one that reads it; tensors that live at the same
time do not overlap. Any such placement is correct. Among them the one with the fewest collisions is taken:
operands read together in one bank (each such word is a bubble), reads of STORE and writes of LOAD in a busy
bank. The network's input gets words nobody else uses, if there are enough: the next image loads meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..hw.config import EngineConfig
from ..quant.network import QuantizedNetwork, Tensor
from .operations import Operation

__all__ = ["Placement", "allocate", "tensor_blocks"]

_SHUFFLES = 12


@dataclass(frozen=True)
class Placement:
    """Words base .. base + blocks * block_step - 1."""

    base: int
    block_step: int
    blocks: int

    @property
    def end(self) -> int:
        """The word after the last one."""
        return self.base + self.blocks * self.block_step


@dataclass(frozen=True)
class _Request:
    """A tensor to place: its words, the operations (first, last) it lives through, its worth in order."""

    name: str
    words: int
    first: int
    last: int

    def meets(self, other: _Request) -> bool:
        return self.first <= other.last and other.first <= self.last


Conflicts = Mapping[frozenset[str], int]


def tensor_blocks(channels: int, config: EngineConfig) -> int:
    """Blocks a tensor takes, with room for partial tiles: they write and read lanes nobody looks at."""
    widest = max(-(-channels // side) * side for side in (config.rows, config.cols))
    return -(-widest // config.lanes)


def _words(tensor: Tensor, config: EngineConfig) -> int:
    return tensor.shape[0] * tensor.shape[1] * tensor_blocks(tensor.shape[2], config)


def allocate(
    network: QuantizedNetwork, ops: Sequence[Operation], config: EngineConfig
) -> dict[str, Placement]:
    """Every tensor's place. Raises ``ValueError`` naming the tensor that does not fit, and the cure."""
    tensors = _tensors(network, ops)
    requests = _requests(network, tensors, ops, config)
    for request in requests:
        if request.words > config.words:
            _refuse(f"tensor {_what(tensors[request.name])} needs {request.words} words", config)
    conflicts = _conflicts(network, ops)
    private = [_Request(r.name, r.words, -1, len(ops)) if r.name == network.input else r for r in requests]
    bases = _search(private, conflicts, config) or _search(requests, conflicts, config)
    if bases is None:
        _refuse_together(tensors, requests, ops, config)
        raise AssertionError("unreachable")
    result = {}
    for request in requests:
        height, width, _ = tensors[request.name].shape
        step = height * width
        result[request.name] = Placement(bases[request.name], step, request.words // step)
    return result


def _tensors(network: QuantizedNetwork, ops: Sequence[Operation]) -> dict[str, Tensor]:
    """Tensors as the operations see them: a folded input has words of its own."""
    return {**network.tensors, **{op.act.name: op.act for op in ops if op.act.name == network.input}}


def _requests(
    network: QuantizedNetwork, tensors: Mapping[str, Tensor], ops: Sequence[Operation], config: EngineConfig
) -> list[_Request]:
    first = {network.input: 0} | {op.output.name: i for i, op in enumerate(ops)}
    last = dict(first)
    for i, op in enumerate(ops):
        for tensor in (op.act, op.residual):
            if tensor is not None:
                last[tensor.name] = i
    for name in network.outputs:  # one operation more, so that its STORE hides behind that
        last[name] = min(last[name] + 1, len(ops) - 1)
    return [_Request(n, _words(tensors[n], config), first[n], last[n]) for n in first]


def _conflicts(network: QuantizedNetwork, ops: Sequence[Operation]) -> Conflicts:
    """How bad each word is that two tensors have in the same bank.

    Operands of one COMPUTE cost a cycle a word, always. The rest only delays LOAD and STORE, or keeps room
    for better choices.
    """
    weights: dict[frozenset[str], int] = {}

    def add(one: str, other: str, weight: int) -> None:
        if one != other:
            key = frozenset((one, other))
            weights[key] = weights.get(key, 0) + weight

    for op in ops:
        if op.residual is not None:
            add(op.act.name, op.residual.name, 64)
        for tensor in (op.act, op.residual):
            if tensor is not None:
                add(tensor.name, op.output.name, 1)
        if op.output.name in network.outputs:
            add(op.act.name, op.output.name, 7)
        add(network.input, op.output.name, 2)
    add(network.input, ops[-1].output.name, 7)
    return weights


def _search(
    requests: Sequence[_Request], conflicts: Conflicts, config: EngineConfig
) -> dict[str, int] | None:
    """The cheapest of the placements that greedy choices in a few orders give."""
    orders = [
        sorted(requests, key=lambda r: (-r.words, r.first)),
        sorted(requests, key=lambda r: (-r.words * (r.last - r.first + 1), r.first)),
        sorted(requests, key=lambda r: (r.first, -r.words)),
        sorted(requests, key=lambda r: (r.first - r.last, -r.words)),
    ]
    shuffle = np.random.default_rng(0)
    orders += [_shuffled(requests, shuffle) for _ in range(_SHUFFLES)]
    best: tuple[int, dict[str, int]] | None = None
    for order in orders:
        for compact in (False, True):
            found = _place(order, conflicts, config, compact)
            if found is not None and (best is None or found[0] < best[0]):
                best = found
    return None if best is None else best[1]


def _shuffled(requests: Sequence[_Request], shuffle: np.random.Generator) -> list[_Request]:
    """Large first, with noise of a factor up to 4."""
    noise = shuffle.uniform(0, 2, len(requests))
    keys = {r.name: -np.log2(r.words) + n for r, n in zip(requests, noise, strict=True)}
    return sorted(requests, key=lambda r: float(keys[r.name]))


def _place(
    order: Sequence[_Request], conflicts: Conflicts, config: EngineConfig, compact: bool
) -> tuple[int, dict[str, int]] | None:
    """Each request at its cheapest free start, or the lowest: next to a neighbour, or at a bank."""
    placed: list[tuple[_Request, int]] = []
    total = 0
    for request in order:
        busy = [(base, base + other.words) for other, base in placed if other.meets(request)]
        rivals = [
            (base, base + other.words, weight)
            for other, base in placed
            if (weight := conflicts.get(frozenset((request.name, other.name)), 0))
        ]
        starts = {bank * config.bank_depth for bank in range(config.banks)}
        starts |= {end for _, end in busy} | {base - request.words for base, _ in busy}
        starts |= {bank * config.bank_depth - request.words for bank in range(1, config.banks + 1)}
        free = [
            start
            for start in sorted(starts)
            if 0 <= start <= config.words - request.words
            and all(end <= start or start + request.words <= base for base, end in busy)
        ]
        if not free:
            return None
        costs = [_cost(start, start + request.words, rivals, config.bank_depth) for start in free]
        cheapest = 0 if compact else int(np.argmin(costs))
        total += costs[cheapest]
        placed.append((request, free[cheapest]))
    return total, {request.name: base for request, base in placed}


def _cost(base: int, end: int, rivals: Sequence[tuple[int, int, int]], depth: int) -> int:
    """Words that share a bank with a rival, weighted."""
    cost = 0
    for rival_base, rival_end, weight in rivals:
        for bank in range(base // depth, -(-end // depth)):
            low, high = bank * depth, (bank + 1) * depth
            mine, other = min(end, high) - max(base, low), min(rival_end, high) - max(rival_base, low)
            cost += weight * min(mine, max(other, 0))
    return cost


def _what(tensor: Tensor) -> str:
    height, width, channels = tensor.shape
    return f"{tensor.name!r} of {height}x{width}x{channels}"


def _refuse(problem: str, config: EngineConfig) -> None:
    raise ValueError(
        f"{problem} of {config.word_bytes} bytes, the scratchpad has {config.words}: "
        "use --scratchpad with more bytes"
    )


def _refuse_together(
    tensors: Mapping[str, Tensor],
    requests: Sequence[_Request],
    ops: Sequence[Operation],
    config: EngineConfig,
) -> None:
    def alive(index: int) -> list[_Request]:
        return [r for r in requests if r.first <= index <= r.last]

    worst = max(range(len(ops)), key=lambda i: sum(r.words for r in alive(i)))
    names = ", ".join(_what(tensors[r.name]) for r in alive(worst))
    need = sum(r.words for r in alive(worst))
    _refuse(f"layer {ops[worst].name!r} holds tensors {names}, which need at least {need} words", config)
