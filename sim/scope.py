"""Signals of the engine's RTL in some cycles of a run: a module bound into the bench writes them down, a line a cycle.

    line = cycle, then the value of each signal as it is at the end of that cycle, in hexadecimal

Cycle 0 is the first after the engine's start, as in a ``Recording``. The window is told when the simulation starts, so
that one build serves all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..hw.config import EngineConfig
from ..quant.network import IntArray

__all__ = ["MOST", "Wire", "decode_scope", "require_window", "scope_module", "scope_plusargs", "wires"]

MOST = 20_000
"""Cycles of a window."""

_UNITS = ("load", "compute", "store")
_STATES = ("pixel", "wait", "weight", "bank", "short")


@dataclass(frozen=True)
class Wire:
    """A signal: its name for people, the expression in the bench, its bits, whether it is signed."""

    name: str
    expression: str
    width: int = 1
    signed: bool = False


def wires(config: EngineConfig, trace: Sequence[str] | None) -> tuple[Wire, ...]:
    """What a scope sees: memory port, instructions, state of the array, every PE, outputs.

    ``trace``: instances down to that which has the engine's trace, if there is one. Raises ``ValueError`` for a serial
    engine, whose array is of another kind.
    """
    if config.serial:
        raise ValueError("config must be an engine with an array, not a serial one: leave serial out")
    found = [
        Wire("read asked", "bench.arvalid && bench.arready"),
        Wire("word read", "bench.rvalid && bench.rready"),
        Wire("word written", "bench.wvalid && bench.wready"),
    ]
    for unit in _UNITS:
        queue = f"bench.dut.{unit}_queue"
        found.append(Wire(f"{unit} taken", f"{queue}.taken"))
        found.append(Wire(f"{unit} done", f"bench.dut.completion.{unit}_done"))
    found += [Wire(f"array: {state}", f"bench.dut.counters.{state}_now") for state in _STATES]
    for row in range(config.rows):
        for col in range(config.cols):
            place, name = f"bench.dut.compute.array.pe_{row}_{col}", f"pe {row},{col}"
            found += [
                Wire(f"{name} switch", f"{place}.switch_i"),
                Wire(f"{name} act", f"{place}.act_o", config.act_width + 1, True),
                Wire(f"{name} wgt", f"{place}.active", config.wgt_width, True),
                Wire(f"{name} psum", f"{place}.psum_o", config.psum_width, True),
            ]
    if trace is not None:
        path = ".".join(("bench.dut", *trace))
        found.append(Wire("code written", f"{path}.trace_valid"))
        width = config.act_width
        found += [
            Wire(f"code {c}", f"{path}.trace_codes[{width * c} +: {width}]", width)
            for c in range(config.cols)
        ]
    return tuple(found)


def scope_module(chosen: Sequence[Wire]) -> str:
    """SystemVerilog of the module and its binding; one file a recorded run, ``scopeN.txt``."""
    values = ",\n                ".join(f"{wire.width}'({wire.expression})" for wire in chosen)
    form = " ".join(["%0d", *["%h"] * len(chosen)])
    return f"""\
module bench_scope ();
    integer file = 0, number = 0, first = 0, last = -1;
    wire open = bench.trace_file != 0;
    wire [31:0] cycle = bench.now - bench.written - 1;

    initial begin
        if (!$value$plusargs("scope_first=%d", first)) first = 0;
        if (!$value$plusargs("scope_last=%d", last)) last = -1;
    end

    always @(posedge bench.clk) begin : record
        if (file == 0 && open) begin
            file = $fopen($sformatf("scope%0d.txt", number), "w");
            number = number + 1;
        end else if (file != 0 && !open) begin
            $fclose(file);
            file = 0;
        end
        if (file != 0 && !bench.rst && $signed(cycle) >= first && $signed(cycle) <= last)
            $fwrite(file, "{form}\\n", cycle,
                {values});
    end
endmodule

bind bench bench_scope scope ();
"""


def scope_plusargs(window: tuple[int, int]) -> list[str]:
    """What tells the simulation the window, first and last cycle."""
    return [f"+scope_first={window[0]}", f"+scope_last={window[1]}"]


def require_window(window: tuple[int, int]) -> None:
    """Raises ``ValueError`` for what is no window."""
    first, last = window
    if first < 0 or last < first:
        raise ValueError(
            f"first and last must be cycles in this order, from 0 on, not {first!r} and {last!r}"
        )
    if last - first >= MOST:
        raise ValueError(f"first and last must be at most {MOST:,} cycles apart, not {last - first:,}")


def decode_scope(text: str, chosen: Sequence[Wire], window: tuple[int, int]) -> Mapping[str, IntArray]:
    """Each signal's values by name, from the window's first cycle on, up to its end or the run's.

    A cycle that was written twice, as the engine was started twice, has the later values.
    """
    rows: dict[int, list[str]] = {}
    for line in text.splitlines():
        cycle, *words = line.split(" ")
        if len(words) == len(chosen):
            rows[int(cycle)] = words
    cycles = [cycle for cycle in range(window[0], window[1] + 1) if cycle in rows]
    signals: dict[str, IntArray] = {}
    for number, wire in enumerate(chosen):
        values = np.array([int(rows[cycle][number].strip(), 16) for cycle in cycles], np.int64)
        if wire.signed:
            values = np.where(values >= 1 << (wire.width - 1), values - (1 << wire.width), values)
        signals[wire.name] = values
    return signals
