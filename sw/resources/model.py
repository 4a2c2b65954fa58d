"""``predict``: what an engine takes of an ECP5, alone or on a board; the runs it is fitted on, and how well it does.

DSP, BRAM = ``design``'s, exact        LUT, FF = sum over features of coefficient * feature        (ecp5.json)
error     = |predicted - counted| / counted, on runs of sizes that the fit has not seen
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from ...hw.config import EngineConfig
from .cells import Cells
from .design import engine_blocks, memory_blocks, multipliers
from .features import beside, features
from .fit import fit

__all__ = [
    "DATA",
    "FITTED",
    "Run",
    "errors",
    "fitted",
    "median_error",
    "predict",
    "predict_beside",
    "runs",
    "summary_text",
]

DATA = Path(__file__).with_name("ecp5.json")
"""Runs and coefficients."""

FITTED = ("lut", "ff")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One synthesis: of an engine, or, with ``words``, of what stands beside it on a board."""

    config: Mapping[str, int]
    cells: Cells
    held_out: bool = False
    words: int | None = None

    @property
    def engine(self) -> EngineConfig:
        """The engine's description."""
        values: dict[str, Any] = dict(self.config)
        return EngineConfig(**values)

    @property
    def features(self) -> Mapping[str, float]:
        """Of the engine, or of what is beside it."""
        return features(self.engine) if self.words is None else beside(self.engine, self.words)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types; what is not there is left out."""
        row: dict[str, Any] = {"config": dict(self.config), "cells": self.cells.to_json()}
        row |= {"held_out": True} if self.held_out else {}
        return row if self.words is None else {**row, "words": self.words}


@cache
def _data() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(DATA.read_text())
    return found


def runs(document: Mapping[str, Any] | None = None) -> tuple[Run, ...]:
    """Those that the coefficients come from, and those held out."""
    rows = (_data() if document is None else document)["runs"]
    return tuple(Run(**{**row, "cells": Cells(**row["cells"])}) for row in rows)


def fitted(known: Sequence[Run]) -> dict[str, dict[str, dict[str, float]]]:
    """Coefficients by ``engine`` or ``beside``, by kind of cell, by feature; runs held out are not looked at."""
    chosen = {
        "engine": [run for run in known if run.words is None and not run.held_out],
        "beside": [run for run in known if run.words is not None and not run.held_out],
    }
    return {
        part: {
            kind: fit([r.features for r in rows], [getattr(r.cells, kind) for r in rows]) for kind in FITTED
        }
        for part, rows in chosen.items()
    }


def _sum(part: str, kind: str, sizes: Mapping[str, float]) -> int:
    weights: Mapping[str, float] = _data()["coefficients"][part][kind]
    return round(sum(weights[name] * size for name, size in sizes.items()))


def predict(config: EngineConfig) -> Cells:
    """Of an engine alone. Raises ValueError for a serial one."""
    blocks, sizes = engine_blocks(config), features(config)
    return Cells(
        lut=_sum("engine", "lut", sizes), ff=_sum("engine", "ff", sizes), dsp=multipliers(config), bram=blocks
    )


def predict_beside(config: EngineConfig, words: int) -> Cells:
    """Of the serial link and the memory of ``words`` port words on a board."""
    sizes = beside(config, words)
    return Cells(
        lut=_sum("beside", "lut", sizes),
        ff=_sum("beside", "ff", sizes),
        dsp=0,
        bram=memory_blocks(config, words),
    )


def errors(known: Sequence[Run], kind: str, coefficients: Mapping[str, Any]) -> list[float]:
    """Of each run, with the sign: 0.1 is 10 % too much."""
    found = []
    for run in known:
        weights = coefficients["engine" if run.words is None else "beside"][kind]
        guess = sum(weights[name] * size for name, size in run.features.items())
        found.append(guess / getattr(run.cells, kind) - 1)
    return found


def median_error(known: Sequence[Run], kind: str, coefficients: Mapping[str, Any]) -> float:
    """The median of the errors' sizes."""
    return median(abs(error) for error in errors(known, kind, coefficients))


def summary_text() -> str:
    """One line: what the figures rest on."""
    found = _data()["summary"]
    fitted_on, errors_ = (
        found["runs"] - found["held_out"],
        [100 * found[kind]["median_error"] for kind in FITTED],
    )
    return (
        f"DSP and BRAM are exact; LUT and FF are fitted on {fitted_on} syntheses, their median errors on "
        f"{found['held_out']} others are {errors_[0]:.1f} and {errors_[1]:.1f} %"
    )
