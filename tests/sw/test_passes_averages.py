"""Averages spelled out as a sum of windows and a map of reciprocals, and what only looks like them."""

import numpy as np
import onnx
import pytest
from systolith.sw.float_reference import FloatSession, run
from systolith.sw.onnx_reader import check, read
from systolith.sw.random_model import ModelBuilder
from systolith.sw.random_operators import finished

COUNTS = np.multiply.outer([2, 3, 3, 2], [2, 3, 2])


def spelled(weight: float = 1.0, factors: np.ndarray = 1 / COUNTS) -> onnx.ModelProto:
    """A sum over 3x3 windows with zeros around the map, times a map."""
    build = ModelBuilder((2, 4, 3))
    kernel = build.constant(np.full((2, 1, 3, 3), weight, np.float32))
    total = build.node("Conv", "input", kernel, group=2, pads=[1, 1, 1, 1])
    made = build.node("Mul", total, build.constant(factors.astype(np.float32)[None, None]))
    return finished(build, build.node("Relu", made))


def test_a_sum_times_reciprocals_is_an_average() -> None:
    model = spelled()
    graph = read(model)
    (layer,) = graph.layers
    assert (layer.kind, layer.lo, layer.macs) == ("avgpool", 0.0, 0) and np.array_equal(layer.counts, COUNTS)
    real = np.random.default_rng(0).normal(size=(2, 4, 3, 2)).astype(np.float32)
    (name,) = graph.outputs
    theirs = FloatSession(model, graph).run(real)[name]
    assert np.allclose(run(graph, real)[name].transpose(0, 3, 1, 2), theirs, atol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        spelled(weight=2.0),
        spelled(factors=1.01 / COUNTS),
        spelled(factors=-1 / COUNTS),
        spelled(factors=COUNTS * 1.0),
    ],
)
def test_other_maps_are_none(model: onnx.ModelProto) -> None:
    assert "differs within a channel" in "".join(item.why for item in check(model))
