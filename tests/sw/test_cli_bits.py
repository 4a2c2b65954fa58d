"""Budgets as text, and the commands on the tiny network: --wgt-bits, --act-bits, bits, static."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from systolith.quant.allocator import Budget
from systolith.sw.cli_bits import budget, budgets, precisions, wgt_bits

Run = Callable[..., Any]
NORMAL = ("--mean", "0.5", "--std", "0.25")


@pytest.mark.parametrize(
    "text, found",
    [
        ("4.5", Budget("bits", 4.5)),
        ("3", Budget("bits", 3.0)),
        ("16", Budget("bits", 16.0)),
        ("60K", Budget("bytes", 61440.0)),
        ("60k", Budget("bytes", 61440.0)),
        ("1.5KiB", Budget("bytes", 1536.0)),
        ("61440B", Budget("bytes", 61440.0)),
        ("2M", Budget("bytes", 2097152.0)),
        (" .5 M ", Budget("bytes", 524288.0)),
        ("widths.json", None),
        ("4.5.json", None),
        ("./4", None),
        ("-4", None),
    ],
)
def test_budget(text: str, found: Budget | None) -> None:
    assert budget("--wgt-bits", text) == found


@pytest.mark.parametrize(
    "text, why",
    [
        ("60", "averages are 2 to 16 bits; write B, K or M behind bytes"),
        ("1.5", "averages are 2 to 16 bits"),
        ("60KB", "KB could be 1000 or 1024 bytes"),
        ("60kB", "kB could be 1000 or 1024 bytes"),
        ("2MB", "MB could be 1000000 or 1048576 bytes"),
        ("480b", "b could be bits or bytes"),
        ("3 bits", "bits is no unit of bytes"),
        ("0K", "a budget is more than 0"),
    ],
)
def test_ambiguous_budget(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        budget("--wgt-bits", text)
    assert repr(text) in str(caught.value) and "\n" not in str(caught.value)


def test_budget_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("4").write_text('{"conv": 4}')
    with pytest.raises(ValueError, match="'4' is a budget and a file: write ./4 for the file, or rename it"):
        wgt_bits("4")
    assert wgt_bits("./4") == {"conv": 4} and wgt_bits("5") == Budget("bits", 5.0)
    assert budgets("3, 4.5,60K,3") == (Budget("bits", 3.0), Budget("bits", 4.5), Budget("bytes", 61440.0))
    with pytest.raises(ValueError, match="--budgets must be .* not 'x': give numbers separated by commas"):
        budgets("3,x")
    assert precisions("16, 8,8/4,8") == ((16, 16), (8, 8), (8, 4))
    with pytest.raises(ValueError, match="--precisions must be like 16,8,8/4"):
        precisions("8:4")


def test_wgt_bits(tiny: Any, run: Run, tmp_path: Path) -> None:
    where = tmp_path / "q"
    words = ("quantize", tiny.model, "--calib", tiny.images, "-o", where, *NORMAL)
    rows = run(*words, "--json").json["layers"]
    layers = [row["name"] for row in rows if row["kind"] == "conv"]
    assert len(layers) == 5
    counts = dict(zip(layers, (162, 324, 432, 576, 40), strict=True))
    for text, limit in (("4.5", 4.5 * sum(counts.values())), ("700B", 700 * 8), (".5K", 512 * 8)):
        ran = run(*words, "--wgt-bits", text, "--json")
        widths = {row["name"]: row["wgt_width"] for row in ran.json["layers"] if row["name"] in counts}
        total = sum(counts[name] * width for name, width in widths.items())
        assert limit - 2 * 576 < total <= limit and max(widths.values()) <= 8, widths
        assert "sensitivity of layer 5 of 5" in ran.err
    assert run("evaluate", where, "--images", tiny.images, "--json").json["onnxruntime_mismatches"] == 0
    ran = run(*words, "--wgt-bits", "100B")
    assert ran.status == 2 and "sensitivity" not in ran.err
    assert ran.complaint == (
        "the budget must be at least 384 bytes of weights (2 bits in every layer), not 100 bytes of weights: "
        "allow more, or narrower widths"
    )
    assert "KB could be 1000 or 1024" in run(*words, "--wgt-bits", "1KB").complaint


def test_act_bits(tiny: Any, run: Run, tmp_path: Path) -> None:
    words = ("quantize", tiny.model, "--calib", tiny.images, "-o", tmp_path / "q", *NORMAL)
    bits = tmp_path / "bits.json"
    made = [layer["output"] for layer in json.loads((tiny.quantized / "network.json").read_text())["layers"]]
    bits.write_text(json.dumps({made[0]: 5, "input": 4}))
    rows = run(*words, "--act-bits", bits, "--json").json
    assert [row["out_width"] for row in rows["layers"]][:2] == [5, 8]
    tensors = json.loads((tmp_path / "q" / "network.json").read_text())["tensors"]
    assert {row["name"]: row["format"]["width"] for row in tensors}["input"] == 4
    checked = run("evaluate", tmp_path / "q", "--images", tiny.images, "--json").json
    assert checked["onnxruntime_mismatches"] == 0
    for text, error in (('{"none": 4}', "act_widths must name tensors with a format of their own"),
                        ('{"input": 9}', "2 to 8 or 16"), ("[]", "--act-bits must hold a JSON object")):  # fmt: skip
        bits.write_text(text)
        assert error in run(*words, "--act-bits", bits).complaint
    assert "--act-bits must be a JSON file" in run(*words, "--act-bits", "4.5").complaint


def test_bits(tiny: Any, run: Run, tmp_path: Path) -> None:
    where = tmp_path / "bits"
    words = ("bits", tiny.model, "--calib", tiny.images, "--images", tiny.images, "--count", 10, *NORMAL,
             "-o", where, "--budgets", "3,700B")  # fmt: skip
    ran = run(*words, "--json")
    document = ran.json
    assert ran.status == 0 and document == json.loads((where / "bits.json").read_text())
    table = document["sensitivity"]
    assert table["widths"] == [2, 3, 4, 5, 6, 7, 8] and list(table["weights"].values()) == [
        162,
        324,
        432,
        576,
        40,
    ]
    for row in table["layers"].values():
        assert row["8"] == table["base"] and row["2"]["error"] > row["8"]["error"]
    points = {point["name"]: point for point in document["points"]}
    assert len(points) == 9 and document["left_out"] == {}
    memory = [point["weight_bytes"] for point in document["points"]]
    assert memory == sorted(memory) and points["4 everywhere"]["weight_bytes"] == 1534 // 2
    assert points["700 bytes"]["weight_bytes"] <= 700 and points["3 bits"]["average_bits"] <= 3
    front = [point["calibration"]["sqnr_db"] for point in document["points"] if point["front"]]
    assert front == sorted(front) and len(front) >= 2
    assert all(point["images"]["images"] == 10 for point in points.values())
    assert all(point["images"]["top1"] is not None for point in points.values())
    assert (where / "bits.png").read_bytes()[:4] == b"\x89PNG"
    widths = where / "widths" / "3-bits.json"
    assert json.loads(widths.read_text()) == points["3 bits"]["widths"]

    # what a point says is what quantize and evaluate do
    quantized = tmp_path / "q"
    made = run("quantize", tiny.model, "--calib", tiny.images, *NORMAL, "--wgt-bits", widths, "-o", quantized)
    assert made.status == 0
    alone = run("evaluate", quantized, "--images", tiny.images, "--count", 10, "--json").json
    whole = points["3 bits"]["images"]
    assert [alone[key] for key in ("top1_int", "top1_float", "agreement")] == [
        whole[key] for key in ("top1", "top1_float", "agreement")
    ]
    assert alone["sqnr_db"] == pytest.approx(whole["sqnr_db"], abs=1e-3)

    # it goes on from where it was: nothing is measured again, and the files are the same
    before = {path: path.read_bytes() for path in where.rglob("*") if path.is_file()}
    kept = sorted((where / "points").iterdir())
    kept[0].unlink()
    kept[1].write_text("{")  # cut short
    again = run(*words)
    assert again.status == 0 and "3 everywhere" in again.out and "written:" in again.out
    assert {path: path.read_bytes() for path in where.rglob("*") if path.is_file()} == before


def test_bits_refusals(tiny: Any, run: Run, tmp_path: Path) -> None:
    words = ("bits", tiny.model, "--calib", tiny.images, *NORMAL)
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine").write_text("")
    assert "holds other files" in run(*words, "-o", other).complaint
    assert "is a file" in run(*words, "-o", other / "mine").complaint
    assert "does not exist" in run(*words, "-o", tmp_path / "a" / "b").complaint
    refused = run(*words, "-o", tmp_path / "new", "--budgets", "10B").complaint
    assert "must be at least 384 bytes" in refused and not (tmp_path / "new").exists()
    assert "--count" in run(*words, "-o", tmp_path / "new", "--count", "0").complaint


def test_static(tiny: Any, run: Run, tmp_path: Path) -> None:
    where = tmp_path / "static"
    words = ("static", tiny.model, "--calib", tiny.images, *NORMAL, "--precisions", "8,8/4", "-o", where)
    ran = run(*words, "--images", tiny.images, "--json")
    document = ran.json
    assert ran.status == 0 and document == {**json.loads((where / "static.json").read_text())}
    rows = {(row["precision"], row["scheme"]): row for row in document["rows"]}
    assert list(rows) == [(p, s) for p in ("8", "8/4") for s in ("static", "dynamic", "corrected")]
    for precision in ("8", "8/4"):
        static = rows[precision, "static"]
        tried = [row for row in document["searched"][precision] if row["error"] is not None]
        best = min(tried, key=lambda row: row["error"])
        assert (best["wgt_fl"], best["act_fl"]) == (static["wgt_fl"], static["act_fl"])
        assert rows[precision, "dynamic"]["wgt_fl"] is None
    assert rows["8", "static"]["images"]["sqnr_db"] < rows["8", "dynamic"]["images"]["sqnr_db"]
    assert (where / "static.png").read_bytes()[:4] == b"\x89PNG"
    text = run(*words).out  # without images, over what is there
    assert "corrected" in text and "top-1" not in text
    assert json.loads((where / "static.json").read_text())["rows"][0]["images"] is None
    assert "must be 2 to 8 or 16 bits, not 9" in run(*words, "--precisions", "9").complaint
