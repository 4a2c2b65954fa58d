"""Derived figures, the front, rows of JSON and CSV."""

import json
from typing import Any

import pytest
from systolith.sw.sweep.axes import DEFAULTS
from systolith.sw.sweep.energy import energy
from systolith.sw.sweep.measure import Figures, Job, run_job
from systolith.sw.sweep.memory import memory_bits
from systolith.sw.sweep.point import Point, columns, front


def point(rows: int, cols: int, cycles: int, **values: int) -> Point:
    return Point(
        values={**DEFAULTS, "rows": rows, "cols": cols, **values},
        figures=Figures(cycles=cycles, cycles_total=cycles, macs=1000),
    )


def test_figures_of_a_point(job: Job) -> None:
    values = {**DEFAULTS, "rows": 4, "cols": 2}
    found = Point(values=values, figures=run_job(job, values), images=job.images)
    row, figures = found.to_json(), found.figures
    assert row["utilization"] == figures.macs / (8 * figures.cycles)
    assert row["utilization_total"] == 2 * figures.macs / (8 * figures.cycles_total)
    assert row["images_per_second_per_mhz"] == 2e6 / figures.cycles_total
    assert {name: row[name] for name in DEFAULTS} == values
    assert row["memory_bits"] == {
        **memory_bits(found.config),
        "total": sum(memory_bits(found.config).values()),
    }
    assert row["energy_pj"]["total"] == sum(energy(figures.accesses, found.config).values()) == found.energy
    assert row["bytes"] == dict(figures.bytes) and row["status"] == "ok"
    json.dumps(row, allow_nan=False)


@pytest.mark.parametrize("refused, status", [(True, "refused"), (False, "failed")])
def test_points_without_figures(refused: bool, status: str) -> None:
    row = Point(values=DEFAULTS, figures=Figures(reason="no room", refused=refused)).to_json()
    assert row == {**DEFAULTS, "multipliers": 64, "status": status, "reason": "no room"}


def test_front() -> None:
    points = [
        point(2, 2, 100), point(2, 4, 90), point(4, 2, 80), point(3, 3, 80), point(4, 4, 85), point(5, 5, 50),
        point(2, 2, 100), point(2, 2, 60, wgt_width=4), point(5, 5, 60, wgt_width=4),
        Point(values=DEFAULTS, figures=Figures(reason="no", refused=True)),
    ]  # fmt: skip
    marked = [found.front for found in front(points)]
    assert marked == [True, False, True, False, False, True, True, True, False, False]


def test_no_point_of_the_front_is_beaten() -> None:
    points = front(
        [point(r, c, 10_000 // (r * c) + 37 * (r * c % 7)) for r in range(1, 9) for c in range(1, 9)]
    )
    best = [one for one in points if one.front]

    def beats(a: Any, b: Any) -> bool:
        no_worse = a.multipliers <= b.multipliers and a.rate >= b.rate
        return no_worse and (a.multipliers, a.rate) != (b.multipliers, b.rate)

    for one in points:
        assert one.front != any(beats(other, one) for other in points)
    assert len(best) > 3


def test_columns() -> None:
    assert columns({"a": 1, "b": {"c": 2, "d": {"e": 3}}}) == {"a": 1, "b_c": 2, "b_d_e": 3}
