"""Evaluation: a small network, the demo network, and ResNet-20 where the shared models are at hand."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import systolith.sw.demo
from systolith.quant.quantizer import Options, quantize
from systolith.sw.evaluate import Evaluation, evaluate
from systolith.sw.images import Images, Preprocessing, load_images
from systolith.sw.onnx_reader import load_model, read
from systolith.sw.quantized_io import load, save
from systolith.sw.random_model import ModelBuilder

SHARED = Path(__file__).parents[3] / "shared" / "data"
DEMO = Path(systolith.sw.demo.__file__).parent


def quantized(directory: Path, model: Path, calib: Images, preprocessing: Preprocessing) -> Path:
    proto = load_model(model)
    graph = read(model)
    options = Options(input_range=preprocessing.real_range())
    result = quantize(graph, preprocessing.apply(calib.images), options)
    save(directory, result.network, preprocessing, result.report, proto, graph.flat)
    return directory


def test_small_network(tmp_path: Path) -> None:
    build = ModelBuilder((3, 8, 8), seed=1)
    hidden = build.pool("GlobalAveragePool", build.same("Relu", build.conv("input", 8)))
    onnx.save(build.model(build.same("Softmax", build.dense(hidden, 5), axis=1)), tmp_path / "m.onnx")
    rng = np.random.default_rng(0)
    images = Images(rng.integers(0, 256, (60, 8, 8, 3), np.uint8), rng.integers(0, 5, 60))
    pre = Preprocessing(255.0, (0.5,), (0.25,))
    directory = quantized(tmp_path / "q", tmp_path / "m.onnx", images.first(20), pre)
    result = evaluate(directory, images)
    assert result.images == 60 and result.onnxruntime_mismatches == 0 and result.first_mismatch is None
    assert result.agreement is not None and result.agreement > 80
    assert result.sqnr_db is not None and result.sqnr_db > 15
    assert result == evaluate(load(directory), images)
    float_only = evaluate(tmp_path / "m.onnx", images, pre)
    assert float_only == Evaluation(images=60, top1_float=result.top1_float)
    assert evaluate(directory, Images(images.images)).top1_int is None
    assert set(result.to_json()) >= {
        "images", "top1_float", "top1_int", "agreement", "sqnr_db", "onnxruntime_mismatches",
    }  # fmt: skip
    with pytest.raises(ValueError, match="holds its preprocessing"):
        evaluate(directory, images, pre)


def test_demo_network(tmp_path: Path) -> None:
    if not (DEMO / "fashion.onnx").is_file():
        pytest.skip("the demo network is not in this checkout")
    model = DEMO / "fashion.onnx"
    shape = read(model).shapes[read(model).input]
    calib, test = (load_images(DEMO / f"fashion_{part}.npz", shape) for part in ("calib", "test"))
    pre = Preprocessing(255.0, (0.2860,), (0.3530,))
    result = evaluate(quantized(tmp_path / "q", model, calib, pre), test)
    assert result.onnxruntime_mismatches == 0
    assert result.top1_float is not None and result.top1_int is not None and result.agreement is not None
    assert result.top1_int >= result.top1_float - 1.5 and result.agreement >= 97


def test_resnet20(tmp_path: Path) -> None:
    model = SHARED / "models" / "cifar10_resnet20_folded_b1.onnx"
    if not model.is_file():
        pytest.skip("the shared models are not beside the checkout")
    pre = Preprocessing(255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    calib = load_images(SHARED / "cifar10_calib2000.npz", (32, 32, 3)).first(64)
    test = load_images(SHARED / "cifar10_test500.npz", (32, 32, 3)).first(100)
    result = evaluate(quantized(tmp_path / "q", model, calib, pre), test)
    assert result.onnxruntime_mismatches == 0
    assert result.agreement is not None and result.agreement >= 96
