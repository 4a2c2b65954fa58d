"""Bitstreams of all open boards and the table of docs/boards.md; what ``make boards`` runs first.

    python -m systolith.sw.bench_bitstreams -o docs/boards.md [--bitstreams FOLDER] [boards]

It can be interrupted: every netlist and every routed design is kept, and the table is written after each board. Rows of
boards that are not made now stay as they were.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from ..sim.rtl import SimulationError
from ..sim.toolchain import ToolchainError
from .api_files import file_target, write_whole
from .benchmark.bitstreams import (
    BOARD_CLOCKS,
    Bitstream,
    bitstreams_from_json,
    bitstreams_table,
    bitstreams_to_json,
    make_bitstream,
)
from .benchmark.measure import revision
from .synthesis_boards import BOARDS

__all__ = ["BEGIN", "END", "main", "with_table"]

BEGIN, END = "<!-- bitstreams: begin -->\n", "<!-- bitstreams: end -->\n"
"""Lines of the page between which the table stands."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="systolith bitstreams", description="Make bitstreams of boards.")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BOARD_CLOCKS)} (default: all)")
    parser.add_argument("--bitstreams", type=Path, help="copy each bitstream to BOARD.SUFFIX in this folder")
    parser.add_argument(
        "-o", "--output", type=Path, help="write the table into this page, its numbers beside it"
    )
    return parser


def with_table(page: str, made: dict[str, Bitstream]) -> str:
    """The page with the table in its place. Raises ValueError where it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page must have the lines {BEGIN.strip()} and {END.strip()}")
    return before + begin + bitstreams_table(made.values()) + end + after


def main(arguments: list[str] | None = None) -> int:
    """Exit 1 if a board has no bitstream, misses its clock or computes a wrong code; all are tried."""
    options = _parser().parse_args(arguments)
    names, failed = options.names or list(BOARD_CLOCKS), False
    try:
        if unknown := [name for name in names if name not in BOARD_CLOCKS]:
            raise ValueError(f"the board must be one of {', '.join(BOARD_CLOCKS)}, not {unknown[0]!r}")
        made = {} if options.output is None else _kept(file_target(options.output))
        if options.output is not None:
            with_table(options.output.read_text(), made)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name in names:
        board = BOARDS[name]
        target = options.bitstreams and options.bitstreams / f"{name}.{board.target.family.suffix}"
        say = partial(print, f"{name}:", file=sys.stderr, flush=True)
        try:
            one = made[name] = make_bitstream(board, BOARD_CLOCKS[name], revision(), output=target, say=say)
        except (ValueError, ToolchainError, SimulationError, OSError) as error:
            print(f"{name}: error: {error}", file=sys.stderr)
            failed = True
            continue
        failed |= not one.met
        print(f"{name}: {one.clock:g} MHz, reached {one.reached:.1f}, {one.size:,} bytes, "
              f"{one.wrong} of {one.compared} codes wrong", flush=True)  # fmt: skip
        if options.output is not None:
            write_whole(_numbers(options.output), bitstreams_to_json(made.values()))
            write_whole(options.output, with_table(options.output.read_text(), made))
    return int(failed)


def _numbers(output: Path) -> Path:
    return output.with_suffix(".json")


def _kept(output: Path) -> dict[str, Bitstream]:
    numbers = _numbers(output)
    return {one.board: one for one in bitstreams_from_json(numbers.read_text())} if numbers.is_file() else {}


if __name__ == "__main__":
    sys.exit(main())
