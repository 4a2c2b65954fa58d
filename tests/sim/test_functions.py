"""Networks with activation functions and squeeze and excitation, from ONNX to RTL: every integer of every layer.

The files are what PyTorch's exporters write (``tests/sw/exporters``): small networks of MobileNetV3's and
EfficientNet's kinds, and many activation functions. References == ONNX Runtime == instruction-set simulator == RTL.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from engine_bench import Expected, Run, run
from systolith.hw.config import EngineConfig
from systolith.quant.network import QuantizedNetwork
from systolith.quant.quantizer import Options, quantize
from systolith.sw import oracle
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.machine import simulate
from systolith.sw.graph import Graph
from systolith.sw.onnx_reader import read
from systolith.sw.random_model import random_model

MODELS = Path(__file__).parents[1] / "sw" / "models"
NAMES = ("mobilenet", "efficientnet", "spelled", "functions")
FILES = sorted(path for name in NAMES for path in MODELS.glob(f"torch_{name}_*.onnx"))
ENGINE = EngineConfig(rows=4, cols=4, acc_depth=128, scratchpad=8192)


def images(graph: Graph, seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, *graph.shapes[graph.input])).astype(np.float32)


def quantized(graph: Graph, seed: int, **options: int) -> QuantizedNetwork:
    """With the default corrections; ONNX Runtime agrees on every tensor of other images."""
    made = quantize(graph, images(graph, seed, 32), Options(correct=("equalize", "round"), **options)).network
    result = oracle.compare(made, images(graph, seed + 1, 6) * 1.3, "all")
    assert result.mismatches == 0, str(result.first)
    return made


def codes(network: QuantizedNetwork, graph: Graph, seed: int, count: int) -> np.ndarray:
    return network.input_codes(images(graph, seed, count) * 1.3)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_exported_networks_in_the_simulator(path: Path) -> None:
    """And near the float network: every layer's output, at 8 bits."""
    graph = read(path)
    made = quantized(graph, 0)
    kinds = [layer.kind for layer in made.layers]
    assert "table" in kinds and ("product" in kinds) == ("net" in path.name)
    Expected(made, compile_network(made, ENGINE), codes(made, graph, 2, 2))
    report = quantize(graph, images(graph, 0, 32)).report
    assert min(row.sqnr_db for row in report.layers) > 20.0


def networks() -> Iterator[tuple[Graph, QuantizedNetwork, int]]:
    for name in NAMES:
        graph = read(MODELS / f"torch_{name}_dynamo_static.onnx")
        yield graph, quantized(graph, 0), 0
    for seed in range(5):
        graph = read(random_model(seed, branches=bool(seed % 2), functions=True))
        yield graph, quantized(graph, seed, wgt_width=8 - seed % 3, per_channel=seed % 2), seed


def test_in_rtl() -> None:
    """One image, then two back to back; the cycle model knows every counter."""
    rights, runs = [], []
    for graph, made, seed in networks():
        right = Expected(made, compile_network(made, ENGINE), codes(made, graph, seed + 2, 2))
        for count in (1, 2):
            rights.append((right, count))
            runs.append(Run(program=right.program, codes=right.codes[:count]))
    assert {"table", "product"} <= {layer.kind for right, _ in rights for layer in right.network.layers}
    for (right, count), outcome in zip(rights, run(runs), strict=True):
        right.check(outcome, count, right.network.name)
        assert simulate(right.program, count, 30).counters == outcome.counters
