"""Files as exporters write them (``exporters``): read, and held against ONNX Runtime."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from systolith.sw import api
from systolith.sw.float_reference import FloatSession, run
from systolith.sw.graph import Graph
from systolith.sw.onnx_reader import check, load_model, read

FILES = sorted((Path(__file__).parent / "models").glob("*.onnx"))
PLAIN = [path for path in FILES if not path.name.startswith("ort_")]
QUANTIZED = [path for path in FILES if path.name.startswith("ort_")]


def differences(model: onnx.ModelProto, graph: Graph, count: int = 3) -> list[float]:
    """Largest difference to ONNX Runtime of each output, in parts of its largest value."""
    real = np.random.default_rng(0).normal(size=(count, *graph.shapes[graph.input])).astype(np.float32)
    theirs, ours = FloatSession(model, graph).run(real), run(graph, real)
    return [
        float(np.abs(ours[name].transpose(0, 3, 1, 2).reshape(count, -1) - values.reshape(count, -1)).max())
        / max(1e-3, float(np.abs(values).max()))
        for name, values in theirs.items()
    ]


def test_there_are_files() -> None:
    kinds = {path.name.split("_")[0] for path in FILES}
    assert kinds == {"torch", "tf", "ort"} and len(PLAIN) > 70 and len(QUANTIZED) == 12


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.stem)
def test_float_files(path: Path) -> None:
    model = load_model(path)
    graph = read(model)
    assert max(differences(model, graph)) < 1e-5
    assert all(item.supported and not item.why for item in check(model))


@pytest.mark.parametrize("path", QUANTIZED, ids=lambda path: path.stem)
def test_quantized_files(path: Path) -> None:
    """The float network of the real values: beside ONNX Runtime by the roundings that it leaves out."""
    model = load_model(path)
    graph = read(model)
    assert not graph.formats and max(differences(model, graph)) < 0.06


@pytest.mark.parametrize(
    "name, layers",
    [
        ("torch_padded_script_static", 4),
        ("torch_zeros_dynamo_symbolic", 4),
        ("torch_same_script_symbolic", 3),
        ("torch_view_mean_script_symbolic", 3),
        ("torch_norms_dynamo_symbolic", 9),
        ("tf_residual_symbolic_nhwc_13", 6),
        ("tf_mobile_static_nhwc_9", 6),
        ("tf_flat_norm_symbolic_nhwc_13", 2),
    ],
)
def test_nothing_is_left_over(name: str, layers: int) -> None:
    """Shape arithmetic, borders and normalizations cost no layer."""
    (path,) = [path for path in FILES if path.stem == name]
    kinds = [layer.kind for layer in read(path).layers]
    assert len(kinds) == layers, kinds


def test_what_the_input_is() -> None:
    graphs = {path.stem: read(path) for path in FILES if path.name.startswith("tf_")}
    digits = graphs["tf_digits_symbolic_nhwc_13"]
    assert digits.shapes[digits.input] == (12, 12, 1) and digits.input_layout == "NHWC"
    bare = graphs["tf_no_channels_symbolic_nhwc_13"]
    assert bare.shapes[bare.input] == (10, 10, 1) and bare.input_layout == "NHW"
    row = graphs["tf_perceptron_symbolic_nhwc_13"]
    assert row.shapes[row.input] == (1, 1, 36) and row.input_layout == "NC"
    first = graphs["tf_residual_symbolic_nchw_17"]
    assert first.shapes[first.input] == (8, 8, 3) and first.input_layout == "NCHW"


@pytest.mark.parametrize(
    "name",
    ["tf_digits_symbolic_nhwc_13", "tf_no_channels_static_nhwc_9", "tf_perceptron_symbolic_nhwc_13",
     "tf_several_symbolic_nhwc_13", "torch_zeros_script_static", "torch_norms_dynamo_static",
     "ort_torch_padded_script_symbolic_QOperator_int8"],
)  # fmt: skip
def test_the_whole_way(name: str, tmp_path: Path) -> None:
    """Quantized, compared with ONNX Runtime, compiled: whatever the file's input and outputs look like."""
    path = Path(__file__).parent / "models" / f"{name}.onnx"
    graph = read(path)
    shape = graph.shapes[graph.input]
    images = np.random.default_rng(0).integers(0, 256, (12, *shape)).astype(np.uint8)
    np.savez(tmp_path / "images.npz", images=images, labels=np.zeros(12, np.int64))
    api.quantize(
        path, tmp_path / "images.npz", tmp_path / "q", preprocessing=api.Preprocessing(128.0, (1.0,), (1.0,))
    )
    found = api.evaluate(tmp_path / "q", tmp_path / "images.npz")
    assert found.onnxruntime_mismatches == 0
    assert found.sqnr_db is not None and found.sqnr_db > 15
    program = api.compile(tmp_path / "q", api.EngineConfig(rows=4, cols=4)).program
    assert {output.tensor for output in program.outputs} == set(graph.outputs)
