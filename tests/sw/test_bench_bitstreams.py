"""The command of bitstreams of boards, with bitstreams of its own."""

from pathlib import Path
from typing import Any

import pytest
from systolith.sw import bench_bitstreams
from systolith.sw.bench_bitstreams import BEGIN, END, with_table
from systolith.sw.benchmark.bitstreams import (
    BOARD_CLOCKS,
    Bitstream,
    bitstreams_from_json,
    bitstreams_table,
    described,
)
from systolith.sw.synthesis_boards import BoardData
from systolith.sw.synthesis_tools import SynthesisError

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Changes to what is made; ``outputs``: the files that were asked for."""
    changes: dict[str, Any] = {"outputs": [], "reached": 80.0, "fails": ()}

    def fake(
        board: BoardData, clock: float | None, commit: str, *, output: Path | None, say: Any
    ) -> Bitstream:
        if board.name in changes["fails"]:
            raise SynthesisError("the design does not fit")
        changes["outputs"].append(output)
        return Bitstream(board=board.name, engine="4x4, 16 KB", memory=24 << 10,
                         clock=clock or 27.0, reached=changes["reached"], cells={"BSRAM": (1, 2)}, size=70, cycles=9,
                         commit=commit, command="systolith synth", compared=30,
                         wrong=changes.get("wrong", 0))  # fmt: skip

    monkeypatch.setattr(bench_bitstreams, "make_bitstream", fake)
    monkeypatch.setattr(bench_bitstreams, "revision", lambda: "c0ffee")
    return changes


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "boards.md"
    path.write_text(f"above\n{BEGIN}old\n{END}below\n")
    return path


def test_table_and_numbers(made: Any, page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["tang-primer-20k", "-o", str(page), "--bitstreams", str(tmp_path)]
    assert bench_bitstreams.main(words) == 0
    assert capsys.readouterr().out == "tang-primer-20k: 27 MHz, reached 80.0, 70 bytes, 0 of 30 codes wrong\n"
    assert made["outputs"] == [tmp_path / "tang-primer-20k.fs"]
    assert bench_bitstreams.main(["ulx3s-12f", "-o", str(page)]) == 0 and made["outputs"][1] is None
    text = page.read_text()
    assert (
        text.startswith(f"above\n{BEGIN}| board") and text.endswith(f"|\n{END}below\n") and "old" not in text
    )
    assert text.index("| `ulx3s-12f` | 4x4, 16 KB |") < text.index("| `tang-primer-20k` |")
    kept = bitstreams_from_json((tmp_path / "boards.json").read_text())
    assert [one.board for one in kept] == ["tang-primer-20k", "ulx3s-12f"]


def test_one_that_fails_does_not_stop_the_others(
    made: Any, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made["fails"] = ("ulx3s-12f", "tang-primer-20k")
    assert bench_bitstreams.main(["-o", str(page)]) == 1
    captured = capsys.readouterr()
    assert "ulx3s-12f: error: the design does not fit" in captured.err
    assert (
        len(captured.out.splitlines()) == len(BOARD_CLOCKS) - 2 and "| `ulx3s-12f` |" not in page.read_text()
    )


def test_exit_statuses(made: Any, page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_bitstreams.main([]) == 0 and len(made["outputs"]) == len(BOARD_CLOCKS)
    made["reached"] = 26.0
    assert bench_bitstreams.main(["tang-primer-20k"]) == 1
    made |= {"reached": 80.0, "wrong": 1}
    assert bench_bitstreams.main(["tang-primer-20k"]) == 1
    assert bench_bitstreams.main(["arty-a7-35"]) == 2
    assert "the board must be one of ulx3s-12f, " in capsys.readouterr().err
    (tmp_path / "other.md").write_text("no table\n")
    assert bench_bitstreams.main(["-o", str(tmp_path / "other.md")]) == 2
    assert "error: the page must have the lines <!-- bitstreams: begin -->" in capsys.readouterr().err


def test_page_of_the_docs_is_made_from_its_numbers() -> None:
    """And each row is of the engine that the board has now."""
    kept = {one.board: one for one in bitstreams_from_json((DOCS / "boards.json").read_text())}
    text = (DOCS / "boards.md").read_text()
    assert with_table(text, kept) == text and bitstreams_table(kept.values()) in text
    for name, one in kept.items():
        board = bench_bitstreams.BOARDS[name]
        assert one.engine == described(board.config()) and one.memory == board.memory, name
        assert one.met and one.size > 10_000, name
