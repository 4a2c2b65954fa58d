"""The bound against the loops it stands for, and against the passes of compiled programs."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import COMPUTE, decode, record_words
from systolith.quant.network import QuantizedNetwork
from systolith.quant.quantizer import Options, quantize
from systolith.sw.benchmark.bound import LayerBound, bounds, port_cycles, total_cycles
from systolith.sw.compiler import compile_network
from systolith.sw.onnx_reader import read
from systolith.sw.program import Program
from systolith.sw.random_model import ModelBuilder, random_model


def quantized(model: object) -> QuantizedNetwork:
    graph = read(model)  # type: ignore[arg-type]
    real = np.random.default_rng(0).random((2, *graph.shapes[graph.input])).astype(np.float32)
    return quantize(graph, real, Options(method="non-overflow", correct=())).network


def one_layer(
    shape: tuple[int, int, int], outs: int, kernel: tuple[int, int], **others: object
) -> QuantizedNetwork:
    build = ModelBuilder(shape, 1)
    return quantized(build.model(build.conv("input", outs, kernel, **others)))  # type: ignore[arg-type]


def counted(
    shape: tuple[int, int, int],
    outs: int,
    kernel: tuple[int, int],
    config: EngineConfig,
    stack: int = 1,
    taps: int = 1,
) -> int:
    """Cycles by the loops: tiles are marked one product after the other, a tile streams every pixel."""
    ins, height, width = shape
    tiles = set()
    for k in range(outs):
        for c in range(ins):
            for r in range(kernel[0]):
                for s in range(kernel[1]):
                    row = ((taps - 1 - s % taps) * stack + stack - 1 - r % stack) * ins + c
                    tiles.add((k // config.cols, r // stack, s // taps, row // config.rows))
    return sum(max(height * width, config.rows) for _ in tiles)


@pytest.mark.parametrize("rows, cols", [(4, 4), (3, 5), (16, 16), (7, 2), (1, 1), (32, 32)])
@pytest.mark.parametrize(
    "shape, outs, kernel", [((7, 4, 5), 9, (3, 3)), ((17, 3, 3), 4, (1, 1)), ((8, 2, 2), 33, (2, 1))]
)
def test_against_the_loops(
    rows: int, cols: int, shape: tuple[int, int, int], outs: int, kernel: tuple[int, int]
) -> None:
    config = EngineConfig(rows=rows, cols=cols)
    pads = (kernel[0] // 2, kernel[1] // 2, (kernel[0] - 1) // 2, (kernel[1] - 1) // 2)
    network = one_layer(shape, outs, kernel, pads=pads)
    (bound,) = bounds(network, config)
    assert bound.cycles == counted(shape, outs, kernel, config)
    assert bound.macs == shape[0] * shape[1] * shape[2] * outs * kernel[0] * kernel[1]
    assert total_cycles([bound]) == bound.cycles <= port_cycles([bound], config)


@pytest.mark.parametrize("rows, cols, groups", [(4, 4, 6), (16, 16, 6), (9, 5, 6), (3, 2, 2), (16, 4, 3)])
def test_groups(rows: int, cols: int, groups: int) -> None:
    """A column has its own channel's weights; no program takes less."""
    config = EngineConfig(rows=rows, cols=cols)
    network = one_layer((6, 8, 8), 12, (3, 3), pads=(1, 1, 1, 1))
    (dense,) = network.layers
    assert dense.wgt is not None
    grouped = replace(dense, wgt=dense.wgt[:, : 6 // groups], groups=groups, macs=dense.macs // groups)
    network = replace(network, layers=(grouped,))
    (bound,) = bounds(network, config)
    weights = {(k // cols, w // rows) for k in range(12) for w in range(9 * 6 // groups)}
    assert bound.passes == len(weights) and bound.cycles == len(weights) * 64
    assert sum(pixels for _, pixels in passes(compile_network(network, config))) >= bound.cycles


def test_without_weights() -> None:
    network = one_layer((6, 8, 8), 12, (3, 3))
    layers = tuple(replace(layer, wgt=None) for layer in network.layers)
    with pytest.raises(ValueError, match=r"of kind conv has no weights: it has no bound"):
        bounds(replace(network, layers=layers), EngineConfig())


@pytest.mark.parametrize("rows", [4, 8, 9, 16, 32])
@pytest.mark.parametrize("ins, kernel", [(1, 3), (3, 3), (3, 7), (4, 2)])
def test_the_image_is_folded(rows: int, ins: int, kernel: int) -> None:
    config = EngineConfig(rows=rows, cols=4)
    shape, pad = (ins, 8, 8), (kernel - 1) // 2
    (bound,) = bounds(
        one_layer(shape, 5, (kernel, kernel), pads=(kernel - 1 - pad, kernel - 1 - pad, pad, pad)), config
    )
    held = [(s, t) for s in (1, 2, 3) for t in range(1, kernel + 1) if s <= kernel and s * t * ins <= 48]
    # A last tile may be empty where s or t does not divide the kernel: the engine sends it all the same.
    full = [(s, t) for s, t in held if kernel % s == kernel % t == 0]
    assert bound.cycles <= min(counted(shape, 5, (kernel, kernel), config, s, t) for s, t in full)
    assert bound.cycles >= min(counted(shape, 5, (kernel, kernel), config, s, t) for s, t in held)


def passes(program: Program) -> Iterator[tuple[int, int]]:
    """(layer, pixels times passes) of every COMPUTE."""
    size = record_words(program.config) * program.config.port_bytes
    computes = iter(program.computes)
    for at in range(0, len(program.records), size):
        instruction, values = decode(program.records[at : at + size], program.config)
        if instruction is COMPUTE:
            loops = ("kb", "ky", "kx", "wx", "wy", "ox", "oy")
            yield next(computes).layer, int(np.prod([values[f"{loop}_last"] + 1 for loop in loops]))


@pytest.mark.parametrize("rows, cols", [(4, 4), (3, 5), (5, 2), (16, 8)])
def test_programs_take_no_fewer_passes(rows: int, cols: int) -> None:
    config = EngineConfig(rows=rows, cols=cols, acc_depth=128)
    for seed in range(12):
        network = quantized(random_model(seed))
        if not any(layer.kind == "conv" for layer in network.layers):
            continue
        program = compile_network(network, config, fuse_pools=False)
        streamed: dict[int, int] = {}
        for index, pixels in passes(program):
            streamed[index] = streamed.get(index, 0) + pixels
        convolutions = [i for i, layer in enumerate(network.layers) if layer.kind == "conv"]
        least = bounds(network, config)
        for index, bound in zip(convolutions, least, strict=True):
            # The compiler folds only where LOAD can keep up; never better than the bound.
            assert streamed[index] >= bound.passes * bound.pixels
            if network.layers[index].inputs[0] != network.input:
                assert streamed[index] == bound.passes * bound.pixels
        assert total_cycles(least) == sum(bound.cycles for bound in least)


def buffered(layers: list[LayerBound], ahead: int) -> int:
    """Cycle by cycle: a word a cycle comes, if there is room; a layer's words go evenly over its cycles, or wait."""
    cycle = arrived = used = 0
    total = sum(layer.beats for layer in layers)
    for layer in layers:
        done = 0
        while done < layer.cycles:
            need = used + -(-layer.beats * (done + 1) // layer.cycles)
            arrived += arrived < min(total, used + layer.beats * done // layer.cycles + ahead)
            done += arrived >= need
            cycle += 1
        used += layer.beats
    return cycle


def test_no_schedule_beats_the_port() -> None:
    rng = np.random.default_rng(3)
    config = EngineConfig(rows=16, cols=16)
    for _ in range(30):
        layers = [
            LayerBound("l", 0, 1, 1, int(cycles), int(beats))
            for cycles, beats in rng.integers(1, 3000, (rng.integers(1, 8), 2))
        ]
        bound, real = port_cycles(layers, config), buffered(layers, 512 + 3 * 32)
        assert total_cycles(layers) <= bound <= real
        assert real <= bound + 512 + 3 * 32 + max(layer.beats for layer in layers)  # the bound says something


def test_weights_through_the_port_by_hand() -> None:
    config = EngineConfig(rows=32, cols=32)  # a tile is 128 words, 512 + 3 * 128 ahead
    compute, weights = LayerBound("a", 0, 1, 1, 5000, 100), LayerBound("b", 0, 1, 1, 1000, 4000)
    assert port_cycles([compute], config) == 5000
    assert port_cycles([compute, weights], config) == 5000 + 4000 - 896
    assert port_cycles([compute, weights, weights], config) == 5000 + 8000 - 896
    assert port_cycles([weights], config) == 4000
