"""The command ``explore``."""

from pathlib import Path
from typing import Any

import pytest

SMALL = ("--board", "ulx3s-85f", "--rows", "2,4", "--cols", "4", "--scratchpad", "16K", "--acc-depth", "256",
         "--port-width", "32", "--fold-width", "0", "--sampler", "grid")  # fmt: skip


def test_json_and_text(tiny: Any, run: Any, tmp_path: Path) -> None:
    ran = run(
        "explore", tiny.model, *SMALL, "--min-fps", "10", "--clock", "50", "-o", tmp_path / "d", "--json"
    )
    assert ran.status == 0, ran.err
    assert ran.json["min_fps"] == 10 and ran.json["recommended"]["clock_mhz"] == 50
    assert {"reasons", "commands", "engine_command"} <= set(ran.json["recommended"])
    assert "of 256 trials" not in ran.out
    again = run("explore", tiny.model, *SMALL, "--min-fps", "10", "--clock", "50", "-o", tmp_path / "d")
    assert again.status == 0 and "systolith synth --board ulx3s-85f --program net.program" in again.out


@pytest.mark.parametrize(
    "words, error",
    [
        (("--min-fps", "fast"), "--min-fps must be a number, not 'fast'"),
        (("--wgt-bits", "a"), "--wgt-bits must be averages like 8,6,4, not 'a'"),
        (("--clock", "0"), "--clock must be 1..1000 MHz"),
        (("--rows", "9:1"), "--rows range '9:1' is empty"),
        (("--board", "arty-a7-35"), "must have an ECP5"),
        (("--min-fps", "1e12"), "frames a second on ulx3s-85f: the fastest that fits"),
    ],
)
def test_errors(tiny: Any, run: Any, tmp_path: Path, words: tuple[str, ...], error: str) -> None:
    ran = run("explore", tiny.model, *SMALL, *words, "-o", tmp_path / "d")
    assert ran.status == 2 and error in ran.err.splitlines()[-1]
