"""Points on processes of this machine.

    thread of a worker: take a point -> send it to the child -> its figures, or, where the child is gone, the point goes
    back to the others and a new child begins

A point whose child dies three times (out of memory, say) is a point with that reason.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from .measure import Figures, Job

__all__ = ["LocalProcesses", "default_jobs"]

_ATTEMPTS = 3

_START = "import sys; sys.path[:] = {path!r}; from systolith.sw.sweep.worker import main; main()"

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Points run side by side; their arithmetic does not need to."""

_Work = tuple[str, Mapping[str, Any], int]


def default_jobs() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalProcesses:
    """An ``Executor`` with ``jobs`` child processes; ``pids`` of those that run."""

    def __init__(self, job: Job, jobs: int) -> None:
        self._job = pickle.dumps(job)
        self._todo: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[str, Figures]] = queue.SimpleQueue()
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._closed = False
        self._jobs = jobs
        self._threads = [threading.Thread(target=self._serve, args=(n,), daemon=True) for n in range(jobs)]
        for thread in self._threads:
            thread.start()

    @property
    def capacity(self) -> int:
        """One at work and one waiting for each child."""
        return 2 * self._jobs

    @property
    def pids(self) -> list[int]:
        """Of the children."""
        return [child.pid for child in list(self._children.values())]

    def submit(self, key: str, values: Mapping[str, Any]) -> None:
        """See ``Executor``."""
        self._todo.put((key, values, 1))

    def wait(self, timeout: float) -> list[tuple[str, Figures]]:
        """See ``Executor``."""
        found = []
        with suppress(queue.Empty):
            found.append(self._done.get(timeout=timeout))
            while True:
                found.append(self._done.get_nowait())
        return found

    def close(self) -> None:
        """See ``Executor``."""
        self._closed = True
        for _ in self._threads:
            self._todo.put(None)
        for child in list(self._children.values()):
            child.kill()
        for thread in self._threads:
            thread.join()

    def _serve(self, number: int) -> None:
        """The life of one worker's thread."""
        child: subprocess.Popen[bytes] | None = None
        while (work := self._todo.get()) is not None and not self._closed:
            key, values, attempt = work
            try:
                if child is None:
                    child = self._children[number] = self._start()
                assert child.stdin is not None and child.stdout is not None
                pickle.dump(values, child.stdin)
                child.stdin.flush()
                self._done.put((key, pickle.load(child.stdout)))
            except (EOFError, OSError, pickle.UnpicklingError):  # the child is gone
                status = None if child is None else _end(child)
                child = None
                if self._closed:
                    break
                if attempt < _ATTEMPTS:
                    self._todo.put((key, values, attempt + 1))
                else:
                    reason = f"its process ended {_ATTEMPTS} times (status {status}): not enough memory?"
                    self._done.put((key, Figures(reason=reason)))
        if child is not None:
            _end(child)

    def _start(self) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-c", _START.format(path=sys.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**_ONE_THREAD, **os.environ},
        )  # fmt: skip
        assert child.stdin is not None
        child.stdin.write(self._job)
        child.stdin.flush()
        return child


def _end(child: subprocess.Popen[bytes]) -> int:
    """Its status, when it is gone and its pipes are closed."""
    child.kill()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    return child.wait()
