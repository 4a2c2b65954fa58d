"""``sweep``: one model, or a layer table, on many engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..hw.config import EngineConfig
from . import onnx_reader, quantized_io
from .api_sweep_accuracy import AccuracyPlan
from .api_sweep_resources import check_resources, with_resources
from .api_sweep_result import Sweep
from .api_verify import Progress, quiet
from .cycle_model.report import require_run
from .images import Images, Preprocessing
from .quantized_io import QuantizedModel
from .sweep.axes import Axis, combinations, grid
from .sweep.executors import Executor, InProcess
from .sweep.keys import key_of
from .sweep.local import LocalProcesses, default_jobs
from .sweep.measure import Figures, Job, Widths, Workload
from .sweep.models import QuantizedNetworkWorkload, nominal_model
from .sweep.point import Point, front
from .sweep.run import fill
from .sweep.store import Store
from .sweep.topology import read_topology

__all__ = ["sweep"]

STORE = "points.sqlite"


def sweep(
    source: QuantizedModel | str | Path,
    output: str | Path | None = None,
    *,
    images: int = 1,
    mem_latency: int = 30,
    preprocessing: Preprocessing | None = None,
    accuracy: Images | str | Path | None = None,
    accuracy_count: int | None = None,
    calibration: str | Path | None = None,
    calibration_count: int | None = None,
    resources: str | None = None,
    device: str = "ecp5-85f",
    jobs: int | None = None,
    scheduler: str | None = None,
    progress: Progress = quiet,
    **axes: Axis,
) -> Sweep:
    """Cycles, utilization, bytes, energy proxy and memory of a model on every engine of a grid.

    Parameters
    ----------
    source : a quantized model, its directory, an ONNX file (in nominal formats of each point's widths), or a layer
        table of SCALE-Sim (.csv).
    output : a directory for store, tables and picture; what is in its store is not computed again, so an interrupted
        sweep goes on. None: nothing is kept.
    images : how many run back to back for ``cycles_total``.
    mem_latency, preprocessing : as for ``model``.
    accuracy : labelled images; the network is quantized once for each widths of activations, weights and accumulators
        (``calibration``: its images, None: synthetic ones) and the integer reference measured on them.
    resources, device : "model": LUT, FF, DSP, BRAM of an ECP5 by the fitted model, and an estimate of the clock;
        "synthesis": all of them by place and route of each engine on ``device``, minutes to an hour each.
    jobs : processes of this machine; None: one a processor.
    scheduler : ``tcp://host:port`` of a Dask scheduler, whose workers compute instead.
    axes : values of ``EngineConfig``'s parameters: an integer, integers, or text like "4:32:4" (both ends included)
        and "4,8,16"; those not named have their defaults.

    What an engine or the compiler refuses is a point with its reason. Raises ValueError for input that cannot be used.
    """
    require_run(images, mem_latency)
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
        raise ValueError(f"jobs must be a positive integer, not {jobs!r}")
    check_resources(resources, device)
    values = grid(axes)
    every = combinations(values)
    folder = None if output is None else _folder(output)
    refused: dict[int, str] = {}
    for number, one in enumerate(every):
        try:
            EngineConfig(**one)
        except ValueError as error:
            refused[number] = str(error)
    valid = [_widths(one) for number, one in enumerate(every) if number not in refused]
    widths = list(dict.fromkeys(valid))
    name, workload = _workload(source, widths, preprocessing)
    measured = AccuracyPlan(source, preprocessing, accuracy, accuracy_count, calibration, calibration_count)
    digests = {each: workload.digest(each) for each in widths}
    keys = {
        number: key_of("point", digests[_widths(one)], one, images, mem_latency)
        for number, one in enumerate(every)
        if number not in refused
    }
    if folder is not None:
        folder.mkdir(exist_ok=True)
    with Store(None if folder is None else folder / STORE) as store:
        job = Job(workload=workload, images=images, mem_latency=mem_latency)
        start = partial(_executor, job, min(jobs or default_jobs(), len(keys)), scheduler, progress)
        wanted = {key: every[number] for number, key in keys.items()}
        figures = fill(wanted, store, start, progress)
        accuracies = measured.measure(widths, store, progress)
    points = [
        Point(
            values=one, images=images,
            figures=Figures(reason=refused[n], refused=True) if n in refused else figures[keys[n]],
            accuracy={} if n in refused else accuracies.get(_widths(one), {}),
        )
        for n, one in enumerate(every)
    ]  # fmt: skip
    if resources is not None:
        points = with_resources(points, resources, device, progress)
    found = Sweep(
        model=name, axes=values, points=tuple(front(points)), images=images, mem_latency=mem_latency,
        workload=workload,
    )  # fmt: skip
    if folder is not None:
        found = replace(found, directory=folder)
        found.save(folder)
    return found


def _widths(values: Mapping[str, Any]) -> Widths:
    return values["act_width"], values["wgt_width"], values["acc_width"]


def _folder(output: str | Path) -> Path:
    """The directory of a sweep: new, empty, or one's own. Raises ``ValueError``."""
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{str(output)!r} is a file: give the name of a directory")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / STORE).is_file():
        raise ValueError(f"directory {str(output)!r} holds other files: give another name")
    if not folder.parent.is_dir():
        raise ValueError(f"directory {str(folder.parent)!r} does not exist: create it, or write elsewhere")
    return folder


def _workload(
    source: QuantizedModel | str | Path, widths: list[Widths], preprocessing: Preprocessing | None
) -> tuple[str, Workload]:
    """What runs, and its name."""
    if isinstance(source, (str, Path)) and not Path(source).is_dir():
        if Path(source).suffix.lower() != ".csv":
            return Path(source).name, nominal_model(
                onnx_reader.read(source), preprocessing or Preprocessing(255.0), widths
            )
        if preprocessing is not None:
            raise ValueError("a layer table has no pixels: give no preprocessing")
        return Path(source).name, read_topology(source)
    if preprocessing is not None:
        raise ValueError("a quantized model holds its preprocessing: give none")
    model = source if isinstance(source, QuantizedModel) else quantized_io.load(source)
    name = model.network.name if isinstance(source, QuantizedModel) else Path(source).name
    return name, QuantizedNetworkWorkload(model.network)


def _executor(job: Job, jobs: int, scheduler: str | None, progress: Callable[[str], None]) -> Executor:
    if scheduler is not None:
        from .sweep.cluster import Cluster

        return Cluster(job, scheduler, progress)
    return InProcess(job) if jobs == 1 else LocalProcesses(job, jobs)
