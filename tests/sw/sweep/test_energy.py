"""The proxy's costs are the table's, and between them."""

from math import isclose

import pytest
from systolith.hw.config import EngineConfig
from systolith.sw.sweep.energy import LEVELS, _sram, energy, table


def each(level, **config):
    """pJ of one access."""
    return energy({**dict.fromkeys(LEVELS, 0), level: 1}, EngineConfig(**config))[level]


def test_the_table_is_horowitz() -> None:
    costs = table()
    assert "ISSCC 2014" in costs["source"]
    assert costs["sram"]["energy"] == [10, 20, 100]
    assert costs["dram"]["energy"] == [1300, 2600]


def test_macs_are_in_proportion() -> None:
    assert isclose(each("mac"), 0.2 + 0.1)
    assert isclose(each("mac", wgt_width=4, acc_width=16), 0.1 + 0.05)
    assert isclose(each("mac", act_width=16, wgt_width=8), 0.4 + 0.1)


def test_a_product_of_32_bits_is_near_the_table() -> None:
    costs = table()["multiply"]
    assert isclose(costs["energy"] * 32 * 32 / 64, 3.1, rel_tol=0.05)  # the table's own 32-bit multiplier


@pytest.mark.parametrize(
    "size, total", [(100, 10), (8192, 10), (16384, 200**0.5), (32768, 20), (1 << 20, 100), (1 << 24, 100)]
)
def test_memories_between_the_sizes_of_the_table(size, total) -> None:
    assert isclose(_sram(size), total / 64)


def test_larger_banks_cost_more() -> None:
    assert each("scratchpad", scratchpad=1 << 20) > each("scratchpad") > each("queues") / 2
    assert isclose(each("memory"), 1950 / 64)


def test_levels_add_up_independently() -> None:
    config, accesses = EngineConfig(), {level: 10 * n for n, level in enumerate(LEVELS)}
    assert energy(accesses, config) == {level: accesses[level] * each(level) for level in LEVELS}
