"""Products of a map and a vector on the engine: references == instruction-set simulator == RTL == cycle model."""

import numpy as np
import pytest
from engine_bench import Expected, Run, check_timing, computes, run
from systolith.hw.config import EngineConfig
from systolith.hw.isa import POOL_MEAN
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sim.random_network import random_codes, random_network
from systolith.sim.rtl import Stalls
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.machine import simulate

KINDS = ("excite", "product", "excite", "conv", "add", "maxpool", "mean", "branch")

LATENCIES = (1, 3, 30, 77, 200)


def engine(rows: int, cols: int, **about: int) -> EngineConfig:
    """Few accumulators, so that maps are cut into strips; few words a bank, so that operands meet in one."""
    return EngineConfig(
        **{"rows": rows, "cols": cols, "acc_depth": 64, "scratchpad": 8192, "banks": 2} | about
    )


FAST = [engine(4, 4, wgt_width=4, scratchpad=4096), engine(5, 7, port_width=32)]
SLOW = [
    engine(8, 8, port_width=128),
    engine(16, 8, scratchpad=16384),
    engine(8, 16, acc_depth=256, scratchpad=16384),
    engine(2, 7, port_width=512),
    engine(7, 2),
    engine(3, 3, act_width=16, wgt_width=16, acc_width=48, scratchpad=16384),
    engine(3, 4, act_width=4, wgt_width=8),
    engine(1, 1, scratchpad=4096),
    EngineConfig(rows=16, cols=16, scratchpad=65536, banks=4),
]
TIGHT = [engine(4, 4, scratchpad=256, acc_depth=32, banks=4), engine(7, 3, scratchpad=672, port_width=128)]


def name(config: EngineConfig) -> str:
    return f"{config.rows}x{config.cols}-{config.port_width}-a{config.act_width}w{config.wgt_width}-{config.scratchpad}"


def gated(config: EngineConfig, height: int, width: int, channels: int, behind: int = 0) -> QuantizedNetwork:
    """map = 1x1 conv of the image; gate = its mean through two dense layers; map * gate; ``behind``: another conv."""
    rng, codes = np.random.default_rng(height * width + channels), QFormat(config.act_width, 4)
    gate = QFormat(min(config.act_width, config.wgt_width), 3)
    top, squeezed = 1 << config.wgt_width - 1, -(-channels // 3)
    shapes = {
        "x": (height, width, 3), "map": (height, width, channels), "mean": (1, 1, channels),
        "squeeze": (1, 1, squeezed), "gate": (1, 1, channels), "y": (height, width, channels),
        "z": (height, width, behind),
    }  # fmt: skip
    if not behind:
        del shapes["z"]
    tensors = {n: Tensor(name=n, shape=s, format=gate if n == "gate" else codes) for n, s in shapes.items()}

    def dense(source: str, target: str) -> Layer:
        shape, fmt = (shapes[target][2], shapes[source][2], 1, 1), tensors[target].format
        scale = int(np.log2(top * shape[1] ** 0.5))
        return Layer(
            name=target, kind="conv", inputs=(source,), output=target, wgt=rng.integers(-top, top, shape),
            wgt_width=config.wgt_width, bias=rng.integers(-99, 99, shape[0]), lo=fmt.min, hi=fmt.max,
            shift=rng.integers(scale - 2, scale + 1, shape[0]),
        )  # fmt: skip

    mean = Layer(
        name="mean", kind="avgpool", inputs=("map",), output="mean", kernel=(height, width), wgt_width=config.wgt_width,
        wgt=np.full((1, 1, 1, 1), top - 1), shift=np.array([int(np.log2(height * width * top)) - 2]), lo=codes.min,
        hi=codes.max,
    )  # fmt: skip
    product = Layer(
        name="y", kind="product", inputs=("map", "gate"), output="y", lo=0, hi=codes.max,
        shift=rng.integers(gate.width - 4, gate.width, channels),
    )  # fmt: skip
    layers = [dense("x", "map"), mean, dense("mean", "squeeze"), dense("squeeze", "gate"), product]
    if behind:
        layers.append(dense("y", "z"))
    return QuantizedNetwork(
        name=f"gated{height}x{width}x{channels}", input="x", outputs=("z" if behind else "y",), tensors=tensors,
        layers=tuple(layers),
    )  # fmt: skip


def check(jobs: list[tuple[Expected, Run]]) -> None:
    """Codes of every layer; without pauses of the memory every counter, and the last write of every COMPUTE."""
    for (expected, job), outcome in zip(jobs, run([job for _, job in jobs]), strict=True):
        what = f"{expected.network.name}, {len(job.codes)} images, latency {job.mem_latency}"
        expected.check(outcome, len(job.codes), what)
        if job.stalls is None:
            check_timing(job, outcome, what)


def jobs(networks: list[QuantizedNetwork], config: EngineConfig) -> list[tuple[Expected, Run]]:
    """One image, two or three back to back, and with pauses of the memory."""
    found = []
    for number, network in enumerate(networks):
        program, codes = compile_network(network, config), random_codes(network, 1, 2 + number % 2)
        expected, latency = Expected(network, program, codes), LATENCIES[number % len(LATENCIES)]
        found += [
            (expected, Run(program=program, codes=codes[:n], mem_latency=latency)) for n in (1, len(codes))
        ]
        if number % 3 == 0:
            stalls = Stalls(seed=number + 1, read_address=99, read_data=99, write_data=99)
            found.append((expected, Run(program=program, codes=codes, stalls=stalls)))
    return found


def networks(
    config: EngineConfig,
    first: int,
    count: int,
    size: int = 8,
    kinds: tuple[str, ...] = KINDS,
    spilled: bool = False,
) -> list[QuantizedNetwork]:
    """Random ones with a product at least; ``spilled``: of a map that is not in the scratchpad."""
    found: list[QuantizedNetwork] = []
    for seed in range(first, first + 60 * count):
        network = random_network(
            seed, 4, kinds=kinds, act_width=config.act_width, wgt_width=config.wgt_width, size=size,
            channels=12 if config.lanes == 1 else 24,
        )  # fmt: skip
        try:
            program = compile_network(network, config)
        except ValueError as error:
            assert any(text in str(error) for text in ("--scratchpad", "--acc-width", "larger acc_depth")), (
                error
            )
            continue
        streamed = [layer for layer in program.layers if "memory" in (layer.act, layer.output)]
        products = {index for index, layer in enumerate(network.layers) if layer.kind == "product"}
        if products and (not spilled or products & {layer.layer for layer in streamed}):
            found.append(network)
        if len(found) == count:
            return found
    raise AssertionError(f"{len(found)} networks of {count}")


def directed(config: EngineConfig) -> list[QuantizedNetwork]:
    """Maps of one pixel and of many, one block of channels and several, short passes and long ones."""
    cases = [(1, 1, 1, 0), (1, 2, 2 * config.cols + 1, 0), (5, 7, config.cols, 3), (8, 8, 3 * config.cols, 2)]
    return [gated(config, *case) for case in cases]


@pytest.mark.parametrize("config", FAST, ids=name)
def test_products(config: EngineConfig) -> None:
    made = jobs(directed(config) + networks(config, 700, 5), config)
    check(made)
    found = [v for expected, _ in made for v in computes(expected.program) if v["product"]]
    assert (
        any(v["pool"] == POOL_MEAN or v["out_rot"] or v["kb_last"] for v in found)
        or config.rows == config.cols
    )


def test_reset_at_any_cycle() -> None:
    """Stopped while a vector is read, kept, or on its way into the array: the next batch is as if it were the first."""
    config = FAST[0]
    network = gated(config, 3, 4, 3 * config.cols, 2)
    program, codes = compile_network(network, config), random_codes(network, 1, 2)
    expected, whole = Expected(network, program, codes), simulate(program, 2)
    products = [
        span.start for span, v in zip(whole.spans, computes(program) * 2, strict=True) if v["product"]
    ]
    stops = [
        start + cycle for start in (products[0], products[len(products) // 2]) for cycle in range(-24, 8, 2)
    ]
    runs = [job for stop in stops for job in (Run(program=program, codes=codes, timeout=stop),
                                              Run(program=program, codes=codes))]  # fmt: skip
    outcomes = run(runs)
    for stop, stopped, after in zip(stops, outcomes[::2], outcomes[1::2], strict=True):
        assert f"not done after {stop} cycles" in str(stopped.error)
        expected.check(after, 2, f"after a reset in cycle {stop}")
        assert after.counters == whole.counters, f"after a reset in cycle {stop}"


@pytest.mark.parametrize("config", TIGHT[:1], ids=name)
def test_products_of_maps_in_strips(config: EngineConfig) -> None:
    kinds = ("conv", "excite", "product")
    check(jobs(networks(config, 900, 4, 14, kinds, spilled=True), config))


@pytest.mark.slow
@pytest.mark.parametrize("config", SLOW, ids=name)
def test_more_products(config: EngineConfig) -> None:
    check(jobs(directed(config) + networks(config, 1100, 16), config))


@pytest.mark.slow
@pytest.mark.parametrize("config", TIGHT, ids=name)
def test_more_products_of_maps_in_strips(config: EngineConfig) -> None:
    kinds = ("conv", "excite", "product", "product", "add")
    check(jobs(networks(config, 1300, 12, 16, kinds, spilled=True), config))


def test_a_store_meets_a_vector_beside_a_pixel() -> None:
    """A vector and a pixel are read in one cycle, of two banks: a STORE keeps out of the way of both."""
    config = next(config for config in SLOW if config.rows == config.cols == 1)
    (network,) = networks(config, 1118, 1)
    assert network.name == "random1118"
    program, codes = compile_network(network, config), random_codes(network, 1, 1)
    check([(Expected(network, program, codes), Run(program=program, codes=codes, mem_latency=3))])
