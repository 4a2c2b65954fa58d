"""Points on a Dask cluster of two workers, one of which is killed half way: nothing is lost."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import util
from typing import Any

import pytest
from systolith.sw.sweep import cluster
from systolith.sw.sweep.cluster import Cluster
from systolith.sw.sweep.measure import Figures, Job, run_job
from systolith.sw.sweep.run import fill
from systolith.sw.sweep.store import Store

Points = dict[str, dict[str, Any]]

needs_dask = pytest.mark.skipif(
    util.find_spec("distributed") is None, reason="the extra `cluster` is not installed"
)
pytestmark = pytest.mark.filterwarnings("default")  # Dask's own


def quiet(line: str) -> None:
    """No progress."""


def dask(*words: str) -> subprocess.Popen[str]:
    """A process of Dask whose log is readable."""
    return subprocess.Popen([sys.executable, "-m", *words], stderr=subprocess.PIPE, text=True)


@pytest.fixture
def scheduler() -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """Its address, and two workers of one thread each."""
    server = dask("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    assert server.stderr is not None
    address = next(found[0] for line in server.stderr if (found := re.search(r"tcp://[\d.]+:\d+", line)))
    words = ("distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
    workers = [dask(*words) for _ in range(2)]
    try:
        yield address, workers
    finally:
        for process in (*workers, server):
            process.kill()
            process.communicate()


@needs_dask
def test_a_killed_worker_loses_nothing(job: Job, points: Points, scheduler: Any) -> None:
    address, workers = scheduler
    everything = {
        f"{key} {depth}": {**values, "acc_depth": depth}
        for key, values in points.items()
        for depth in (16, 64, 1024)
    }

    class Killing(Cluster):
        seen = 0

        def wait(self, timeout: float) -> list[tuple[str, Figures]]:
            found = super().wait(timeout)
            before, self.seen = self.seen, self.seen + len(found)
            if before < len(everything) // 2 <= self.seen:
                assert len(self._client.nthreads()) == 2
                os.kill(workers[0].pid, signal.SIGKILL)
                workers[0].wait()
            return found

    def start() -> Killing:
        executor = Killing(job, address, quiet)
        executor._client.wait_for_workers(2, timeout=60)
        return executor

    with Store() as store:
        found = fill(everything, store, start, quiet)
    assert workers[0].returncode == -signal.SIGKILL and workers[1].poll() is None
    assert found == {key: run_job(job, values) for key, values in everything.items()}


@needs_dask
def test_workers_of_another_version_are_refused(
    job: Job, points: Points, scheduler: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(cluster, "source_version", lambda: "another")
    with Store() as store:
        found = fill({"2x2": points["2x2"]}, store, lambda: Cluster(job, scheduler[0], quiet), quiet)
        assert store.get("2x2") is None
    assert not found["2x2"].refused and "has another version of systolith" in found["2x2"].reason


@needs_dask
def test_a_scheduler_that_is_gone_is_named(job: Job, points: Points, scheduler: Any) -> None:
    address, _ = scheduler

    class Losing(Cluster):
        def wait(self, timeout: float) -> list[tuple[str, Figures]]:
            self._client.close()
            return super().wait(timeout)

    with (
        Store() as store,
        pytest.raises(ValueError, match=r"scheduler 'tcp://.*' is gone: start it, and sweep again"),
    ):
        fill(points, store, lambda: Losing(job, address, quiet), quiet)


@needs_dask
def test_no_scheduler(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_CONNECT", 0.5)
    with pytest.raises(
        ValueError, match=r"scheduler 'tcp://127.0.0.1:9' does not answer \(.*: start one with"
    ):
        Cluster(job, "tcp://127.0.0.1:9", quiet)
    with pytest.raises(ValueError, match="scheduler 'nonsense' does not answer"):
        Cluster(job, "nonsense", quiet)


def test_without_dask(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(
        ValueError, match=r"needs the package distributed: pip install 'systolith\[cluster\]'"
    ):
        Cluster(job, "tcp://127.0.0.1:8786", quiet)
