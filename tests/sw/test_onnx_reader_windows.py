"""Windows of pools against ONNX Runtime: what border windows are divided by, overhangs, windows that see nothing."""

from typing import Any

import numpy as np
import onnx
import pytest
from systolith.quant.quantizer import Options, quantize
from systolith.sw import oracle
from systolith.sw.float_reference import FloatSession, run
from systolith.sw.graph import RealLayer
from systolith.sw.onnx_reader import check, read
from systolith.sw.qdq import export_qdq
from systolith.sw.random_model import ModelBuilder


def model(op: str, size: tuple[int, int], opset: int = 13, **attributes: Any) -> onnx.ModelProto:
    build = ModelBuilder((2, *size), opset=opset)
    output = build.node(op, "input", **attributes)
    build.shapes[output] = (1, 1, 1)
    made = build.model(output)
    del made.graph.output[0].type.tensor_type.shape.dim[:]
    return made


def layer(made: onnx.ModelProto) -> RealLayer:
    """The one layer, after ONNX Runtime has computed the same."""
    graph = read(made)
    real = np.random.default_rng(0).normal(size=(2, *graph.shapes[graph.input])).astype(np.float32)
    (name,) = graph.outputs
    theirs, ours = FloatSession(made, graph).run(real)[name], run(graph, real)[name]
    assert np.allclose(ours.transpose(0, 3, 1, 2).reshape(2, -1), theirs.reshape(2, -1), atol=1e-6)
    return graph.layers[0]


@pytest.mark.parametrize(
    ("size", "attributes", "counts"),
    [
        ((3, 4), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, np.outer([2, 3, 2], [2, 3, 3, 2])),
        ((3, 4), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}, None),
        ((3, 4), {"kernel_shape": [2, 3], "pads": [0, 1, 1, 0]}, np.outer([2, 2, 1], [2, 3, 3])),
        ((5, 5), {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER"}, np.outer([2, 3, 3, 3, 2], [2, 3, 3, 3, 2])),
        ((4, 4), {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_LOWER"}, [[4, 4], [6, 6]]),
        ((6, 6), {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, np.outer([3, 3, 2], [3, 3, 2])),
        (
            (6, 6),
            {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1, "pads": [1, 1, 0, 0], "count_include_pad": 1},
            np.outer([3, 3, 3], [3, 3, 3]),
        ),
        (
            (7, 6),
            {"kernel_shape": [4, 4], "strides": [3, 3], "ceil_mode": 1, "pads": [1, 1, 1, 1], "count_include_pad": 1},
            np.outer([4, 4, 3], [4, 4, 2]),
        ),
        ((2, 2), {"kernel_shape": [4, 4], "pads": [1, 1, 1, 1]}, [[4]]),
        ((6, 6), {"kernel_shape": [3, 3], "strides": [3, 3], "pads": [0, 0, 0, 0], "ceil_mode": 1}, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("opset", [10, 13, 19, 22])
def test_averages_at_the_border(
    opset: int, size: tuple[int, int], attributes: dict[str, Any], counts: Any
) -> None:
    found = layer(model("AveragePool", size, opset, **attributes)).counts
    if counts is not None and np.all(np.equal(counts, np.prod(attributes["kernel_shape"]))):
        counts = None
    assert (found is None) == (counts is None) and (counts is None or np.array_equal(found, counts))


def test_dilated_averages() -> None:
    found = layer(model("AveragePool", (5, 5), 19, kernel_shape=[2, 2], dilations=[2, 3], pads=[1, 0, 1, 0]))
    assert found.dilation == (2, 3) and np.array_equal(found.counts, np.outer([1, 2, 2, 2, 1], [2, 2]))


@pytest.mark.parametrize("op", ["AveragePool", "MaxPool"])
def test_a_last_window_behind_the_map_is_none(op: str) -> None:
    """As ONNX Runtime, PyTorch and ONNX since opset 22 have it: rounded up there would be one row more."""
    made = model(op, (4, 4), 13, kernel_shape=[1, 1], strides=[3, 3], pads=[0, 0, 0, 0], ceil_mode=1)
    assert read(made).shapes[read(made).outputs[0]] == (2, 2, 2)
    made = model(op, (3, 3), 13, kernel_shape=[2, 2], strides=[3, 3], pads=[0, 0, 1, 1], ceil_mode=1)
    assert read(made).shapes[read(made).outputs[0]] == (1, 1, 2)
    layer(made)


@pytest.mark.parametrize("op", ["AveragePool", "MaxPool"])
def test_a_window_that_sees_nothing(op: str) -> None:
    made = model(op, (5, 1), 13, kernel_shape=[2, 2], pads=[0, 2, 0, 0])
    (finding,) = check(made)
    assert not finding.supported
    assert (finding.why, finding.cure) == (
        "one of its windows sees nothing of the map", "use pads smaller than the kernel",
    )  # fmt: skip


def test_max_pools_with_pads_as_large_as_the_kernel() -> None:
    """An overhang of a dilated kernel; ONNX Runtime refuses such pads in a file, so the export pads with Pad."""
    made = model("MaxPool", (8, 8), kernel_shape=[2, 2], dilations=[4, 4], strides=[5, 3], ceil_mode=1)
    assert layer(made).pads == (0, 0, 2, 0)
    graph = read(made)
    real = np.random.default_rng(0).normal(size=(2, 8, 8, 2)).astype(np.float32)
    network = quantize(graph, real, Options()).network
    assert "Pad" in {node.op_type for node in export_qdq(network).graph.node}
    assert oracle.compare(network, real, "all").mismatches == 0


@pytest.mark.parametrize(("act_width", "wgt_width"), [(8, 8), (16, 16), (4, 3)])
def test_codes_of_averages_in_onnx_runtime(act_width: int, wgt_width: int) -> None:
    """One code for each output, times sums that are exact in float32 or are not."""
    graph = read(model("AveragePool", (6, 5), kernel_shape=[5, 3], pads=[2, 1, 2, 1]))
    real = np.random.default_rng(0).normal(size=(3, 6, 5, 2)).astype(np.float32)
    options = Options(act_width=act_width, wgt_width=wgt_width, acc_width=48)
    network = quantize(graph, real, options).network
    (average,) = network.layers
    assert average.wgt is not None and average.wgt.shape == (1, 1, 6, 5)
    assert average.wgt.min() == average.wgt[0, 0, 2, 1] < average.wgt.max() == average.wgt[0, 0, 0, 0]
    result = oracle.compare(network, real * 1.5, "all")
    assert result.mismatches == 0 and result.compared == 2 * 3 * 60, str(result.first)
