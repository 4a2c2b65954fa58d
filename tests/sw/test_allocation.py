"""Placement: nothing alive overlaps, operands read together lie in different banks where there is room."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sim.random_network import random_network
from systolith.sw import allocation
from systolith.sw.allocation import Placement, Request, place, tensor_blocks
from systolith.sw.operations import Operation, operations
from systolith.sw.residency import plan


def allocate(network: QuantizedNetwork, ops: list[Operation], config: EngineConfig) -> dict[str, Placement]:
    """Places of a network's tensors, all of which are resident."""
    return {str(name): found for name, found in plan(network, ops, (), config).places.items()}


def residual_network(size: int = 8, channels: int = 8, blocks: int = 3) -> QuantizedNetwork:
    """conv, then ``blocks`` times (conv, conv + residual)."""
    fmt, shape = QFormat(8, 4), (size, size, channels)
    names = ["in", "a0"] + [f"{kind}{i}" for i in range(1, blocks + 1) for kind in "ba"]
    layers = []
    for i, (source, target) in enumerate(pairwise(names)):
        residual = (names[i - 1],) if target.startswith("a") and i else ()
        layers.append(
            Layer(
                name=f"conv{i}", kind="conv", inputs=(source, *residual), output=target, kernel=(3, 3),
                pads=(1, 1, 1, 1), wgt=np.ones((channels, channels, 3, 3), np.int64), shift=np.array([4]),
                res_shift=np.array([2]) if residual else None,
            )
        )  # fmt: skip
    tensors = {name: Tensor(name=name, shape=shape, format=fmt) for name in names}
    return QuantizedNetwork(
        name="residual", input="in", outputs=(names[-1],), tensors=tensors, layers=tuple(layers)
    )


@pytest.mark.parametrize("seed", range(20))
def test_living_tensors_do_not_overlap(seed: int) -> None:
    network = random_network(seed, layers=6)
    config = EngineConfig(rows=3, cols=5, scratchpad=5 * 4 * 128)
    ops = operations(network, config)
    places = allocate(network, ops, config)
    birth = {network.input: 0} | {op.output.name: i for i, op in enumerate(ops)}
    for i, op in enumerate(ops):
        for read in (op.act, op.residual):
            if read is None:
                continue
            place = places[read.name]
            assert place.base >= 0 and place.end <= config.words
            for other, start in birth.items():  # whatever is made while this tensor waits for its reader
                if other != read.name and birth[read.name] <= start <= i:
                    assert place.end <= places[other].base or places[other].end <= place.base


def test_partial_tiles_have_room() -> None:
    config = EngineConfig(rows=3, cols=5)
    assert [tensor_blocks(channels, config) for channels in (1, 5, 6, 10, 15)] == [1, 2, 2, 3, 3]
    assert tensor_blocks(16, EngineConfig(rows=16, cols=16)) == 1


def test_operands_read_together_lie_in_different_banks() -> None:
    config = EngineConfig(rows=8, cols=8, scratchpad=8 * 4 * 64)
    network = residual_network()
    ops = operations(network, config)
    places = allocate(network, ops, config)
    for op in ops:
        if op.residual is not None:
            assert places[op.act.name].base // 64 != places[op.residual.name].base // 64


@pytest.mark.parametrize(("size", "alone"), [(8, True), (9, False)])
def test_input_is_alone_if_it_can_be(size: int, alone: bool) -> None:
    config = EngineConfig(rows=8, cols=8, scratchpad=8 * 256)
    network = residual_network(size)
    places = allocate(network, operations(network, config), config)
    place = places.pop("in")
    assert alone is not any(other.base < place.end and place.base < other.end for other in places.values())


def test_wishes_are_met_where_there_is_room() -> None:
    config = EngineConfig(rows=8, cols=8, scratchpad=8 * 64)
    long, short = Request("long", 40, 1, 2, 3, -1, 9), Request("short", 24, 1, 0, 1)
    places = place([long, short], {}, config)
    assert isinstance(places, dict) and places["long"].wished
    assert places["long"].end <= places["short"].base or places["short"].end <= places["long"].base
    places = place([long, replace(short, block_step=30)], {}, config)
    assert isinstance(places, dict) and not places["long"].wished and places["short"].wished
    large = replace(short, block_step=65)
    assert place([long, large], {}, config) == large
    assert isinstance(place([long, replace(short, last=2, block_step=30)], {}, config), Request)


def test_conflicts_choose_the_bank() -> None:
    config = EngineConfig(rows=8, cols=8, scratchpad=8 * 64)
    both = [Request("one", 16, 1, 0, 3), Request("other", 8, 1, 0, 3)]
    places = place(both, {"one": {"other": 1}, "other": {"one": 1}}, config)
    assert isinstance(places, dict) and places["one"].base // 16 != places["other"].base // 16


def words_by_bank(base: int, end: int, depth: int) -> np.ndarray:
    return np.bincount(np.arange(base, end) // depth, minlength=16)


@pytest.mark.parametrize("seed", range(30))
def test_cost_is_a_count_of_words(seed: int) -> None:
    """Bank by bank, the words that the smaller of two has there, weighted."""
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(1, 20))
    spans = [sorted(rng.choice(12 * depth, 2, replace=False).tolist()) for _ in range(5)]
    rivals = [(base, end, int(rng.integers(1, 9))) for base, end in spans[1:]]
    (base, end), mine = spans[0], words_by_bank(*spans[0], depth)
    expected = sum(
        int(np.minimum(mine, words_by_bank(b, e, depth)).sum()) * weight for b, e, weight in rivals
    )
    room = allocation.Room(12, depth)
    assert allocation._costs([base], end - base, rivals, room) == [expected]
    starts = [base, 0, 12 * depth - (end - base)]
    each = [allocation._costs([start], end - base, rivals, room)[0] for start in starts]
    assert allocation._costs(starts, end - base, rivals, room) == each


@pytest.mark.parametrize("seed", range(30))
def test_free_starts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    config = EngineConfig(rows=2, cols=2, scratchpad=4 * 2 * 64)
    busy = [tuple(sorted(rng.choice(257, 2, replace=False).tolist())) for _ in range(3)]
    words = int(rng.integers(1, 70))
    taken = np.zeros(256, bool)
    for base, end in busy:
        taken[base:end] = True
    found = allocation._free(words, busy, allocation.Room(config.banks, config.bank_depth))
    edges = {64 * bank for bank in range(4)} | {64 * bank - words for bank in range(1, 5)}
    edges |= {end for _, end in busy} | {base - words for base, _ in busy}
    assert found == [
        at for at in sorted(edges) if 0 <= at <= 256 - words and not taken[at : at + words].any()
    ]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("seed", range(25))
def test_no_way_that_is_left_out_is_cheaper(seed: int, strict: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search leaves ways out once they cannot win: the same places as with every way tried to its end."""
    rng = np.random.default_rng(seed)
    room = allocation.Room(4, 64)
    requests = [
        Request(n, int(rng.integers(1, 30)), int(rng.integers(1, 3)), 2 * n, 2 * n + int(rng.integers(0, 6)),
                early=max(0, 2 * n - 3) if rng.random() < 0.4 else None)
        for n in range(9)
    ]  # fmt: skip
    conflicts = {n: {n - 1: 1, n + 1: 2} for n in range(9)}
    tried = []

    def greedy(*given: Any) -> Any:
        tried.append(given)
        return real(*given)

    real = allocation._greedy
    monkeypatch.setattr(allocation, "_greedy", greedy)
    found = allocation._search(requests, conflicts, room, strict)
    prices = []
    for given in tried:
        placed = real(*given)
        if not isinstance(placed, Request):
            prices.append((placed.price() + placed.settle(conflicts, room), placed.places()))
    if isinstance(found, Request):
        assert not prices
    else:
        assert found == min(prices, key=lambda item: item[0])[1]
        assert len(tried) == 36 or min(prices, key=lambda item: item[0])[0] == 0


def test_the_same_again_is_found_in_memory() -> None:
    """And what comes out of it is the caller's own."""
    config = EngineConfig(rows=8, cols=8, scratchpad=8 * 64)
    wanted = [Request("a", 16, 1, 0, 3), Request("b", 8, 1, 0, 3)]
    before = allocation._place.cache_info().hits
    first = place(wanted, {}, config)
    assert isinstance(first, dict)
    expected = dict(first)
    first.clear()
    assert place(wanted, {}, config) == expected
    assert allocation._place.cache_info().hits == before + 1
