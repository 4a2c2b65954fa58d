"""Streams: phases that make each output once, in as much scratchpad as they say."""

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.sim.random_network import random_network
from systolith.sw.operations import operations
from systolith.sw.stream_cost import cycles
from systolith.sw.streams import Modes, Stream, block_words, guard, smallest, ways

CONFIGS = [
    EngineConfig(rows=4, cols=4, acc_depth=16, scratchpad=4 * 64),
    EngineConfig(rows=3, cols=5, acc_depth=64, scratchpad=5 * 64, port_width=32),
    EngineConfig(rows=7, cols=2, acc_depth=32, scratchpad=7 * 128),
]


def made(stream: Stream) -> list[tuple[int, int, int]]:
    """(y, x, block) of every output."""
    return [
        (y, x, block)
        for phase in stream.phases
        for block in range(phase.first, phase.last)
        for y in range(phase.strip.y0, phase.strip.y1)
        for x in range(phase.strip.x0, phase.strip.x1)
    ]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("seed", range(8))
def test_every_way_makes_each_output_once_and_fits(seed: int, config: EngineConfig) -> None:
    for op in operations(random_network(seed, 4, size=14), config):
        height, width, channels = op.output.shape
        every = sorted((y, x, b) for y, x, b in np.ndindex(height, width, -(-channels // config.cols)))
        modes = Modes(act=True, res_ring=op.residual is not None, out_ring=seed % 2 == 0)
        least = smallest(op, modes, config)
        assert sorted(made(least)) == every
        for free in (least.words, 2 * least.words, 4096):
            found = ways(op, modes, config, False, free)
            assert found, free
            for stream in found:
                assert sorted(made(stream)) == every
                assert stream.words <= free
                assert all(p.strip.outputs * op.window_pixels <= config.acc_depth for p in stream.phases)
            assert all(cycles(stream) > 0 for stream in found)
        assert not ways(op, modes, config, False, 0)


def test_blocks_of_words_that_a_block_of_channels_writes() -> None:
    config = CONFIGS[2]  # lanes 7, cols 2
    assert [list(block_words(block, config)) for block in range(5)] == [[0], [0], [0], [0, 1], [1]]
    assert [list(block_words(b, CONFIGS[0])) for b in range(3)] == [[0], [1], [2]]


@pytest.mark.parametrize(
    ("rows", "port", "words"), [(8, 64, 0), (16, 64, 0), (12, 64, 1), (4, 64, 1), (1, 64, 7), (3, 32, 1)]
)
def test_guard_takes_the_padding_of_the_last_word(rows: int, port: int, words: int) -> None:
    assert guard(EngineConfig(rows=rows, cols=rows, port_width=port)) == words
