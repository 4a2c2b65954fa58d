"""The writer of the benchmark's networks."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from systolith.sw.benchmark.layers import Layers


def weights(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def small(seed: int) -> onnx.ModelProto:
    net = Layers("small", (3, 9, 9), seed)
    first = net.conv("first", "image", 8, 3, stride=2)
    return net.model(net.conv("second", first, 8, 1, add=first))


def test_a_seed_is_a_network() -> None:
    assert small(1).SerializeToString() == small(1).SerializeToString() != small(2).SerializeToString()


def test_he_variance() -> None:
    net = Layers("wide", (64, 4, 4), 5)
    values = weights(net.model(net.conv("conv", "image", 256, 3)))["conv.weight"]
    assert values.dtype == np.float32 and values.shape == (256, 64, 3, 3)
    assert abs(values.std() / (2 / (64 * 9)) ** 0.5 - 1) < 0.01 and abs(values.mean()) < 1e-3


def test_gain_scales() -> None:
    half, whole = (Layers("one", (2, 4, 4), 5) for _ in range(2))
    small_ones = weights(half.model(half.conv("conv", "image", 4, 3, gain=0.5)))["conv.weight"]
    full = weights(whole.model(whole.conv("conv", "image", 4, 3)))["conv.weight"]
    assert np.array_equal(small_ones * 2, full)


def test_names_and_shapes() -> None:
    model = small(1)
    assert [node.name for node in model.graph.node] == [
        "first", "first.relu", "second", "second.add", "second.relu",
    ]  # fmt: skip
    assert [dim.dim_value for dim in model.graph.output[0].type.tensor_type.shape.dim[1:]] == [8, 5, 5]


def test_an_addition_of_two_shapes() -> None:
    net = Layers("wrong", (3, 8, 8), 1)
    with pytest.raises(ValueError, match=r"conv of \(4, 8, 8\) cannot be added to image of \(3, 8, 8\)"):
        net.conv("conv", "image", 4, 3, add="image")
