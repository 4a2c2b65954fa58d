"""The command of networks on boards, with measurements of its own."""

from pathlib import Path
from typing import Any

import pytest
from systolith.sw import bench_boards
from systolith.sw.bench import written
from systolith.sw.benchmark.boards import BoardCase, BoardRun, boards_from_json
from systolith.sw.synthesis_tools import SynthesisError


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Changes to what is measured; ``outputs``: the bitstreams that were asked for."""
    changes: dict[str, Any] = {"outputs": [], "reached": 80.0}

    def fake(case: BoardCase, source: Any, commit: str, *, output: Path | None, say: Any) -> BoardRun:
        if "fails" in changes:
            raise SynthesisError(changes["fails"])
        changes["outputs"].append(output)
        return BoardRun(case=case.name, network_hash="n", commit=commit, engine="e", clock=75.0, cycles=150_000,
                        reached=changes["reached"], compared=10, wrong=changes.get("wrong", 0), cells={})  # fmt: skip

    monkeypatch.setattr(bench_boards, "measure_board", fake)
    monkeypatch.setattr(bench_boards, "revision", lambda: "c0ffee")
    monkeypatch.setattr(bench_boards, "find", lambda name, data: None if str(data) == "nowhere" else object())
    return changes


def test_table_and_numbers(measured: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "b.md"
    assert bench_boards.main(["demo", "-o", str(page), "--bitstreams", str(tmp_path)]) == 0
    assert capsys.readouterr().out == (
        "demo: 500.0 frames a second: 75 MHz, reached 80.0, 150,000 cycles, 0 of 10 codes wrong\n"
    )
    assert measured["outputs"] == [tmp_path / "demo.bit"]
    assert bench_boards.main(["resnet8", "-o", str(page)]) == 0
    text = page.read_text()
    assert text == written(page) and text.index("| resnet8 | ulx3s-85f") < text.index("| demo | ulx3s-85f")
    assert [run.case for run in boards_from_json((tmp_path / "b.boards.json").read_text())] == [
        "resnet8",
        "demo",
    ]


def test_exit_statuses(measured: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_boards.main([]) == 0 and len(measured["outputs"]) == 2
    measured["reached"] = 74.0
    assert bench_boards.main(["demo"]) == 1
    measured |= {"reached": 75.0, "wrong": 1}
    assert bench_boards.main(["demo"]) == 1
    assert bench_boards.main(["demo", "--data", "nowhere"]) == 0
    assert "demo: left out, nowhere does not hold it" in capsys.readouterr().err
    measured["fails"] = "no yosys"
    assert bench_boards.main(["demo"]) == 2 and "error: no yosys" in capsys.readouterr().err
    assert bench_boards.main(["alexnet"]) == 2
    assert "the name must be one of resnet8, demo, not 'alexnet'" in capsys.readouterr().err
