"""Layer tables beside SCALE-Sim: both sides, and the table of the page; what ``make bench-scalesim`` runs.

    python -m systolith.sw.bench_scalesim --scalesim PYTHON -o docs/benchmarks.md [names]

PYTHON has SCALE-Sim (pip install 'scalesim==3.0.0' 'numpy<2'). What is computed is kept: interrupted, the same command
goes on. Rows of tables that are not measured now stay as they were.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from .api_files import file_target, write_whole
from .bench import written
from .benchmark.measure import revision
from .benchmark.scalesim import (
    SIZES,
    Beside,
    beside_from_json,
    beside_to_json,
    measure_beside,
    scalesim_version,
)
from .benchmark.scalesim_tables import TABLES

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="systolith scalesim bench", description="Layer tables beside SCALE-Sim."
    )
    parser.add_argument("names", nargs="*", help=f"of {', '.join(TABLES)} (default: all)")
    parser.add_argument("--scalesim", required=True, metavar="PYTHON", help="a Python that has SCALE-Sim")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="arrays (default: %(default)s)")
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="processes of the cycle model (default: 1)"
    )
    parser.add_argument(
        "-o", "--output", type=Path, help="write the table into this page, its numbers beside it"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Exit 2 where nothing could be measured, else 0: who is faster is a figure, not a verdict."""
    options = _parser().parse_args(arguments)
    names = options.names or list(TABLES)
    try:
        if unknown := [name for name in names if name not in TABLES]:
            raise ValueError(f"the name must be one of {', '.join(TABLES)}, not {unknown[0]!r}")
        chosen = [word for word in options.sizes.split(",") if word]
        if wrong := [word for word in chosen if word not in map(str, SIZES)]:
            raise ValueError(f"--sizes must be some of {', '.join(map(str, SIZES))}, not {wrong[0]!r}")
        rows = {} if options.output is None else _kept(file_target(options.output))
        scalesim_version(options.scalesim)
        for name in names:
            for size in map(int, chosen):
                say = partial(print, f"{name}:", file=sys.stderr, flush=True)
                row = measure_beside(name, size, options.scalesim, revision(), jobs=options.jobs, say=say)
                rows[name, size] = row
                print(_figures(row), flush=True)
                if options.output is not None:
                    _write(options.output, rows)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _figures(row: Beside) -> str:
    ours = "; ".join(
        f"{port}-bit port {cycles:,} cycles, {100 * row.utilization(cycles):.1f} %"
        for port, cycles in row.ours.items()
    )
    theirs = f"SCALE-Sim {row.theirs:,}, {100 * row.utilization(row.theirs):.1f} %"
    return f"{row.table} {row.size}x{row.size}: {theirs}; {ours}"


def _numbers(output: Path) -> Path:
    return output.with_suffix(".scalesim.json")


def _kept(output: Path) -> dict[tuple[str, int], Beside]:
    numbers = _numbers(output)
    found = beside_from_json(numbers.read_text()) if numbers.is_file() else []
    return {(row.table, row.size): row for row in found}


def _write(output: Path, rows: dict[tuple[str, int], Beside]) -> None:
    ordered = [rows[name, size] for name in TABLES for size in SIZES if (name, size) in rows]
    write_whole(_numbers(output), beside_to_json(ordered))
    write_whole(output, written(output))


if __name__ == "__main__":
    sys.exit(main())
