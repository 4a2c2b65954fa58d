"""How fast the array is fed, in RTL: passes follow without gaps, short ones as fast as tiles travel."""

import numpy as np
import pytest
from engine_bench import SMALL, Expected, Outcome, Run, computes, convolution, run
from systolith.hw.config import EngineConfig
from systolith.quant.network import QuantizedNetwork
from systolith.sim.random_network import random_codes
from systolith.sw.compiler import compile_network

CONFIG = EngineConfig(rows=8, cols=8)


def measure(
    networks: list[QuantizedNetwork], config: EngineConfig, **about: int
) -> list[tuple[Expected, Outcome]]:
    """Each network's one image, checked."""
    every = [Expected(n, compile_network(n, config), random_codes(n, 1, 1)) for n in networks]
    outcomes = run([Run(program=e.program, codes=e.codes, **about) for e in every])  # type: ignore[arg-type]
    for e, outcome in zip(every, outcomes, strict=True):
        e.check(outcome, 1, f"{e.network.name}, {e.network.tensors['in'].shape}")
    return list(zip(every, outcomes, strict=True))


def periods(e: Expected, outcome: Outcome) -> list[int]:
    """Cycles from the last code of a COMPUTE to that of the next."""
    assert outcome.trace is not None
    ends = np.cumsum([info.count for info in e.program.computes]) - 1
    return np.diff(outcome.trace.cycle[ends]).tolist()


@pytest.mark.parametrize("latency", [30, 200])
def test_no_gaps(latency: int) -> None:
    """From the second COMPUTE of a layer to its last code every cycle has its pixel."""
    shapes = [(16, 16, 64, 64, (3, 3)), (16, 16, 64, 64, (1, 1)), (16, 16, 24, 40, (5, 3))]
    networks = [
        convolution(seed, CONFIG, *shape, pads=(shape[4][0] // 2, shape[4][1] // 2) * 2)
        for seed, shape in enumerate(shapes)
    ]
    for e, outcome in measure(networks, CONFIG, mem_latency=latency):
        assert outcome.trace is not None
        work = [v["passes"] * v["pixels"] for v in computes(e.program)]
        assert periods(e, outcome) == work[1:]
        for piece in outcome.trace.split([info.count for info in e.program.computes]):
            assert np.array_equal(np.diff(piece.cycle), np.ones(len(piece) - 1))
        counters = outcome.counters
        assert counters["stall_bank"] == 0 and counters["stall_pass"] <= 4, counters


def test_the_image_goes_ahead_of_the_weights() -> None:
    """The first code is there after latencies, the first LOAD and the first COMPUTE; 576 beats of weights wait."""
    network = convolution(1, CONFIG, 8, 8, 8, 64, (3, 3), pads=(1, 1, 1, 1))
    ((e, outcome),) = measure([network], CONFIG, mem_latency=30)
    assert outcome.trace is not None and len(e.program.weights) > 512 * CONFIG.port_bytes
    first = computes(e.program)[0]
    assert outcome.trace.cycle[0] < 64 + (first["passes"] - 1) * first["pixels"] + 2 * 30 + 64 + 200


@pytest.mark.parametrize("config", [SMALL, CONFIG], ids=["4x4", "8x8"])
def test_short_passes(config: EngineConfig) -> None:
    """A pass takes max(pixels, rows, 7) cycles, an instruction no more than its rows of parameters besides."""
    widths = [1, 2, 5, 6, 7, 9, 16]
    networks = [
        convolution(seed, config, 1, width, 16 * config.rows, 3 * config.cols, bits=4)
        for seed, width in enumerate(widths)
    ]
    for (e, outcome), width in zip(measure(networks, config), widths, strict=True):
        found = computes(e.program)
        assert {(v["passes"], v["pixels"]) for v in found} == {(16, width)}
        least = 16 * max(width, config.least_pass)
        for period in periods(e, outcome):
            assert least <= period <= least + config.param_rows + 2, width
