"""One engine's row: seeds, cells by kind, the limit in words; programs that answer like the real ones."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Cat, Module
from amaranth.lib.wiring import Component, In, Out
from systolith.hw.config import EngineConfig
from systolith.hw.memory import Memory1R1W
from systolith.hw.multiplier import Multiplier
from systolith.sw.benchmark import clock_measure
from systolith.sw.benchmark.clock_cases import CLOCK_CASES, ClockCase, chosen_clocks
from systolith.sw.benchmark.clock_measure import ESTIMATES, cells_by_kind, limit, measure_clock
from systolith.sw.benchmark.clock_page import clock_section
from systolith.sw.benchmark.clock_results import Clock, clocks_from_json, clocks_to_json, shortcomings
from systolith.sw.synthesis_report import CriticalPath
from systolith.sw.synthesis_tools import SynthesisError

TINY = ClockCase(
    name="tiny", config=EngineConfig(rows=1, cols=2, scratchpad=1024, acc_depth=16, fold_width=0), seeds=2
)


@pytest.mark.parametrize(
    ("counts", "cells"),
    [
        ({"TRELLIS_COMB": 9, "TRELLIS_FF": 7, "DP16KD": 3, "MULT18X18D": 4, "DCCA": 1}, (9, 7, 4, 3)),
        ({"LUT2": 1, "LUT6": 4, "RAM32M": 2, "CARRY4": 9, "FDRE": 5, "FDSE": 1, "DSP48E1": 2}, (13, 6, 2, 0)),
        ({"RAMB18E2": 1, "RAMB36E2": 3, "DSP48E2": 1, "MUXF7": 4, "RAM32M16": 1, "SRL16E": 2}, (10, 0, 1, 7)),
        ({"LUT4": 2, "ALU": 3, "MUX2_LUT5": 1, "DFFRE": 4, "SDPB": 2, "MULT9X9": 6, "VCC": 1}, (5, 4, 6, 2)),
    ],
)
def test_cells_by_kind(counts: dict[str, int], cells: tuple[int, ...]) -> None:
    assert tuple(cells_by_kind(counts).values()) == cells


class Part(Component):
    """Two multipliers and a block RAM, in place of an engine, which takes seconds to elaborate."""

    def __init__(self, config: EngineConfig) -> None:
        self.inner = [
            Multiplier(a_width=9, b_width=8),
            Multiplier(a_width=9, b_width=8),
            Memory1R1W(width=36, depth=500),
        ]
        super().__init__({"d": In(8), "q": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules += self.inner
        first, second, memory = self.inner
        m.d.comb += [first.a.eq(self.d), second.a.eq(self.d), memory.wdata.eq(self.d)]
        m.d.comb += self.q.eq(Cat(first.p, second.p, memory.rdata).xor())
        return m


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("systolith.hw.engine.Engine", Part)


def path(*steps: str, routing: float = 3.0) -> CriticalPath:
    return CriticalPath(
        source="a", target="b", total=4.0, routing=routing, levels=2, longest=("", 0.0), steps=steps
    )


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            path("  0.50   0.50  clk-to-q x.busy_TRELLIS_FF_Q.Q", "  0.20   4.00  setup    y.dsp.A3"),
            "register to DSP",
        ),
        (path(" 1.00 1.00  clk-to-q x.dsp.P17", " 0.20 4.00  setup    q.DI"), "DSP to register"),
        (
            path(" 1.00 1.00  clk-to-q x.block_0.DOA17", " 0.20 4.00  setup    y.block_1.ADB13"),
            "block RAM to block RAM",
        ),
        (path(), "register to register"),
    ],
)
def test_limit(found: CriticalPath, words: str) -> None:
    assert limit(found) == f"routing: {words}, 2 levels, 75 % wires; a to b"


def test_limit_by_logic() -> None:
    assert limit(path(routing=1.0)).startswith("logic: ") and "25 % wires" in limit(path(routing=1.0))


def test_row(fake_programs: Path, part: None, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    asked: list[str] = []

    def yosys(text: str, synth: str, written: str, say: object) -> str:
        asked.append(synth)
        return json.dumps({"design": {"num_cells_by_type": {"LUT4": 10 * len(asked)}}})

    monkeypatch.setattr(clock_measure, "yosys_output", yosys)
    row = measure_clock(TINY, "c0ffee", say=said.append)
    assert (
        row.mhz == {"1": 127.11, "2": 137.11} and row.median == pytest.approx(132.11) and row.worst == 127.11
    )
    assert row.nextpnr == "nextpnr-ecp5 0.10.7" and "| nextpnr-ecp5 0.10.7 | `c0ffee` |" in clock_section(
        [row], [TINY]
    )
    assert row.limit.startswith("routing: register to register, ") and row.netlist
    assert row.needed == {"DSP": 2, "BRAM": 1} and row.cells["DSP"] == 16  # of the recorded report
    assert asked == list(ESTIMATES.values())
    assert row.estimates["gw2a"] == {"LUT": 30, "FF": 0, "DSP": 0, "BRAM": 0}
    assert "16 DSP, not 2" in shortcomings(TINY, row)
    assert clocks_from_json(clocks_to_json([row])) == [row]
    calls, plain = len(fake_programs.read_text().splitlines()), replace(TINY, estimated=False)
    again = measure_clock(plain, "c0ffee", seeds=(1, 2, 3), say=said.append)
    assert again.mhz["3"] == 147.11 and again.estimates == {} and len(asked) == len(ESTIMATES)
    assert len(fake_programs.read_text().splitlines()) == calls + 1  # one more seed, nothing else


def test_what_does_not_fit_is_a_row(fake_programs: Path, part: None) -> None:
    small = ClockCase(name="small", config=TINY.config, device="ice40-up5k")
    row = measure_clock(small, "c0ffee", seeds=(7,), say=lambda line: None)
    assert row.median is None and "does not fit ice40-up5k: it needs 26378 ICESTORM_LC of 5280" in row.error
    assert shortcomings(small, row) == [row.error]
    text = clock_section([row], [small])
    assert "| small: 1 KB, 16 | ice40-up5k | - | - | - | - | - | - |" in text and "does not fit" in text
    with pytest.raises(SynthesisError, match="it is Sunday"):
        measure_clock(TINY, "c0ffee", seeds=(8,), say=lambda line: None)


def test_targets() -> None:
    case = ClockCase(name="x", config=TINY.config, median=200, worst=185)
    row = Clock(
        case="x", commit="", engine="", device="", netlist="", mhz={"1": 201.0, "2": 184.0, "3": 202.0}
    )
    assert row.median == 201 and shortcomings(case, row) == ["worst seed below 185 MHz"]
    assert clock_section([]) == ""
    assert {case.name for case in chosen_clocks([], False)} < {case.name for case in CLOCK_CASES}
