"""Figures from cycles, and targets."""

from dataclasses import replace

import pytest
from systolith.sw.benchmark.cases import Target
from systolith.sw.benchmark.results import Measurement, from_json, reached, to_json
from systolith.sw.benchmark.speed import Speed

ROW = Measurement(
    case="case", network_hash="abc", commit="1234", engine="4x4 array", pes=16, mem_latency=30, images=3, macs=1600,
    bound_cycles=105, port_cycles=105, cycles=130, cycles_total=330, compared=10, counters={"cycles": 330},
)  # fmt: skip


def test_figures() -> None:
    assert ROW.bound == pytest.approx(100 / 105)
    assert ROW.utilization(ROW.one) == pytest.approx(100 / 130)
    assert ROW.utilization(ROW.total, 3) == pytest.approx(300 / 330)
    assert ROW.each == 100 and ROW.utilization(ROW.each) == 1.0


@pytest.mark.parametrize(
    "target, value, met",
    [
        (Target("cycles", 130), 130, True),
        (Target("cycles", 129), 130, False),
        (Target("one image", 77), 100 * 100 / 130, False),
        (Target("one image", 76.9), 100 * 100 / 130, True),
        (Target("back to back", 90.9), 100 * 300 / 330, True),
        (Target("back to back", 91), 100 * 300 / 330, False),
        (Target("steady state", 100), 100, True),
        (Target("bound", 18), 100 * (100 / 105 - 100 / 130), False),
        (Target("bound", 18.4), 100 * (100 / 105 - 100 / 130), True),
    ],
)
def test_targets(target: Target, value: float, met: bool) -> None:
    found, verdict = reached(target, ROW)
    assert found == pytest.approx(value) and verdict is met


def test_no_figure_is_not_met() -> None:
    nothing = replace(ROW, cycles=None, cycles_total=None)
    for what in ("cycles", "one image", "back to back", "steady state", "bound"):
        assert reached(Target(what, 1e9 if what == "cycles" else 0), nothing) == (None, False)  # type: ignore[arg-type]
    assert replace(ROW, images=1).each is None


def test_the_model_stands_in_for_the_rtl() -> None:
    modelled = replace(ROW, cycles=None, cycles_total=None, model_cycles=120, model_cycles_total=320)
    assert (modelled.one, modelled.total, modelled.each) == (120, 320, 100) and modelled.equal


def test_equal() -> None:
    assert ROW.equal
    assert replace(ROW, model_cycles=130, model_cycles_total=330).equal
    assert not replace(ROW, model_cycles=130, model_cycles_total=331).equal
    assert not replace(ROW, model_cycles=129, model_cycles_total=330).equal
    assert not replace(ROW, mismatches=1).equal
    assert not replace(ROW, error="does not fit").equal


def test_json() -> None:
    rows = [ROW, replace(ROW, case="other", cycles=None)]
    speeds = [Speed(engine="e", size=8, cycles=100, seconds=0.5, commit="1234")]
    assert from_json(to_json(rows, speeds)) == (rows, speeds)
    with pytest.raises(ValueError, match="version 7, not 1: measure again"):
        from_json('{"version": 7, "rows": []}')
