"""A sweep's chapters: squares, points and rows are the points of the grid."""

from typing import Any
from xml.etree import ElementTree

import pytest
from systolith.sw import api
from systolith.sw.page import tiles
from systolith.sw.sweep_page import sweep_chapters, sweep_tiles


@pytest.fixture(scope="module")
def found(tiny: Any) -> dict[str, Any]:
    return api.sweep(
        tiny.quantized, rows=[2, 4], cols="4,8", acc_depth=[256, 512], port_width=[32, 8192], jobs=1
    ).to_json()


def test_every_point_is_there(found: dict[str, Any]) -> None:
    good = [row for row in found["points"] if row["status"] == "ok"]
    chapters = {item.anchor: ElementTree.fromstring(item.html) for item in sweep_chapters(found)}
    assert list(chapters) == ["heat", "front", "points"]
    squares = {node.findtext("title", "").split(":")[0] for node in chapters["heat"].iter("rect")}
    assert squares == {f"{row['rows']} x {row['cols']}" for row in good}
    assert len(list(chapters["front"].iter("circle"))) == len(good)
    rows = list(chapters["points"].iter("tr"))
    assert len(rows) == 1 + len(good) and [cell.text for cell in rows[0]][:4] == [
        "rows",
        "cols",
        "port_width",
        "acc_depth",
    ]
    fastest = max(good, key=lambda row: row["images_per_second_per_mhz"])
    assert f"{fastest['cycles']:,}" in "".join(rows[1].itertext())
    words = "".join(chapters["points"].itertext())
    assert f"{len(found['points']) - len(good):,} \u00d7 port_width" in words
    assert "refused" in tiles(sweep_tiles(found))


def test_nothing_that_runs(found: dict[str, Any]) -> None:
    none = {**found, "points": [row for row in found["points"] if row["status"] != "ok"]}
    assert "none of them can run it" in tiles(sweep_tiles(none))
    assert [item.anchor for item in sweep_chapters(none)] == ["points"]


def test_proofs_are_told(found: dict[str, Any]) -> None:
    proof = {"engine": "2x4", "seed": 7, "cycles": 1234, "rtl_cycles": 1234, "wrong": 0}
    assert "Run in RTL (seed 7): 2x4: 1,234 cycles" in sweep_chapters({**found, "proofs": [proof]})[-1].html


def test_cells_and_clock_are_told_with_their_source(found: dict[str, Any]) -> None:
    cells = {
        "device": "ecp5-85f",
        "source": "synthesis",
        "lut": 4321,
        "ff": 99,
        "dsp": 8,
        "bram": 7,
        "fmax_mhz": 111.25,
    }
    good = [row for row in found["points"] if row["status"] == "ok"]
    points = [
        {**good[0], "resources": cells},
        {**good[1], "resources": {**cells, "lut": 1, "source": "model"}},
    ]
    html = sweep_chapters({**found, "points": points})[-1].html
    assert (
        ">LUT<" in html and "4,321" in html and "111.2" in html and "on ecp5-85f, by place and route" in html
    )
    reason = {"device": "ecp5-85f", "source": "model", "reason": "too large"}
    html = sweep_chapters({**found, "points": [{**good[0], "resources": reason}]})[-1].html
    assert "by a model, the clock an estimate" in html and "\u2013" in html
