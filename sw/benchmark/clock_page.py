"""The part of docs/benchmarks.md that is about clocks and cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .clock_cases import CLOCK_CASES, ClockCase
from .clock_results import Clock, shortcomings

__all__ = ["clock_section"]

_HEAD = """
## Clock and cells

Whole engines, fetch to store, behind four pins that keep every bit alive (`hw/harness.py`), by yosys from its
wheel and the nextpnr that is named, slowest speed grade (`make fmax`, `make fmax-slow`; numbers in
[benchmarks.clocks.json](benchmarks.clocks.json)). Placement is chance: the median of the seeds counts. *Limit* is the
longest path of the slowest seed. There must be a DSP for each PE, as far as the device has them, and the block RAMs
that the memories of the description fill (`hw/inventory.py`): *as needed* says so. For comparison: NNgen's 8x16 array
reaches 66 MHz on this part with these tools.
"""

_ESTIMATES = """
Cells of the same engines by yosys alone for other families: an estimate, nothing was placed. A BRAM is a block of 18
Kbit.
"""

_DASH = "-"


def clock_section(rows: Iterable[Clock], cases: Sequence[ClockCase] = CLOCK_CASES) -> str:
    """Tables of clocks and of estimates, "" without any row."""
    by_name = {row.case: row for row in rows}
    shown = [(case, by_name[case.name]) for case in cases if case.name in by_name]
    if not shown:
        return ""
    header = ["engine", "device", "MHz, median", "worst", "seeds", "target", "reached", "limit",
              "LUT", "FF", "DSP", "BRAM", "as needed", "by", "commit"]  # fmt: skip
    parts = [_HEAD, _table(header, [_clock(case, row) for case, row in shown])]
    families = list(dict.fromkeys(name for _, row in shown for name in row.estimates))
    if families:
        header = [
            "engine",
            *(f"{family} {kind}" for family in families for kind in ("LUT", "FF", "DSP", "BRAM")),
        ]
        parts += [
            _ESTIMATES,
            _table(header, [_estimates(row, families) for _, row in shown if row.estimates]),
        ]
    return "".join(parts)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _mhz(value: float | None) -> str:
    return _DASH if value is None else f"{value:.1f}"


def _clock(case: ClockCase, row: Clock) -> list[str]:
    targets = [
        f"{what} >= {value:g}" for what, value in (("median", case.median), ("worst", case.worst)) if value
    ]
    missed = [text for text in shortcomings(case, row) if "MHz" in text]
    wrong = [text for text in shortcomings(case, row) if "MHz" not in text]
    counts = [f"{row.cells[kind]:,}" if kind in row.cells else _DASH for kind in ("LUT", "FF", "DSP", "BRAM")]
    return [
        f"{row.case}: {case.config.words * case.config.word_bytes >> 10} KB, {case.config.acc_depth}",
        row.device,
        _mhz(row.median),
        _mhz(row.worst),
        ", ".join(f"{mhz:.1f}" for mhz in row.mhz.values()) or _DASH,
        "; ".join(targets) or _DASH,
        _DASH if not targets or not row.mhz else ("no" if missed else "yes"),
        row.limit or _DASH,
        *counts,
        "; ".join(wrong) or "yes",
        row.nextpnr or _DASH,
        f"`{row.commit}`",
    ]


def _estimates(row: Clock, families: Sequence[str]) -> list[str]:
    cells = [
        f"{row.estimates[family][kind]:,}" if family in row.estimates else _DASH
        for family in families
        for kind in ("LUT", "FF", "DSP", "BRAM")
    ]
    return [row.case, *cells]
