"""Fills a store with the figures of points: those that are missing, each once, whoever else fills it meanwhile.

while points are missing:
    claim and submit up to the executor's capacity; keep what is complete
    a point that another process has claimed is looked for again until it is there, or the claim is nobody's
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from .executors import Executor
from .measure import Figures
from .store import Store

__all__ = ["collect", "fill", "remaining"]

_EVERY = 2.0
"""Seconds between two lines of progress."""

_RENEW = 60.0
_LOOK = 0.5
"""Seconds until points of others are looked for again."""


def remaining(seconds: float) -> str:
    """``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def collect(store: Store, key: str) -> Figures | None:
    """A point's figures, if they are in the store."""
    found = store.get(key)
    return None if found is None else Figures(**found)


class _Report:
    def __init__(self, total: int, known: int, progress: Callable[[str], None]) -> None:
        self.total, self.known, self.progress = total, known, progress
        self.start = self.last = time.monotonic()
        if known:
            progress(f"{known} of {total} points are in the store")

    def __call__(self, done: int, refused: int) -> None:
        now = time.monotonic()
        if done and (now - self.last >= _EVERY or self.known + done == self.total):
            left = (now - self.start) / done * (self.total - self.known - done)
            why = f", {refused} refused" if refused else ""
            self.progress(f"{self.known + done} of {self.total} points{why}, {remaining(left)} left")
            self.last = now


def fill(
    points: Mapping[str, Mapping[str, Any]],
    store: Store,
    start: Callable[[], Executor],
    progress: Callable[[str], None],
) -> dict[str, Figures]:
    """The figures of every point, by key. ``points``: values of ``EngineConfig`` by key.

    ``start``: the executor, which is asked for only if something is missing. Faults of this program (a ``reason``
    that is no refusal) are returned but not kept: the next sweep tries them again.
    """
    figures = {key: found for key in points if (found := collect(store, key)) is not None}
    todo = deque(key for key in points if key not in figures)
    report = _Report(len(points), len(figures), progress)
    if not todo:
        return figures
    known, refused, busy, renewed = len(figures), 0, set[str](), time.monotonic()
    executor = start()
    try:
        while todo or busy:
            waits = _feed(executor, store, points, todo, busy, figures)
            for key, found in executor.wait(_LOOK if busy else 0.0):
                busy.discard(key)
                figures[key] = found
                refused += found.refused
                if found.reason and not found.refused:
                    store.release([key])
                else:
                    store.put(key, asdict(found))
            report(len(figures) - known, refused)
            if time.monotonic() - renewed > _RENEW:
                store.renew()
                renewed = time.monotonic()
            if waits and not busy:
                time.sleep(_LOOK)
    finally:
        executor.close()
        store.release(busy)
    return figures


def _feed(
    executor: Executor,
    store: Store,
    points: Mapping[str, Mapping[str, Any]],
    todo: deque[str],
    busy: set[str],
    figures: dict[str, Figures],
) -> bool:
    """Submit what may be computed; whether all that is left is being computed by others."""
    for _ in range(len(todo)):
        if len(busy) >= executor.capacity:
            return False
        key = todo.popleft()
        if store.claim(key):
            executor.submit(key, points[key])
            busy.add(key)
        elif (found := collect(store, key)) is not None:
            figures[key] = found
        else:
            todo.append(key)
    return bool(todo)
