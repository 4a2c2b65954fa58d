"""A test bench that needs Verilator alone: the bench of the co-simulation, a small program, its results.

    folder = testbench.sv | bench.sv, bench_memory.sv | load.bin | expected.hex | files.f | Makefile

``load.bin`` is the memory before the start: a random integer network compiled for the engine, and two images.
``expected.hex`` is what the instruction-set simulator leaves where the results belong.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from string import Template

import numpy as np

from ..hw.config import EngineConfig
from ..hw.registers import IDENTITY, MAP
from ..sim.iss import InstructionSetSimulator
from ..sim.memory_image import to_load
from ..sim.random_network import random_codes, random_network
from .api_files import fresh_folder
from .compiler import compile_network
from .program import Program

__all__ = ["write_testbench"]

_SOURCES = Path(__file__).parent.parent / "sim"
_IMAGES = 2
_TRIES = 24

_TESTBENCH = Template("""\
// Runs a small program on the engine and compares its results with those of the instruction-set simulator.
// Prints PASS or FAIL; written by `systolith verilog --testbench` for: $config.

module testbench;
    localparam [3:0] RESET = 1, LOAD = 2, WRITE = 4, READ = 5, WAIT = 6, SET = 8, STATUS = 9;  // of bench.sv
    localparam WORDS = $words, FIRST = $first, TIMEOUT = $timeout;

    bench #(.PORT_WIDTH($port_width), .MEMORY_BITS($memory_bits)) bench ();

    reg [$top_bit:0] expected[0:WORDS-1];
    integer i, wrong = 0;

    task automatic command(input [3:0] code, input [31:0] operand, input [31:0] value);
        bench.command = code;
        bench.operand = operand;
        bench.value = value;
        bench.request = !bench.ack;
        wait (bench.ack == bench.request);
        #1;
    endtask

    task automatic check(input [8*24-1:0] what, input [31:0] address, input [31:0] want);
        command(READ, address, 0);
        if (bench.result != want) begin
            $$display("FAIL: %0s is %h, not %h", what, bench.result, want);
            wrong = wrong + 1;
        end
    endtask

    initial begin
        $$readmemh("expected.hex", expected);
        command(SET, 0, 30);  // latency of the memory
        command(RESET, 0, 8);
        check("register id", $id_address, 32'h$identity);
        check("register hash", $hash_address, 32'h$hash);
        command(LOAD, 0, $load_words);
$writes
        command(WRITE, $control_address, 1);
        command(WAIT, 0, TIMEOUT);
        check("register status", $status_address, 32'h2);  // done, no error; codes: hw/registers.py
        command(STATUS, 0, 0);
        if (bench.result != 0) begin
            $$display("FAIL: AXI protocol, bits %h of `violation` in bench.sv", bench.result);
            wrong = wrong + 1;
        end
        for (i = 0; i < WORDS; i = i + 1)
            if (bench.memory.words[FIRST + i] !== expected[i]) begin
                if (wrong < 10)
                    $$display("FAIL: word %0d is %h, not %h", i, bench.memory.words[FIRST + i], expected[i]);
                wrong = wrong + 1;
            end
        command(READ, $cycles_address, 0);
        if (wrong == 0) begin
            $$display("PASS: %0d words of results are right, %0d cycles", WORDS, bench.result);
            $$finish;
        end else $$fatal(1, "FAIL: %0d differences", wrong);
    end
endmodule
""")

_MAKEFILE = """\
# Builds the bench with Verilator (>= 5.036) and runs it; ends with an error on FAIL.
VERILATOR ?= verilator

run: obj_dir/Vtestbench
\t./obj_dir/Vtestbench

obj_dir/Vtestbench: ENGINE testbench.sv bench.sv bench_memory.sv files.f
\t$(VERILATOR) --binary --timing -f files.f

.PHONY: run
"""


@dataclass(frozen=True, kw_only=True)
class _Run:
    """A program, memory before and after it ran, and the registers that the host writes."""

    program: Program
    before: bytes
    after: bytes
    registers: dict[str, int]
    variety: int
    """how many different bytes the results hold: programs that saturate everything prove little."""


def _run(config: EngineConfig) -> _Run:
    """The most telling of a few random programs that this engine can run; the same for equal engines."""
    best: _Run | None = None
    for seed in range(_TRIES):
        network = random_network(
            seed, 4, act_width=config.act_width, wgt_width=config.wgt_width, channels=10, size=8
        )
        try:
            program = compile_network(network, config)
        except ValueError:  # too large for a small scratchpad, too wide for narrow accumulators
            continue
        memory, registers = program.image(random_codes(network, seed, _IMAGES))
        before = bytes(memory)
        for _ in InstructionSetSimulator(config, memory).run(registers):
            pass
        variety = len(set(memory[program.memory_map(_IMAGES).output :]))
        if best is None or variety > best.variety:
            best = _Run(
                program=program, before=before, after=bytes(memory), registers=registers, variety=variety
            )
    if best is None:
        raise ValueError(f"no test program fits this engine: {config.describe()}")
    return best


def write_testbench(config: EngineConfig, folder: Path, engine: str) -> Path:
    """Write the folder; ``engine`` is the Verilog file's path as seen from it.

    Raises ValueError where the folder holds something else.
    """
    run = _run(config)
    program, before = run.program, run.before
    address = {register.name: register.address for register in MAP}
    size = config.port_bytes
    places = program.memory_map(_IMAGES)
    words = _IMAGES * program.output_stride // size
    first = places.output // size
    registers = run.registers | {"irq_enable": 1, "watchdog": 0}
    result = np.frombuffer(run.after, np.uint8, words * size, places.output).reshape(words, size)
    text = _TESTBENCH.substitute(
        config=config.describe(), words=words, first=first, timeout=1_000_000 + 64 * program.macs,
        port_width=config.port_width, top_bit=config.port_width - 1,
        memory_bits=max(16, (len(before) - 1).bit_length()),
        id_address=address["id"], identity=f"{IDENTITY:08x}", hash_address=address["hash"],
        hash=f"{config.hash:08x}", load_words=-(-len(before) // size), status_address=address["status"],
        control_address=address["control"], cycles_address=address["cycles"],
        writes="\n".join(
            f"        command(WRITE, {address[name]}, {value});  // {name}"
            for name, value in registers.items()
        ),
    )  # fmt: skip
    files = [engine, "bench.sv", "bench_memory.sv", "testbench.sv"]
    options = [
        "--top-module testbench",
        "-Wno-fatal",
        "-Wno-lint",
        "-Wno-style",
        "--timescale 1ns/1ns",
        "-O3",
    ]

    def fill(target: Path) -> None:
        for name in ("bench.sv", "bench_memory.sv"):
            shutil.copyfile(_SOURCES / name, target / name)
        (target / "testbench.sv").write_text(text)
        (target / "load.bin").write_bytes(to_load(before, size))
        (target / "expected.hex").write_text("".join(row[::-1].tobytes().hex() + "\n" for row in result))
        (target / "files.f").write_text("\n".join([*options, *files]) + "\n")
        (target / "Makefile").write_text(_MAKEFILE.replace("ENGINE", engine))

    return fresh_folder(folder, fill, mark="testbench.sv")
