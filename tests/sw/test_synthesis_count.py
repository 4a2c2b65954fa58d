"""Cells from a netlist: a small design by hand, a block by yosys; a whole engine against the model (slow)."""

from typing import Any

import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.multiplier import Multiplier
from systolith.sw.resources.cells import Cells
from systolith.sw.resources.model import predict
from systolith.sw.synthesis_count import cells_of, count_cells, engine_cells


def _cell(kind: str, **connections: list[Any]) -> dict[str, Any]:
    return {"type": kind, "connections": connections}


def test_a_netlist_by_hand() -> None:
    """Two carry chains, of two cells and of one: look-up tables at both ends of each, and one of each constant."""
    cells = {
        "a": _cell("CCU2C", CIN=["0"], COUT=[5]), "b": _cell("CCU2C", CIN=[5], COUT=[6]),
        "c": _cell("CCU2C", CIN=["1"], COUT=[7]), "d": _cell("LUT4"), "e": _cell("TRELLIS_DPR16X4"),
        "f": _cell("TRELLIS_FF"), "g": _cell("DP16KD"), "h": _cell("MULT18X18D"), "i": _cell("PFUMX"),
    }  # fmt: skip
    design = {"modules": {"cell": {"cells": {"x": _cell("$buf")}}, "top": {"cells": cells}}}
    assert cells_of(design, "top") == Cells(lut=1 + 2 * 3 + 6 + 4 * 2 + 2, ff=1, dsp=1, bram=1)


def test_a_multiplier() -> None:
    found = count_cells(Multiplier(a_width=9, b_width=8))
    assert (found.dsp, found.bram) == (1, 0)
    assert count_cells(Multiplier(a_width=9, b_width=8), multipliers=0).dsp == 0


@pytest.mark.slow
def test_an_engine_as_predicted() -> None:
    """Of a size in none of the committed runs."""
    config = EngineConfig(rows=2, cols=3, port_width=32, scratchpad=16 << 10, acc_depth=256, fold_width=0, fir_depth=0,
                          tables=0)  # fmt: skip
    found, guess = engine_cells(config), predict(config)
    assert (found.dsp, found.bram) == (guess.dsp, guess.bram)
    assert guess.lut == pytest.approx(found.lut, rel=0.1) and guess.ff == pytest.approx(found.ff, rel=0.1)
