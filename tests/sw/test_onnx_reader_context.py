"""What the ONNX reader refuses, each node with its reason, and files that are none; models of others."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from systolith.sw.onnx_reader import ModelError, UnsupportedModel, check, load_model, read
from systolith.sw.random_model import ModelBuilder, random_model


def unsupported(build: ModelBuilder, output: str, message: str, shape: tuple[int, ...] = (1, 1, 1)) -> None:
    build.shapes.setdefault(output, shape)
    bad = [item for item in check(build.model(output)) if not item.supported]
    assert bad and message in bad[0].why, bad
    assert bad[0].cure


def test_refusals() -> None:
    b = ModelBuilder((4, 6, 6))
    unsupported(
        b,
        b.node("Conv", "input", b.weight(4, 2, 3, 3), group=4, kernel_shape=[3, 3]),
        "it expects 8 channels in 4 groups, not 4",
    )
    b = ModelBuilder((4, 6, 6))
    unsupported(
        b,
        b.node("Conv", "input", b.weight(5, 2, 3, 3), group=2, kernel_shape=[3, 3]),
        "its 5 output channels do not fall into 2 groups",
    )
    b = ModelBuilder((4, 6, 6))
    pool = b.node("AveragePool", "input", kernel_shape=[3, 3], pads=[3, 1, 1, 1])
    unsupported(b, pool, "one of its windows sees nothing of the map")
    b = ModelBuilder((4, 6, 6))
    softmax = b.same("Softmax", "input", axis=1)
    unsupported(b, b.conv(softmax, 2), "it takes the result of Softmax")
    b = ModelBuilder((4, 6, 6))
    unsupported(
        b,
        b.same("Add", b.same("Relu", "input"), b.pool("MaxPool", "input")),
        "it broadcasts [4, 6, 6] with [4, 3, 3]",
    )
    b = ModelBuilder((4, 6, 6))
    unsupported(b, b.same("Mul", b.conv("input", 4), b.conv("input", 4)), "it multiplies two maps")
    b = ModelBuilder((4, 6, 6))
    spatial = b.same("Add", b.same("Relu", "input"), b.weight(1, 4, 6, 6))
    unsupported(
        b, b.same("Relu", spatial), "its constant differs within a channel, and no layer behind can take it"
    )
    b = ModelBuilder((4, 6, 6))
    unsupported(b, b.node("Flatten", "input", axis=2), "it flattens from axis 2")
    b = ModelBuilder((4, 6, 6))
    reshaped = b.node("Reshape", "input", b.constant(np.array([0, 8, 18])))
    unsupported(b, reshaped, "it reshapes ['N', 4, 6, 6] to ['N', 8, 18]")
    b = ModelBuilder((4, 6, 6))
    unsupported(b, b.node("Transpose", "input", perm=[1, 0, 2, 3]), "it permutes [1, 0, 2, 3]")
    b = ModelBuilder((4, 6, 6))
    turned = b.node("Transpose", "input", perm=[0, 1, 3, 2])
    b.shapes[turned] = (4, 6, 6)
    unsupported(b, b.conv(turned, 2), "its input has its channels last")
    b = ModelBuilder((4, 6, 6))
    weight = b.weight(2, 4, 3, 3)
    at_run_time = b.node("Conv", "input", b.node("Add", weight, b.node("ReduceMax", "input", keepdims=0)))
    b.shapes[at_run_time] = (2, 4, 4)
    bad = [item for item in check(b.model(at_run_time)) if not item.supported]
    assert any("computed at run time" in item.why for item in bad)


def test_nan_weights_are_named() -> None:
    build = ModelBuilder((2, 4, 4))
    weight = np.ones((3, 2, 1, 1), np.float32)
    weight[1, 1] = np.nan
    conv = build.node("Conv", "input", build.constant(weight, "layer.weight"))
    build.shapes[conv] = (3, 4, 4)
    with pytest.raises(UnsupportedModel, match=r"its weight 'layer.weight' is NaN at index \[1, 1, 0, 0\]"):
        read(build.model(conv))


def test_files(tmp_path: Path) -> None:
    model = random_model(0)
    good = tmp_path / "good.onnx"
    onnx.save(model, good)
    assert read(good).name == "good"
    with pytest.raises(ModelError, match=r"model '.*absent.onnx' does not exist: give the path"):
        load_model(tmp_path / "absent.onnx")
    empty = tmp_path / "empty.onnx"
    empty.touch()
    with pytest.raises(ModelError, match="is empty: export it again"):
        load_model(empty)
    data = good.read_bytes()
    for i, size in enumerate((1, 10, len(data) // 2, len(data) - 5)):
        cut = tmp_path / f"cut{i}.onnx"
        cut.write_bytes(data[:size])
        with pytest.raises(ModelError, match="truncated or no ONNX file") as caught:
            read(cut)
        assert "\n" not in str(caught.value)


def inputs(*dims: int | str, kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
    relu = helper.make_node("Relu", ["image"], ["y"])
    graph = helper.make_graph(
        [relu],
        "g",
        [helper.make_tensor_value_info("image", kind, dims)],
        [helper.make_tensor_value_info("y", kind, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])


def test_inputs() -> None:
    with pytest.raises(
        ModelError, match=r"input 'image' has a dynamic height \('H'\): export it with a static height"
    ):
        read(inputs("N", 3, "H", 32))
    with pytest.raises(ModelError, match="dynamic width"):
        check(inputs("N", 3, 32, "W"))
    with pytest.raises(ModelError, match=r"must be .N, C, H, W., .* not of rank 5: export an image network"):
        read(inputs("N", 10, 2, 3, 4))
    with pytest.raises(ModelError, match="must be float, not uint8"):
        read(inputs("N", 3, 32, 32, kind=TensorProto.UINT8))
    model = inputs("N", 3, 8, 8)
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1]))
    with pytest.raises(ModelError, match="must have one input, not 2"):
        read(model)
    model = inputs("N", 3, 8, 8)
    model.opset_import[0].version = 6
    with pytest.raises(ModelError, match="opset must be 7 to 28, not 6"):
        read(model)
    model = inputs("N", 3, 8, 8)
    model.graph.node[0].op_type = "Identity"
    with pytest.raises(ModelError, match="returns its input"):
        read(model)
