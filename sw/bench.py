"""The benchmark: measures cases, keeps what it found, writes the page; what ``make bench`` runs.

    python -m systolith.sw.bench                      the fast cases; --slow: all; or cases by name
    python -m systolith.sw.bench -o docs/benchmarks.md

Rows of cases that are not measured now stay on the page as they were, each with the commit it was measured at.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path

from ..sim.toolchain import ToolchainError
from .api_files import file_target, write_whole
from .benchmark.boards import boards_from_json, boards_section
from .benchmark.cases import CASES, chosen
from .benchmark.clock_page import clock_section
from .benchmark.clock_results import clocks_from_json
from .benchmark.measure import measure, measure_speeds, revision
from .benchmark.page import page
from .benchmark.results import Measurement, from_json, reached, to_json
from .benchmark.scalesim import beside_from_json
from .benchmark.scalesim_page import beside_section
from .benchmark.sources import DATA, find
from .benchmark.speed import Speed

__all__ = ["main", "written"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="systolith bench", description="Measure the benchmark's cases.")
    parser.add_argument("cases", nargs="*", help="cases by name; by default the fast ones")
    parser.add_argument(
        "--speed", action="store_true", help="measure the simulation's speed too, as without names"
    )
    parser.add_argument("--slow", action="store_true", help="all cases")
    parser.add_argument("--list", action="store_true", help="list the cases and measure nothing")
    parser.add_argument(
        "--data", type=Path, default=DATA, help="folder of the trained models (default: %(default)s)"
    )
    parser.add_argument(
        "-o", "--output", type=Path, help="write the page here, and its numbers beside it as .json"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Exit 1 if an integer or a cycle differs, a case fails or a target is missed; all cases are measured first."""
    options = _parser().parse_args(arguments)
    try:
        cases = chosen(options.cases, options.slow)
        rows, speeds = ({}, []) if options.output is None else _kept(file_target(options.output))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.list:
        for case in cases:
            targets = "; ".join(map(str, case.targets))
            print(f"{case.name:32} {case.config.rows}x{case.config.cols:<4} {targets}")
        return 0
    commit, wrong = revision(), 0
    for number, case in enumerate(cases, 1):
        began = time.monotonic()
        what = f"[{number}/{len(cases)}] {case.name}"
        source = find(case.network, options.data)
        if source is None:
            _say(f"left out, {options.data} does not hold it", what)
            continue
        try:
            row = measure(case, source, commit, progress=partial(_say, what=what))
        except (ToolchainError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        rows[case.name] = row
        wrong += not row.equal or not all(reached(target, row)[1] for target in case.targets)
        verdicts = [f"{target}: {_figure(row, *reached(target, row))}" for target in case.targets]
        print("; ".join([f"{case.name}: {_cycles(row)}", *verdicts]), flush=True)
        _say(f"{time.monotonic() - began:.0f} s", what)
        if options.output is not None:
            _write(options.output, rows, speeds)
    if options.speed or not options.cases:
        try:
            speeds = measure_speeds(commit, progress=lambda line: _say(line, "speed"))
        except (ToolchainError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        for speed in speeds:
            wrong += not speed.reached
            print(f"speed {speed.size}x{speed.size}: {speed.rate:,.0f} cycles a second", flush=True)
        if options.output is not None:
            _write(options.output, rows, speeds)
    return bool(wrong)


def _say(line: str, what: str) -> None:
    """Progress."""
    print(f"{what}: {line}", file=sys.stderr, flush=True)


def _kept(output: Path) -> tuple[dict[str, Measurement], list[Speed]]:
    numbers = output.with_suffix(".json")
    rows, speeds = from_json(numbers.read_text()) if numbers.is_file() else ([], [])
    return {row.case: row for row in rows}, speeds


def _write(output: Path, rows: dict[str, Measurement], speeds: list[Speed]) -> None:
    ordered = [rows[case.name] for case in CASES if case.name in rows]
    write_whole(output.with_suffix(".json"), to_json(ordered, speeds))
    write_whole(output, written(output))


def written(output: Path) -> str:
    """The page from the numbers beside it: these, those of ``bench_boards``, ``bench_clock`` and ``bench_scalesim``."""
    rows, speeds = _kept(output)
    boards, clocks, beside = (
        output.with_suffix(f".{kind}.json") for kind in ("boards", "clocks", "scalesim")
    )
    return "".join(
        (
            page(rows.values(), CASES, speeds),
            boards_section(boards_from_json(boards.read_text()) if boards.is_file() else ()),
            clock_section(clocks_from_json(clocks.read_text()) if clocks.is_file() else ()),
            beside_section(beside_from_json(beside.read_text()) if beside.is_file() else ()),
        )
    )


def _cycles(row: Measurement) -> str:
    if row.error:
        return row.error
    cycles = f"{row.one:,} cycles" if row.one is not None else "no cycles"
    return cycles if row.total is None or row.images < 2 else f"{cycles}, {row.images} images {row.total:,}"


def _figure(row: Measurement, value: float | None, met: bool) -> str:
    return "no figure" if value is None else f"{value:,.2f}, {'reached' if met else 'MISSED'}"


if __name__ == "__main__":
    sys.exit(main())
