"""The page of ``report``: what it says is what other commands say; shown in a browser; wrong sources."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import browser
import pytest
from systolith.sw import api

ENGINE = ["attention", "graph", "engine-layers", "cycles", "timeline", "roofline", "resources"]
QUANT = ["precision", "formats", "layers", "reading"]
SWEEP = ["heat", "front", "points"]


@pytest.fixture(scope="module")
def files(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that report reads."""
    folder = tmp_path_factory.mktemp("report")
    api.compile(tiny.quantized, tiny.config, folder / "tiny.program")
    api.sweep(tiny.quantized, folder / "sweep", rows="2,4", cols="2,4", jobs=1)
    cells = {"TRELLIS_COMB": {"used": 9000, "available": 83640}, "DP16KD": {"used": 208, "available": 208}}
    document = {
        "device": "ecp5-85f", "speed": 6, "config": {}, "freq_mhz": 100.0, "fmax_mhz": 117.1,
        "fmax_all": {"1": 117.1, "2": 118.0}, "met": True, "resources": cells,
        "critical_path": {"text": "from a to b: 8 ns"},
    }  # fmt: skip
    (folder / "synth.json").write_text(json.dumps(document))
    (folder / "verify.json").write_text(json.dumps(verified(False)))
    return folder


def verified(ok: bool) -> dict[str, Any]:
    """A document of ``verify --json``."""
    wrong = {"onnxruntime": 0, "iss": 0, "rtl": 0 if ok else 3}
    compared = {"onnxruntime": 100, "iss": 100, "rtl": 100}
    first = {"model": "rtl", "tensor": "t<1>", "n": 0, "y": 1, "x": 2, "channel": 3, "expected": 4, "got": 5}
    layer = {"name": "conv<1>", "shape": [1, 2, 3], "compared": compared, "mismatches": wrong}
    return {"ok": ok, "network": "tiny", "images": 1, "layers": [layer], "compared": compared, "mismatches": wrong,
            "errors": [], "first_mismatch": None if ok else first}  # fmt: skip


def sections(path: Path) -> tuple[ElementTree.Element, list[str]]:
    html = path.read_text()
    assert not re.search(r"https?:|url\(|<script|<link|@import|src=|\bnan\b|\binf\b", html)
    root = ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>\n"))
    ids = Counter(node.attrib["id"] for node in root.iter() if "id" in node.attrib)
    assert max(ids.values()) == 1
    for node in root.iter("a"):
        assert node.attrib["href"].removeprefix("#") in ids, node.attrib["href"]
    return root, [node.attrib["id"] for node in root.iter("section")]


def words(root: ElementTree.Element) -> str:
    return re.sub(r"\s+", " ", " ".join(root.itertext()))


def test_a_model_has_every_chapter_and_the_figures_of_other_commands(tiny: Any, tmp_path: Path) -> None:
    path = api.report(tiny.quantized, tmp_path / "page.html", config=tiny.config)
    root, found = sections(path)
    assert found == [*ENGINE, *QUANT]
    text, model = words(root), api.model(tiny.quantized, tiny.config, images=2).result
    assert f"{model.cycles:,}" in text and f"{model.cycles_total:,} for 2 back to back" in text
    for layer in model.layers:
        row = words(next(node for node in root.iter("tr") if node.attrib.get("id") == f"run-{layer.index}"))
        assert f" {layer.cycles:,} " in row and layer.bound in row and f"{layer.macs:,}" in row
    for name, count in model.counters.items():
        if name == "pixels":
            assert f"the array takes a pixel: {count // 2:,} (" in text
    assert "16 multipliers" in text and "9 \u00d7 8 bits" in text
    assert (
        api.report(tiny.quantized, tmp_path / "again.html", config=tiny.config).read_text()
        == path.read_text()
    )


def test_sources_together_and_alone(tiny: Any, files: Path, tmp_path: Path) -> None:
    every = [
        tiny.quantized,
        files / "tiny.program",
        files / "sweep",
        files / "verify.json",
        files / "synth.json",
    ]
    root, found = sections(api.report(every, tmp_path / "all.html"))
    assert found == [*ENGINE[:-1], "verified", "resources", *SWEEP, *QUANT]
    text = words(root)
    assert (
        "RTL parts from the reference in tensor 't<1>', image 0, y 1, x 2, channel 3: expected 4, got 5"
        in text
    )
    assert "117.1 MHz" in text and "208" in text and "from a to b: 8 ns" in text
    alone = {
        "tiny.program": ["attention", "engine-layers", "cycles", "timeline", "roofline", "resources"],
        "sweep": SWEEP,
        "verify.json": ["attention", "verified"],
        "synth.json": ["resources"],
    }
    for name, expected in alone.items():
        _, found = sections(api.report(files / name, tmp_path / f"{name}.html"))
        assert found == expected
    (tmp_path / "good.json").write_text(json.dumps(verified(True)))
    good, _ = sections(api.report(tmp_path / "good.json"))
    assert "300 codes of 1 image are equal in all models" in words(good)
    assert (tmp_path / "good.html").is_file() and api.report(
        files / "sweep"
    ) == files / "sweep" / "report.html"


def test_a_network_too_large_for_the_default_engine(tiny: Any, tmp_path: Path, monkeypatch: Any) -> None:
    def refuse(*_: Any) -> None:
        raise ValueError("layer 'x' <wants> more")

    monkeypatch.setattr("systolith.sw.api_report.compile_network", refuse)
    root, found = sections(api.report(tiny.quantized, tmp_path / "page.html"))
    assert found == ["attention", *QUANT] and "layer 'x' <wants> more" in words(root)
    with pytest.raises(ValueError, match="layer 'x'"):
        api.report(tiny.quantized, tmp_path / "page.html", config=tiny.config)


def test_wrong_sources(tiny: Any, files: Path, tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "noise").write_bytes(b"\x00\x01noise")
    (tmp_path / "other.json").write_text('{"a": 1}')
    (tmp_path / "broken.json").write_text('{"a": ')
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "sweep.json").write_text("[]")
    wrong = {
        "does not exist: quantize a model first": [tmp_path / "absent"],
        "holds no quantized model": [tmp_path],
        "is an ONNX file: quantize it": [tiny.model],
        "noise' is nothing that report knows: name a quantized": [tmp_path / "noise"],
        "other.json' is no document that report knows": [tmp_path / "other.json"],
        "broken.json' is damaged": [tmp_path / "broken.json"],
        "sweep.json' is damaged": [tmp_path / "s"],
        "is a second sweep: a page has one": [files / "sweep", files / "sweep"],
    }
    for message, sources in wrong.items():
        ran = run("report", *sources, "-o", tmp_path / "page.html")
        assert ran.status == 2 and message in ran.complaint, message
    ran = run("report", files / "tiny.program", "--rows", "5", "-o", tmp_path / "page.html")
    assert ran.status == 2 and "a program holds its engine" in ran.complaint
    ran = run("report", tiny.quantized, "-o", tmp_path / "no" / "page.html")
    assert ran.status == 2 and "does not exist: create it" in ran.complaint
    with pytest.raises(ValueError, match="at least one of"):
        api.report([])
    with pytest.raises(ValueError, match="output must name"):
        api.report(api.load_quantized(tiny.quantized))
    assert not (tmp_path / "page.html").exists()


def test_a_program_of_another_model(files: Path, tiny: Any, tmp_path: Path) -> None:
    other = tmp_path / "other.q"
    demo = api.demo_files()
    api.quantize(demo.model, demo.calibration, other, preprocessing=demo.preprocessing, count=2, correct=())
    with pytest.raises(ValueError, match="compile this model again"):
        api.report([other, files / "tiny.program"], tmp_path / "page.html")


def test_command_line(tiny: Any, tmp_path: Path, run: Callable[..., Any]) -> None:
    ran = run("report", tiny.quantized, *tiny.engine, "-o", tmp_path / "page.html", "--json")
    assert ran.status == 0 and ran.json == {"report": str(tmp_path / "page.html")}
    whole = api.report(tiny.quantized, tmp_path / "api.html", config=tiny.config)
    assert (tmp_path / "page.html").read_text() == whole.read_text()


@pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed: the page is not shown")
def test_in_a_browser(tiny: Any, files: Path, tmp_path: Path) -> None:
    every = [
        tiny.quantized,
        files / "tiny.program",
        files / "sweep",
        files / "verify.json",
        files / "synth.json",
    ]
    path = api.report(every, tmp_path / "all.html")
    quant = tiny.quantized / "report.html"
    with browser.browser() as chromium:
        for file, width, dark in (
            (path, 1200, False),
            (path, 400, True),
            (quant, 400, False),
            (path, 320, False),
        ):
            page = chromium.open(file, width, dark)
            assert page.ask("document.documentElement.scrollWidth") <= width
            shown = page.ask(
                "[...document.querySelectorAll('section')].filter(s => s.offsetHeight > 40).map(s => s.id)"
            )
            assert shown == sections(file)[1]
            assert page.ask("document.querySelectorAll('svg').length") > 10
            colors = page.ask("['backgroundColor', 'color'].map(k => getComputedStyle(document.body)[k])")
            light = [sum(map(int, re.findall(r"\d+", color)[:3])) for color in colors]
            assert light[0] < 150 < 600 < light[1] if dark else light[1] < 150 < 600 < light[0]
            assert page.requests == [file.resolve().as_uri()] and page.console == []
        titles = page.ask("[...document.querySelectorAll('svg title')].every(t => t.textContent.length > 0)")
        assert titles and page.printed().startswith(b"%PDF")


@pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed: the page is not shown")
def test_the_browser_would_tell(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        '<p style="width: 900px">x</p><img src="absent.png"/><script>console.log(1); nothing()</script>'
    )
    with browser.browser() as chromium:
        shown = chromium.open(page, 400)
        assert shown.ask("document.documentElement.scrollWidth") > 400
        assert len(shown.requests) == 2 and len(shown.console) >= 2
