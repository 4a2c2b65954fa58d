"""Pictures of place and route: drawn from nextpnr's own report, and from the committed figures of the boards."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from systolith.hw.engine import Engine
from systolith.hw.inventory import inventory
from systolith.sw import api, api_placed
from systolith.sw.benchmark.bitstreams import bitstreams_from_json
from systolith.sw.picture_placed import Piece
from systolith.sw.synthesis import Route, Synthesis
from systolith.sw.synthesis_report import Segment, critical_path, resources

REPORT = json.loads((Path(__file__).parent / "reports" / "ecp5.json").read_text())


@pytest.fixture
def placed(tmp_path: Path) -> api.Synth:
    """An engine as a real report of nextpnr says it."""
    result = Synthesis(
        device="ecp5-85f", speed=6, freq=None, folder=tmp_path, resources=resources(REPORT),
        routes=(Route(seed=1, mhz=117.1, path=critical_path(REPORT)),),
    )  # fmt: skip
    return api.Synth(config=api.EngineConfig(rows=4, cols=4), result=result, bitstream=None)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the drawing functions are given; they draw all the same."""
    given: list[Any] = []

    def spy(name: str) -> None:
        real = getattr(api_placed, name)

        def draw(path: Any, *words: Any) -> None:
            given.extend(words)
            real(path, *words)

        monkeypatch.setattr(api_placed, name, draw)

    for name in ("draw_cells", "draw_path", "draw_boards"):
        spy(name)
    return given


def test_cells_beside_what_is_needed(placed: api.Synth, drawn: list[Any]) -> None:
    assert api.cells_picture(placed).png.startswith(b"\x89PNG")
    title, rows = drawn
    counted = inventory(Engine(placed.config))
    used = placed.result.resources
    assert title == "4x4 on ecp5-85f"
    assert [(row.name, (row.used, row.there), row.needed) for row in rows] == [
        ("look-up tables", used["TRELLIS_COMB"], None),
        ("registers", used["TRELLIS_FF"], None),
        ("DSPs", used["MULT18X18D"], 16),
        ("block RAMs", used["DP16KD"], counted.ecp5_blocks),
    ]


def test_cells_of_another_family(placed: api.Synth, drawn: list[Any]) -> None:
    other = replace(
        placed.result, device="ice40-up5k", resources={"ICESTORM_LC": (4000, 5280), "SB_IO": (4, 39)}
    )
    api.cells_picture(replace(placed, result=other))
    assert [(row.name, row.used, row.needed) for row in drawn[1]] == [("look-up tables", 4000, None)]


def test_path(placed: api.Synth, drawn: list[Any]) -> None:
    assert api.path_picture(placed).png.startswith(b"\x89PNG")
    title, parts = drawn
    limit = placed.result.slowest.path
    assert limit is not None and len(limit.segments) == len(limit.steps)
    assert sum(part.ns for part in parts) == pytest.approx(limit.total)
    assert sum(part.ns for part in parts if part.kind == "routing") == pytest.approx(limit.routing)
    assert title == f"117 MHz: {limit.total:.1f} ns, {limit.routing:.1f} of them wires"


def test_carry_chains_are_one_cell(placed: api.Synth, drawn: list[Any]) -> None:
    (route,) = placed.result.routes
    assert route.path is not None
    segments = (
        Segment("clk-to-q", 0.5, "a"), Segment("routing", 1.0, "n"), Segment("logic", 0.4, "sum"),
        Segment("routing", 0.0, "c"), Segment("logic", 0.1, "sum"), Segment("logic", 0.2, "b"),
        Segment("setup", 0.0, "b"),
    )  # fmt: skip
    chain = replace(route, path=replace(route.path, segments=segments))
    api.path_picture(replace(placed, result=replace(placed.result, routes=(chain,))))
    assert drawn[1] == [
        Piece("clk-to-q", 0.5, "a"), Piece("routing", 1.0, "n"), Piece("logic", 0.5, "sum"),
        Piece("logic", 0.2, "b"),
    ]  # fmt: skip


def test_no_path(placed: api.Synth) -> None:
    bare = replace(placed.result, routes=(Route(seed=1, mhz=100.0, path=None),))
    with pytest.raises(ValueError, match="nextpnr reports no path between registers on ecp5-85f"):
        api.path_picture(replace(placed, result=bare))


def test_boards_are_the_committed_ones(drawn: list[Any]) -> None:
    assert api.boards_picture().png.startswith(b"\x89PNG")
    made = {one.board: one for one in bitstreams_from_json(api_placed.BOARDS_FILE.read_text())}
    assert drawn[0] == f"{len(made)} boards: clocks of their bitstreams"
    for row in drawn[1]:
        board, array = row.name.split(", ")
        assert (row.clock, row.reached) == (made[board].clock, made[board].reached)
        assert made[board].engine.startswith(array)
    assert len(drawn[1]) == len(made)


def test_boards_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="do not exist: run in a checkout, or name its docs/boards.json"):
        api.boards_picture(tmp_path / "boards.json")
    (tmp_path / "boards.json").write_text('{"version": 9}')
    with pytest.raises(ValueError, match="the bitstreams are of version 9"):
        api.boards_picture(tmp_path / "boards.json")


def test_the_engine_of_a_device() -> None:
    engine = api.device_config("gw2a-18", cols=4)
    assert (engine.rows, engine.cols, engine.port_width) == (2, 4, 16)
    with pytest.raises(ValueError, match="device must be one of"):
        api.device_config("nothing")
