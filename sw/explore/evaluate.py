"""Candidates' figures: cells first, and cycles only of engines that the device has room for; nothing twice.

cells of the engine and its link > room: no cycles        else compile, cycle model, memory that the program needs
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ...hw.config import EngineConfig
from ..resources.clock import estimate
from ..sweep.executors import Executor, InProcess
from ..sweep.keys import content_digest, key_of
from ..sweep.local import LocalProcesses
from ..sweep.measure import Figures, Job
from ..sweep.models import QuantizedNetworkWorkload
from ..sweep.run import fill
from ..sweep.store import Store
from .candidate import Candidate
from .limits import Limits
from .objectives import Objective, scored
from .precision import Precision

__all__ = ["LATENCY", "Evaluator", "Wish"]

LATENCY = 5
"""Cycles from an address to its first beat: ``hw.onchip_memory``."""

Key = tuple[tuple[str, int | str], ...]


class _Staying:
    """An executor that ``fill`` may close as often as it likes."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    @property
    def capacity(self) -> int:
        return self.executor.capacity

    def submit(self, key: str, values: Mapping[str, Any]) -> None:
        self.executor.submit(key, values)

    def wait(self, timeout: float) -> list[tuple[str, Figures]]:
        return self.executor.wait(timeout)

    def close(self) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a candidate is asked to do. ``clock``: MHz, None for the estimate; ``min_fps``: frames a second, 0: any."""

    images: int = 1
    clock: float | None = None
    min_fps: float = 0.0


@dataclass(kw_only=True)
class Evaluator:
    """Values of an engine and a precision's name -> ``Candidate``; what is in the store is not computed again."""

    limits: Limits
    precisions: Sequence[Precision]
    wish: Wish
    objectives: Sequence[Objective]
    store: Store
    jobs: int = 1
    known: dict[Key, Candidate] = field(default_factory=dict)
    _executors: dict[str, _Staying] = field(default_factory=dict)

    @cached_property
    def _jobs(self) -> dict[str, Job]:
        return {
            one.name: Job(
                workload=QuantizedNetworkWorkload(one.network), images=self.wish.images, mem_latency=LATENCY
            )
            for one in self.precisions
        }

    @cached_property
    def _digests(self) -> dict[str, str]:
        return {one.name: content_digest(one.network) for one in self.precisions}

    def close(self) -> None:
        """Stop what computes."""
        for kept in self._executors.values():
            kept.executor.close()

    def __call__(self, asked: Sequence[tuple[Mapping[str, int], str]]) -> list[Candidate]:
        """A candidate for each (values, precision), in the same order."""
        keys: list[Key] = [(*sorted(values.items()), ("precision", name)) for values, name in asked]
        fresh = {key: pair for key, pair in zip(keys, asked, strict=True) if key not in self.known}
        started = {key: self._begun(*pair) for key, pair in fresh.items()}
        for one in self.precisions:
            mine = {
                key: c for key, c in started.items() if c.precision == one.name and not (c.reason or c.lacks)
            }
            for key, figures in zip(mine, self._figures(one.name, list(mine.values())), strict=True):
                started[key] = self._finished(mine[key], figures, one)
        self.known |= started
        return [self.known[key] for key in keys]

    def _begun(self, values: Mapping[str, int], name: str) -> Candidate:
        """With its cells, as few as they can be: the smallest memory."""
        precision = next(one for one in self.precisions if one.name == name)
        whole = {**values, "wgt_width": precision.wgt_width}
        found = Candidate(values=whole, precision=name, images=self.wish.images, accuracy=precision.accuracy)
        try:
            config = EngineConfig(**whole)  # type: ignore[arg-type]
            cells = self.limits.cells(config, 2 * config.port_bytes)
        except ValueError as error:
            return replace(found, reason=str(error))
        given = self.wish.clock
        clock = estimate(config) if given is None else given
        return replace(
            found, cells=cells, lacks=self.limits.lacks(cells), clock=clock, clock_estimated=given is None
        )

    def _figures(self, name: str, candidates: Sequence[Candidate]) -> list[Figures]:
        job = self._jobs[name]
        keys = [
            key_of("point", self._digests[name], dict(c.values), job.images, job.mem_latency)
            for c in candidates
        ]
        wanted = {key: c.values for key, c in zip(keys, candidates, strict=True)}
        found = fill(wanted, self.store, lambda: self._executor(name, job), lambda line: None)
        return [found[key] for key in keys]

    def _executor(self, name: str, job: Job) -> _Staying:
        if name not in self._executors:
            made: Executor = InProcess(job) if self.jobs == 1 else LocalProcesses(job, self.jobs)
            self._executors[name] = _Staying(made)
        return self._executors[name]

    def _finished(self, candidate: Candidate, figures: Figures, precision: Precision) -> Candidate:
        """With its cycles, and the cells of the memory that its program needs."""
        if figures.reason:
            if not figures.refused:
                raise RuntimeError(f"{candidate.name}: {figures.reason}")
            return replace(candidate, reason=figures.reason)
        cells = self.limits.cells(candidate.config, figures.memory)
        found = replace(candidate, figures=figures, memory=figures.memory, cells=cells)
        lacks = dict(self.limits.lacks(cells))
        if found.frames_per_second < self.wish.min_fps:
            lacks["frames"] = self.wish.min_fps / found.frames_per_second - 1
        return scored(replace(found, lacks=lacks), self.objectives)
