"""The demo: with an engine of Python in seconds, the real one in a minute (slow)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from systolith.hw import verilog
from systolith.sw.cli import main
from systolith.sw.demo.run import short_name
from systolith.sw.picture import Bar, Thumbnail, draw

KEYS = {
    "config", "images", "layers", "macs", "compared", "mismatches", "cycles", "cycles_total", "utilization",
    "utilization_stream", "first_mismatch", "top1_float", "top1_int", "images_evaluated", "picture",
}  # fmt: skip


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        picture.load()
        return picture.size


def check_demo(folder: Path, document: dict[str, Any]) -> None:
    assert document.keys() >= KEYS and document["ok"]
    assert document["images"] == len(document["cycles"]) == 2
    assert document["images_evaluated"] == 500 and document["onnxruntime_mismatches"] == 0
    assert abs(document["top1_float"] - document["top1_int"]) < 1.5 and document["top1_float"] > 80
    assert set(document["mismatches"].values()) == {0} and document["compared"]["rtl"] > 100_000
    assert document["picture"] == str(folder / "demo.png") and min(size(folder / "demo.png")) > 500
    names = {path.name for path in folder.iterdir()}
    assert names == {"model", "fashion.program", "engine.v", "demo.png", "demo.json"}
    assert json.loads((folder / "demo.json").read_text()) == document


def test_demo_without_rtl(
    fake: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(verilog, "engine_verilog", lambda config: "module engine ();\nendmodule\n")
    assert main(["demo", "-o", str(tmp_path / "new" / "d"), "--json"]) == 0
    check_demo(tmp_path / "new" / "d", json.loads(capsys.readouterr().out))


@pytest.mark.slow
def test_demo(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["demo", "-o", str(tmp_path / "d")]) == 0
    text = capsys.readouterr().out
    check_demo(tmp_path / "d", json.loads((tmp_path / "d" / "demo.json").read_text()))
    for word in ("accuracy", "8 bit", "codes compared", "cycles", "utilization", "demo.png", "0 mismatches"):
        assert word in text


def test_output_is_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "d").write_text("mine")
    assert main(["demo", "-o", str(tmp_path / "d")]) == 2
    assert "is a file" in capsys.readouterr().err and (tmp_path / "d").read_text() == "mine"


def test_picture(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    colour, gray = rng.integers(0, 256, (9, 7, 3)).astype(np.uint8), np.zeros((5, 5, 1), np.uint8)
    bars = [
        Bar("first", float("inf"), 0.0),
        Bar("second", None, None, "fused"),
        Bar("third", -3.0, 1.0),
        Bar("fourth", float("-inf"), 0.5),
    ]
    images = [Thumbnail(colour, "noise"), Thumbnail(gray, "nothing", [("one", 1.0), ("two", 2.0)])]
    for name, shown, whole in (("a.png", images, 0.5), ("b.png", images[:1], None)):
        draw(tmp_path / name, title="t", subtitle="s", images=shown, layers=bars, utilization=whole)
        assert size(tmp_path / name)[0] > 1000


def test_short_name() -> None:
    assert short_name("/block1/conv1/Conv") == "block1/conv1"
    assert short_name("Conv_1") == "Conv_1"
