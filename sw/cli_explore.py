"""The command ``explore``: its options, and how their text becomes values."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from typing import Any

from .api_explore import explore
from .api_explore_result import Exploration
from .cli_synth import megahertz
from .cli_texts import IMAGES
from .explore.search import SAMPLERS
from .explore.space import CHOICES, FIXED
from .images import Preprocessing
from .resources.parts import PARTS
from .sweep.axes import DEFAULTS
from .synthesis_boards import BOARDS

__all__ = ["add_explore", "run_explore"]

_AXES = tuple(name for name in DEFAULTS if name not in FIXED)
_BOARDS = tuple(name for name, board in BOARDS.items() if board.device in PARTS)


def add_explore(command: ArgumentParser, count_of: Any, known: Mapping[str, tuple[str, str]]) -> None:
    """The options of ``explore`` but preprocessing. ``known``: range and meaning of engine options by name."""
    command.add_argument("source", metavar="DIR|MODEL.onnx", help="a quantized model or an ONNX file")
    command.add_argument("--board", required=True, metavar="NAME", help=f"one of {', '.join(_BOARDS)}")
    command.add_argument("-o", "--output", required=True, metavar="DIR",
                         help="directory to write, or to go on with")  # fmt: skip
    command.add_argument("--min-fps", metavar="N", help="frames a second that are wanted (default: any)")
    command.add_argument("--clock", metavar="MHZ",
                         help="the clock that frames a second are at (default: an estimate from clocks that place and "
                              "route reached)")  # fmt: skip
    command.add_argument("--trials", type=count_of("--trials", 1), default=256, metavar="N",
                         help="engines to try, those of an earlier run included (default: 256)")  # fmt: skip
    command.add_argument("--seed", type=count_of("--seed", 0), default=1, metavar="S",
                         help="of the search (default: 1)")  # fmt: skip
    command.add_argument("--sampler", default=SAMPLERS[0], metavar="NAME",
                         help=f"{', '.join(SAMPLERS)}: the last tries all (default: {SAMPLERS[0]})")  # fmt: skip
    command.add_argument("--images", type=count_of("--images", 1), default=1, metavar="N",
                         help="how many run back to back (default: 1)")  # fmt: skip
    command.add_argument("--jobs", type=count_of("--jobs", 1), default=1, metavar="N",
                         help="processes of this machine (default: 1)")  # fmt: skip
    exact = command.add_argument_group("widths of weights, and what they are worth")
    exact.add_argument("--wgt-bits", metavar="A,B,...",
                       help="averages of a weight's bits, shared among the layers by their sensitivity (default: 8,6,4 "
                            "with --calib or --accuracy, else 8)")  # fmt: skip
    exact.add_argument("--calib", metavar="FILE", help=f"calibration images: {IMAGES}")
    exact.add_argument("--calib-count", type=count_of("--calib-count", 1), metavar="N",
                       help="how many of them (default: 256, or all if there are fewer)")  # fmt: skip
    exact.add_argument("--accuracy", metavar="FILE",
                       help="labelled images by which widths are chosen, so never those of the final test (default: "
                            "signal to noise against float on the calibration images)")  # fmt: skip
    exact.add_argument(
        "--count", type=count_of("--count", 1), metavar="N", help="the first N of them (default: all)"
    )
    group = command.add_argument_group(
        "choices: one value, a list a,b,c, a range a:b or a:b:step with both ends"
    )
    for name in _AXES:
        unit, meaning = known[name]
        default = CHOICES.get(name) or ("what the network can use" if name in ("fold_width", "fir_depth", "tables")
                                        else str(DEFAULTS[name]))  # fmt: skip
        group.add_argument(f"--{name.replace('_', '-')}", metavar="VALUES",
                           help=f"{meaning}, {unit} (default: {default})")  # fmt: skip


def _bits(text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"--wgt-bits must be averages like 8,6,4, not {text!r}") from None


def _frames(text: str | None) -> float:
    try:
        return 0.0 if text is None else float(text)
    except ValueError:
        raise ValueError(f"--min-fps must be a number, not {text!r}") from None


def run_explore(
    arguments: Namespace, preprocessing: Preprocessing | None, progress: Callable[[str], None]
) -> Exploration:
    """What the options ask for; raises ValueError."""
    axes = {name: getattr(arguments, name) for name in _AXES if getattr(arguments, name) is not None}
    return explore(
        arguments.source, arguments.output, board=arguments.board, min_fps=_frames(arguments.min_fps),
        clock=megahertz(arguments.clock, "--clock"), trials=arguments.trials, seed=arguments.seed,
        sampler=arguments.sampler, images=arguments.images, wgt_bits=_bits(arguments.wgt_bits),
        calibration=arguments.calib, calibration_count=arguments.calib_count, accuracy=arguments.accuracy,
        accuracy_count=arguments.count, preprocessing=preprocessing, jobs=arguments.jobs, progress=progress, **axes,
    )  # fmt: skip
