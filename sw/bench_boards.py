"""Networks on boards: bitstreams, the simulation of their RTL, and the table of the page; what ``make boards`` runs.

    python -m systolith.sw.bench_boards -o docs/benchmarks.md [--bitstreams FOLDER] [names]

What is placed and what is simulated is kept: the same command again takes seconds. Rows of networks that are not
measured now stay as they were.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from ..sim.toolchain import ToolchainError
from .api_files import file_target, write_whole
from .bench import written
from .benchmark.boards import BOARD_CASES, BoardRun, boards_from_json, boards_to_json, measure_board
from .benchmark.measure import revision
from .benchmark.sources import DATA, find

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="systolith board bench", description="Measure networks on boards.")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BOARD_CASES)} (default: all)")
    parser.add_argument(
        "--data", type=Path, default=DATA, help="folder of the trained models (default: %(default)s)"
    )
    parser.add_argument("--bitstreams", type=Path, help="copy each bitstream to NAME.bit in this folder")
    parser.add_argument(
        "-o", "--output", type=Path, help="write the table into this page, its numbers beside it"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Exit 1 if a clock is missed or a code is wrong; 2 where nothing could be measured."""
    options = _parser().parse_args(arguments)
    names, failed = options.names or list(BOARD_CASES), False
    try:
        if unknown := [name for name in names if name not in BOARD_CASES]:
            raise ValueError(f"the name must be one of {', '.join(BOARD_CASES)}, not {unknown[0]!r}")
        runs = {} if options.output is None else _kept(file_target(options.output))
        for name in names:
            say = partial(print, f"{name}:", file=sys.stderr, flush=True)
            source = find(BOARD_CASES[name].network, options.data)
            if source is None:
                say(f"left out, {options.data} does not hold it")
                continue
            target = None if options.bitstreams is None else options.bitstreams / f"{name}.bit"
            run = runs[name] = measure_board(BOARD_CASES[name], source, revision(), output=target, say=say)
            failed |= not run.met
            print(f"{name}: {run.frames:,.1f} frames a second: {run.clock:g} MHz, reached {run.reached:.1f}, "
                  f"{run.cycles:,} cycles, {run.wrong} of {run.compared} codes wrong", flush=True)  # fmt: skip
            if options.output is not None:
                write_whole(
                    _numbers(options.output), boards_to_json(runs[n] for n in BOARD_CASES if n in runs)
                )
                write_whole(options.output, written(options.output))
    except (ValueError, ToolchainError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return int(failed)


def _numbers(output: Path) -> Path:
    return output.with_suffix(".boards.json")


def _kept(output: Path) -> dict[str, BoardRun]:
    numbers = _numbers(output)
    return {run.case: run for run in boards_from_json(numbers.read_text())} if numbers.is_file() else {}


if __name__ == "__main__":
    sys.exit(main())
