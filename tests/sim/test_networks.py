"""Small networks full of corners: references == ONNX Runtime == instruction-set simulator == RTL, in every layer.

A configuration is one simulation and one process: all of its networks, each with one image at a time and several
back to back, at three memory latencies, without and with pauses on every channel of the memory port. Without pauses
the cycle model knows every counter.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from engine_bench import SMALL, Expected, Run, averaged, convolution, run, shortcut
from systolith.hw.config import EngineConfig
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.quant.quantizer import Options, quantize
from systolith.sim.random_network import BRANCHES, MAPS, random_codes, random_network
from systolith.sim.rtl import Stalls
from systolith.sw import oracle
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.machine import simulate
from systolith.sw.cycle_model.plan import plan
from systolith.sw.onnx_reader import read
from systolith.sw.random_model import random_model


def engine(rows: int, cols: int, **others: int) -> EngineConfig:
    """Few accumulators, so that maps are cut into strips; few words a bank, so that operands meet in one."""
    lane_bytes = 1 if others.get("act_width", 8) <= 8 else 2
    words = others.pop("words", 512)
    return EngineConfig(
        **{"rows": rows, "cols": cols, "acc_depth": 16, "scratchpad": words * lane_bytes * max(rows, cols)}
        | others
    )


FAST = [
    SMALL,
    engine(3, 5, port_width=32, banks=2),
    engine(7, 2, port_width=512, act_width=4, wgt_width=4, acc_width=24, acc_depth=64),
    engine(1, 1, port_width=128, acc_depth=64, words=1024),
    engine(2, 3, port_width=128, act_width=16, wgt_width=16, acc_width=48, acc_depth=32),
]
SLOW = [
    engine(1, 1, port_width=32, words=1024),
    engine(1, 1, port_width=64, act_width=16, wgt_width=16, acc_width=40, words=1024),
    engine(3, 5, port_width=128),
    engine(3, 5, port_width=64, wgt_width=5, act_width=6, acc_width=20, acc_depth=32),
    engine(4, 4, port_width=512, acc_depth=64, banks=8),
    engine(4, 4, port_width=32, act_width=2, wgt_width=2, acc_width=16),
    engine(4, 4, port_width=64, act_width=8, wgt_width=16, acc_width=40),
    engine(8, 8, port_width=64),
    EngineConfig(),
    engine(8, 8, port_width=32, act_width=16, wgt_width=16, acc_width=48, acc_depth=128),
    engine(8, 8, port_width=512, act_width=4, wgt_width=4, acc_width=24, acc_depth=32, banks=16),
    engine(7, 2, port_width=64),
    engine(7, 2, port_width=32, banks=2, acc_depth=64),
    engine(2, 7, port_width=128),
    engine(6, 4, port_width=64, banks=16),
    engine(2, 40, port_width=32, wgt_width=4, words=256),  # a plane of weights spans two words
    engine(12, 16, port_width=128, acc_depth=1024, words=2048),
]


TIGHT = [
    engine(4, 4, words=64, acc_depth=32),
    engine(3, 5, words=64, port_width=32, banks=2),
    engine(7, 2, words=96, port_width=128, acc_depth=64),
]
TIGHTER = [
    engine(8, 8, words=64),
    engine(1, 1, words=128, acc_depth=64),
    engine(2, 7, words=64, port_width=512),
    engine(5, 12, words=64, port_width=32, acc_depth=32),
    engine(4, 4, words=64, act_width=16, wgt_width=16, acc_width=48),
    engine(6, 4, words=128, banks=8),
]
"""Scratchpads smaller than most maps."""


def name(config: EngineConfig) -> str:
    widths = f"a{config.act_width}w{config.wgt_width}"
    return f"{config.rows}x{config.cols}-{config.port_width}-{widths}-{config.acc_depth}-{config.banks}"


MEANS = ("conv", "conv", "mean", "add")


def random_networks(
    config: EngineConfig, first: int, count: int, **options: tuple[str, ...]
) -> Iterator[QuantizedNetwork]:
    """Networks of random integers: every shift and bound, but none that ONNX knows."""
    seed = first
    while count:
        network = random_network(
            seed, 4, act_width=config.act_width, wgt_width=config.wgt_width, size=8,
            channels=12 if config.lanes > 1 else 5, **options,
        )  # fmt: skip
        seed += 1
        try:
            compile_network(network, config)
        except ValueError as error:
            refusals = ("--scratchpad", "--acc-width", "larger acc_depth")
            assert any(text in str(error) for text in refusals), error
            assert seed < first + 100
            continue
        count -= 1
        yield network


def quantized_networks(config: EngineConfig, first: int, count: int) -> Iterator[QuantizedNetwork]:
    """Random ONNX models, quantized; ONNX Runtime agrees with the reference on every tensor."""
    seed = first
    while count:
        graph = read(random_model(seed, branches=seed % 3 == 0))
        shape = graph.shapes[graph.input]
        real = np.random.default_rng(seed).normal(size=(3, *shape)).astype(np.float32)
        seed += 1
        options = Options(
            act_width=config.act_width, wgt_width=config.wgt_width, acc_width=config.acc_width,
            per_channel=seed % 2 == 0,
        )  # fmt: skip
        try:
            network = quantize(graph, real, options).network
            compile_network(network, config)
        except ValueError as error:
            assert "--scratchpad" in str(error) or "acc" in str(error), error
            assert seed < first + 100
            continue
        result = oracle.compare(network, real * 1.5, "all")
        assert result.mismatches == 0, str(result.first)
        count -= 1
        yield network


def spilled_networks(
    config: EngineConfig, first: int, count: int, **options: tuple[str, ...]
) -> Iterator[QuantizedNetwork]:
    """Networks of random integers that have a map too large for the scratchpad."""
    seed = first
    while count:
        network = random_network(
            seed, 1 + seed % 5, act_width=config.act_width, wgt_width=config.wgt_width, size=16, channels=12,
            **options,
        )  # fmt: skip
        seed += 1
        try:
            program = compile_network(network, config)
        except ValueError as error:
            assert "--scratchpad" in str(error) or "--acc-width" in str(error), error
            assert seed < first + 200
            continue
        if all(tensor.resident for tensor in program.tensors.values()):
            continue
        count -= 1
        yield network


def image_networks(config: EngineConfig, first: int, count: int) -> Iterator[QuantizedNetwork]:
    """Networks of random integers whose first layer is folded, every second one with rows of its kernel."""
    seed = first
    while count:
        network = random_network(
            seed, 1 + seed % 3, act_width=config.act_width, wgt_width=config.wgt_width, size=14, channels=12,
            image=True,
        )  # fmt: skip
        seed += 1
        try:
            program = compile_network(network, config)
        except ValueError as error:
            assert "--scratchpad" in str(error) or "--acc-width" in str(error), error
            assert seed < first + 300
            continue
        loads = [record.values for record in plan(program).records["load"]]
        if any(v["fold"] and v["rows_above"] >= count % 2 for v in loads):
            count -= 1
            yield network


def directed(config: EngineConfig) -> Iterator[QuantizedNetwork]:
    """Shapes that random networks seldom have."""
    few, many = 1, config.cols + 1
    cases = [
        ((6, 5, 3, many, (5, 5)), {"pads": (2, 2, 2, 2)}),
        ((8, 7, 1, 3, (7, 7)), {"pads": (3, 3, 3, 3), "stride": (2, 2)}),
        ((3, 9, 2, few, (1, 7)), {"pads": (0, 6, 0, 1)}),
        ((9, 3, 2, 3, (7, 1)), {"pads": (5, 0, 0, 0), "stride": (3, 1)}),
        ((9, 8, 3, 4, (3, 3)), {"pads": (0, 3, 2, 1), "dilation": (3, 2), "stride": (1, 3)}),
        ((1, 1, 2 * config.rows + 1, many, (1, 1)), {}),  # fully connected
        ((2, 3, config.rows + 1, many, (2, 3)), {}),  # fully connected, of a map
        ((1, 1, 1, 1, (3, 3)), {"pads": (1, 1, 1, 1)}),
        ((1, 8, config.rows, config.cols, (1, 1)), {"stride": (1, 2)}),
    ]
    for seed, (shape, options) in enumerate(cases):
        yield convolution(seed, config, *shape, **options)  # type: ignore[arg-type, misc]
    for width in range(2, 6):  # bubbles inside short passes
        yield shortcut(width, config, 1, width, 3 * config.rows)
    yield shortcut(1, config, 6, 5, 1, (3, 3))
    for bits in range(2, min(config.wgt_width, 8) + 1):
        yield convolution(bits, config, 4, 4, config.rows, config.cols, (2, 2), bits=bits)


def averages(config: EngineConfig) -> Iterator[QuantizedNetwork]:
    """Means of maps of one pixel up to all accumulators; behind them what waits for nothing."""
    pixels, cols = config.acc_depth, config.cols
    yield averaged(1, config, convolution(1, config, 4, 4, 5, 9, (3, 3), pads=(1, 1, 1, 1)), 7)
    yield averaged(2, config, convolution(2, config, 1, 1, config.rows, 4 * cols), 4 * cols)
    yield averaged(3, config, convolution(3, config, 1, 2, config.rows, 3 * cols), cols + 1)
    yield averaged(4, config, convolution(4, config, 2, pixels // 2, config.rows, 2 * cols - 1), 3 * cols)
    yield averaged(5, config, shortcut(5, config, 3, 4, 6, (3, 3)), 3)
    yield averaged(6, config, convolution(6, config, 8, 8, 3, 5, (3, 3), stride=(2, 2), pads=(1, 1, 1, 1)))


def large_windows(config: EngineConfig) -> Iterator[QuantizedNetwork]:
    """Pools over more pixels than there are accumulators, which a single pass does not need."""
    fmt, bits = QFormat(min(8, config.act_width), 3), min(8, config.wgt_width)
    cases = (("avgpool", (9, 9), (9, 8), 5), ("maxpool", (9, 9), (9, 8), 3),
             ("avgpool", (10, 9), (9, 8), 4), ("maxpool", (12, 12), (12, 12), 5))  # fmt: skip
    for number, (kind, size, kernel, channels) in enumerate(cases if config.cols <= config.rows else ()):
        output = (size[0] - kernel[0] + 1, size[1] - kernel[1] + 1)
        tensors = {
            name: Tensor(name=name, shape=(*shape, channels), format=fmt)
            for name, shape in (("x", size), ("y", output))
        }
        layer = Layer(
            name="pool", kind=kind, inputs=("x",), output="y", kernel=kernel, lo=fmt.min, hi=fmt.max
        )
        if kind == "avgpool":
            code = np.full((1, 1, 1, 1), 3 if bits > 2 else 1)
            layer = replace(layer, wgt=code, wgt_width=bits, shift=np.full(channels, 7))
        yield QuantizedNetwork(
            name=f"large{number}", input="x", outputs=("y",), tensors=tensors, layers=(layer,)
        )


def settings(seed: int) -> list[dict[str, object]]:
    """Of the memory, and how many images back to back."""
    rng = np.random.default_rng(seed)
    channels = ("read_address", "read_data", "write_address", "write_data", "response")
    heavy = Stalls(
        seed=seed + 1, **{name: int(p) for name, p in zip(channels, rng.integers(0, 230, 5), strict=True)}
    )
    light = Stalls(seed=seed + 1, **dict.fromkeys(channels, 40))
    return [
        {"images": 1, "mem_latency": 30},
        {"images": 3, "mem_latency": (1, 30, 200)[seed % 3], "stalls": (light, None, heavy)[seed % 3]},
        {"images": 2, "mem_latency": (200, 1, 30)[seed % 3], "stalls": heavy},
    ]


def check(config: EngineConfig, networks: list[QuantizedNetwork]) -> None:
    expected, runs, about = [], [], []
    for seed, network in enumerate(networks):
        program = compile_network(network, config, fuse_pools=seed % 4 != 3)
        right = Expected(network, program, random_codes(network, seed, 3))
        for setting in settings(seed):
            images = int(setting.pop("images"))  # type: ignore[call-overload]
            runs.append(Run(program=program, codes=right.codes[:images], **setting))  # type: ignore[arg-type]
            about.append((right, images, f"{network.name}, {setting}"))
        expected.append(right)
    for job, outcome, (right, images, what) in zip(runs, run(runs), about, strict=True):
        right.check(outcome, images, what)
        if job.stalls is None:
            assert simulate(job.program, images, job.mem_latency).counters == outcome.counters, what


@pytest.mark.parametrize("config", FAST, ids=name)
def test_every_model_agrees(config: EngineConfig) -> None:
    networks = [
        *directed(config),
        *random_networks(config, 100 * config.rows + config.cols, 10),
        *random_networks(config, 100 * config.rows + config.cols, 5, kinds=BRANCHES),
        *averages(config),
        *large_windows(config),
        *random_networks(config, 100 * config.rows + config.cols, 4, kinds=MEANS),
        *image_networks(config, 100 * config.rows + config.cols, 6 if config.lanes > 1 else 0),
        *random_networks(config, 100 * config.rows + config.cols, 4, kinds=MAPS),
        *quantized_networks(config, 10 * config.rows + config.cols, 3),
    ]
    check(config, networks)


@pytest.mark.parametrize("config", TIGHT, ids=name)
def test_maps_larger_than_the_scratchpad(config: EngineConfig) -> None:
    first = 100 * config.rows + config.cols
    networks = [
        *spilled_networks(config, first, 9),
        *spilled_networks(config, first, 5, kinds=BRANCHES),
        *spilled_networks(config, first, 3, kinds=MAPS),
        *image_networks(config, first, 6),
    ]
    check(config, networks)


def pairs(config: EngineConfig) -> Iterator[QuantizedNetwork]:
    """First layers that take two pixels or more as one, most of three channels and in turns."""
    shapes = [
        ((9, 10), (1, 1, 1, 1)),
        ((6, 16), (0, 0, 1, 1)),
        ((1, 8), (2, 3, 0, 1)),
        ((16, 6), (3, 2, 2, 0)),
    ]
    for seed, (size, pads) in enumerate(shapes):
        yield convolution(seed, config, *size, 3, 5, (3, 3), pads=pads, stride=(2, 2))
    yield convolution(4, config, 17, 12, 3, 20, (3, 3), pads=(1, 1, 1, 1), stride=(4, 2))
    yield convolution(5, config, 8, 8, 1, 3, (5, 5), pads=(2, 2, 2, 2), stride=(2, 4))
    yield convolution(6, config, 7, 12, 2, 9, (3, 4), pads=(0, 1, 0, 2), stride=(1, 3))


@pytest.mark.parametrize("words", [512, 64], ids=["whole", "strips"])
def test_pairs_of_pixels(words: int) -> None:
    config = engine(5, 14, acc_depth=64, words=words)
    networks = list(pairs(config))
    first = [plan(compile_network(network, config)).records["load"][0].values for network in networks]
    widths = [network.tensors[network.input].shape[1] for network in networks]
    assert sum(v["row_last"] + 1 < width for v, width in zip(first, widths, strict=True)) >= 5
    assert sum(v["turns"] for v in first) >= 3
    check(config, networks)


@pytest.mark.slow
@pytest.mark.parametrize("config", [*TIGHT, *TIGHTER], ids=name)
def test_many_maps_larger_than_the_scratchpad(config: EngineConfig) -> None:
    first = 10_000 + 100 * config.rows + config.cols
    networks = [
        *spilled_networks(config, first, 60),
        *spilled_networks(config, first, 30, kinds=BRANCHES),
        *spilled_networks(config, first, 30, kinds=MAPS),
        *image_networks(config, first, 30 if config.lanes > 1 else 0),
    ]
    check(config, networks)


@pytest.mark.slow
@pytest.mark.parametrize("config", [*FAST, *SLOW], ids=name)
def test_many_networks(config: EngineConfig) -> None:
    networks = [
        *directed(config),
        *random_networks(config, 10_000 + 100 * config.rows + config.cols, 60),
        *random_networks(config, 10_000 + 100 * config.rows + config.cols, 30, kinds=BRANCHES),
        *random_networks(config, 10_000 + 100 * config.rows + config.cols, 20, kinds=MEANS),
        *image_networks(config, 10_000 + 100 * config.rows + config.cols, 30 if config.lanes > 1 else 0),
        *random_networks(config, 10_000 + 100 * config.rows + config.cols, 30, kinds=MAPS),
        *quantized_networks(config, 1000 + 10 * config.rows + config.cols, 15),
    ]
    check(config, networks)
