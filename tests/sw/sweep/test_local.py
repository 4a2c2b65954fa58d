"""Child processes give what this one does, also when some of them are killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from systolith.sw.sweep import local
from systolith.sw.sweep.local import LocalProcesses, default_jobs
from systolith.sw.sweep.measure import Figures, Job, run_job
from systolith.sw.sweep.run import fill
from systolith.sw.sweep.store import Store

Points = dict[str, dict[str, Any]]


def test_two_processes(job: Job, points: Points) -> None:
    with Store() as store:
        found = fill(points, store, lambda: LocalProcesses(job, 2), lambda line: None)
    assert found == {key: run_job(job, values) for key, values in points.items()}


def test_a_killed_process_loses_nothing(job: Job, points: Points) -> None:
    class Killing(LocalProcesses):
        killed = 0

        def wait(self, timeout: float) -> list[tuple[str, Figures]]:
            found = super().wait(timeout)
            if found and self.killed < 2:
                os.kill(self.pids[self.killed], signal.SIGKILL)  # one, then the other
                self.killed += 1
            return found

    executor = Killing(job, 2)
    with Store() as store:
        found = fill(points, store, lambda: executor, lambda line: None)
    assert executor.killed == 2
    assert found == {key: run_job(job, values) for key, values in points.items()}


def test_a_point_that_kills_is_named(job: Job, points: Points, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_START", "import sys; sys.stdin.buffer.read(1); sys.exit(9)")
    executor = LocalProcesses(job, 1)
    try:
        executor.submit("2x2", points["2x2"])
        ((key, found),) = executor.wait(60)
    finally:
        executor.close()
    assert key == "2x2" and not found.refused
    assert found.reason.startswith("its process ended 3 times (status ")


def test_close_leaves_no_child(job: Job, points: Points) -> None:
    executor = LocalProcesses(job, 2)
    for key, values in points.items():
        executor.submit(key, values)
    while not executor.wait(0.1):
        pass
    pids = executor.pids
    assert len(pids) == 2
    executor.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_scripts_need_no_guard(tmp_path: Path) -> None:
    """A script that sweeps at its top level is not run again by its children."""
    script = tmp_path / "script.py"
    script.write_text(
        "from systolith.sim.random_network import random_network\n"
        "from systolith.sw.sweep.axes import DEFAULTS\n"
        "from systolith.sw.sweep.local import LocalProcesses\n"
        "from systolith.sw.sweep.measure import Job\n"
        "from systolith.sw.sweep.models import QuantizedNetworkWorkload\n"
        "print('once', flush=True)\n"
        "job = Job(workload=QuantizedNetworkWorkload(random_network(1)), images=1, mem_latency=5)\n"
        "executor = LocalProcesses(job, 2)\n"
        "executor.submit('a', DEFAULTS)\n"
        "while not (found := executor.wait(1)): pass\n"
        "executor.close()\n"
        "print(found[0][1].cycles > 0)\n"
    )
    started = time.monotonic()
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert (ran.stdout, ran.returncode) == ("once\nTrue\n", 0), ran.stderr
    assert time.monotonic() - started < 120


def test_default_jobs() -> None:
    assert 1 <= default_jobs() <= (os.cpu_count() or 1)
