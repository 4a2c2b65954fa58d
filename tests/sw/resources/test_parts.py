"""Cells of the parts, as nextpnr counted them in boards of docs/boards.json."""

import json
from pathlib import Path

import pytest
from systolith.sw.resources.cells import Cells
from systolith.sw.resources.parts import PARTS, SHARE, part_named
from systolith.sw.synthesis_boards import BOARDS
from systolith.sw.synthesis_devices import DEVICES

ROOT = Path(__file__).resolve().parents[3]


def test_as_nextpnr_counts_them() -> None:
    rows = json.loads((ROOT / "docs" / "boards.json").read_text())["bitstreams"]
    checked = 0
    for row in rows:
        device = BOARDS[row["board"]].device
        if device in PARTS:
            there = {kind: count for kind, (_, count) in row["cells"].items()}
            kinds = ("TRELLIS_COMB", "TRELLIS_FF", "MULT18X18D", "DP16KD")
            assert tuple(there[kind] for kind in kinds) == tuple(PARTS[device].to_json().values())
            checked += 1
    assert checked
    assert all(PARTS[name].dsp == DEVICES[name].multipliers for name in PARTS)


def test_other_families_have_no_model() -> None:
    with pytest.raises(ValueError, match="the resource model is of ECP5: .*, not 'gw2a-18'"):
        part_named("gw2a-18")


def test_sums() -> None:
    assert Cells(lut=1, ff=2, dsp=3, bram=4) + Cells(lut=10, ff=20, dsp=30, bram=40) == Cells(
        lut=11, ff=22, dsp=33, bram=44
    )
    assert set(SHARE) == {"lut", "ff", "dsp", "bram"} and max(SHARE.values()) <= 1
