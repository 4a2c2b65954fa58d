"""The commands that build a candidate: quantize, compile, synthesize for the board.

systolith quantize MODEL ... -o net.q ; systolith compile net.q ENGINE -o net.program
systolith synth --board BOARD --program net.program --memory BYTES --clock MHZ -o net.bit
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from ...hw.config import EngineConfig
from ..images import Preprocessing
from .candidate import Candidate
from .limits import Limits
from .precision import Precision

__all__ = ["compile_command", "engine_options", "quantize_command", "synth_command"]


def engine_options(config: EngineConfig, base: EngineConfig) -> list[str]:
    """Options for the fields that are not those of ``base``."""
    words = []
    for field in fields(config):
        value = getattr(config, field.name)
        if value != getattr(base, field.name):
            words += [f"--{field.name.replace('_', '-')}", str(int(value))]
    return words


def _joined(words: Sequence[str]) -> str:
    return shlex.join(["systolith", *words])


def _numbers(values: Sequence[float]) -> str:
    return ",".join(f"{value:.10g}" for value in values)


def quantize_command(
    model: str,
    candidate: Candidate,
    precision: Precision,
    *,
    bits_file: Path | None,
    calibration: str | Path | None,
    count: int | None,
    preprocessing: Preprocessing | None,
) -> str:
    """``bits_file``: where the precision's widths by layer are."""
    words = ["quantize", model, *(["--data-free"] if calibration is None else ["--calib", str(calibration)])]
    words += [] if count is None else ["--calib-count", str(count)]
    if preprocessing is not None:
        words += ["--scale", _numbers([preprocessing.scale]), f"--mean={_numbers(preprocessing.mean)}",
                  "--std", _numbers(preprocessing.std)]  # fmt: skip
    for name in ("act_width", "acc_width"):
        if candidate.values[name] != getattr(EngineConfig(), name):
            words += [f"--{name.replace('_', '-')}", str(candidate.values[name])]
    words += (
        ["--wgt-width", str(precision.wgt_width)] if precision.wgt_width != EngineConfig().wgt_width else []
    )
    words += [] if bits_file is None else ["--wgt-bits", str(bits_file)]
    return _joined([*words, "-o", "net.q"])


def compile_command(quantized: str, candidate: Candidate) -> str:
    """The program, of the candidate's engine."""
    words = engine_options(candidate.config, EngineConfig())
    return _joined(["compile", quantized, *words, "-o", "net.program"])


def synth_command(candidate: Candidate, limits: Limits, *, program: bool) -> str:
    """The board's bitstream: with the program's engine and contents, or of the engine alone in the same memory."""
    words = ["synth", "--board", limits.board.name]
    words += (
        ["--program", "net.program"] if program else engine_options(candidate.config, limits.board.config())
    )
    return _joined(
        [*words, "--memory", str(candidate.memory), "--clock", f"{candidate.clock:g}", "-o", "net.bit"]
    )
