"""``Exploration``: what ``explore`` leaves: candidates, the Pareto front, one recommended point, tables, a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .api_files import write_whole
from .api_pictures import Picture, drawn
from .api_results import table
from .explore.candidate import Candidate
from .explore.commands import compile_command, quantize_command, synth_command
from .explore.evaluate import Wish
from .explore.limits import Limits
from .explore.objectives import Objective
from .explore.precision import Precision
from .explore.recommend import Recommendation
from .explore.space import Space
from .images import Preprocessing
from .picture_explore import Spot, draw_explore
from .resources.model import summary_text
from .sweep.point import csv_text

__all__ = ["RESULTS", "Exploration", "steps"]

RESULTS = ("explore.json", "explore.csv", "explore.txt", "explore.png")
_BITS = "bits"
_LABELS = 12


def steps(
    model: str | None,
    name: str,
    candidate: Candidate,
    precision: Precision,
    limits: Limits,
    folder: Path,
    *,
    calibration: str | Path | None,
    count: int | None,
    preprocessing: Preprocessing | None,
) -> tuple[str, ...]:
    """The commands that build a candidate, in their order. ``model``: the ONNX file, None: quantized already."""
    found = []
    if model is not None:
        file = folder / _BITS / f"{precision.name.replace(' ', '-')}.json" if precision.widths else None
        command = quantize_command(model, candidate, precision, bits_file=file, calibration=calibration, count=count,
                                   preprocessing=preprocessing)  # fmt: skip
        found.append(command)
    found.append(compile_command("net.q" if model is not None else name, candidate))
    return (*found, synth_command(candidate, limits, program=True))


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """Every candidate that was tried, in the order of the trials; the first ``commands`` lead to the last."""

    model: str
    limits: Limits
    wish: Wish
    objectives: tuple[Objective, ...]
    seed: int
    space: Space
    precisions: tuple[Precision, ...]
    candidates: tuple[Candidate, ...]
    recommendation: Recommendation
    commands: tuple[str, ...]
    directory: Path

    @property
    def front(self) -> tuple[Candidate, ...]:
        """The candidates that no other beats, those of most frames first."""
        best = [one for one in self.candidates if one.front]
        return tuple(sorted(best, key=lambda one: (-one.frames_per_second, one.cell_row["dsp"])))

    @property
    def engine_command(self) -> str:
        """The board's bitstream of the recommended engine without a program."""
        return synth_command(self.recommendation.candidate, self.limits, program=False)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {
            "model": self.model, "board": self.limits.board.name, "device": self.limits.board.device,
            "cells": self.limits.there.to_json(), "room": self.limits.room.to_json(),
            "min_fps": self.wish.min_fps, "images": self.wish.images, "seed": self.seed,
            "objectives": {one.name: one.direction for one in self.objectives},
            "choices": {name: list(values) for name, values in self.space.chosen.items()},
            "precisions": [
                {"name": one.name, "wgt_width": one.wgt_width, "widths": dict(one.widths), "judged": one.judged,
                 "accuracy": None if one.accuracy is None else one.accuracy.to_json()}
                for one in self.precisions
            ],
            "recommended": {**self.recommendation.candidate.to_json(), "reasons": list(self.recommendation.reasons),
                            "commands": list(self.commands), "engine_command": self.engine_command},
            "front": [one.to_json() for one in self.front],
            "points": [one.to_json() for one in self.candidates],
            "directory": str(self.directory),
        }  # fmt: skip

    def to_csv(self) -> str:
        """One line a candidate; nested names are joined: ``cells_lut``."""
        return csv_text(one.to_json() for one in self.candidates)

    def to_text(self) -> str:
        """The front as a table, the recommended point, its reasons and its commands."""
        shown = [name for name in self.space.chosen if name not in ("rows", "cols", "precision")]
        own = [one.name for one in self.objectives if one.name not in ("frames", "accuracy", "dsp", "bram")]
        judged = self.precisions[0].accuracy
        score = [] if judged is None else ["SQNR dB" if judged.top1 is None else "top-1 %"]
        head = [
            "",
            "array",
            *shown,
            "weights",
            "frames/s",
            "MHz",
            "util %",
            *score,
            "LUT",
            "FF",
            "DSP",
            "BRAM",
            *own,
        ]
        lines = table([head, *(self._row(one, shown, own) for one in self.front)], right=range(2, len(head)))
        fit = sum(one.ok for one in self.candidates)
        lines += ["", f"{self.limits.board.name}, {len(self.candidates)} engines tried, {fit} fit; these are the front",
                  summary_text(), "", f"* recommended: {self.recommendation.candidate.name}"]  # fmt: skip
        lines += [f"  - {reason}" for reason in self.recommendation.reasons]
        lines += ["to build it:", *(f"  {command}" for command in self.commands)]
        return "\n".join(
            [*lines, f"or without a program: {self.engine_command}", f"written: {self.directory}"]
        )

    def _row(self, one: Candidate, shown: Sequence[str], own: Sequence[str]) -> list[str]:
        mark = "*" if one == self.recommendation.candidate else ""
        cells = [mark, f"{one.values['rows']}x{one.values['cols']}", *(f"{one.values[n]:,}" for n in shown)]
        cells += [
            one.precision,
            f"{one.frames_per_second:,.1f}",
            f"{one.clock:g}",
            f"{100 * one.utilization:.1f}",
        ]
        if one.accuracy is not None:
            value = one.accuracy.top1 if one.accuracy.top1 is not None else one.accuracy.sqnr_db
            cells.append(f"{value:.2f}")
        cells += [f"{count:,}" for count in one.cell_row.values()]
        return [*cells, *(f"{one.scores[name]:.6g}" for name in own)]

    def picture(self) -> Picture:
        """Frames a second against DSPs; block RAMs as colour; the board's limits; the recommended point."""
        best = self.recommendation.candidate
        able = [one for one in self.candidates if one.figures.cycles_total and set(one.lacks) <= {"frames"}]
        named = {id(one) for one in sorted(self.front, key=lambda one: -one.frames_per_second)[:_LABELS]}
        spots = [
            Spot(
                dsp=one.cell_row["dsp"], bram=one.cell_row["bram"], frames=one.frames_per_second, front=one.front,
                chosen=one == best, slow=not one.ok,
                label=one.name if one == best else _size(one) if id(one) in named else "",
            )
            for one in able
        ]  # fmt: skip
        clocks = {one.clock for one in able}
        each = f"at {best.clock:g} MHz" if len(clocks) == 1 else "at each engine's clock"
        return drawn(
            lambda path: draw_explore(
                path, title=f"{self.model} on {self.limits.board.title}", spots=spots,
                dsp_room=self.limits.room.dsp, bram_room=self.limits.room.bram, wanted=self.wish.min_fps,
                clock=f"{each}{' (an estimate)' if best.clock_estimated else ''}",
            )
        )  # fmt: skip

    def save(self) -> None:
        """Write ``RESULTS`` into the directory, and the widths by layer of every precision that has some."""
        target = self.directory
        for one in self.precisions:
            if one.widths:
                (target / _BITS).mkdir(exist_ok=True)
                name = f"{one.name.replace(' ', '-')}.json"
                write_whole(target / _BITS / name, json.dumps(dict(one.widths), indent=1) + "\n")
        write_whole(target / RESULTS[0], json.dumps(self.to_json(), indent=1, allow_nan=False) + "\n")
        write_whole(target / RESULTS[1], self.to_csv())
        write_whole(target / RESULTS[2], self.to_text() + "\n")
        self.picture().save(target / RESULTS[3])

    def _repr_png_(self) -> bytes:
        return self.picture().png

    def __repr__(self) -> str:
        return self.to_text()


def _size(one: Candidate) -> str:
    return f"{one.values['rows']}x{one.values['cols']}"
