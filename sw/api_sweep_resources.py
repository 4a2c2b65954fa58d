"""Cells and clock of a sweep's engines: by the resource model, or by place and route of each.

model       LUT, FF fitted, DSP, BRAM exact, the clock an estimate (``resources``)             ECP5 alone
synthesis   all of them by place and route, kept by content (``synthesis``)                   every device
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..hw.config import EngineConfig
from .api_verify import Progress
from .benchmark.clock_measure import cells_by_kind
from .resources.clock import estimate
from .resources.model import predict
from .resources.parts import part_named
from .sweep.point import Point
from .synthesis import synthesize
from .synthesis_devices import device_named
from .synthesis_tools import SynthesisError, find

__all__ = ["SOURCES", "check_resources", "with_resources"]

SOURCES = ("model", "synthesis")


def check_resources(source: str | None, device: str) -> None:
    """Raise ValueError for what is none of ``SOURCES``, an unknown device, or one without a model; before any work."""
    if source is None:
        return
    if source not in SOURCES:
        raise ValueError(f"resources must be {' or '.join(SOURCES)}, not {source!r}")
    target = device_named(device)
    if source == "model":
        part_named(device)
        return
    for program in target.family.programs[:2]:
        find(program, target.family.packages[program])


def with_resources(points: Sequence[Point], source: str, device: str, progress: Progress) -> list[Point]:
    """The points with ``resources``: of each engine once, however many points have it."""
    known: dict[EngineConfig, Mapping[str, Any]] = {}
    able = {point.config for point in points if point.ok}
    found = []
    for point in points:
        if point.ok and point.config not in known:
            if source == "synthesis":
                progress(f"engine {len(known) + 1} of {len(able)}: {point.config.describe()}")
            known[point.config] = _row(point.config, source, device, progress)
        found.append(replace(point, resources=known[point.config]) if point.ok else point)
    return found


def _row(config: EngineConfig, source: str, device: str, progress: Progress) -> dict[str, Any]:
    """``lut``, ``ff``, ``dsp``, ``bram``, ``fmax_mhz``, where they are from; or a ``reason``."""
    row: dict[str, Any] = {"device": device, "source": source}
    try:
        if source == "model":
            clock = {"fmax_mhz": estimate(config), "fmax_is": "estimate"}
            return {**row, **predict(config).to_json(), **clock}
        made = synthesize(config, device=device, say=progress)
    except (SynthesisError, ValueError) as error:
        return {**row, "reason": str(error)}
    cells = cells_by_kind({name: used for name, (used, _) in made.resources.items()})
    found = {kind.lower(): count for kind, count in cells.items()}
    return {**row, **found, "fmax_mhz": round(made.mhz, 3), "fmax_is": "place and route"}
