"""Networks and images by name."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from systolith.sw.benchmark.networks import NETWORKS, network_hash
from systolith.sw.benchmark.sources import find


def test_generated() -> None:
    source, again = find("nngen"), find("nngen")
    assert source is not None and again is not None
    assert source.hash == network_hash(NETWORKS["nngen"]()) and source.onnx == again.onnx
    assert source.images.shape[1:] == (32, 32, 3) and source.images.dtype == np.uint8
    assert np.array_equal(source.images, again.images) and len(source.images) >= 3
    counts = np.bincount(source.images.reshape(-1), minlength=256)
    assert counts.min() > counts.mean() / 2  # uniform over all bytes
    assert not any(np.array_equal(image, source.calibration[0]) for image in source.images)


def test_demo() -> None:
    source = find("demo")
    assert source is not None and source.images.shape[1:] == (28, 28, 1)
    onnx.checker.check_model(onnx.load_from_string(source.onnx))


def test_trained_models_may_be_absent(tmp_path: Path) -> None:
    assert find("cifar10_resnet20_folded_b1", tmp_path) is None


def test_trained_model_without_its_images(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mlperf_ic_resnet8_bn_dyn.onnx").write_bytes(b"")
    assert find("mlperf_ic_resnet8_bn_dyn", tmp_path) is None


def test_unknown() -> None:
    with pytest.raises(ValueError, match="network 'lenet' does not exist: one of nngen, vgg16"):
        find("lenet")
