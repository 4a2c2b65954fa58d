"""Depthwise layers in random networks on the engine: references == instruction-set simulator == RTL == cycle model."""

import pytest
from engine_bench import Expected, Run, check_timing, computes, run
from systolith.hw.config import EngineConfig
from systolith.quant.network import QuantizedNetwork
from systolith.sim.random_network import random_codes, random_network
from systolith.sim.rtl import Stalls
from systolith.sw.compiler import compile_network
from systolith.sw.program import Program

KINDS = ("depthwise", "depthwise", "depthwise", "conv", "add", "maxpool", "avgpool", "branch")


def engine(rows: int, cols: int, **about: int) -> EngineConfig:
    """Small, so that maps are cut into strips and operands meet in a bank; few slots, so that the ring goes round."""
    return EngineConfig(
        **{"rows": rows, "cols": cols, "acc_depth": 64, "scratchpad": 8192, "fir_depth": 32} | about
    )


FAST = [engine(6, 6, banks=2)]
SLOW = [
    engine(9, 3, port_width=32),
    engine(12, 6, scratchpad=16384),
    engine(8, 8, scratchpad=2048, port_width=128),
    engine(10, 12, fir_depth=64),
    engine(6, 4, act_width=16, wgt_width=16, acc_width=48, scratchpad=16384),
    engine(16, 16, acc_depth=1024, scratchpad=32768, fir_depth=512),
]


CHAINS = (611, 666, 685, 829)
"""Seeds of networks with strips that go on, on the engine of ``test_strips_go_on``."""


def in_strips(program: Program) -> bool:
    """Does a block of channels of a depthwise layer go on in a second strip, with no rows read twice?"""
    found = [(info.name, info.channel) for info in program.computes]
    return any(
        v["fir"] and one == other and v["y_step_wx"] < v["y_step_wy"]
        for v, one, other in zip(computes(program)[1:], found[1:], found, strict=False)
    )


def networks(
    config: EngineConfig, first: int, count: int, chain: bool = False
) -> list[tuple[QuantizedNetwork, Expected]]:
    """With a depthwise COMPUTE at least. ``chain``: with strips, convolutions behind them."""
    found: list[tuple[QuantizedNetwork, Expected]] = []
    kinds, size = (("depthwise", "conv"), 15) if chain else (KINDS, 10)
    for seed in CHAINS if chain else range(first, first + 20 * count):
        network = random_network(
            seed,
            5,
            kinds=kinds,
            act_width=config.act_width,
            wgt_width=config.wgt_width,
            channels=24,
            size=size,
        )
        try:
            program = compile_network(network, config)
        except ValueError as error:
            assert "--scratchpad" in str(error) or "--acc-width" in str(error), error
            continue
        if in_strips(program) if chain else any(v["fir"] for v in computes(program)):
            found.append((network, Expected(network, program, random_codes(network, 1, 2))))
        if len(found) == count:
            break
    assert len(found) == count
    return found


def check(config: EngineConfig, count: int, chain: bool = False) -> None:
    """One image, two back to back, and with pauses of the memory."""
    jobs: list[tuple[Expected, Run]] = []
    for number, (_, expected) in enumerate(networks(config, 500, count, chain)):
        codes, program = expected.codes, expected.program
        latency = (1, 30, 100)[number % 3]
        jobs += [(expected, Run(program=program, codes=codes[:n], mem_latency=latency)) for n in (1, 2)]
        if number % 3 == 0:
            jobs.append(
                (
                    expected,
                    Run(
                        program=program,
                        codes=codes,
                        stalls=Stalls(seed=number + 1, read_address=99, read_data=99, write_data=99),
                    ),
                )
            )
    for (expected, job), outcome in zip(jobs, run([job for _, job in jobs]), strict=True):
        what = f"{expected.network.name}, {len(job.codes)} images"
        expected.check(outcome, len(job.codes), what)
        if job.stalls is None:
            check_timing(job, outcome, what)
    blocks = [v for expected, _ in jobs for v in computes(expected.program) if v["fir"]]
    assert any(v["x_step_wx"] > 1 for v in blocks)
    if chain:
        return
    assert any(v["ky_last"] or v["kx_last"] for v in blocks)
    if config.rows == config.cols >= 9:
        assert any(v["ahead"] for v in blocks)


@pytest.mark.parametrize("config", FAST, ids=lambda c: f"{c.rows}x{c.cols}")
def test_random_networks(config: EngineConfig) -> None:
    check(config, 8)


def test_strips_go_on() -> None:
    """The last block in two strips, so that a convolution need not wait for all of it."""
    check(engine(9, 4, port_width=32), 4, chain=True)


@pytest.mark.slow
@pytest.mark.parametrize("config", SLOW, ids=lambda c: f"{c.rows}x{c.cols}-a{c.act_width}")
def test_more_random_networks(config: EngineConfig) -> None:
    check(config, 24)
