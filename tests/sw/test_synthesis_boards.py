"""Boards: pins and clocks as their schematics have them, bitstreams by programs that answer like the real ones."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out
from systolith.hw import board as board_module
from systolith.hw.board import divisor
from systolith.hw.config import EngineConfig
from systolith.sim.random_network import random_network
from systolith.sw import cli
from systolith.sw.api_board import VivadoProject, synth_board
from systolith.sw.api_synth import Synth
from systolith.sw.compiler import compile_network
from systolith.sw.container import save_program
from systolith.sw.program import Program
from systolith.sw.synthesis_boards import BOARDS, clock_hz, prepare
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
    "arty-a7-35": ("E3", "A9", "D10", 100e6),
    "arty-z7-20": ("H16", "Y16", "Y19", 125e6),
}
"""Pins of clock, rx, tx, and the oscillator in Hz."""

needs_boards = pytest.mark.skipif(
    find_spec("amaranth_boards") is None,
    reason="amaranth-boards is not installed: pip install systolith[synth]",
)


class Echo(Component):
    """tx = rx, in place of an engine, which takes seconds to elaborate."""

    made: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, config: EngineConfig, **options: Any) -> None:
        Echo.made = options
        super().__init__({"rx": In(1), "tx": Out(1), "irq": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.sync += self.tx.eq(self.rx)
        return m


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> type[Echo]:
    monkeypatch.setattr(board_module, "OnChip", Echo)
    return Echo


@pytest.fixture(scope="module")
def program() -> Program:
    return compile_network(random_network(28, 3, act_width=8, wgt_width=8, channels=8, size=10), CONFIG)


@needs_boards
@pytest.mark.parametrize("name", BOARDS)
def test_pins_and_clock(name: str, echo: type[Echo]) -> None:
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
    (pins,) = (text for file, text in files.items() if file.endswith((".lpf", ".pcf", ".cst", ".xdc")))
    words = [line.replace(";", "").replace('"', " ").split() for line in pins.splitlines()]
    for port, pin in (("rx__io", rx), ("tx__io", tx), ("clk", clock)):
        assert sum(pin in line and port in " ".join(line) for line in words) == 1, port


def test_every_board_has_pins_here_and_an_engine() -> None:
    assert set(PINS) == set(BOARDS)
    for board in BOARDS.values():
        config = board.config(rows=2)
        assert config.rows == 2 and board.memory % config.port_bytes == 0 and board.title
        assert board.vivado or board.speed is None or board.speed in board.target.speeds
    assert BOARDS["icebreaker"].config().tables == 0 and BOARDS["ulx3s-85f"].config().tables > 0
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
    name: str, fake_programs: Path, echo: type[Echo], program: Program, tmp_path: Path
) -> None:
    result = synth_board(name, tmp_path / "out", program=program, images=3)
    assert isinstance(result, Synth) and result.config == CONFIG
    assert (tmp_path / "out").read_text() == "packed seed 1"
    assert result.result.freq == PINS[name][3] / 1e6 and result.ok
    yosys, nextpnr, _ = fake_programs.read_text().splitlines()
    assert "-top top" in yosys and f"--freq {PINS[name][3] / 1e6:g}" in nextpnr
    board = BOARDS[name]
    assert board.package in nextpnr and (board.speed is None or f"--speed {board.speed}" in nextpnr)
    pins = next(result.result.folder.glob("pins_*")).read_text()
    assert PINS[name][1] in pins
    assert echo.made["words"] == max(board.memory, program.memory_map(3).end) // 4
    assert len(echo.made["init"]) == (4096 + len(program.weights)) // 4


@needs_boards
def test_vivado_project(echo: type[Echo], tmp_path: Path, program: Program) -> None:
    result = synth_board("arty-z7-20", tmp_path / "arty", program=program)
    assert isinstance(result, VivadoProject)
    assert {path.name for path in (tmp_path / "arty").iterdir()} == {"top.v", "top.xdc", "top.tcl"}
    assert "vivado -mode batch -source top.tcl" in result.to_text()
    assert result.to_json()["files"] == ["top.tcl", "top.v", "top.xdc"]
    assert "module top" in (tmp_path / "arty" / "top.v").read_text()


def test_bad_values(program: Program, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="board must be one of ulx3s-12f, .*, not 'ulx4s'"):
        synth_board("ulx4s")
    with pytest.raises(
        ValueError, match="memory must be at least 16384 bytes for 1 images of this program, not 8192"
    ):
        synth_board("ulx3s-12f", program=program, memory=8192)
    with pytest.raises(ValueError, match="memory must be at least 8 bytes, not 4"):
        synth_board("ulx3s-12f", config=CONFIG, memory=4)
    with pytest.raises(ValueError, match="is for another engine: rows is 2 there and 3 here"):
        synth_board("ulx3s-12f", program=program, config=EngineConfig(rows=3))
    with pytest.raises(ValueError, match="arty-a7-35 becomes a Vivado project: name its folder by -o DIR"):
        synth_board("arty-a7-35", program=program)
    with pytest.raises(ValueError, match="seeds and images must be positive"):
        synth_board("ulx3s-12f", seeds=0)


@needs_boards
def test_command(
    fake_programs: Path,
    echo: type[Echo],
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
        ("--device ecp5-85f --memory 64K", "--memory is for a board"),
        ("--board ulx3s-85f --program absent", "'absent': No such file"),
        ("--board ulx3s-85f --rows 0", "--rows must be an integer in 1..128"),
    ],
)
def test_bad_options(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["synth", *words.split()]) == 2
    assert said in capsys.readouterr().err
