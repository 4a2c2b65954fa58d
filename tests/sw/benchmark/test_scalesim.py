"""Beside SCALE-Sim: what its script prints, the row put together, the page's part, what is missing.

The committed figures are held against SCALE-Sim's closed form; where the variable SYSTOLITH_SCALESIM names a Python
that has SCALE-Sim, so is SCALE-Sim itself.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from systolith.sw.api_sweep import sweep
from systolith.sw.benchmark import scalesim
from systolith.sw.benchmark.scalesim import Beside
from systolith.sw.benchmark.scalesim_page import beside_section
from systolith.sw.benchmark.scalesim_tables import TABLES, TableRow

ROOT = Path(__file__).resolve().parents[3]
SMALL = (TableRow("a", 4, 3, 5, 6), TableRow("b_DP", 4, 3, 3, 1), TableRow("c", 1, 1, 7, 3))
ROW = Beside(table="resnet18", size=8, macs=640_000, theirs=20_000, version="3.0.0", ours={"64": 12_500}, engine="8x8",
             commit="c0ffee")  # fmt: skip


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One small table, and a cache of its own."""
    monkeypatch.setitem(TABLES, "small", SMALL)  # type: ignore[misc]
    monkeypatch.setenv("SYSTOLITH_CACHE", str(tmp_path / "cache"))


def printed(size: int, **changes: Any) -> str:
    """What ``scalesim_run`` prints of the small table, by the closed form."""
    lines: list[dict[str, Any]] = [{"version": "3.0.0"}]
    for row in SMALL:
        parts = row.channels if row.depthwise else 1
        for number in range(parts):
            name = f"{row.name}Channel_{number}" if row.depthwise else row.name
            lines.append(
                {"name": name, "cycles": row.cycles(size) // parts, "macs": row.macs // parts} | changes
            )
    return "".join(json.dumps(line) + "\n" for line in lines)


class Python:
    """In place of a Python with SCALE-Sim: answers in its name, and counts how often it is asked to simulate."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, text: str, code: int = 0, versions: str = "3.0.0 1.26.4"
    ) -> None:
        self.runs = 0

        def run(command: Any, **_: Any) -> Any:
            asked = "-c" in command
            self.runs += not asked
            out = versions if asked else text
            return type(
                "Done", (), {"returncode": 0 if asked else code, "stdout": out, "stderr": "a\nno memory\n"}
            )()

        monkeypatch.setattr(scalesim.subprocess, "run", run)


def test_layers_are_read_and_kept(tables: None, monkeypatch: pytest.MonkeyPatch) -> None:
    python = Python(monkeypatch, printed(4))
    expected = [row.cycles(4) for row in SMALL]
    assert scalesim.scalesim_cycles("python", "small", 4) == expected
    assert scalesim.scalesim_cycles("python", "small", 4) == expected and python.runs == 1
    with pytest.raises(
        ValueError, match="another layer than a of resnet18|another layer than Conv1 of resnet18"
    ):
        scalesim.scalesim_cycles("python", "resnet18", 4)


@pytest.mark.parametrize(
    "text, words",
    [
        ("Traceback\n", "printed no results of small"),
        ('{"version": 1}\n{"cycles": 3}\n', "printed no results of small"),
        (printed(4, macs=1), "another layer than a of small: 1 MACs, not"),
        (printed(4, name="z"), "another layer than a of small"),
        (printed(4).rsplit("\n", 2)[0] + "\n", "another layer than c of small: 0 MACs, not 21"),
        (printed(4) + '{"name": "d", "cycles": 3, "macs": 3}\n', "more layers than small, which has 3"),
    ],
)
def test_other_results_are_refused(
    tables: None, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    Python(monkeypatch, text)
    with pytest.raises(ValueError, match=words):
        scalesim.scalesim_cycles("python", "small", 4)


def test_a_run_that_fails_says_why(tables: None, monkeypatch: pytest.MonkeyPatch) -> None:
    Python(monkeypatch, "", code=1)
    with pytest.raises(ValueError, match="SCALE-Sim 3.0.0 fails on small at 4x4: no memory"):
        scalesim.scalesim_cycles("python", "small", 4)


def test_no_scalesim_names_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="is no Python: name one that has SCALE-Sim by --scalesim PYTHON"):
        scalesim.scalesim_version(tmp_path / "python")
    with pytest.raises(
        ValueError, match=r"has no SCALE-Sim: pip install 'scalesim==3.0.0' 'numpy<2' into it"
    ):
        scalesim.scalesim_version(sys.executable)
    Python(monkeypatch, "", versions="3.0.0 2.3.1")
    with pytest.raises(ValueError, match=r"has NumPy 2.3.1, which SCALE-Sim cannot use: pip install"):
        scalesim.scalesim_version("python")


def test_a_row_is_both_sides(tables: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Python(monkeypatch, printed(4))
    row = scalesim.measure_beside("small", 4, "python", "c0ffee")
    assert row.theirs == sum(part.cycles(4) for part in SMALL) and row.version == "3.0.0"
    assert row.macs == sum(part.macs for part in SMALL)
    path = tmp_path / "small.csv"
    path.write_text(scalesim.as_csv(SMALL))
    alone = sweep(path, rows=4, cols=4, port_width=(64, 32), jobs=1)
    assert row.ours == {str(point.values["port_width"]): point.figures.cycles for point in alone.points}
    assert row.utilization(row.theirs) == row.macs / (16 * row.theirs)


def test_an_engine_that_cannot_is_an_error(tables: None, monkeypatch: pytest.MonkeyPatch) -> None:
    Python(monkeypatch, printed(3))
    with pytest.raises(ValueError, match="small at 3x3: port_width must be"):
        scalesim.measure_beside("small", 3, "python", "c0ffee")


def test_page_and_numbers() -> None:
    wide = replace(ROW, size=16, ours={"64": 5_000, "128": 4_000})
    text = beside_section([wide, ROW, replace(ROW, table="gone")])
    rows = [line for line in text.splitlines() if line.startswith("| resnet18")]
    assert rows == [
        "| resnet18 | 640,000 | 8x8 | 20,000, 50.0 % | 12,500, 80.0 % | 12,500, 80.0 % | 37.5 % | `c0ffee` |",
        "| resnet18 | 640,000 | 16x16 | 20,000, 12.5 % | 5,000, 50.0 % | 4,000, 62.5 % | 80.0 % | `c0ffee` |",
    ]
    assert "on SCALE-Sim 3.0.0 (weight stationary)" in text and "gone" not in text
    assert beside_section([]) == ""
    assert scalesim.beside_from_json(scalesim.beside_to_json([ROW, wide])) == [ROW, wide]
    with pytest.raises(ValueError, match="the comparison is of version 7, not 1: measure again"):
        scalesim.beside_from_json('{"version": 7}')


def test_committed_figures_are_scalesims_closed_form() -> None:
    rows = scalesim.beside_from_json((ROOT / "docs" / "benchmarks.scalesim.json").read_text())
    assert {(row.table, row.size) for row in rows} == {
        (name, size) for name in TABLES for size in scalesim.SIZES
    }
    for row in rows:
        assert row.theirs == sum(layer.cycles(row.size) for layer in TABLES[row.table])
        assert row.macs == sum(layer.macs for layer in TABLES[row.table])
        assert list(row.ours) == [str(bits) for bits in scalesim.ports(row.size)]
        assert all(0 < row.utilization(cycles) <= 1 for cycles in row.ours.values())


@pytest.mark.skipif("SYSTOLITH_SCALESIM" not in os.environ, reason="no Python with SCALE-Sim is named")
def test_scalesim_itself(tables: None) -> None:
    python = os.environ["SYSTOLITH_SCALESIM"]
    for size in (4, 5):
        assert scalesim.scalesim_cycles(python, "small", size) == [row.cycles(size) for row in SMALL]
