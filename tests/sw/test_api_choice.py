"""Pictures of a sweep: what they draw is what the points hold, and what cannot be drawn is a sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from systolith.sw import api, api_choice
from systolith.sw.picture_choice import Cell, Choice, Ticks
from systolith.sw.sweep.energy import energy
from systolith.sw.synthesis_devices import DEVICES


@pytest.fixture(scope="module")
def found(tiny: Any) -> api.Sweep:
    return api.sweep(tiny.model, rows=(2, 4, 129), cols=(4, 8), jobs=1)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the drawing functions are called with; they draw all the same."""
    calls: dict[str, Any] = {}

    def spy(name: str) -> None:
        real = getattr(api_choice, name)

        def draw(path: Any, **words: Any) -> None:
            calls.update(words)
            real(path, **words)

        monkeypatch.setattr(api_choice, name, draw)

    for name in ("draw_heat", "draw_frames", "draw_energy"):
        spy(name)
    return calls


@pytest.mark.parametrize("metric", sorted(api_choice.HEAT))
def test_heat_map(found: api.Sweep, drawn: dict[str, Any], metric: str) -> None:
    assert api.heat_map(found, metric).png.startswith(b"\x89PNG")
    cells: Sequence[Cell] = drawn["cells"]
    for point, cell in zip(found.points, cells, strict=True):
        assert (cell.x, cell.y) == (point.values["cols"], point.values["rows"])
        if not point.ok:
            assert (cell.value, cell.text, point.values["rows"]) == (None, "-", 129)
            continue
        values = {"utilization": 100 * point.utilization, "cycles": point.figures.cycles, "images": point.rate,
                  "energy": point.energy / 1e6}  # fmt: skip
        assert cell.value == values[metric]


def test_heat_map_of_other_axes(tiny: Any, drawn: dict[str, Any]) -> None:
    several = api.sweep(tiny.model, rows=4, cols=4, port_width=(32, 64), scratchpad="2k,4k", jobs=1)
    api.heat_map(several, x="port_width", y="scratchpad")
    assert [(cell.x, cell.y) for cell in drawn["cells"]] == [(32, 2048), (32, 4096), (64, 2048), (64, 4096)]
    assert drawn["y"].text(4096) == "4" and drawn["x"].text(64) == "64"
    assert drawn["y"].words == "scratchpad, KB"
    api.heat_map(api.sweep(tiny.model, rows=4, cols=4, banks="4,8", jobs=1), x="banks")
    assert drawn["x"] == Ticks("banks")


def test_heat_map_errors(tiny: Any, found: api.Sweep) -> None:
    with pytest.raises(ValueError, match="metric must be one of utilization, .*, not 'speed'"):
        api.heat_map(found, "speed")
    with pytest.raises(
        ValueError, match="y must be an axis of the sweep, like rows or port_width, not 'row'"
    ):
        api.heat_map(found, y="row")
    with pytest.raises(ValueError, match="two axes, cols and port_width: sweep rows apart"):
        api.heat_map(found, y="port_width")
    with pytest.raises(ValueError, match="two axes, cols and cols"):
        api.heat_map(api.sweep(tiny.model, rows=4, cols=(4, 8), jobs=1), y="cols")


def test_frames_picture(tiny: Any, drawn: dict[str, Any]) -> None:
    two = api.sweep(tiny.model, rows=(2, 4, 129), cols=(4, 8), wgt_width=(4, 8), jobs=1)
    picture = api.frames_picture(two, clock=50)
    assert picture.png.startswith(b"\x89PNG")
    choices: Mapping[str, Sequence[Choice]] = drawn["choices"]
    assert list(choices) == [f"8-bit activations, {bits}-bit weights" for bits in (4, 8)]
    good = [point for point in two.points if point.ok and point.values["wgt_width"] == 8]
    for point, choice in zip(good, choices["8-bit activations, 8-bit weights"], strict=True):
        assert choice.name == f"{point.values['rows']}x{point.values['cols']}"
        assert choice.frames == pytest.approx(50e6 / point.figures.cycles)
        assert (choice.multipliers, choice.front) == (point.multipliers, point.front)
    assert drawn["limits"] == [(name, DEVICES[name].multipliers) for name in api_choice.ECP5]
    assert dict(drawn["limits"]) == {"ecp5-25f": 28, "ecp5-45f": 72, "ecp5-85f": 156}
    assert api.frames_picture(two, devices=()).png != picture.png


def test_frames_picture_errors(tiny: Any, found: api.Sweep) -> None:
    for clock in (0, -3.0, True):
        with pytest.raises(ValueError, match="clock must be MHz above 0, not"):
            api.frames_picture(found, clock=clock)
    with pytest.raises(ValueError, match="devices must be some of ecp5-12f, .*, not 'ice40-up5k'"):
        api.frames_picture(found, devices=("ice40-up5k",))
    with pytest.raises(ValueError, match="device must be one of"):
        api.frames_picture(found, devices=("ecp5",))
    nothing = api.sweep(tiny.model, rows=129, cols=4, jobs=1)
    for draw in (api.frames_picture, api.energy_picture):
        with pytest.raises(ValueError, match="must have an engine that was not refused"):
            draw(nothing)


def test_energy_picture(tiny: Any, found: api.Sweep, drawn: dict[str, Any]) -> None:
    assert api.energy_picture(found).png.startswith(b"\x89PNG")
    bars = drawn["bars"]
    front = sorted(found.front, key=lambda point: point.multipliers)
    assert list(bars) == [f"{point.values['rows']}x{point.values['cols']}" for point in front]
    for point, bar in zip(front, bars.values(), strict=True):
        spent = energy(point.figures.accesses, point.config)
        assert bar == {level: value / 1e6 for level, value in spent.items()}
        assert sum(bar.values()) == pytest.approx(point.energy / 1e6)
    two = api.sweep(tiny.model, rows=(2, 4), cols=4, wgt_width=(4, 8), jobs=1)
    api.energy_picture(two)
    assert "4x4, wgt_width 4" in drawn["bars"]
