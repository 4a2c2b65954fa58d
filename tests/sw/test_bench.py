"""The command of the benchmark, with measurements of its own."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from systolith.sw import bench
from systolith.sw.benchmark.cases import CASES, Case
from systolith.sw.benchmark.results import Measurement, from_json
from systolith.sw.benchmark.speed import Speed

ROW = Measurement(
    case="demo", network_hash="abc", commit="1234", engine="e", pes=64, mem_latency=30, images=2, macs=6400,
    bound_cycles=100, port_cycles=100, cycles=110, cycles_total=205,
)  # fmt: skip
SPEED = Speed(engine="e", size=8, cycles=1_000_000, seconds=4.0, commit="1234")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, Measurement]:
    """Rows by case; ``measure`` gives these, and ``ROW`` for any other case."""
    rows: dict[str, Measurement] = {}

    def fake(case: Case, source: Any, commit: str, **_: Any) -> Measurement:
        return replace(rows.get(case.name, ROW), case=case.name, commit=commit)

    monkeypatch.setattr(bench, "measure", fake)
    monkeypatch.setattr(bench, "find", lambda network, data: object())
    monkeypatch.setattr(bench, "revision", lambda: "c0ffee")
    monkeypatch.setattr(bench, "measure_speeds", lambda commit, **_: [replace(SPEED, commit=commit)])
    return rows


def test_page_and_numbers(measured: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["demo", "-o", str(tmp_path / "b.md")]) == 0
    assert capsys.readouterr().out == (
        "demo: 110 cycles, 2 images 205; back to back >= 95 %: 97.56, reached\n"
    )
    assert "| demo | 8x8 | 110 |" in (tmp_path / "b.md").read_text()
    assert from_json((tmp_path / "b.json").read_text()) == ([replace(ROW, commit="c0ffee")], [])


def test_other_rows_stay(measured: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.main(["demo", "-o", str(tmp_path / "b.md")])
    monkeypatch.setattr(bench, "revision", lambda: "decade")
    bench.main(["nngen 8x16", "-o", str(tmp_path / "b.md")])
    rows, _ = from_json((tmp_path / "b.json").read_text())
    assert [(row.case, row.commit) for row in rows] == [("demo", "c0ffee"), ("nngen 8x16", "decade")]


def test_speed_is_measured_with_the_list_or_if_asked(
    measured: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.main(["demo", "-o", str(tmp_path / "b.md")])
    assert "speed" not in capsys.readouterr().out
    bench.main(["demo", "--speed", "-o", str(tmp_path / "b.md")])
    assert "speed 8x8: 250,000 cycles a second" in capsys.readouterr().out
    bench.main(["demo", "-o", str(tmp_path / "b.md")])
    assert from_json((tmp_path / "b.json").read_text())[1] == [replace(SPEED, commit="c0ffee")]
    assert "| 250,000 | >= 80,000 | yes | `c0ffee` |" in (tmp_path / "b.md").read_text()
    assert bench.main([]) == 1  # `ROW` meets few cases' targets
    assert "speed 8x8" in capsys.readouterr().out


def test_missed_targets_and_wrong_integers_fail(
    measured: dict[str, Measurement], capsys: pytest.CaptureFixture[str]
) -> None:
    measured["demo"] = replace(ROW, cycles_total=900)
    assert bench.main(["demo"]) == 1 and "MISSED" in capsys.readouterr().out
    measured["demo"] = replace(ROW, mismatches=1)
    assert bench.main(["demo"]) == 1
    measured["demo"] = replace(ROW, model_cycles=111, model_cycles_total=205)
    assert bench.main(["demo"]) == 1
    measured["demo"] = replace(ROW, cycles=None, cycles_total=None, error="layer 'a' does not fit")
    assert bench.main(["demo"]) == 1 and "layer 'a' does not fit" in capsys.readouterr().out


def test_networks_that_are_not_there_are_left_out(
    measured: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(bench, "find", lambda network, data: None)
    assert bench.main(["resnet20", "--data", str(tmp_path)]) == 0
    assert f"[1/1] resnet20: left out, {tmp_path} does not hold it" in capsys.readouterr().err


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--list", "--slow"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CASES) and lines[0].endswith("one image >= 97.5 %; back to back >= 98.5 %")


def test_refusals(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert bench.main(["nothing"]) == 2
    assert capsys.readouterr().err.startswith("error: case 'nothing' does not exist")
    assert bench.main(["demo", "-o", str(tmp_path / "no" / "b.md")]) == 2
    assert "create it" in capsys.readouterr().err
