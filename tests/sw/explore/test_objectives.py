"""Objectives: names, one's own, fronts against a comparison of all with all."""

import math
import random
from dataclasses import replace

import pytest
from systolith.sw.calibrated import Accuracy
from systolith.sw.explore.candidate import Candidate
from systolith.sw.explore.objectives import OBJECTIVES, Objective, accuracy_score, chosen, front, scored
from systolith.sw.resources.cells import Cells
from systolith.sw.sweep.measure import Figures

VALUES = {"rows": 2, "cols": 3, "scratchpad": 1 << 14}


def _candidate(cycles: int, dsp: int, bram: int) -> Candidate:
    cells = Cells(lut=1, ff=1, dsp=dsp, bram=bram)
    return Candidate(values=VALUES, precision="8 bits", clock=100.0, cells=cells,
                     figures=Figures(cycles=cycles, cycles_total=cycles, macs=cycles))  # fmt: skip


def test_front_is_what_nobody_dominates() -> None:
    rng = random.Random(4)
    objectives = chosen(["frames", "dsp", "bram"])
    some = [
        scored(_candidate(rng.randint(1, 9), rng.randint(1, 9), rng.randint(1, 9)), objectives)
        for _ in range(60)
    ]
    marked = front(some, objectives)
    points = [(one.frames_per_second, -one.cell_row["dsp"], -one.cell_row["bram"]) for one in some]
    for number, point in enumerate(points):
        beaten = any(
            other != point and all(a >= b for a, b in zip(other, point, strict=True)) for other in points
        )
        assert marked[number].front == (not beaten and points.index(point) == number)


def test_what_does_not_fit_is_not_on_the_front() -> None:
    objectives = chosen(["dsp"])
    small = replace(_candidate(5, 1, 1), lacks={"lut": 0.1})
    assert scored(small, objectives).scores == {}
    marked = front([small, scored(_candidate(5, 2, 1), objectives)], objectives)
    assert [one.front for one in marked] == [False, True]


def test_names_and_own_ones() -> None:
    own = Objective("utilization", "maximize", lambda one: one.utilization)
    assert [one.name for one in chosen(["dsp", own])] == ["dsp", "utilization"]
    assert chosen(None) == OBJECTIVES
    assert scored(_candidate(10, 4, 1), [own]).scores == {"utilization": pytest.approx(1 / 6)}


def test_accuracy() -> None:
    found = Accuracy(images=2, agreement=50.0, sqnr_db=math.inf, kl=0.0, top1=None, top1_float=None)
    assert accuracy_score(_candidate(1, 1, 1)) == 0.0
    assert accuracy_score(replace(_candidate(1, 1, 1), accuracy=found)) == 200.0
    assert accuracy_score(replace(_candidate(1, 1, 1), accuracy=replace(found, top1=42.0))) == 42.0


@pytest.mark.parametrize(
    "objectives, words",
    [
        (["speed"], "an objective must be an Objective or one of frames, accuracy, dsp, bram, not 'speed'"),
        ([], "objectives must be at least one"),
        (["dsp", "dsp"], "each with a name of its own"),
    ],
)
def test_wrong_objectives(objectives: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        chosen(objectives)


def test_wrong_direction_and_wrong_number() -> None:
    with pytest.raises(ValueError, match="direction of 'a' must be 'maximize' or 'minimize', not 'up'"):
        Objective("a", "up", lambda one: 1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="objective 'a' must be a finite number, not nan"):
        scored(_candidate(1, 1, 1), [Objective("a", "minimize", lambda one: math.nan)])
