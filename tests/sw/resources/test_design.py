"""The formulas of memories and multipliers against the description itself: every size, every count."""

import random
from typing import Any

import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.engine import Engine
from systolith.hw.inventory import inventory
from systolith.hw.onchip_memory import OnChipMemory
from systolith.sw.resources.design import blocks, engine_blocks, memories, memory_blocks, multipliers

CORNERS: tuple[dict[str, Any], ...] = (
    {"rows": 1, "cols": 1, "port_width": 8},
    {"rows": 6, "cols": 2, "act_width": 16, "port_width": 16},
    {
        "rows": 3,
        "cols": 5,
        "fold_width": 0,
        "folds": False,
        "means": False,
        "products": False,
        "lookahead": False,
    },
)


def _random(rng: random.Random) -> dict[str, Any]:
    choices: dict[str, tuple[int, ...]] = {
        "rows": tuple(range(1, 8)), "cols": tuple(range(1, 8)), "act_width": (4, 8), "wgt_width": (2, 4, 8, 16),
        "acc_width": (32, 40), "port_width": (16, 32, 64, 128), "scratchpad": (8 << 10, 16 << 10, 64 << 10),
        "acc_depth": (64, 256, 4096), "banks": (2, 4, 8), "fold_width": (0, 64, 256), "fir_depth": (0, 256),
        "tables": (0, 1, 8), "fifo_depth": (64, 512),
    }  # fmt: skip
    return {name: rng.choice(values) for name, values in choices.items()}


@pytest.mark.parametrize("values", [*CORNERS, *(_random(random.Random(seed)) for seed in range(3))])
def test_as_the_engine_has_them(values: dict[str, Any]) -> None:
    config = EngineConfig(**values)
    found = inventory(Engine(config))
    assert memories(config) == found.memories
    assert multipliers(config) == found.multipliers.total()
    if all(depth <= 1 << 14 for _, depth in found.memories):
        assert engine_blocks(config) == found.ecp5_blocks


@pytest.mark.parametrize("port, words", [(32, 6144), (64, 22016), (8, 100), (128, 40000)])
def test_memory_of_a_board(port: int, words: int) -> None:
    config = EngineConfig(rows=2, cols=2, port_width=port)
    assert memory_blocks(config, words) == inventory(OnChipMemory(config=config, words=words)).ecp5_blocks


def test_blocks() -> None:
    assert [blocks(36, 512), blocks(37, 512), blocks(18, 1024), blocks(9, 2048), blocks(1, 16384)] == [
        1,
        2,
        1,
        1,
        1,
    ]
    assert blocks(5, 20000) == 10  # two of 16,384 words for each bit


def test_a_serial_engine_has_none() -> None:
    config = EngineConfig(serial=True, port_width=8, fold_width=0, fir_depth=0, tables=0, profile=False, means=False,
                          products=False, folds=False, lookahead=False)  # fmt: skip
    with pytest.raises(ValueError, match="a serial engine has no resource model"):
        memories(config)
