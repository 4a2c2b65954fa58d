"""The clock table: places and routes engines, keeps what it found, writes it into the page; what ``make fmax`` runs.

    python -m systolith.sw.bench_clock                     the fast engines; --slow: all; or engines by name
    python -m systolith.sw.bench_clock -o docs/benchmarks.md

It can be interrupted: every netlist and every seed that is done is kept, and the next run goes on from there. Rows of
engines that are not measured now stay on the page as they were.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..sim.toolchain import ToolchainError
from .api_files import file_target, write_whole
from .bench import written
from .benchmark.clock_cases import CLOCK_CASES, ClockCase, chosen_clocks
from .benchmark.clock_measure import measure_clock
from .benchmark.clock_results import Clock, clocks_from_json, clocks_to_json, shortcomings
from .benchmark.measure import revision

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="systolith clock bench", description="Measure the clocks of engines."
    )
    parser.add_argument("engines", nargs="*", help="engines by name; by default the fast ones")
    parser.add_argument("--slow", action="store_true", help="all engines")
    parser.add_argument("--list", action="store_true", help="list the engines and measure nothing")
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds 1 to N (default: the engine's)")
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="runs of nextpnr at a time (default: 1)"
    )
    parser.add_argument(
        "-o", "--output", type=Path, help="write the table into this page, and its numbers beside it"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Exit 1 if a target is missed or cells are not what they must be; all engines are measured first."""
    options = _parser().parse_args(arguments)
    try:
        cases = chosen_clocks(options.engines, options.slow)
        if options.jobs < 1 or (options.seeds is not None and options.seeds < 1):
            raise ValueError("--seeds and --jobs must be positive integers")
        rows = {} if options.output is None else _kept(file_target(options.output))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.list:
        for case in cases:
            print(f"{case.name:8} {case.device:10} {case.seeds} seeds  {case.config.describe()}")
        return 0
    commit, wrong = revision(), 0
    for number, case in enumerate(cases, 1):
        began, what = time.monotonic(), f"[{number}/{len(cases)}] {case.name}"
        try:
            row = _measured(case, commit, options.seeds, options.jobs, what, rows)
        except (ToolchainError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            _say("interrupted; netlists and seeds that are done are kept", what)
            return 130
        rows[case.name] = row
        lacks = shortcomings(case, row)
        wrong += bool(lacks)
        print(f"{case.name}: {_figures(row)}; {'; '.join(lacks) or 'as it must be'}", flush=True)
        _say(f"{time.monotonic() - began:.0f} s", what)
        if options.output is not None:
            _write(options.output, rows)
    return bool(wrong)


def _measured(
    case: ClockCase, commit: str, seeds: int | None, jobs: int, what: str, rows: dict[str, Clock]
) -> Clock:
    """A row; seeds of the same netlist that were measured before stay."""
    numbers = None if seeds is None else range(1, seeds + 1)
    row = measure_clock(case, commit, seeds=numbers, jobs=jobs, say=partial(_say, what=what))
    before = rows.get(case.name)
    if before is None or before.netlist != row.netlist or set(before.mhz) <= set(row.mhz):
        return row
    slower = before if (before.worst or 0) < (row.worst or 0) else row
    mhz = dict(sorted((before.mhz | row.mhz).items(), key=lambda item: int(item[0])))  # type: ignore[operator]
    return replace(row, mhz=mhz, limit=slower.limit)


def _say(line: str, what: str) -> None:
    """Progress."""
    print(f"{what}: {line}", file=sys.stderr, flush=True)


def _figures(row: Clock) -> str:
    if row.median is None:
        return "no figure"
    return f"{row.median:.1f} MHz, worst of {len(row.mhz)} seeds {row.worst:.1f}, {row.limit}"


def _numbers(output: Path) -> Path:
    return output.with_suffix(".clocks.json")


def _kept(output: Path) -> dict[str, Clock]:
    numbers = _numbers(output)
    return {row.case: row for row in clocks_from_json(numbers.read_text())} if numbers.is_file() else {}


def _write(output: Path, rows: dict[str, Clock]) -> None:
    ordered = [rows[case.name] for case in CLOCK_CASES if case.name in rows]
    write_whole(_numbers(output), clocks_to_json(ordered))
    write_whole(output, written(output))


if __name__ == "__main__":
    sys.exit(main())
