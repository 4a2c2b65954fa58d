"""Widths for a budget, against every combination there is."""

import re
from collections.abc import Mapping
from itertools import product

import numpy as np
import pytest
from systolith.quant.allocator import Allocation, Budget, allocate, weight_bits

WIDTHS = (2, 4, 8)
COUNTS = {"a": 100, "b": 1000, "c": 40, "d": 700}

Table = dict[str, dict[int, float]]


def table(seed: int, convex: bool = False) -> Table:
    """Errors that fall with the width; ``convex``: by less and less for each bit."""
    rng = np.random.default_rng(seed)
    result: Table = {}
    for name in COUNTS:
        if convex:
            fine, coarse = rng.exponential(size=2) * rng.uniform(0.1, 10)
            slope = {4: fine, 2: fine + coarse}
            result[name] = {8: 0.0, 4: 4 * slope[4], 2: 4 * slope[4] + 2 * slope[2]}
        else:
            falls = rng.exponential(size=2) * rng.uniform(0.1, 10)
            result[name] = {8: 0.0, 4: falls[0], 2: falls[0] + falls[1]}
    return result


def best(errors: Table, budget: Budget) -> float:
    """The least error of all combinations that meet the budget."""
    every = (dict(zip(COUNTS, widths, strict=True)) for widths in product(WIDTHS, repeat=4))
    return min(
        sum(errors[name][width] for name, width in widths.items())
        for widths in every
        if budget.of(widths, COUNTS) <= budget.limit
    )


@pytest.mark.parametrize("limit", [2, 2.4, 3, 4, 5.5, 7, 8])
def test_against_every_combination(limit: float) -> None:
    """The best of all 81 combinations but for one table in a hundred, and there nearly as good."""
    budget = Budget("bits", limit)
    equal = 0
    for errors in (table(seed, convex) for seed in range(40) for convex in (False, True)):
        found = allocate(errors, COUNTS, budget)
        assert found.cost == budget.of(found.widths, COUNTS) <= limit
        assert found.bits == weight_bits(found.widths, COUNTS)
        least = best(errors, budget)
        assert least * (1 - 1e-12) <= found.error <= least * 1.05
        equal += found.error <= least * (1 + 1e-12)
    assert equal >= 79


def test_no_change_of_two_layers_helps() -> None:
    rng = np.random.default_rng(1)
    names = [f"l{i}" for i in range(12)]
    counts = {name: int(rng.integers(10, 3000)) for name in names}
    widths = (2, 3, 4, 5, 6, 8)
    errors = {name: dict(zip(widths, sorted(rng.exponential(size=6))[::-1], strict=True)) for name in names}
    budget = Budget("bits", 4.3)
    found = allocate(errors, counts, budget)
    for first, second in product(names, names):
        for one, two in product(widths, widths):
            other = {**found.widths, first: one, second: two}
            if budget.of(other, counts) <= budget.limit:
                total = sum(errors[name][width] for name, width in other.items())
                assert total >= found.error * (1 - 1e-9)


def test_budgets_are_met_to_the_bit() -> None:
    errors = table(3)
    for widths in product(WIDTHS, repeat=4):
        wanted = dict(zip(COUNTS, widths, strict=True))
        bits = weight_bits(wanted, COUNTS)
        exact = allocate(errors, COUNTS, Budget("bytes", bits / 8))
        assert exact.bits <= bits and exact.cost == exact.bits / 8
        assert exact.error <= 1.05 * sum(errors[name][width] for name, width in wanted.items())
        if bits > 2 * sum(COUNTS.values()):
            assert allocate(errors, COUNTS, Budget("bytes", (bits - 1) / 8)).bits <= bits - 1


def test_whole_budget_keeps_the_widest() -> None:
    found = allocate(table(0), COUNTS, Budget("bits", 8))
    assert found == Allocation(widths=dict.fromkeys(COUNTS, 8), cost=8.0, error=0.0, bits=8 * 1840)


def test_cost_function() -> None:
    seen: list[Mapping[str, int]] = []

    def cycles(widths: Mapping[str, int]) -> float:
        seen.append(widths)
        return max(widths[name] * COUNTS[name] for name in COUNTS)  # not additive

    budget = Budget("cost", 2900, cycles)
    found = allocate(table(5), COUNTS, budget)
    assert found.cost == cycles(found.widths) <= 2900
    assert found.widths == {"a": 8, "b": 2, "c": 8, "d": 4} and set(seen[0]) == set(COUNTS)
    with pytest.raises(ValueError, match="must be at least a cost of 2000"):
        allocate(table(5), COUNTS, Budget("cost", 1999, cycles))


def test_ties_take_the_first_layer() -> None:
    counts = {"x": 10, "y": 10}
    errors = {name: {8: 0.0, 4: 1.0, 2: 4.0} for name in counts}
    assert allocate(errors, counts, Budget("bits", 6)).widths == {"x": 4, "y": 8}


def test_noise_below_zero_is_no_trap() -> None:
    errors = {name: {8: 0.0, 4: -0.1, 2: 0.5} for name in COUNTS}
    assert set(allocate(errors, COUNTS, Budget("bits", 8)).widths.values()) == {4}


def test_width_that_cannot_be() -> None:
    errors = {name: {8: 0.0, 4: 1.0, 2: float("inf") if name == "b" else 2.0} for name in COUNTS}
    found = allocate(errors, COUNTS, Budget("bits", 3.1))
    assert found.widths["b"] == 4 and found.error == 1.0 + 2.0 + 2.0 + 2.0
    with pytest.raises(ValueError, match="needs layer 'b' at 2 bits, which it cannot have"):
        allocate(errors, COUNTS, Budget("bits", 3))


@pytest.mark.parametrize(
    "budget, text",
    [
        (Budget("bits", 2.5), "must be at least 4 bits a weight (4 bits in every layer), not 2.5 bits"),
        (
            Budget("bytes", 100),
            "must be at least 920 bytes of weights (4 bits in every layer), not 100 bytes",
        ),
    ],
)
def test_impossible(budget: Budget, text: str) -> None:
    errors = {name: {8: 0.0, 4: 1.0} for name in COUNTS}
    with pytest.raises(ValueError, match=re.escape(text)):
        allocate(errors, COUNTS, budget)


@pytest.mark.parametrize(
    "arguments, text",
    [
        (("bits", 1.9), "average bits must be 2 to 16, not 1.9"),
        (("bits", 17), "average bits must be 2 to 16"),
        (("bytes", 0), "limit must be a positive number, not 0"),
        (("bytes", float("nan")), "limit must be a positive number"),
        (("bytes", True), "limit must be a positive number"),
        (("cost", 5), "cost must be a function"),
        (("bits", 5, len), "cost must be a function"),
        (("words", 5), "kind must be bits, bytes or cost"),
    ],
)
def test_budget_is_checked(arguments: tuple[object, ...], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Budget(*arguments)  # type: ignore[arg-type]


def test_errors_are_checked() -> None:
    good = table(0)
    with pytest.raises(ValueError, match="errors must name the layers a, b, c, d"):
        allocate({"a": good["a"]}, COUNTS, Budget("bits", 4))
    with pytest.raises(ValueError, match="errors of layer 'b' must be of the widths"):
        allocate({**good, "b": {8: 0.0}}, COUNTS, Budget("bits", 4))
    with pytest.raises(ValueError, match="error of layer 'c' at 4 bits must be a number"):
        allocate({**good, "c": {8: 0.0, 4: float("nan"), 2: 1.0}}, COUNTS, Budget("bits", 4))
