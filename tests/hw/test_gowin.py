"""The Gowin lowering == the generic multiplier, cycle by cycle, on models of the cells."""

import os
import subprocess
from pathlib import Path

import pytest
from systolith.hw import gowin as lowering
from systolith.hw.gowin import Gowin
from systolith.hw.memory import Memory1R1W
from systolith.hw.multiplier import Multiplier
from systolith.hw.verilog import to_rtlil, to_verilog
from systolith.sim.toolchain import find_toolchain

CELLS = Path(lowering.__file__).parent.parent / "sim" / "cells" / "gowin.v"
WIDTHS = [(9, 8), (9, 9), (10, 9), (18, 18), (3, 2), (17, 16)]


def test_what_fits_no_cell_stays_generic() -> None:
    assert "MULT9X9" in to_rtlil(Multiplier(a_width=9, b_width=8), "dut", platform=Gowin())
    assert "MULT18X18" in to_rtlil(Multiplier(a_width=10, b_width=8), "dut", platform=Gowin())
    assert "MULT" not in to_rtlil(Multiplier(a_width=19, b_width=8), "dut", platform=Gowin())
    assert "cell $mem" in to_rtlil(Memory1R1W(width=16, depth=256), "dut", platform=Gowin())


def check(number: int, a: int, b: int) -> str:
    """Random operands, a quarter of them the least and the greatest."""
    return f"""
  reg signed [{a - 1}:0] a_{number} = 0;
  reg signed [{b - 1}:0] b_{number} = 0;
  wire signed [{a + b - 1}:0] want_{number}, got_{number};
  generic_{number} generic_{number}_i (.clk(clk), .rst(1'b0), .a(a_{number}), .b(b_{number}), .p(want_{number}));
  gowin_{number} gowin_{number}_i (.clk(clk), .rst(1'b0), .a(a_{number}), .b(b_{number}), .p(got_{number}));
  always @(posedge clk) begin
    a_{number} <= $urandom % 4 != 0 ? {a}'($urandom) : {{$urandom % 2 == 1, {{{a - 1}{{$urandom % 2 == 1}}}}}};
    b_{number} <= $urandom % 4 != 0 ? {b}'($urandom) : {{$urandom % 2 == 1, {{{b - 1}{{$urandom % 2 == 1}}}}}};
    if (cycle > 3) begin
      compared = compared + 1;
      if (got_{number} !== want_{number}) $fatal(1, "{a}x{b} differs at cycle %0d", cycle);
    end
  end"""


@pytest.mark.slow
def test_multiplier_equals_the_generic_one(tmp_path: Path) -> None:
    """10,000 cycles of all widths at once, under Verilator."""
    parts = []
    for number, (a, b) in enumerate(WIDTHS):
        for name, platform in (("generic", None), ("gowin", Gowin())):
            parts.append(to_verilog(Multiplier(a_width=a, b_width=b), f"{name}_{number}", platform=platform))
    bench = f"""
module bench;
  reg clk = 0;
  integer cycle = 0, compared = 0;
  always #5 clk = ~clk;
  always @(posedge clk) begin
    cycle <= cycle + 1;
    if (cycle == 10000) begin $display("compared %0d", compared); $finish; end
  end
{"".join(check(number, *widths) for number, widths in enumerate(WIDTHS))}
endmodule
"""
    (tmp_path / "dut.v").write_text("\n".join(parts))
    (tmp_path / "bench.sv").write_text(bench)
    tools = find_toolchain()
    command = [str(tools.verilator), "--binary", "--timing", "-j", "1", "-Wno-fatal", "-Wno-lint"]
    command += ["--top-module", "bench", "--Mdir", "obj", "--timescale", "1ns/1ns"]
    command += ["-MAKEFLAGS", " ".join(tools.make_variables), str(CELLS), "dut.v", "bench.sv"]
    built = subprocess.run(
        command, cwd=tmp_path, env=os.environ | tools.environment, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    run = subprocess.run([tmp_path / "obj" / "Vbench"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-500:]
    assert int(run.stdout.split("compared ")[1].split()[0]) > 50_000
