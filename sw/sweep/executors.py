"""Who computes points: this process, its children (``local``), or machines elsewhere (``cluster``)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

from .measure import Figures, Job, run_job

__all__ = ["Executor", "InProcess"]


class Executor(Protocol):
    """Takes points, gives their figures back in any order; none is lost."""

    @property
    def capacity(self) -> int:
        """Points to have under way, so that nobody waits for work."""

    def submit(self, key: str, values: Mapping[str, Any]) -> None:
        """Compute the figures of a configuration."""

    def wait(self, timeout: float) -> list[tuple[str, Figures]]:
        """What is complete by now; waits for the first, at most ``timeout`` seconds."""

    def close(self) -> None:
        """Stop everything; what is under way is given up."""


class InProcess:
    """One point after the other, here."""

    capacity = 1

    def __init__(self, job: Job) -> None:
        self._job = job
        self._waiting: deque[tuple[str, Mapping[str, Any]]] = deque()

    def submit(self, key: str, values: Mapping[str, Any]) -> None:
        """See ``Executor``."""
        self._waiting.append((key, values))

    def wait(self, timeout: float) -> list[tuple[str, Figures]]:
        """See ``Executor``: computes the oldest."""
        if not self._waiting:
            return []
        key, values = self._waiting.popleft()
        return [(key, run_job(self._job, values))]

    def close(self) -> None:
        """Nothing is left running."""
