"""``explore``: the engines of a board that are worth building for one network, and the one to build first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import quantized_io
from .api_explore_result import Exploration, steps
from .api_verify import Progress, quiet
from .explore.evaluate import Evaluator, Wish
from .explore.limits import Limits, board_limits
from .explore.objectives import Objective, chosen, front
from .explore.precision import BITS, Precision, fixed_precision, precisions
from .explore.recommend import nothing_fits, recommend
from .explore.search import Choice, search
from .explore.space import space
from .images import Images, Preprocessing, load_images
from .quantized_io import QuantizedModel
from .sweep.axes import DEFAULTS, Axis, axis_values
from .sweep.keys import content_digest, key_of
from .sweep.store import Store

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

__all__ = ["explore"]

STORE, STUDY, _WIDTHS = "points.sqlite", "study.sqlite", "widths"


def explore(
    source: QuantizedModel | str | Path,
    output: str | Path,
    *,
    board: str,
    min_fps: float = 0.0,
    clock: float | None = None,
    trials: int = 256,
    seed: int = 1,
    sampler: str | BaseSampler | Iterable[Choice] = "nsga2",
    objectives: Sequence[Objective | str] | None = None,
    images: int = 1,
    wgt_bits: Sequence[float] | None = None,
    calibration: str | Path | None = None,
    calibration_count: int | None = None,
    accuracy: Images | str | Path | None = None,
    accuracy_count: int | None = None,
    preprocessing: Preprocessing | None = None,
    jobs: int = 1,
    progress: Progress = quiet,
    **axes: Axis,
) -> Exploration:
    """Search arrays, memories and widths of weights for a board; the Pareto front and one point of it, with reasons.

    Parameters
    ----------
    source : a quantized model, its directory, or an ONNX file, whose weights then share ``wgt_bits`` by sensitivity.
    output : a directory for store, study, tables and picture; an interrupted exploration of it goes on.
    board : one of ``BOARDS`` with an ECP5; program, weights and images must fit its block RAM beside the engine.
    min_fps : frames a second that are wanted, at ``clock`` MHz; None: an estimate, from clocks that were reached.
    trials, seed : choices to try, those of an earlier run included, and the seed of the search.
    sampler : "nsga2", "tpe", "random", a sampler of Optuna, or choices: dictionaries like those of ``Space.every``.
    objectives : names of ``OBJECTIVES`` or ``Objective``s of one's own; None: frames a second, accuracy where there are
        several widths or images, DSPs, block RAMs.
    images : back to back, for frames a second; they are in memory, whatever a host's link takes.
    wgt_bits : averages of a weight's bits to choose from; None: ``BITS`` with calibration or accuracy images, else 8.
    calibration, calibration_count, preprocessing : as for ``quantize``; without images, synthetic ones.
    accuracy, accuracy_count : images whose labels the search may look at: never those of a final test. Without them it
        is judged by signal to noise against float on the calibration images.
    jobs : processes of this machine.
    axes : values of the engine's parameters, as of ``sweep``; None given: ``explore.space.CHOICES``.

    Raises ValueError, one sentence: wrong input; no engine fits, what binds and by how much; Optuna is missing.
    """
    limits, wanted = board_limits(board), chosen(objectives)
    wish = _wish(min_fps, clock, images)
    for name, count in (("trials", trials), ("jobs", jobs)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"{name} must be a positive integer, not {count!r}")
    folder = _folder(output)
    every = _precisions(source, folder, wgt_bits, calibration, calibration_count, accuracy, accuracy_count,
                        preprocessing, axes, progress)  # fmt: skip
    if objectives is None and all(one.accuracy is None for one in every):
        wanted = tuple(one for one in wanted if one.name != "accuracy")
    where = space(axes, every[0].network, tuple(one.name for one in every))
    folder.mkdir(exist_ok=True)
    key = key_of(
        "explore", [content_digest(one.network) for one in every], _key(limits, wish),
        [(one.name, one.direction) for one in wanted], {n: list(v) for n, v in where.axes.items()},
        [None if one.accuracy is None else one.accuracy.to_json() for one in every],
    )  # fmt: skip
    progress(f"{len(where):,} choices: {', '.join(f'{len(v)} of {n}' for n, v in where.chosen.items())}")
    with Store(folder / STORE) as store:
        evaluator = Evaluator(
            limits=limits, precisions=every, wish=wish, objectives=wanted, store=store, jobs=jobs
        )
        try:
            found = search(
                where, evaluator, wanted, key=key, storage=folder / STUDY, trials=trials, seed=seed, sampler=sampler,
                progress=progress,
            )  # fmt: skip
        finally:
            evaluator.close()
    candidates = front(found, wanted)
    best = [one for one in candidates if one.front]
    if not best:
        raise ValueError(nothing_fits(candidates, limits, wish))
    chosen_one = recommend(best, limits, wish)
    precision = next(one for one in every if one.name == chosen_one.candidate.precision)
    name, fixed = _name(source)
    result = Exploration(
        model=name, limits=limits, wish=wish, objectives=wanted, seed=seed, space=where, precisions=every,
        candidates=tuple(candidates), recommendation=chosen_one, directory=folder,
        commands=steps(None if fixed else str(source), name, chosen_one.candidate, precision, limits, folder,
                       calibration=calibration, count=calibration_count, preprocessing=preprocessing),
    )  # fmt: skip
    result.save()
    return result


def _wish(min_fps: float, clock: float | None, images: int) -> Wish:
    if not 0 <= min_fps < float("inf"):
        raise ValueError(f"min_fps must be 0 or more frames a second, not {min_fps!r}")
    if clock is not None and not 1 <= clock <= 1000:
        raise ValueError(f"clock must be 1..1000 MHz, not {clock!r}")
    if isinstance(images, bool) or not isinstance(images, int) or images < 1:
        raise ValueError(f"images must be a positive integer, not {images!r}")
    return Wish(images=images, clock=clock, min_fps=min_fps)


def _key(limits: Limits, wish: Wish) -> list[Any]:
    return [limits.board.name, limits.room.to_json(), wish.images, wish.clock, wish.min_fps]


def _folder(output: str | Path) -> Path:
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{str(output)!r} is a file: give the name of a directory")
    if folder.is_dir() and any(folder.iterdir()) and not any((folder / n).exists() for n in (STORE, _WIDTHS)):
        raise ValueError(f"directory {str(output)!r} holds other files: give another name")
    if not folder.parent.is_dir():
        raise ValueError(f"directory {str(folder.parent)!r} does not exist: create it, or write elsewhere")
    return folder


def _name(source: QuantizedModel | str | Path) -> tuple[str, bool]:
    """The network's name, and whether it is quantized already."""
    if isinstance(source, QuantizedModel):
        return source.network.name, True
    return Path(source).name, Path(source).is_dir()


def _precisions(
    source: QuantizedModel | str | Path,
    folder: Path,
    wgt_bits: Sequence[float] | None,
    calibration: str | Path | None,
    count: int | None,
    accuracy: Images | str | Path | None,
    accuracy_count: int | None,
    preprocessing: Preprocessing | None,
    axes: dict[str, Axis],
    progress: Progress,
) -> tuple[Precision, ...]:
    from . import onnx_reader

    if _name(source)[1]:
        if calibration is not None or wgt_bits is not None or preprocessing is not None:
            raise ValueError(
                "a quantized model has its widths: give no calibration, wgt_bits or preprocessing"
            )
        model = source if isinstance(source, QuantizedModel) else quantized_io.load(str(source))
        shown = _images(accuracy, accuracy_count, model.network.image_shape)
        return (fixed_precision(model, shown),)
    graph = onnx_reader.read(str(source))
    shown = _images(accuracy, accuracy_count, graph.shapes[graph.input])
    bits = (
        wgt_bits if wgt_bits is not None else BITS if calibration is not None or shown is not None else (8.0,)
    )
    act, acc = (axis_values(name, axes.get(name, DEFAULTS[name]))[0] for name in ("act_width", "acc_width"))
    return precisions(
        str(source), folder / _WIDTHS, bits=bits, calibration=calibration, count=count, images=shown,
        preprocessing=preprocessing or Preprocessing(255.0), act_width=act, acc_width=acc, progress=progress,
    )  # fmt: skip


def _images(
    given: Images | str | Path | None, count: int | None, shape: tuple[int, int, int]
) -> Images | None:
    if given is None:
        return None
    found = given if isinstance(given, Images) else load_images(given, shape)
    if found.labels is None:
        raise ValueError("accuracy images must have labels: an .npz file with `images` and `labels`")
    return found if count is None else replace(found.first(count))
