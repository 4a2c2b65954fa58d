"""Benches of a family's lowerings: beside the generic component, cycle by cycle, by Verilator alone."""

import os
import subprocess
from pathlib import Path

from systolith.hw.multiplier import Multiplier
from systolith.hw.verilog import to_verilog
from systolith.sim.toolchain import find_toolchain

__all__ = ["compared", "multiplier_check", "multipliers", "multipliers_bench"]


def compared(folder: Path, parts: list[str], bench: str, *models: Path) -> int:
    """Run a bench; how many values it says that it has compared."""
    (folder / "dut.v").write_text("\n".join(parts))
    (folder / "bench.sv").write_text(bench)
    tools = find_toolchain()
    command = [str(tools.verilator), "--binary", "--timing", "-j", "1", "-Wno-fatal", "-Wno-lint"]
    command += ["--top-module", "bench", "--Mdir", "obj", "--timescale", "1ns/1ns"]
    command += ["-MAKEFLAGS", " ".join(tools.make_variables), *map(str, models), "dut.v", "bench.sv"]
    built = subprocess.run(
        command, cwd=folder, env=os.environ | tools.environment, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    run = subprocess.run([folder / "obj" / "Vbench"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-500:]
    return int(run.stdout.split("compared ")[1].split()[0])


def multipliers(widths: list[tuple[int, int]], family: str, platform: object) -> list[str]:
    """``multiplier_N_generic`` and ``multiplier_N_FAMILY`` for each widths."""
    return [
        to_verilog(Multiplier(a_width=a, b_width=b), f"multiplier_{number}_{name}", platform=made)
        for number, (a, b) in enumerate(widths)
        for name, made in (("generic", None), (family, platform))
    ]


def multiplier_check(number: int, a: int, b: int, family: str) -> str:
    """Random operands, a quarter of them the least and the greatest."""
    ports = f".clk(clk), .rst(1'b0), .a(a_{number}), .b(b_{number})"
    return f"""
  reg signed [{a - 1}:0] a_{number} = 0;
  reg signed [{b - 1}:0] b_{number} = 0;
  wire signed [{a + b - 1}:0] want_p_{number}, got_p_{number};
  multiplier_{number}_generic generic_p_{number} ({ports}, .p(want_p_{number}));
  multiplier_{number}_{family} {family}_p_{number} ({ports}, .p(got_p_{number}));
  always @(posedge clk) begin
    a_{number} <= $urandom % 4 != 0 ? {a}'($urandom) : {{$urandom % 2 == 1, {{{a - 1}{{$urandom % 2 == 1}}}}}};
    b_{number} <= $urandom % 4 != 0 ? {b}'($urandom) : {{$urandom % 2 == 1, {{{b - 1}{{$urandom % 2 == 1}}}}}};
    if (cycle > 3) begin
      compared = compared + 1;
      if (got_p_{number} !== want_p_{number}) $fatal(1, "multiplier {a}x{b} differs at cycle %0d", cycle);
    end
  end"""


def multipliers_bench(widths: list[tuple[int, int]], family: str) -> str:
    """10,000 cycles of all widths at once."""
    return f"""
module bench;
  reg clk = 0;
  integer cycle = 0, compared = 0;
  always #5 clk = ~clk;
  always @(posedge clk) begin
    cycle <= cycle + 1;
    if (cycle == 10000) begin $display("compared %0d", compared); $finish; end
  end
{"".join(multiplier_check(number, *pair, family) for number, pair in enumerate(widths))}
endmodule
"""
