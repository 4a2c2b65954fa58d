"""Every point once: from an empty store, from half of one, beside another process, with faults between."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from systolith.sw.sweep import run
from systolith.sw.sweep.executors import InProcess
from systolith.sw.sweep.measure import Figures, Job, run_job
from systolith.sw.sweep.run import collect, fill, remaining
from systolith.sw.sweep.store import Store

Points = dict[str, dict[str, Any]]


class Counting(InProcess):
    """Keeps what was submitted; interrupts at the number ``stop``."""

    def __init__(self, job: Job, stop: int = 1 << 30) -> None:
        super().__init__(job)
        self.submitted: list[str] = []
        self.stop = stop

    def submit(self, key: str, values: Mapping[str, Any]) -> None:
        if len(self.submitted) == self.stop:
            raise KeyboardInterrupt
        self.submitted.append(key)
        super().submit(key, values)


def quiet(line: str) -> None:
    """No progress."""


def test_all_points(job: Job, points: Points) -> None:
    with Store() as store:
        executor = Counting(job)
        found = fill(points, store, lambda: executor, quiet)
        assert found == {key: run_job(job, values) for key, values in points.items()}
        assert executor.submitted == list(points)
        assert {key for key in points if found[key].refused} >= {"none"}
        assert fill(points, store, pytest.fail, quiet) == found


def test_an_interrupted_run_goes_on(job: Job, points: Points, tmp_path: Path) -> None:
    first, second = Counting(job, 3), Counting(job)
    with pytest.raises(KeyboardInterrupt), Store(tmp_path / "s") as store:
        fill(points, store, lambda: first, quiet)
    with Store(tmp_path / "s") as store:
        found = fill(points, store, lambda: second, quiet)
    assert first.submitted + second.submitted == list(points) and len(first.submitted) == 3
    assert found == {key: run_job(job, values) for key, values in points.items()}


def test_points_of_another_are_waited_for(job: Job, points: Points, tmp_path: Path) -> None:
    """Two hold a claim: one completes its point, one gives it up."""
    with Store(tmp_path / "s") as store, Store(tmp_path / "s") as other:
        other.claim("2x2")
        other.claim("3x5")
        waited = []

        def progress(line: str) -> None:
            waited.append(line)

        class Late(Counting):
            def wait(self, timeout: float) -> list[tuple[str, Figures]]:
                if len(self.submitted) == len(points) - 2 and not self._waiting and len(waited) == 0:
                    waited.append("")
                    other.put("2x2", {**vars(run_job(job, points["2x2"]))})
                    other.release(["3x5"])
                return super().wait(timeout)

        executor = Late(job)
        found = fill(points, store, lambda: executor, quiet)
    assert found == {key: run_job(job, values) for key, values in points.items()}
    assert "2x2" not in executor.submitted and executor.submitted[-1] == "3x5"


def test_faults_are_not_kept(job: Job, points: Points) -> None:
    class Faulty(Counting):
        def wait(self, timeout: float) -> list[tuple[str, Figures]]:
            return [
                (key, Figures(reason="broken") if key == "3x2" else f) for key, f in super().wait(timeout)
            ]

    with Store() as store:
        assert fill(points, store, lambda: Faulty(job), quiet)["3x2"].reason == "broken"
        assert collect(store, "3x2") is None
        again = Counting(job)
        assert not fill(points, store, lambda: again, quiet)["3x2"].reason
        assert again.submitted == ["3x2"]


def test_progress(job: Job, points: Points, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_EVERY", 0.0)
    lines: list[str] = []
    with Store() as store:
        fill(dict(list(points.items())[:2]), store, lambda: InProcess(job), quiet)
        fill(points, store, lambda: InProcess(job), lines.append)
    assert lines[0] == "2 of 8 points are in the store"
    assert lines[1].startswith("3 of 8 points, ") and lines[1].endswith(" left")
    assert lines[-1].startswith("8 of 8 points, ") and "refused, 0 s left" in lines[-1]


def test_remaining() -> None:
    assert [remaining(s) for s in (0.4, 59.4, 61, 3599, 7500)] == [
        "0 s",
        "59 s",
        "1 min 1 s",
        "59 min 59 s",
        "2 h 5 min",
    ]
