"""Points on the workers of a Dask scheduler: as many machines as have joined it.

    dask scheduler                                                          on one machine
    dask worker tcp://HOST:8786 --nworkers -1 --nthreads 1                  on each, with the same systolith

Dask moves the points of a worker that dies to the others. What it gives up after some deaths, or loses, is submitted
again here. Workers of another version of the package are refused: their cycles may be others.
"""

from __future__ import annotations

import pickle
import queue
import time
import uuid
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from .keys import source_version
from .measure import Figures, Job, run_job

__all__ = ["Cluster"]

_ATTEMPTS = 3
"""Submissions of a point; each survives several deaths of its worker (Dask's ``allowed-failures``)."""

_CONNECT = 10
"""Seconds until a scheduler has answered."""


def _unpacked(packed: bytes) -> Job:
    """The job, once on each worker that needs it; made again where it is lost."""
    job: Job = pickle.loads(zlib.decompress(packed))
    return job


def _point(job: Job, version: str, values: Mapping[str, Any]) -> Figures:
    """One point, on a worker."""
    if source_version() != version:
        return Figures(
            reason="a worker of the cluster has another version of systolith: install the same everywhere"
        )
    return run_job(job, values)


class Cluster:
    """An ``Executor`` behind ``address``, ``tcp://host:port`` of a Dask scheduler.

    Raises ``ValueError`` where the package ``distributed`` or the scheduler is missing.
    """

    def __init__(self, job: Job, address: str, progress: Callable[[str], None]) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise ValueError(
                "a scheduler needs the package distributed: pip install 'systolith[cluster]', or leave it out"
            ) from None
        self._address, self._progress = address, progress
        try:
            self._client = Client(address, timeout=_CONNECT, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise ValueError(f"scheduler {address!r} does not answer ({error}): start one with `dask scheduler`"
                             ) from None  # fmt: skip
        self._run = uuid.uuid4().hex[:8]
        packed = zlib.compress(pickle.dumps(job), 1)
        self._job = self._client.submit(_unpacked, packed, key=f"systolith-{self._run}-job")
        self._done: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._under_way: dict[str, tuple[Any, Mapping[str, Any], int]] = {}
        self._slots, self._counted = 0, 0.0

    @property
    def capacity(self) -> int:
        """Two points for each thread of a worker; some where nobody has joined yet, which wait there."""
        now = time.monotonic()
        if now - self._counted > 1.0:
            slots = sum(self._client.nthreads().values())
            if slots != self._slots:
                self._progress(
                    f"{self._address}: {slots} workers" if slots else f"{self._address}: no worker yet"
                )
            self._slots, self._counted = slots, now
        return max(2, 2 * self._slots)

    def submit(self, key: str, values: Mapping[str, Any]) -> None:
        """See ``Executor``."""
        self._submit(key, values, 1)

    def _submit(self, key: str, values: Mapping[str, Any], attempt: int) -> None:
        name = f"systolith-{self._run}-{key}-{attempt}"
        future = self._client.submit(_point, self._job, source_version(), dict(values), key=name)
        self._under_way[key] = future, values, attempt
        future.add_done_callback(lambda done: self._done.put((key, done)))

    def wait(self, timeout: float) -> list[tuple[str, Figures]]:
        """See ``Executor``. Raises ``ValueError`` where the scheduler is gone: what is complete is kept."""
        ready = []
        with suppress(queue.Empty):
            ready.append(self._done.get(timeout=timeout))
            while True:
                ready.append(self._done.get_nowait())
        if self._client.status != "running":
            raise ValueError(
                f"scheduler {self._address!r} is gone: start it, and sweep again into the same directory, which keeps "
                f"what is complete"
            )
        found = [self._figures(key, future) for key, future in ready if self._is_current(key, future)]
        return [item for item in found if item is not None]

    def _is_current(self, key: str, future: Any) -> bool:
        return key in self._under_way and self._under_way[key][0] is future

    def _figures(self, key: str, future: Any) -> tuple[str, Figures] | None:
        """What became of a submission; None: it is submitted again."""
        _, values, attempt = self._under_way.pop(key)
        if future.status == "finished":
            found: Figures = future.result()
            return key, found
        if attempt < _ATTEMPTS:
            self._submit(key, values, attempt + 1)
            return None
        why = future.exception() if future.status == "error" else future.status
        return key, Figures(reason=f"the cluster gave it up {_ATTEMPTS} times: {type(why).__name__}: {why}")

    def close(self) -> None:
        """See ``Executor``."""
        with suppress(Exception):
            self._client.cancel([future for future, _, _ in self._under_way.values()])
        self._client.close()
