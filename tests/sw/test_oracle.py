"""The oracle names the first mismatch and counts all of them."""

from dataclasses import replace

import numpy as np
import pytest
from systolith.quant.network import QuantizedNetwork
from systolith.quant.quantizer import quantize
from systolith.sw import oracle
from systolith.sw.graph import Graph
from systolith.sw.onnx_reader import read
from systolith.sw.qdq import export_qdq
from systolith.sw.random_model import ModelBuilder


def example() -> tuple[Graph, QuantizedNetwork, np.ndarray]:
    build = ModelBuilder((2, 6, 6), seed=4)
    hidden = build.same("Relu", build.conv("input", 5))
    output = build.dense(build.pool("GlobalAveragePool", build.same("Relu", build.conv(hidden, 4))), 3)
    graph = read(build.model(output))
    real = np.random.default_rng(0).normal(size=(70, 6, 6, 2)).astype(np.float32)
    return graph, quantize(graph, real).network, real


def test_no_mismatch() -> None:
    _, network, real = example()
    result = oracle.compare(network, real, "all")
    assert (result.images, result.mismatches, result.first) == (70, 0, None)
    assert result.compared == 70 * sum(int(np.prod(t.shape)) for t in network.tensors.values())
    assert oracle.compare(network, real).compared == 70 * 3


def test_a_planted_error_is_named() -> None:
    """One weight code changed in the exported model: the first differing tensor is that layer's."""
    _, network, real = example()
    layer = network.layers[1]
    assert layer.wgt is not None
    wgt = layer.wgt.copy()
    wgt[2, 0, 1, 1] ^= 16
    broken = replace(network, layers=(network.layers[0], replace(layer, wgt=wgt), *network.layers[2:]))
    result = oracle.compare(network, real, "all", model=export_qdq(broken))
    assert result.first is not None and result.first.tensor == layer.output and result.first.channel == 2
    assert result.by_tensor[network.layers[0].output] == 0
    assert result.mismatches >= result.by_tensor[layer.output] > 0
    assert "channel 2: expected" in str(result.first)


def test_first_difference() -> None:
    expected = np.zeros((3, 2, 2, 4), np.uint8)
    got = expected.copy()
    got[1, 1, 0, 3], got[2, 0, 0, 0] = 9, 1
    count, place = oracle.first_difference("t", expected, got, first_image=10)
    assert count == 2
    assert place == oracle.Mismatch(tensor="t", n=11, y=1, x=0, channel=3, expected=0, got=9)
    with pytest.raises(ValueError, match="tensor 't': shapes differ"):
        oracle.first_difference("t", expected, got[:1])


def test_a_model_of_another_network() -> None:
    _, network, real = example()
    build = ModelBuilder((2, 6, 6), seed=1)
    with pytest.raises(ValueError, match="has no tensor"):
        oracle.compare(network, real, model=build.model(build.conv("input", 3)))
