"""The bound against the loops it stands for, and against the passes of compiled programs."""

from collections.abc import Iterator

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import COMPUTE, decode, record_words
from systolith.quant.network import QuantizedNetwork
from systolith.quant.quantizer import Options, quantize
from systolith.sw.benchmark.bound import bounds, total_cycles, utilization_bound
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
    shape: tuple[int, int, int], outs: int, kernel: tuple[int, int], config: EngineConfig, taps: int
) -> int:
    """Cycles by the loops: tiles are marked one product after the other, a tile streams every pixel."""
    ins, height, width = shape
    tiles = set()
    for k in range(outs):
        for c in range(ins):
            for r in range(kernel[0]):
                for s in range(kernel[1]):
                    row = (taps - 1 - s % taps) * ins + c
                    tiles.add((k // config.cols, r, s // taps, row // config.rows))
    return sum(max(height * width, config.rows) for _ in tiles)


@pytest.mark.parametrize("rows, cols", [(4, 4), (3, 5), (16, 16), (7, 2), (1, 1), (32, 32)])
@pytest.mark.parametrize(
    "shape, outs, kernel", [((6, 4, 5), 9, (3, 3)), ((17, 3, 3), 4, (1, 1)), ((8, 2, 2), 33, (2, 1))]
)
def test_against_the_loops(
    rows: int, cols: int, shape: tuple[int, int, int], outs: int, kernel: tuple[int, int]
) -> None:
    config = EngineConfig(rows=rows, cols=cols)
    pads = (kernel[0] // 2, kernel[1] // 2, (kernel[0] - 1) // 2, (kernel[1] - 1) // 2)
    network = one_layer(shape, outs, kernel, pads=pads)
    (bound,) = bounds(network, config)
    assert bound.cycles == counted(shape, outs, kernel, config, 1)
    assert bound.macs == shape[0] * shape[1] * shape[2] * outs * kernel[0] * kernel[1]
    assert utilization_bound(network, config) == bound.macs / (rows * cols * bound.cycles)


@pytest.mark.parametrize("rows", [4, 8, 9, 16, 32])
@pytest.mark.parametrize("ins, kernel", [(1, 3), (3, 3), (3, 7), (4, 2)])
def test_the_image_is_folded(rows: int, ins: int, kernel: int) -> None:
    config = EngineConfig(rows=rows, cols=4)
    shape, pad = (ins, 8, 8), (kernel - 1) // 2
    (bound,) = bounds(
        one_layer(shape, 5, (kernel, kernel), pads=(kernel - 1 - pad, kernel - 1 - pad, pad, pad)), config
    )
    most = min(kernel, config.lanes // ins)
    # A last tile may be empty where t does not divide the kernel: the engine sends it all the same.
    full = [t for t in range(1, most + 1) if kernel % t == 0]
    assert bound.cycles <= min(counted(shape, 5, (kernel, kernel), config, t) for t in full)
    assert bound.cycles >= min(counted(shape, 5, (kernel, kernel), config, t) for t in range(1, most + 1))


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
            # The compiler folds only where the word's left neighbours allow it; never better than the bound.
            assert streamed[index] >= bound.passes * bound.pixels
            if network.layers[index].inputs[0] != network.input:
                assert streamed[index] == bound.passes * bound.pixels
        assert total_cycles(least) == sum(bound.cycles for bound in least)


def test_groups_are_refused() -> None:
    network = one_layer((4, 3, 3), 4, (3, 3))
    layers = tuple(type(layer)(**{**vars(layer), "groups": 4}) for layer in network.layers)
    grouped = type(network)(**{**vars(network), "layers": layers})
    with pytest.raises(ValueError, match="4 groups"):
        bounds(grouped, EngineConfig())
