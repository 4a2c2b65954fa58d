"""The command ``sweep``: its options."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from .cli_texts import IMAGES
from .sweep.axes import DEFAULTS

__all__ = ["AXES", "add_sweep"]

AXES = tuple(DEFAULTS)
"""Options that take several values: every parameter of an engine."""

_LATENCY = 30


def add_sweep(command: ArgumentParser, count_of: Any, known: Mapping[str, tuple[str, str]]) -> None:
    """The options of ``sweep`` but preprocessing. ``known``: range and meaning of engine options by name."""
    command.add_argument("source", metavar="DIR|MODEL.onnx|LAYERS.csv",
                         help="a quantized model, an ONNX file, or a layer table of SCALE-Sim")  # fmt: skip
    command.add_argument("-o", "--output", required=True, metavar="DIR",
                         help="directory to write, or to go on with")  # fmt: skip
    command.add_argument("--images", type=count_of("--images", 1), default=1, metavar="N",
                         help="how many run back to back for cycles_total and throughput (default: 1)")  # fmt: skip
    command.add_argument("--prove", type=count_of("--prove", 1), metavar="N",
                         help="also run N points, drawn at random, in RTL: a minute or more each")  # fmt: skip
    command.add_argument("--seed", type=count_of("--seed", 0), metavar="S",
                         help="of that draw and its images (default: a new one, which is printed)")  # fmt: skip
    cells = command.add_argument_group("cells and clock of each engine alone, as columns")
    how = cells.add_mutually_exclusive_group()
    how.add_argument("--resources", action="store_true",
                     help="by a model fitted on syntheses for ECP5; the clock is an estimate")  # fmt: skip
    how.add_argument("--synth", action="store_true",
                     help="by place and route of each, minutes to an hour (needs the extra synth)")  # fmt: skip
    cells.add_argument(
        "--device", default="ecp5-85f", metavar="NAME", help="of the engine (default: ecp5-85f)"
    )
    work = command.add_argument_group("who computes")
    work.add_argument("--jobs", type=count_of("--jobs", 1), metavar="N",
                      help="processes of this machine (default: one a processor)")  # fmt: skip
    work.add_argument("--scheduler", metavar="tcp://HOST:PORT",
                      help="a Dask scheduler and its workers instead (pip install 'systolith[cluster]')")  # fmt: skip
    exact = command.add_argument_group("accuracy: quantized once for each widths, measured, never chosen by")
    exact.add_argument("--accuracy", metavar="FILE", help=f"labelled images: {IMAGES}")
    exact.add_argument(
        "--count", type=count_of("--count", 1), metavar="N", help="the first N of them (default: all)"
    )
    exact.add_argument("--calib", metavar="FILE", help="calibration images (default: synthetic ones)")
    exact.add_argument("--calib-count", type=count_of("--calib-count", 1), metavar="N",
                       help="how many of them (default: 256, or all if there are fewer)")  # fmt: skip
    group = command.add_argument_group(
        "axes: one value, a list a,b,c, a range a:b or a:b:step with both ends"
    )
    for name in AXES:
        unit, meaning = known.get(name, ("a power of two in 2..16", "banks of the scratchpad"))
        group.add_argument(f"--{name.replace('_', '-')}", default=str(DEFAULTS[name]), metavar="VALUES",
                           help=f"{meaning}, {unit} (default: {DEFAULTS[name]})")  # fmt: skip
    group.add_argument("--mem-latency", type=count_of("--mem-latency", 1), default=_LATENCY, metavar="N",
                       help="cycles of the bench memory, not of the engine, so one value, 1..200 "
                       f"(default: {_LATENCY})")  # fmt: skip
