"""Whole trained networks: accuracy on real data sets, every layer in RTL. Long: `make test-slow`."""

import json
from pathlib import Path

import pytest
from systolith.sw.cli import main
from systolith.sw.demo.data import read

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
FASHION = Path("/usr/share/datasets/fashion-mnist")
DEMO = Path(__file__).resolve().parents[2] / "sw" / "demo"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    """One command with --json: its document; it must end well."""
    status = main([*map(str, arguments), "--json"])
    captured = capsys.readouterr()
    assert status == 0, captured.out[-2000:] + captured.err[-2000:]
    return json.loads(captured.out)


@pytest.mark.slow
@pytest.mark.skipif(
    not FASHION.is_dir(), reason="needs the 10,000 test images: apt install dataset-fashion-mnist"
)
def test_demo_network_on_all_test_images(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """8 bit costs at most 0.3 points of 10,000 images, and ONNX Runtime computes every integer."""
    images = read(FASHION, "t10k")
    images.save(tmp_path / "test.npz")
    run(capsys, "quantize", DEMO / "fashion.onnx", "--calib", DEMO / "fashion_calib.npz", "--scale", 255,
        "--mean", 0.2860, "--std", 0.3530, "-o", tmp_path / "q")  # fmt: skip
    result = run(capsys, "evaluate", tmp_path / "q", "--images", tmp_path / "test.npz")
    assert result["images"] == 10_000
    assert result["top1_float"] >= 92.0
    assert result["top1_int"] >= result["top1_float"] - 0.3
    assert result["onnxruntime_mismatches"] == 0


@pytest.fixture(scope="module")
def resnet20(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ResNet-20 for CIFAR-10, quantized with the default method."""
    folder = tmp_path_factory.mktemp("resnet20") / "q"
    arguments = ["quantize", SHARED / "models" / "cifar10_resnet20_folded_b1.onnx", "--calib",
                 SHARED / "cifar10_calib2000.npz", "--calib-count", 256, "--scale", 255, "--mean", ".485,.456,.406",
                 "--std", ".229,.224,.225", "-o", folder]  # fmt: skip
    assert main(list(map(str, arguments))) == 0
    return folder


needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="needs the models of ../shared/data beside the checkout"
)


@pytest.mark.slow
@needs_shared
def test_resnet20_on_500_images(resnet20: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "evaluate", resnet20, "--images", SHARED / "cifar10_test500.npz")
    assert result["images"] == 500 and result["onnxruntime_mismatches"] == 0
    assert result["top1_int"] >= result["top1_float"] - 0.6


@pytest.mark.slow
@needs_shared
@pytest.mark.parametrize(("size", "utilization"), [(8, 0.97), (16, 0.975)])
def test_resnet20_in_rtl(
    resnet20: Path, size: int, utilization: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every code of every layer; the useful share of the multipliers' cycles."""
    result = run(capsys, "verify", resnet20, "--images", SHARED / "cifar10_test500.npz", "--count", 1,
                 "--rows", size, "--cols", size)  # fmt: skip
    assert result["compared"]["rtl"] >= 188_000 and result["compared"]["onnxruntime"] >= 188_000
    assert result["mismatches"] == {"onnxruntime": 0, "iss": 0, "rtl": 0}
    assert result["utilization"] >= utilization
