"""The cycle model against the RTL: every counter, and of every COMPUTE the cycle of its last write. 0 cycles apart.

``test_networks.py`` compares the counters of its networks, too.
"""

from pathlib import Path

import pytest
from engine_bench import SMALL, Run, averaged, check_timing, computes, convolution, run, shortcut
from systolith.hw.config import EngineConfig
from systolith.hw.isa import POOL_MEAN
from systolith.quant.network import QuantizedNetwork
from systolith.sim.random_network import random_codes, random_network
from systolith.sw import onnx_reader
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.nominal import nominal_network
from systolith.sw.images import Preprocessing
from systolith.sw.program import Program

LATENCIES = (1, 2, 30, 100, 200)

SIZES = [
    EngineConfig(rows=1, cols=1, port_width=512, scratchpad=4096),
    EngineConfig(rows=5, cols=7, port_width=32, scratchpad=8192, acc_depth=64),
    EngineConfig(rows=8, cols=4, port_width=128, scratchpad=8192, acc_depth=256, banks=2),
    EngineConfig(rows=3, cols=40, port_width=32, scratchpad=32768, acc_depth=64),
    EngineConfig(rows=16, cols=8, port_width=256, scratchpad=32768),
    EngineConfig(
        rows=6, cols=4, act_width=16, wgt_width=16, acc_width=48, scratchpad=16384, acc_depth=64, banks=8
    ),
    EngineConfig(rows=12, cols=12, port_width=64, scratchpad=65536),
    EngineConfig(rows=32, cols=32, port_width=64, scratchpad=65536),
]


def programs(config: EngineConfig, seeds: range, **sizes: int) -> list[tuple[QuantizedNetwork, Program]]:
    found = []
    for seed in seeds:
        network = random_network(seed, act_width=config.act_width, wgt_width=config.wgt_width, **sizes)
        try:
            found.append((network, compile_network(network, config)))
        except ValueError as error:
            assert "--scratchpad" in str(error) or "--acc-width" in str(error), error
    assert len(found) > len(seeds) // 2
    return found


def check(jobs: list[Run], what: str) -> None:
    """Every counter, and the last write of every COMPUTE."""
    for number, (job, outcome) in enumerate(zip(jobs, run(jobs), strict=True)):
        name = f"{what} {number}: {job.program.name}, {len(job.codes)} images, latency {job.mem_latency}"
        check_timing(job, outcome, name)


def test_every_compute() -> None:
    jobs = []
    for seed, (network, program) in enumerate(programs(SMALL, range(300, 315))):
        for images, latency in ((1, LATENCIES[seed % 5]), (3, LATENCIES[(seed + 2) % 5])):
            jobs.append(Run(program=program, codes=random_codes(network, 1, images), mem_latency=latency))
    check(jobs, "small")


def test_again_from_a_state_that_came_back() -> None:
    """Long passes, many tiles, enough weights in the FIFO: what the model does not evaluate but recalls."""
    network = convolution(3, SMALL, 4, 4, 96, 8, (3, 3), pads=(1, 1, 1, 1))
    config = EngineConfig(rows=4, cols=4, acc_depth=16, scratchpad=8192)
    program = compile_network(network, config)
    check([Run(program=program, codes=random_codes(network, 1, n), mem_latency=latency)
           for n, latency in ((1, 1), (2, 30), (3, 200))], "long")  # fmt: skip


def test_means() -> None:
    """Their words come late; the last pass behind them waits, LOAD and STORE meet them in a bank."""
    networks = [
        averaged(1, SMALL, convolution(1, SMALL, 4, 4, 5, 9, (3, 3), pads=(1, 1, 1, 1)), 7),
        averaged(2, SMALL, convolution(2, SMALL, 1, 1, 4, 16), 12),
        averaged(3, SMALL, shortcut(3, SMALL, 3, 5, 6), 3),
        *(random_network(seed, 5, kinds=("conv", "mean", "add"), size=4) for seed in range(12)),
    ]
    jobs = [
        Run(program=compile_network(network, SMALL), codes=random_codes(network, 1, n), mem_latency=latency)
        for number, network in enumerate(networks) for n, latency in ((1, 30), (3, LATENCIES[number % 5]))
    ]  # fmt: skip
    assert sum(v["pool"] == POOL_MEAN for job in jobs for v in computes(job.program)) > len(jobs)
    check(jobs, "means")


def test_maps_in_strips() -> None:
    """Maps that go through the scratchpad in strips: many LOADs and STOREs beside compute, some in its banks."""
    shapes = ((20, 20, 8, 8, (3, 3)), (30, 17, 12, 6, (3, 3)), (12, 40, 5, 9, (1, 1)))
    networks = [
        convolution(seed, SMALL, *shape, pads=(shape[4][0] // 2,) * 4) for seed, shape in enumerate(shapes)
    ]
    check([
        Run(program=compile_network(network, SMALL), codes=random_codes(network, 1, 2), mem_latency=latency)
        for network in networks for latency in (1, 30, 200)
    ], "strips")  # fmt: skip


@pytest.mark.parametrize(
    "config, seed",
    [
        (EngineConfig(rows=4, cols=4, acc_depth=32, scratchpad=256), 10429),
        (EngineConfig(rows=7, cols=2, port_width=128, acc_depth=64, scratchpad=672), 10717),
    ],
    ids=["4x4", "7x2"],
)
def test_headers_of_the_next_burst(config: EngineConfig, seed: int) -> None:
    """A header makes room for the next burst: while planes before it cannot go on; while many segments have no tile."""
    network = random_network(seed, 1 + seed % 5, size=16, channels=12)
    check([Run(program=compile_network(network, config), codes=random_codes(network, 1, 3))], "header")


def test_a_load_that_skips_its_first_words() -> None:
    """They leave the queue once, with the first word that is made."""
    config = EngineConfig(rows=4, cols=4, acc_depth=32, scratchpad=256)
    network = random_network(10431, 1 + 10431 % 5, size=16, channels=12)
    check([Run(program=compile_network(network, config), codes=random_codes(network, 1, 1))], "skip")


@pytest.mark.slow
@pytest.mark.parametrize(
    "config", SIZES, ids=lambda c: f"{c.rows}x{c.cols}-{c.port_width}-{c.act_width}-{c.banks}"
)
def test_sizes(config: EngineConfig) -> None:
    few = config.lanes == 1
    jobs = [
        Run(program=program, codes=random_codes(network, 1, images), mem_latency=latency)
        for network, program in programs(
            config, range(400, 440), channels=5 if few else 40, size=10, layers=5
        )
        for images, latency in ((1, 1), (1, 200), (3, 30))
    ]
    check(jobs, "random")


@pytest.mark.slow
@pytest.mark.parametrize(
    "config, latency",
    [
        (EngineConfig(rows=16, cols=16), 30),
        (EngineConfig(rows=8, cols=16), 200),
        (EngineConfig(rows=5, cols=7, port_width=32), 100),
        (EngineConfig(rows=12, cols=12, port_width=128), 1),
        (EngineConfig(rows=32, cols=32, port_width=256), 30),
    ],
    ids=["16x16", "8x16", "5x7", "12x12", "32x32"],
)
def test_whole_networks(config: EngineConfig, latency: int) -> None:
    models = Path(__file__).parents[3] / "shared" / "data" / "models"
    names = ("cifar10_resnet20_folded_b1", "mlperf_ic_resnet8_bn_dyn")
    if not all((models / f"{name}.onnx").is_file() for name in names):
        pytest.skip("the trained networks are not beside the checkout")
    jobs = []
    for name in names:
        network = nominal_network(onnx_reader.read(models / f"{name}.onnx"), Preprocessing())
        program = compile_network(network, config)
        for images in (1, 2):
            codes = random_codes(network, 1, images)
            jobs.append(Run(program=program, codes=codes, mem_latency=latency))
    check(jobs, "trained")
