"""Quantized models on disk: the same back, the same bytes, whole or not at all."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from systolith.quant.network import Stem
from systolith.quant.quantizer import Quantization, quantize
from systolith.sw import quantized_io
from systolith.sw.graph import Graph
from systolith.sw.images import Preprocessing
from systolith.sw.onnx_reader import read
from systolith.sw.quantized_io import QuantizedModelError, load, save
from systolith.sw.random_model import ModelBuilder

PRE = Preprocessing(255.0, (0.1, 0.2), (0.5, 0.6))


def example(seed: int = 0) -> tuple[onnx.ModelProto, Graph, Quantization]:
    build = ModelBuilder((2, 6, 6), seed=seed)
    hidden = build.same("Relu", build.batch_norm(build.conv("input", 3)))
    hidden = build.same("PRelu", build.conv(build.same("Tanh", hidden), 3), build.weight(3, 1, 1))
    pooled = build.pool("GlobalAveragePool", hidden)
    hidden = build.same(
        "Mul", hidden, build.same("Sigmoid", build.conv(pooled, 3, (1, 1), pads=(0, 0, 0, 0)))
    )
    both = build.same("Relu", build.same("Add", build.conv(hidden, 3), hidden))
    model = build.model(
        build.dense(build.pool("AveragePool", build.pool("MaxPool", both), (3, 3), (1, 1)), 4)
    )
    graph = read(model)
    real = np.random.default_rng(seed).normal(size=(8, 6, 6, 2)).astype(np.float32)
    return model, graph, quantize(graph, real)


def store(directory: Path, seed: int = 0) -> Quantization:
    model, graph, result = example(seed)
    save(directory, result.network, PRE, result.report, model, graph.flat)
    return result


def test_round_trip(tmp_path: Path) -> None:
    result = store(tmp_path / "deep" / "er")
    loaded = load(tmp_path / "deep" / "er")
    assert loaded.preprocessing == PRE and loaded.report == result.report
    network = result.network
    assert (loaded.network.name, loaded.network.input, loaded.network.outputs) == (
        network.name, network.input, network.outputs,
    )  # fmt: skip
    assert loaded.network.tensors == network.tensors and list(loaded.network.tensors) == list(network.tensors)
    for ours, theirs in zip(loaded.network.layers, network.layers, strict=True):
        for item in fields(ours):
            left, right = getattr(ours, item.name), getattr(theirs, item.name)
            if isinstance(right, np.ndarray):
                assert left.dtype == np.int64 and np.array_equal(left, right), item.name
            else:
                assert left == right and type(left) is type(right), item.name


def test_stem_and_scales(tmp_path: Path) -> None:
    model, graph, result = example()
    stem = Stem(gain=np.array([58.395, 57.12]), offset=np.array([-4.325, 0.1]), pads=(1, 2, 0, 3))
    network = replace(result.network, stem=stem)
    for name, tensor in network.tensors.items():
        network.tensors[name] = replace(tensor, scale=np.arange(1, tensor.shape[2] + 1) / 3)
    save(tmp_path / "m", network, PRE, result.report, model, graph.flat)
    loaded = load(tmp_path / "m").network
    assert loaded.stem is not None and loaded.stem.pads == stem.pads
    assert np.array_equal(loaded.stem.gain, stem.gain) and np.array_equal(loaded.stem.offset, stem.offset)
    assert loaded.image_shape == network.image_shape == (5, 1, 2)
    for name, tensor in network.tensors.items():
        assert tensor.scale is not None and np.array_equal(loaded.tensors[name].scale, tensor.scale)


def test_same_bytes(tmp_path: Path) -> None:
    store(tmp_path / "a")
    store(tmp_path / "b")
    names = sorted(file.name for file in (tmp_path / "a").iterdir())
    assert names == sorted([
        "codes.npz", "model.onnx", "network.json", "preprocessing.json", "qdq.onnx", "report.html", "report.json",
        "report.txt", "evidence.json",
    ])  # fmt: skip
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_replaces_whole(tmp_path: Path) -> None:
    target = tmp_path / "m"
    target.mkdir()
    store(target)
    (target / "stale.txt").write_text("from before")
    result = store(target, seed=1)
    assert not (target / "stale.txt").exists()
    assert load(target).report == result.report
    assert [file.name for file in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("where", ["_archive", "_replace", "export_qdq"])
def test_keeps_whole_on_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    result = store(tmp_path / "m")

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(quantized_io, where, fail)
    for name in ("m", "fresh"):
        with pytest.raises(OSError, match="disk full"):
            store(tmp_path / name, seed=1)
    assert load(tmp_path / "m").report == result.report
    assert [file.name for file in tmp_path.iterdir()] == ["m"]


def test_a_failed_rename_brings_the_old_one_back(tmp_path: Path) -> None:
    target, old = tmp_path / "m", tmp_path / "old"
    target.mkdir()
    (target / "kept").touch()
    with pytest.raises(FileNotFoundError):
        quantized_io._replace(tmp_path / "missing", target, old)
    assert (target / "kept").exists() and not old.exists()


def test_refuses_to_replace_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(QuantizedModelError, match="holds no quantized model and is not empty"):
        store(tmp_path)
    with pytest.raises(QuantizedModelError, match="is a file"):
        store(tmp_path / "thesis.tex")


def test_load_errors(tmp_path: Path) -> None:
    with pytest.raises(QuantizedModelError, match="does not exist: quantize a model first"):
        load(tmp_path / "absent")
    with pytest.raises(QuantizedModelError, match="holds no quantized model"):
        load(tmp_path)
    store(tmp_path / "m")
    for name in (
        "codes.npz", "network.json", "preprocessing.json", "report.json", "evidence.json", "qdq.onnx", "model.onnx",
    ):  # fmt: skip
        file = tmp_path / "m" / name
        data = file.read_bytes()
        file.write_bytes(data[: len(data) // 2])
        with pytest.raises(QuantizedModelError, match="is damaged .*: quantize the model again") as caught:
            load(tmp_path / "m")
        assert "\n" not in str(caught.value)
        file.write_bytes(data)
    text = (tmp_path / "m" / "network.json").read_text()
    (tmp_path / "m" / "network.json").write_text(text.replace('"version": 2', '"version": 1'))
    cure = "is of format version 1, this reads 2: quantize the model again"
    with pytest.raises(QuantizedModelError, match=cure):
        load(tmp_path / "m")
    (tmp_path / "m" / "network.json").write_text(text)
    (tmp_path / "m" / "qdq.onnx").write_bytes((tmp_path / "m" / "model.onnx").read_bytes())
    with pytest.raises(QuantizedModelError, match="qdq.onnx in .* is of another network"):
        load(tmp_path / "m")
