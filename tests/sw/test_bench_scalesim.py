"""The command beside SCALE-Sim, with measurements of its own."""

from pathlib import Path
from typing import Any

import pytest
from systolith.sw import bench_scalesim
from systolith.sw.bench import written
from systolith.sw.benchmark.scalesim import Beside, beside_from_json


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Tables and sizes that were asked for."""
    asked: list[tuple[str, int]] = []

    def fake(table: str, size: int, python: str, commit: str, *, jobs: int, say: Any) -> Beside:
        asked.append((table, size))
        if table == "alexnet":
            raise ValueError("SCALE-Sim fails")
        return Beside(table=table, size=size, macs=size**2 * 600, theirs=1000, version="3.0.0", ours={"64": 800},
                      engine="e", commit=commit)  # fmt: skip

    monkeypatch.setattr(bench_scalesim, "measure_beside", fake)
    monkeypatch.setattr(bench_scalesim, "revision", lambda: "c0ffee")
    monkeypatch.setattr(bench_scalesim, "scalesim_version", lambda python: "3.0.0")
    return asked


def test_table_and_numbers(measured: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "b.md"
    words = ["--scalesim", "python", "-o", str(page)]
    assert bench_scalesim.main(["mobilenet", "--sizes", "16", *words]) == 0
    assert capsys.readouterr().out == (
        "mobilenet 16x16: SCALE-Sim 1,000, 60.0 %; 64-bit port 800 cycles, 75.0 %\n"
    )
    assert bench_scalesim.main(["resnet18", "--sizes", "32,8", *words]) == 0
    assert measured == [("mobilenet", 16), ("resnet18", 32), ("resnet18", 8)]
    kept = [(row.table, row.size) for row in beside_from_json((tmp_path / "b.scalesim.json").read_text())]
    assert kept == [("resnet18", 8), ("resnet18", 32), ("mobilenet", 16)]
    text = page.read_text()
    assert text == written(page) and "## Beside SCALE-Sim" in text
    assert text.index("| resnet18 | 38,400 | 8x8") < text.index("| mobilenet")


def test_what_was_done_stays_when_it_fails(
    measured: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "b.md"
    assert bench_scalesim.main(["--scalesim", "python", "--sizes", "8", "-o", str(page)]) == 2
    assert "error: SCALE-Sim fails" in capsys.readouterr().err
    assert [row.table for row in beside_from_json((tmp_path / "b.scalesim.json").read_text())] == ["resnet18"]


@pytest.mark.parametrize(
    "words, message",
    [
        (["vgg"], "the name must be one of resnet18, alexnet, mobilenet, not 'vgg'"),
        (["--sizes", "8,12"], "--sizes must be some of 8, 16, 32, not '12'"),
        (["-o", "no/such/folder/b.md"], "does not exist"),
    ],
)
def test_wrong_words(
    measured: Any, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench_scalesim.main([*words, "--scalesim", "python"]) == 2
    assert message in capsys.readouterr().err and not measured


def test_no_scalesim(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_scalesim.main(["--scalesim", "no-such-python"]) == 2
    assert "error: 'no-such-python' is no Python: name one" in capsys.readouterr().err
