"""What an engine needs, by its description: == the cells that the ECP5's lowering makes of it."""

import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.ecp5 import Ecp5
from systolith.hw.engine import Engine
from systolith.hw.inventory import Inventory, inventory
from systolith.hw.memory import Memory1R1W
from systolith.hw.multiplier import Multiplier
from systolith.hw.verilog import to_rtlil


def test_one_component() -> None:
    memory = inventory(Memory1R1W(width=40, depth=600))
    assert memory.memories == {(40, 600): 1} and memory.memory_bits == 24_000 and memory.ecp5_blocks == 3
    assert inventory(Multiplier(a_width=9, b_width=8)).multipliers == {(9, 8): 1}
    assert Inventory().ecp5_blocks == 0


@pytest.mark.parametrize(
    "config",
    [
        EngineConfig(rows=2, cols=3, scratchpad=4096, acc_depth=64),
        EngineConfig(rows=6, cols=2, scratchpad=2048, acc_depth=16, port_width=32, tables=0, fold_width=0),
    ],
)
def test_cells_of_an_engine(config: EngineConfig) -> None:
    found, text = inventory(Engine(config)), to_rtlil(Engine(config), "engine", platform=Ecp5())
    assert found.multipliers.total() == config.rows * config.cols == text.count("cell \\MULT18X18D ")
    assert found.ecp5_blocks == text.count("cell \\DP16KD ")
