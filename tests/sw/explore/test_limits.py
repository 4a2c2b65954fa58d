"""What a board has room for."""

import pytest
from systolith.hw.config import EngineConfig
from systolith.sw.explore.limits import board_limits
from systolith.sw.resources.cells import Cells
from systolith.sw.resources.design import memory_blocks
from systolith.sw.resources.model import predict


def test_memory_beside_the_engine_counts() -> None:
    limits, config = board_limits("ulx3s-85f"), EngineConfig(rows=4, cols=4, scratchpad=16 << 10)
    small, large = limits.cells(config, 1 << 12), limits.cells(config, 1 << 17)
    assert large.bram - small.bram == memory_blocks(config, 1 << 14) - memory_blocks(config, 1 << 9)
    assert small.dsp == 16 and small.lut > predict(config).lut


def test_what_lacks_and_by_how_much() -> None:
    limits = board_limits("ulx3s-25f")
    assert limits.room.dsp == 28 and limits.room.bram == 50
    assert limits.lacks(limits.room) == {}
    found = limits.lacks(Cells(lut=limits.room.lut, ff=2 * limits.room.ff, dsp=35, bram=1))
    assert found == {"ff": 1.0, "dsp": 0.25}
    assert limits.shares(Cells(lut=12144, ff=0, dsp=7, bram=56)) == {
        "lut": 0.5,
        "ff": 0,
        "dsp": 0.25,
        "bram": 1,
    }


@pytest.mark.parametrize(
    "name, words", [("arty-a7-35", "board must have an ECP5"), ("nowhere", "board must be one of")]
)
def test_boards_without_a_model(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        board_limits(name)
