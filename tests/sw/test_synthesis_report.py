"""nextpnr's reports as numbers and words."""

import json
from pathlib import Path
from typing import Any

import pytest
from systolith.sw.synthesis_report import clock_mhz, critical_path, resources, too_small

REPORTS = Path(__file__).parent / "reports"


def step(name: str, delay: float, kind: str = "routing") -> dict[str, Any]:
    return {"delay": delay, "type": kind, "to": {"cell": name, "port": "D"}, "net": f"net_{name}"}


def report(**paths: float) -> dict[str, Any]:
    found = [{"from": "clk", "to": "clk", "path": [step(name, delay)]} for name, delay in paths.items()]
    return {"critical_paths": found, "fmax": {"clk": {"achieved": 200.0}, "other": {"achieved": 150.5}}}


def test_the_slowest_path_between_registers_counts() -> None:
    given = report(fast=1.0, slow=5.0, reset=9.0)
    given["critical_paths"][2]["from"] = "<async>"
    path = critical_path(given)
    assert path is not None and path.steps == ("  5.00   5.00  routing  slow.D  net net_slow",)
    assert path.target == "slow" and path.longest == ("net_slow", 5.0)
    assert clock_mhz(given) == 150.5
    assert critical_path({"critical_paths": given["critical_paths"][2:]}) is None


def test_a_report_of_the_engine_in_words() -> None:
    given = json.loads((REPORTS / "ecp5.json").read_text())
    path = critical_path(given)
    assert path is not None
    assert path.words == (
        "from control.busy to control.output_stride: 8.54 ns, 2 levels of logic, 7.54 ns (88 %) of it wires: routing "
        "limits; the longest wire is control.bus__awready, 4.88 ns"
    )
    assert path.to_json()["routing_ns"] == 7.542 and path.to_json()["levels"] == 2
    assert sum(float(line.split()[0]) for line in path.steps) == pytest.approx(path.total, abs=0.05)
    assert resources(given)["MULT18X18D"] == (16, 156) and "ALU54B" not in resources(given)
    assert round(clock_mhz(given), 1) == 117.1


@pytest.mark.parametrize(
    ("cell", "named"),
    [
        ("dut.compute.column_1.pe_0.wgt_TRELLIS_FF_Q_3", "compute.column_1.pe_0.wgt"),
        ("dut.fetch.left_SB_DFFE_Q", "fetch.left"),
        ("dut.compute.column_0.pe_1.multiplier.dsp", "compute.column_0.pe_1.multiplier.dsp"),
        ("top.engine.load.$signal$4_DFFRE_Q", "engine.load.$signal$4"),
    ],
)
def test_names_are_units_and_signals(cell: str, named: str) -> None:
    path = critical_path({"critical_paths": [{"from": "clk", "to": "clk", "path": [step(cell, 1.0)]}]})
    assert path is not None and path.target == named


def test_logic_limits_where_wires_are_short() -> None:
    steps = [step("a", 0.5, "clk-to-q"), step("a", 1.0), step("b", 3.0, "logic")]
    steps[0]["from"] = {"cell": "a", "port": "Q"}
    path = critical_path({"critical_paths": [{"from": "clk", "to": "clk", "path": steps}]})
    assert path is not None and "1.00 ns (22 %) of it wires: logic limits" in path.words


def test_no_clock() -> None:
    with pytest.raises(ValueError, match="nextpnr reports no clock"):
        clock_mhz({"fmax": {}})


def test_what_a_device_has_too_little_of(tmp_path: Path) -> None:
    log = tmp_path / "nextpnr.log"
    assert too_small(log) == []
    log.write_text(
        "Info: Device utilisation:\n"
        "Info: \t         ICESTORM_LC:   26378/   5280   499%\n"
        "Info: \t        ICESTORM_RAM:      36/     30   120%\n"
        "Info: \t               SB_IO:       4/     39    10%\n"
    )
    assert too_small(log) == ["26378 ICESTORM_LC of 5280", "36 ICESTORM_RAM of 30"]
