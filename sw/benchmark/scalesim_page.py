"""The part of docs/benchmarks.md beside SCALE-Sim."""

from __future__ import annotations

from collections.abc import Iterable

from .scalesim import SIZES, Beside, ports
from .scalesim_tables import TABLES

__all__ = ["beside_section"]

_HEAD = """
## Beside SCALE-Sim

The same layers, each by itself, on SCALE-Sim {version} (weight stationary) and on this engine by its cycle model,
which equals the RTL (`make bench-scalesim`, `sw/benchmark/scalesim.py`; numbers in
[benchmarks.scalesim.json](benchmarks.scalesim.json)). Maps have the padding that SCALE-Sim's own tables leave out, so
that both compute exactly the network's products; AlexNet is its five convolutions; a depthwise layer (*DP* in its
name) is one layer of one channel after the other to SCALE-Sim, one layer here.

Settings. SCALE-Sim: its array alone (operand and demand matrices of `systolic_compute_ws`, which are its total cycles
with `InterfaceBandwidth = CALC`): memory never stalls it, and neither image nor result has to move. This engine:
8-bit codes, 128 KB scratchpad, accumulator depth 1024, one image from start to done with every layer's image, weights
and result moved over a memory port, latency 30; once with 64 bits, once with a port as wide as the array.

| network | MACs | array | SCALE-Sim | here, 64-bit port | 8 x cols bits | cycles less, that port | commit |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""

_WHY = """
SCALE-Sim's figures are folds x (2R + C + T - 2) - 1 cycles a layer on R x C PEs with T output pixels, to the cycle:
every fold loads its weights, streams its pixels and drains before the next one begins. This engine loads the next
weights while the pixels stream, and never drains between folds, so a fold takes T cycles (R where T is less): the
fewer the pixels and the larger the array, the more that is worth. Depthwise layers use one column of SCALE-Sim's
array, and the line buffers of all columns here. With the 64-bit port a large array waits for weights that few pixels
use, fully connected layers most of all, which SCALE-Sim does not count.
"""


def beside_section(rows: Iterable[Beside]) -> str:
    """A line a network and size, "" without any."""
    known = {(row.table, row.size): row for row in rows}
    shown = [known[name, size] for name in TABLES for size in SIZES if (name, size) in known]
    if not shown:
        return ""
    versions = ", ".join(sorted({row.version for row in shown}))
    lines = "".join(f"| {' | '.join(_row(row))} |\n" for row in shown)
    return _HEAD.format(version=versions) + lines + _WHY


def _row(row: Beside) -> tuple[str, ...]:
    narrow, wide = (row.ours.get(str(bits)) for bits in (ports(row.size)[0], ports(row.size)[-1]))
    best = min(row.ours.values())
    return (
        row.table, f"{row.macs:,}", f"{row.size}x{row.size}", _cycles(row, row.theirs), _cycles(row, narrow),
        _cycles(row, wide), f"{100 * (1 - best / row.theirs):.1f} %", f"`{row.commit}`",
    )  # fmt: skip


def _cycles(row: Beside, cycles: int | None) -> str:
    return "-" if cycles is None else f"{cycles:,}, {100 * row.utilization(cycles):.1f} %"
