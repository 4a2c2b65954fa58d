"""The benchmark's networks: their size as published, the same bytes every time, activations that stay alive."""

import numpy as np
import pytest
from systolith.sw import float_reference, onnx_reader
from systolith.sw.benchmark.networks import NETWORKS, network_hash

MACS = {
    "nngen": 32 * 32 * 16 * 27 + 16 * 16 * 32 * 144 + 16 * 16 * 64 * 288 + 640,
    "vgg16": 15_346_630_656,
    "resnet50": 4_087_136_256,
    "conv3x3_64_64_32": 32 * 32 * 64 * 64 * 9,
    "conv3x3_64_64_56": 56 * 56 * 64 * 64 * 9,
    "conv1x1_256_64_28": 28 * 28 * 256 * 64,
    "conv3x3s2_64_128_56": 28 * 28 * 64 * 128 * 9,
    "vgg16_conv1_1": 224 * 224 * 27 * 64,
    "vgg16_conv1_2": 224 * 224 * 64 * 64 * 9,
    "vgg16_conv3_2": 56 * 56 * 256 * 256 * 9,
    "vgg16_conv5_3": 14 * 14 * 512 * 512 * 9,
    "resnet50_conv1": 112 * 112 * 147 * 64,
    "resnet50_conv3_1.b": 28 * 28 * 128 * 128 * 9,
    "resnet50_conv5_3.b": 7 * 7 * 512 * 512 * 9,
}
"""The sums that the papers print, or the product that the name says."""


def test_every_network_is_counted() -> None:
    assert MACS.keys() == NETWORKS.keys()


@pytest.mark.parametrize("name", NETWORKS)
def test_macs(name: str) -> None:
    findings = onnx_reader.check(NETWORKS[name]())
    assert all(finding.supported for finding in findings)
    assert sum(finding.macs for finding in findings) == MACS[name]


def test_nngen_is_the_published_size() -> None:
    assert MACS["nngen"] == 6_341_248


@pytest.mark.parametrize(
    "name, convolutions, pools, output",
    [
        ("nngen", 3, 0, (1, 1, 10)),
        ("vgg16", 13, 5, (7, 7, 512)),
        ("resnet50", 53, 1, (7, 7, 2048)),
        ("conv3x3s2_64_128_56", 1, 0, (28, 28, 128)),
    ],
)
def test_shapes(name: str, convolutions: int, pools: int, output: tuple[int, int, int]) -> None:
    model = NETWORKS[name]()
    operators = [node.op_type for node in model.graph.node]
    assert (operators.count("Conv"), operators.count("MaxPool")) == (convolutions, pools)
    graph = onnx_reader.read(model)
    assert [graph.shapes[tensor] for tensor in graph.outputs] == [output]


def test_resnet_has_its_stride_in_the_3x3() -> None:
    strided = [
        node.name
        for node in NETWORKS["resnet50"]().graph.node
        if node.op_type == "Conv" and {a.name: list(a.ints) for a in node.attribute}["strides"] == [2, 2]
    ]
    assert strided == [
        "conv1",
        *(f"conv{stage}_1.{part}" for stage in (3, 4, 5) for part in ("shortcut", "b")),
    ]


def test_same_bytes() -> None:
    """Pinned: a changed hash means that results measured before are of another network."""
    assert network_hash(NETWORKS["nngen"]()) == network_hash(NETWORKS["nngen"]()) == "cfcdc23ae201"
    assert network_hash(NETWORKS["conv1x1_256_64_28"]()) == "fa2be83ea232"


def test_activations_neither_vanish_nor_explode() -> None:
    graph = onnx_reader.read(NETWORKS["nngen"]())
    images = np.random.default_rng(0).random((4, 32, 32, 3)).astype(np.float32)
    sizes = [float(np.abs(values).std()) for values in float_reference.run(graph, images, "all").values()]
    assert min(sizes) > 0.02 and max(sizes) < 2
