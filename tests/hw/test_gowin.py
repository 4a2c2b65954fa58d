"""The Gowin lowering == the generic multiplier, cycle by cycle, on models of the cells."""

from pathlib import Path

import pytest
from lowering_bench import compared, multipliers, multipliers_bench
from systolith.hw import gowin as lowering
from systolith.hw.gowin import Gowin
from systolith.hw.memory import Memory1R1W
from systolith.hw.multiplier import Multiplier
from systolith.hw.verilog import to_rtlil

CELLS = Path(lowering.__file__).parent.parent / "sim" / "cells" / "gowin.v"
WIDTHS = [(9, 8), (9, 9), (10, 9), (18, 18), (3, 2), (17, 16)]


def test_what_fits_no_cell_stays_generic() -> None:
    assert "MULT9X9" in to_rtlil(Multiplier(a_width=9, b_width=8), "dut", platform=Gowin())
    assert "MULT18X18" in to_rtlil(Multiplier(a_width=10, b_width=8), "dut", platform=Gowin())
    assert "MULT" not in to_rtlil(Multiplier(a_width=19, b_width=8), "dut", platform=Gowin())
    assert "cell $mem" in to_rtlil(Memory1R1W(width=16, depth=256), "dut", platform=Gowin())


@pytest.mark.slow
def test_multiplier_equals_the_generic_one(tmp_path: Path) -> None:
    """10,000 cycles of all widths at once, under Verilator."""
    parts = multipliers(WIDTHS, "gowin", Gowin())
    assert compared(tmp_path, parts, multipliers_bench(WIDTHS, "gowin"), CELLS) > 50_000
