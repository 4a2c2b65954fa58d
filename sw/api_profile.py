"""``profile``: a run as a timeline, from the cycle model or from the RTL; as a picture, as a trace, as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..hw.config import EngineConfig
from ..quant.network import QuantizedNetwork
from . import integer_reference
from .api_files import file_target, fresh_file, write_whole
from .api_model import network_of
from .api_models import cycle_limit, reason
from .api_pictures import Picture, drawn
from .api_results import config_json, table
from .compiler import compile_network
from .cycle_model.record import record
from .cycle_model.report import require_run
from .images import Preprocessing
from .picture_timeline import draw_timeline
from .program import Program
from .quantized_io import QuantizedModel
from .recording import Recording, difference
from .timeline import Timeline, timeline
from .timeline_layers import LayerTime
from .timeline_window import layer_window, window_of
from .trace_events import trace_events

if TYPE_CHECKING:
    from ..sim.rtl import RtlResult

__all__ = ["SOURCES", "Profile", "against_model", "profile", "run_recorded"]

SOURCES = ("model", "rtl")

SUFFIXES = (".png", ".svg", ".pdf", ".json")

_HEAD = ("layer", "image", "start", "end", "cycles", "pixels", "wait", "weight", "bank", "pass", "loaded", "weights",
         "stored", "util %")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A run's timeline, and the part of it that was asked for. Notebooks show it as a picture."""

    config: Mapping[str, Any]
    quantized: bool
    """of a quantized model, not of an ONNX file in nominal formats."""
    timeline: Timeline
    window: tuple[int, int] | None = None
    """first and last cycle that are drawn; None: all."""
    path: Path | None = None
    """what was written."""
    error: str = ""
    """of a run in RTL: how it differs from the reference, or from the cycle model."""

    def picture(
        self, first: int | None = None, last: int | None = None, layers: Sequence[str] = ()
    ) -> Picture:
        """The whole run, or cycles ``first`` to ``last``, or those of some layers; else what ``profile`` was told."""
        window = window_of(self.timeline, first, last, layers) or self.window
        return drawn(lambda path: draw_timeline(path, self.timeline, window))

    def save(self, path: str | Path) -> Path:
        """Write the picture, or for the suffix .json the trace for https://ui.perfetto.dev."""
        if _suffix(path) == ".json":
            return write_whole(path, trace_events(self.timeline, self.window))
        with fresh_file(path) as scratch:
            draw_timeline(scratch, self.timeline, self.window)
        return Path(path)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types: spans, layers, cycles by the array's state."""
        return {
            **self.timeline.to_json(), "config": dict(self.config), "quantized": self.quantized, "window": self.window,
            "error": self.error, "path": None if self.path is None else str(self.path),
        }  # fmt: skip

    def to_text(self) -> str:
        """A table, one line a layer in the window, without one: of the last image; and the totals."""
        run, counts = self.timeline, self.timeline.recording.stalls()
        first, last = self.window or (0, run.cycles - 1)
        rows = [layer for layer in run.layers if layer.start <= last and layer.end >= first]
        if self.window is None:
            rows = [layer for layer in rows if layer.image == run.images - 1]
        words = sum(len(times) for times in run.recording.reads.values()), len(run.recording.writes)
        lines = table([_HEAD, *(_row(layer) for layer in rows)], right=range(1, len(_HEAD)))
        several = f" for {run.images} images back to back" if run.images > 1 else ""
        lines += ["", f"cycles       {run.cycles:,}{several}"]
        lines.append(f"utilization  {100 * run.utilization:.2f} %")
        lines.append("array        " + ", ".join(f"{name} {count:,}" for name, count in counts.items()))
        lines.append("port         " + ", ".join(
            f"{what} {100 * count / run.cycles:.1f} %" for what, count in zip(("reads", "writes"), words, strict=True)
        ))  # fmt: skip
        lines.append(f"source       {self._source()}")
        if self.path is not None:
            lines.append(f"written: {self.path}")
        return "\n".join(lines)

    def _source(self) -> str:
        nominal = "" if self.quantized else "; nominal formats: the file is not quantized"
        if self.timeline.recording.source == "model":
            return f"cycle model{nominal}"
        return f"RTL in Verilator; {self.error or 'outputs equal the reference, every event the cycle model'}{nominal}"

    def _repr_png_(self) -> bytes:
        return self.picture().png

    def __repr__(self) -> str:
        return self.to_text()


def _row(layer: LayerTime) -> tuple[str, ...]:
    counts = (layer.start, layer.end, layer.cycles, layer.pixels, layer.wait, layer.weight, layer.bank, layer.short,
              layer.loaded, layer.weights, layer.stored)  # fmt: skip
    return layer.name, str(layer.image), *(f"{count:,}" for count in counts), f"{100 * layer.utilization:.1f}"


def _suffix(path: str | Path) -> str:
    suffix = file_target(path).suffix
    if suffix not in SUFFIXES:
        raise ValueError(
            f"output must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, not {Path(path).name!r}"
        )
    return suffix


def profile(
    source: QuantizedModel | str | Path,
    config: EngineConfig | None = None,
    output: str | Path | None = None,
    *,
    images: int = 1,
    mem_latency: int = 30,
    preprocessing: Preprocessing | None = None,
    origin: str = "model",
    first: int | None = None,
    last: int | None = None,
    layers: Sequence[str] = (),
    progress: Callable[[str], None] = lambda line: None,
) -> Profile:
    """What every instruction does and when: fetched, loaded, computed, stored, cycle by cycle.

    Parameters
    ----------
    source, config, mem_latency, preprocessing : as for ``model``.
    output : a picture by its suffix .png, .svg, .pdf; .json: a trace that https://ui.perfetto.dev opens.
    images : how many run back to back.
    origin : "model": by the cycle model, at once; "rtl": the engine in Verilator computes random images (cycles do not
        depend on them); its outputs are compared with the reference, its events with the cycle model.
    first, last : draw these cycles and those between alone. layers : instead of these, the cycles of some layers.

    Raises ValueError naming what is wrong and the cure, before the run.
    """
    if origin not in SOURCES:
        raise ValueError(f"origin must be one of {', '.join(SOURCES)}, not {origin!r}")
    require_run(images, mem_latency)
    if output is not None:
        _suffix(output)
    engine = config or EngineConfig()
    network, quantized = network_of(source, engine, preprocessing)
    program = compile_network(network, engine)
    modelled = record(program, images, mem_latency)
    found, error = timeline(program, modelled, mem_latency), ""
    window = window_of(found, first, last, layers)
    if origin == "rtl":
        ran, error = run_recorded(network, program, images, mem_latency, progress)
        assert ran.recording is not None
        found = timeline(program, ran.recording, mem_latency)
        error = error or against_model(modelled, ran.recording)
        window = layer_window(found, layers) if layers else window
    result = Profile(
        config={**config_json(engine), "mem_latency": mem_latency}, quantized=quantized, timeline=found, window=window,
        path=None if output is None else Path(output), error=error,
    )  # fmt: skip
    if output is not None:
        progress(f"writing {output}")
        result.save(output)
    return result


def against_model(modelled: Recording, measured: Recording) -> str:
    """How a run in RTL differs from the cycle model, or ""."""
    apart = difference(modelled, measured)
    return "" if apart is None else f"the cycle model differs in {apart}"


def run_recorded(
    network: QuantizedNetwork,
    program: Program,
    images: int,
    mem_latency: int,
    progress: Callable[[str], None],
    scope: tuple[int, int] | None = None,
) -> tuple[RtlResult, str]:
    """A run of random images in RTL with its recording, and what is wrong with its outputs.

    ``scope``: first and last cycle whose signals are recorded too. Raises ValueError where there is no run.
    """
    from ..sim.build import BuildError
    from ..sim.random_network import random_codes
    from ..sim.rtl import RtlJob, SimulationError, run_jobs

    progress(f"RTL: building the simulation, then {images} image{'s back to back' * (images > 1)}")
    codes = random_codes(network, 1, images)
    limit = min(images * cycle_limit(program, mem_latency), (1 << 32) - 1)
    try:
        job = RtlJob(codes=codes, mem_latency=mem_latency, timeout=limit)
        (run,) = run_jobs(program, [job], probe=True, scope=scope)
    except (BuildError, SimulationError) as error:
        raise ValueError(f"rtl: {reason(error)}") from None
    if run.error is not None or run.recording is None:
        raise ValueError(f"rtl: {run.error or 'the run left no recording'}")
    progress("integer reference")
    for name, expected in integer_reference.run(network, codes, "outputs").items():
        wrong = np.stack([image[name] for image in run.outputs]) != expected
        if np.any(wrong):
            return (
                run,
                f"{int(np.count_nonzero(wrong)):,} codes of output {name!r} differ from the reference",
            )
    return run, ""
