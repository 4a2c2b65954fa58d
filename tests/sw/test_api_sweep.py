"""``sweep`` from Python: points equal to ``model``'s, resumed, refused, drawn; its errors."""

import csv
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from systolith.sw import api, api_sweep
from systolith.sw.sweep.axes import DEFAULTS

HEAD = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"


def test_points_are_those_of_model(tiny: Any) -> None:
    found = api.sweep(tiny.model, rows=(3, 4), cols="2:4:2", wgt_width=[4, 8], images=2, mem_latency=9,
                      preprocessing=tiny.preprocessing)  # fmt: skip
    assert [(p.values["rows"], p.values["cols"], p.values["wgt_width"]) for p in found.points] == [
        (r, c, w) for r in (3, 4) for c in (2, 4) for w in (4, 8)
    ]
    for point in found.points:
        alone = api.model(tiny.model, point.config, images=2, mem_latency=9, preprocessing=tiny.preprocessing)
        row = point.to_json()
        assert (row["cycles"], row["cycles_total"], row["utilization"], row["utilization_total"]) == (
            alone.result.cycles, alone.result.cycles_total, alone.result.utilization, alone.result.utilization_stream,
        )  # fmt: skip


def test_a_quantized_model(tiny: Any) -> None:
    found = api.sweep(tiny.quantized, rows=4, cols=4, wgt_width=(4, 8), act_width=(7, 8), jobs=1)
    good = [point for point in found.points if point.ok]
    assert [(p.values["act_width"], p.values["wgt_width"]) for p in good] == [(8, 8)]
    assert good[0].figures.cycles == api.model(tiny.quantized, tiny.config).result.cycles
    assert all(point.figures.refused for point in found.points if not point.ok)


def test_an_engine_that_is_none_is_a_point(tiny: Any) -> None:
    found = api.sweep(tiny.model, rows=(4, 129), port_width=(64, 100), jobs=1)
    rows = found.to_json()["points"]
    assert [row["status"] for row in rows] == ["ok", "refused", "refused", "refused"]
    assert rows[1]["reason"] == "port_width must be a power of two, not 100"
    assert rows[2]["reason"] == "rows must be an integer in 1..128, not 129"
    assert "refused: rows 4, cols 8, port_width 100: port_width must be" in found.to_text()


def test_files_and_resume(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "results"
    first = api.sweep(tiny.model, folder, rows=(2, 4), cols=4, jobs=1)
    assert sorted(path.name for path in folder.iterdir()) == [
        "points.sqlite", "sweep.csv", "sweep.json", "sweep.png", "sweep.txt",
    ]  # fmt: skip
    assert json.loads((folder / "sweep.json").read_text()) == first.to_json()
    assert (folder / "sweep.png").read_bytes().startswith(b"\x89PNG")
    computed = []
    start = api_sweep.InProcess.submit

    def submit(self: Any, key: str, values: Any) -> None:
        computed.append((values["rows"], values["cols"]))
        start(self, key, values)

    monkeypatch.setattr(api_sweep.InProcess, "submit", submit)
    second = api.sweep(tiny.model, folder, rows=(2, 3, 4), cols=4, jobs=1)
    assert computed == [(3, 4)]
    assert (second.points[0].figures, second.points[2].figures) == tuple(p.figures for p in first.points)
    assert sqlite3.connect(folder / "points.sqlite").execute("SELECT count(*) FROM results").fetchone() == (
        3,
    )


def test_tables(tiny: Any) -> None:
    found = api.sweep(tiny.model, rows=(2, 4), cols=(2, 4), scratchpad=(1, 1 << 16), jobs=1)
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert len(rows) == 8 and rows[0]["status"] == "refused" and rows[0]["cycles"] == ""
    assert rows[1]["bytes_weights"] == str(found.points[1].figures.bytes["weights"])
    assert float(rows[7]["utilization"]) == found.points[7].utilization
    text = found.to_text().splitlines()
    assert text[0].split()[:5] == ["rows", "cols", "scratchpad", "cycles", "util"]
    assert text[1].split()[:5] == ["*", "2", "2", "65536", f"{found.points[1].figures.cycles:,}"]
    assert sum(line.startswith("refused: ") for line in text) == 4
    assert {point.multipliers for point in found.front} <= {4, 8, 16}


def test_pictures(tiny: Any) -> None:
    found = api.sweep(tiny.model, rows=(2, 4), cols=(2, 4), scratchpad=(1, 1 << 16), jobs=1)
    shown = {metric: found.picture(metric).png for metric in ("utilization", "cycles")}
    assert all(png.startswith(b"\x89PNG") for png in shown.values()) and len(set(shown.values())) == 2
    nothing = api.sweep(tiny.model, rows=2, scratchpad=1, jobs=1)
    assert nothing.picture().png.startswith(b"\x89PNG") and nothing.picture("cycles").png
    with pytest.raises(ValueError, match="metric must be one of utilization, cycles, not 'speed'"):
        found.picture("speed")


def test_accuracy(tiny: Any, tmp_path: Path) -> None:
    found = api.sweep(
        tiny.model, tmp_path / "r", rows=(2, 4), wgt_width=(3, 8), accuracy=tiny.images, accuracy_count=20,
        calibration=tiny.images, calibration_count=8, preprocessing=tiny.preprocessing, jobs=1,
    )  # fmt: skip
    for point in found.points:
        folder = tmp_path / f"q{point.values['wgt_width']}"
        api.quantize(tiny.model, tiny.images, folder, count=8, preprocessing=tiny.preprocessing,
                     wgt_width=point.values["wgt_width"])  # fmt: skip
        direct = api.evaluate(folder, tiny.images, count=20)
        assert (point.accuracy["top1"], point.accuracy["agreement"]) == (direct.top1_int, direct.agreement)
        assert point.accuracy["calibration"] == "calibration"
    lines: list[str] = []
    again = api.sweep(
        tiny.model, tmp_path / "r", rows=(2, 4), wgt_width=(3, 8), accuracy=tiny.images, accuracy_count=20,
        calibration=tiny.images, calibration_count=8, preprocessing=tiny.preprocessing, jobs=1, progress=lines.append,
    )  # fmt: skip
    assert again.points == found.points and not any("quantizing" in line for line in lines)
    assert "top-1 %" in found.to_text()


def test_accuracy_of_a_quantized_model(tiny: Any) -> None:
    found = api.sweep(tiny.quantized, rows=(2, 4), accuracy=tiny.images, jobs=1)
    direct = api.evaluate(tiny.quantized, tiny.images)
    assert {point.accuracy["top1"] for point in found.points} == {direct.top1_int}


def test_accuracy_without_images_of_its_own(tiny: Any) -> None:
    (point,) = api.sweep(tiny.model, rows=4, accuracy=tiny.images, calibration_count=4, jobs=1).points
    assert point.accuracy["calibration"] == "synthetic" and point.to_json()["accuracy"]["images"] == 24


def test_a_layer_table(tmp_path: Path) -> None:
    path = tmp_path / "net.csv"
    path.write_text(HEAD + "a,8,9,3,3,5,6,1,\nb,4,4,1,1,7,3,1,\n")
    found = api.sweep(path, rows=(2, 4), jobs=1)
    assert found.model == "net.csv" and all(
        point.figures.macs == 6 * 7 * 9 * 5 * 6 + 16 * 21 for point in found.points
    )


@pytest.mark.parametrize(
    "words, options",
    [
        ("an axis must be one of rows, .*, not 'depth'", {"depth": 3}),
        ("rows range '8:4' is empty", {"rows": "8:4"}),
        ("images must be a positive integer, not 0", {"images": 0}),
        ("mem_latency must be an integer in 1..200, not 0", {"mem_latency": 0}),
        ("jobs must be a positive integer, not 0", {"jobs": 0}),
        ("give accuracy images too", {"calibration": "x.npz"}),
        ("directory '.*' does not exist", {"output": "no/such"}),
    ],
)
def test_wrong_input(tiny: Any, words: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=words):
        api.sweep(tiny.model, **options)


def test_wrong_sources(tiny: Any, tmp_path: Path) -> None:
    path = tmp_path / "net.csv"
    path.write_text(HEAD + "a,8,9,3,3,5,6,1,\n")
    with pytest.raises(ValueError, match="a layer table has no pixels"):
        api.sweep(path, preprocessing=tiny.preprocessing)
    with pytest.raises(ValueError, match="a layer table has no accuracy"):
        api.sweep(path, accuracy=tiny.images)
    with pytest.raises(ValueError, match="a quantized model holds its preprocessing"):
        api.sweep(tiny.quantized, preprocessing=tiny.preprocessing)
    with pytest.raises(ValueError, match="a quantized model is calibrated already"):
        api.sweep(tiny.quantized, accuracy=tiny.images, calibration=tiny.images)
    images = api.load_images(tiny.images)
    with pytest.raises(ValueError, match="accuracy images must have labels"):
        api.sweep(tiny.model, accuracy=api.Images(images.images))
    with pytest.raises(ValueError, match="holds other files"):
        api.sweep(tiny.model, tmp_path)
    with pytest.raises(ValueError, match="is a file"):
        api.sweep(tiny.model, path)


def test_proofs_need_points(tiny: Any) -> None:
    found = api.sweep(tiny.model, rows=(2, 4), jobs=1)
    with pytest.raises(ValueError, match=r"prove must be 1..2, the points with figures, not 3"):
        found.prove(3)


def test_every_axis_is_in_the_result(tiny: Any) -> None:
    found = api.sweep(tiny.model, rows=2, jobs=1)
    assert found.to_json()["axes"] == {
        name: [2 if name == "rows" else value] for name, value in DEFAULTS.items()
    }
    assert found.swept == ("rows", "cols")
