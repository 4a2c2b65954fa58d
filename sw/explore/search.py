"""The search: Optuna's study in a SQLite file asks for choices, candidates answer, generation by generation.

for each generation: ask for so many choices, evaluate them together, tell their scores in the order asked

A study that was interrupted goes on: what is in its file counts. A search of one's own is a sampler of Optuna, or
choices (``Space.every`` gives all, a generator some), which are then tried one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..sweep.run import remaining
from .candidate import Candidate
from .evaluate import Evaluator
from .objectives import Objective
from .space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

__all__ = ["GENERATION", "SAMPLERS", "Choice", "search"]

Choice = Mapping[str, int | str]

SAMPLERS = ("nsga2", "tpe", "random", "grid")
"""By name: NSGA-II (Deb et al., 2002), tree-structured Parzen estimator (Bergstra et al., 2011), random,
every choice."""

GENERATION = 32
"""Choices asked for before any is told."""

_EVERY = 2.0


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise ValueError("explore needs the package optuna: pip install 'systolith[explore]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _sampler(optuna: Any, name: str, seed: int) -> Any:
    """Optuna's; NSGA-II and TPE prefer choices that fit to those that do not, by how much they lack."""
    if name == "nsga2":
        return optuna.samplers.NSGAIISampler(population_size=GENERATION, seed=seed)
    if name == "tpe":
        return optuna.samplers.TPESampler(seed=seed)
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    raise ValueError(f"sampler must be {', '.join(SAMPLERS)}, a sampler of Optuna or choices, not {name!r}")


def search(
    space: Space,
    evaluator: Evaluator,
    objectives: Sequence[Objective],
    *,
    key: str,
    storage: Path | None,
    trials: int,
    seed: int,
    sampler: str | BaseSampler | Iterable[Choice],
    progress: Callable[[str], None],
) -> list[Candidate]:
    """Every candidate of the study, each once, in the order of its trials.

    ``key``: what the study is of; a file holds one study for each. ``trials``: in all, those of an earlier run
    included. Raises ValueError where Optuna is missing.
    """
    optuna = _optuna()
    given: Any = space.every() if sampler == "grid" else sampler
    own = iter(given) if isinstance(given, Iterable) and not isinstance(given, str) else None
    study = optuna.create_study(
        storage=None if storage is None else f"sqlite:///{storage.resolve()}", study_name=key, load_if_exists=True,
        directions=[objective.direction for objective in objectives],
    )  # fmt: skip
    if len(study.directions) != len(objectives):
        raise ValueError(f"{storage} holds a study of other objectives: give another directory")
    done = [trial for trial in study.trials if trial.state.is_finished()]
    study.sampler = (
        optuna.samplers.RandomSampler(seed=seed) if own is not None
        else _sampler(optuna, given, seed + len(done)) if isinstance(given, str) else given
    )  # fmt: skip
    if done:
        progress(f"{len(done)} trials are in the study")
    found = evaluator([space.point(dict(trial.user_attrs["choice"])) for trial in done])
    start = last = time.monotonic()
    known = len(done)
    while len(found) < trials:
        count = min(GENERATION, trials - len(found))
        asked = _asked(study, space, count, own)
        if not asked:
            break
        candidates = evaluator([space.point(choice) for _, choice in asked])
        for (trial, choice), candidate in zip(asked, candidates, strict=True):
            _tell(study, trial, choice, candidate, objectives)
        found += candidates
        now = time.monotonic()
        if now - last >= _EVERY or len(found) == trials:
            left = (now - start) / (len(found) - known) * (trials - len(found))
            able = sum(candidate.ok for candidate in found)
            progress(f"{len(found)} of {trials} trials, {able} fit, {remaining(left)} left")
            last = now
    return list({_identity(candidate): candidate for candidate in found}.values())


def _identity(candidate: Candidate) -> tuple[Any, ...]:
    return (*sorted(candidate.values.items()), candidate.precision)


def _asked(study: Any, space: Space, count: int, own: Iterator[Choice] | None) -> list[tuple[Any, Choice]]:
    """Trials and their choices; fewer than ``count`` where one's own choices end."""
    if own is not None:
        given = [dict(choice) for choice in islice(own, count)]
        for choice in given:
            space.point(choice)
            study.enqueue_trial(choice)
        count = len(given)
    asked: list[tuple[Any, Choice]] = []
    for _ in range(count):
        trial = study.ask()
        asked.append((trial, {n: trial.suggest_categorical(n, v) for n, v in space.chosen.items()}))
    return asked


def _tell(
    study: Any, trial: Any, choice: Choice, candidate: Candidate, objectives: Sequence[Objective]
) -> None:
    trial.set_user_attr("choice", dict(choice))
    lacks = sum(candidate.lacks.values()) + 10.0 * bool(candidate.reason)
    trial.set_constraint("lacks", lacks)
    study.tell(trial, [candidate.scores.get(objective.name, 0.0) for objective in objectives])
