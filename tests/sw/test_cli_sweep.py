"""The command ``sweep``."""

from pathlib import Path
from typing import Any

import pytest
from systolith.sw import api
from systolith.sw.sweep.axes import DEFAULTS


def test_json(tiny: Any, run: Any, tmp_path: Path) -> None:
    ran = run("sweep", tiny.model, "--rows", "2:4:2", "--cols", "2,4", "--scratchpad", "1,64K", "--mem-latency", 9,
              "--images", 2, "--jobs", 2, "-o", tmp_path / "r", "--json")  # fmt: skip
    assert ran.status == 0, ran.err
    found = api.sweep(
        tiny.model, rows=(2, 4), cols=(2, 4), scratchpad=(1, 1 << 16), images=2, mem_latency=9, jobs=1
    )
    assert ran.json == {**found.to_json(), "directory": str(tmp_path / "r")}
    point = ran.json["points"][1]
    assert {"rows", "cols", "wgt_width", "cycles", "utilization", *DEFAULTS} <= set(point)
    assert "8 of 8 points" in ran.err or "4 of 4" in ran.err


def test_text(tiny: Any, run: Any, tmp_path: Path) -> None:
    ran = run("sweep", tiny.model, "--rows", "2,4", "--jobs", 1, "-o", tmp_path / "r")
    assert ran.status == 0 and f"written: {tmp_path / 'r'}" in ran.out


@pytest.mark.parametrize(
    "words, error",
    [
        (
            ("--rows", "9:1"),
            "--rows range '9:1' is empty: write low:high or low:high:step, both ends included",
        ),
        (
            ("--port-width", "x"),
            "--port-width must be numbers, ranges a:b or a:b:step, or a list of them, not 'x'",
        ),
        (("--jobs", "0"), "--jobs must be an integer of at least 1, not '0'"),
        (("--mem-latency", "500"), "--mem-latency must be an integer in 1..200, not 500"),
        (("--prove", "9"), "prove must be 1..1, the points with figures, not 9"),
        (("--scheduler", "nonsense"), "scheduler"),
    ],
)
def test_errors(tiny: Any, run: Any, tmp_path: Path, words: tuple[str, ...], error: str) -> None:
    ran = run("sweep", tiny.model, "-o", tmp_path / "r", *words)
    assert ran.status == 2 and error in ran.err.splitlines()[-1]


def test_every_parameter_is_an_option(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("sweep", "--help")
    shown = capsys.readouterr().out
    assert all(f"--{name.replace('_', '-')} VALUES" in shown for name in DEFAULTS)


def test_a_failed_point_is_status_1(
    tiny: Any, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("what")

    monkeypatch.setattr("systolith.sw.sweep.measure.sketch", broken)
    ran = run("sweep", tiny.model, "--jobs", 1, "-o", tmp_path / "r")
    assert ran.status == 1 and "1 points failed, the first: KeyError: 'what'" in ran.err
