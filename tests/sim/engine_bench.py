"""Runs many programs and settings on one engine, one after the other in one simulator.

``run(config, runs)`` starts the simulator on this very file: ``everything`` below is the cocotb test in it. Runs and
outcomes travel as pickles. What a run is checked against is in ``check``.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.task import bridge
from systolith.hw.config import EngineConfig
from systolith.hw.isa import COMPUTE, decode, encode, loop_counts, record_words
from systolith.hw.verilog import engine_verilog
from systolith.quant.formats import QFormat
from systolith.quant.network import IntArray, Layer, QuantizedNetwork, Tensor
from systolith.sim.cocotb_engine import STATUS, TRACE, SimulatedBoard
from systolith.sim.memory_image import Trace, decode_trace
from systolith.sim.rtl import RtlJob, SimulationError, Stalls
from systolith.sw import integer_reference
from systolith.sw.api_models import rtl_codes, run_iss
from systolith.sw.cycle_model.machine import simulate
from systolith.sw.driver import Driver, EngineError
from systolith.sw.program import Program
from systolith.sw.verify import Ledger

SMALL = EngineConfig(rows=4, cols=4, acc_depth=16, scratchpad=2048)
"""Few accumulators, so that maps are cut into strips; few words a bank, so that operands meet in one."""

STALLS = ("stall_wait", "stall_weight", "stall_bank", "stall_pass")

WATCHDOG = 20_000
"""Cycles without progress: far more than any pause of the memory here."""

OPTIMIZE = "-O1"
"""The C++ compiler's option; programs here are so short that building is what takes the time."""

PATTERN = b"\xa7"
"""Fills the results' memory before a run."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One batch on the engine, as ``RtlJob``; ``reset`` before it, or not.

    ``script``: instead of a batch, steps on the control port: ("write", register, value), ("poke", address, value),
    ("read", register), ("wait", cycles); the last two append to the outcome's ``answers``.
    """

    program: Program
    codes: IntArray
    mem_latency: int = 30
    stalls: Stalls | None = None
    timeout: int = 20_000_000
    watchdog: int = WATCHDOG
    read_error: int | None = None
    write_error: int | None = None
    reset: bool = True
    script: tuple[tuple[Any, ...], ...] = ()


@dataclass
class Outcome:
    """What a run left."""

    counters: dict[str, int] = field(default_factory=dict)
    outputs: list[dict[str, IntArray]] = field(default_factory=list)
    trace: Trace | None = None
    error: EngineError | None = None
    status: int = 0
    violation: int = 0
    answers: list[int] = field(default_factory=list)

    @property
    def cycles(self) -> int:
        return self.counters["cycles"]


# In the simulator ----------------------------------------------------------------------------------


def _one(board: SimulatedBoard, number: int, job: Run) -> dict[str, Any]:
    program = job.program
    if job.reset:
        described = RtlJob(
            codes=(), mem_latency=job.mem_latency, stalls=job.stalls, read_error=job.read_error,
            write_error=job.write_error,
        ).describe(program, 1)  # fmt: skip
        board.prepare(described)
    driver = Driver(board)
    driver.load(program)
    left: dict[str, Any] = {"answers": []}
    if job.script:
        board.write_memory(program.memory_map().input, program.pack_input(job.codes))
        for kind, *about in job.script:
            if kind in ("write", "poke"):
                (driver.write if kind == "write" else board.write_register)(*about)
            else:
                left["answers"].append(driver.read(*about) if kind == "read" else int(board.wait(*about)))
    else:
        images = len(job.codes)
        places = program.memory_map(images)
        board.write_memory(places.output, PATTERN * (images * program.output_stride))
        board.command(TRACE, number, 1)
        try:
            batch = driver.run(program, job.codes, timeout=job.timeout, watchdog=job.watchdog)
            left["outputs"] = batch.outputs
        except EngineError as error:
            left["error"] = (str(error), error.code)
        board.command(TRACE, number, 0)
        left["counters"] = driver.counters()
    left |= {"status": driver.read("status"), "violation": board.command(STATUS)}
    return left


@cocotb.test()
async def everything(dut: Any) -> None:
    """Every run of runs.pkl."""
    runs = pickle.loads(Path("runs.pkl").read_bytes())
    board = SimulatedBoard(dut, runs[0].program.config.port_bytes)
    left = [await bridge(_one)(board, number, job) for number, job in enumerate(runs)]
    Path("left.pkl").write_bytes(pickle.dumps(left))


# Outside -------------------------------------------------------------------------------------------


@cache
def verilog(config: EngineConfig) -> str:
    """The engine's Verilog, generated once."""
    return engine_verilog(config)


def run(runs: Sequence[Run], text: str | None = None, plusargs: Sequence[str] = ()) -> list[Outcome]:
    """The runs, all of one configuration. A broken AXI protocol is an error here, whatever else happened.

    ``text``: Verilog to take instead of the configuration's engine.
    """
    from systolith.sim.build import build_bench
    from systolith.sim.rtl import simulate

    config = runs[0].program.config
    needed = max(job.program.memory_map(len(job.codes)).end for job in runs)
    simulation = build_bench(config, text or verilog(config), memory_bytes=needed, optimize=OPTIMIZE)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="systolith-") as name:
        folder = Path(name)
        (folder / "runs.pkl").write_bytes(pickle.dumps(list(runs)))
        simulate(simulation, "engine_bench", folder, plusargs=plusargs)
        for number, left in enumerate(pickle.loads((folder / "left.pkl").read_bytes())):
            if "error" in left:
                left["error"] = EngineError(*left["error"])
            if left["violation"]:
                raise SimulationError(f"run {number}: violation {left['violation']:#x} of the AXI protocol")
            recorded = folder / f"trace{number}.bin"
            if recorded.exists():
                left["trace"] = decode_trace(recorded.read_bytes(), config)
            outcomes.append(Outcome(**left))
    return outcomes


class Expected:
    """What a program must make of images: reference and instruction-set simulator, computed once and compared."""

    def __init__(self, network: QuantizedNetwork, program: Program, codes: IntArray) -> None:
        self.network, self.program, self.codes = network, program, codes
        self.reference = integer_reference.run(network, codes, "all")
        self.simulated, self.addresses, error = run_iss(program, codes)
        assert error is None, error
        ledger = Ledger(network.layers, self.reference)
        for n, image in enumerate(self.simulated):
            ledger.enter("iss", n, image.tensors)
            ledger.enter("iss", n, image.results)
        assert ledger.first() is None, str(ledger.first())

    def check(self, outcome: Outcome, images: int, what: str = "") -> None:
        """The first ``images`` of them came out of the engine: every layer's codes and every output."""
        self.check_codes(outcome, images, what)
        counters = outcome.counters
        program = self.program
        for unit in ("load", "compute", "store"):
            assert counters[f"{unit}s"] == images * getattr(program, f"n_{unit}"), what
        assert counters["pixels"] == images * pixels(program), what
        assert counters["pixels"] + sum(counters[name] for name in STALLS) == counters["cycles"], what

    def check_codes(self, outcome: Outcome, images: int, what: str = "") -> None:
        """Every layer's codes and every output, and nothing else was written."""
        assert outcome.error is None, f"{what}: {outcome.error}"
        assert outcome.trace is not None
        ledger = Ledger(self.network.layers, self.reference)
        writes = sum(info.count for info in self.program.computes)
        for n, part in enumerate(outcome.trace.split([writes] * images)):
            codes = rtl_codes(self.program, part, self.addresses)
            ledger.enter("rtl", n, codes.tensors, cycles=codes.cycles)
            ledger.enter("rtl", n, outcome.outputs[n], run="in memory")
        assert ledger.first() is None, f"{what}: {ledger.first()}"
        assert len(outcome.trace) == writes * images, f"{what}: {len(outcome.trace)} writes"
        assert len(outcome.outputs) == images


def check_timing(job: Run, outcome: Outcome, what: str) -> None:
    """The cycle model's counters are the engine's, and so is the last write of every COMPUTE.

    A write is on the trace a cycle after the one that the engine counts.
    """
    assert outcome.error is None and outcome.trace is not None, what
    timing = simulate(job.program, len(job.codes), job.mem_latency)
    assert timing.counters == outcome.counters, what
    last = np.cumsum([info.count for info in job.program.computes] * len(job.codes)) - 1
    assert [span.end + 1 for span in timing.spans] == outcome.trace.cycle[last].tolist(), what


# Programs ------------------------------------------------------------------------------------------


def records(program: Program) -> list[bytes]:
    """The program's records."""
    size = record_words(program.config) * program.config.port_bytes
    return [program.records[at : at + size] for at in range(0, len(program.records), size)]


def changed(program: Program, number: int, **values: int) -> Program:
    """The program with fields of one record changed."""
    parts = records(program)
    instruction, fields = decode(parts[number], program.config)
    parts[number] = encode(instruction, program.config, fields | values)
    return replace(program, records=b"".join(parts))


def computes(program: Program) -> list[dict[str, int]]:
    """The fields of every COMPUTE, with ``passes`` and ``pixels`` (of one pass)."""
    found = []
    for record in records(program):
        instruction, v = decode(record, program.config)
        if instruction is COMPUTE:
            passes = (v["kb_last"] + 1) * (v["ky_last"] + 1) * (v["kx_last"] + 1)
            pixels = int(np.prod(loop_counts(v)))
            found.append(v | {"passes": passes, "pixels": pixels})
    return found


def pixels(program: Program) -> int:
    """Pixels that the array takes for one image."""
    return sum(v["passes"] * v["pixels"] for v in computes(program))


def convolution(
    seed: int, config: EngineConfig, height: int, width: int, channels: int, outputs: int,
    kernel: tuple[int, int] = (1, 1), *, stride: tuple[int, int] = (1, 1), dilation: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0), bits: int | None = None,
) -> QuantizedNetwork:  # fmt: skip
    """One convolution, its weights over their whole range."""
    rng = np.random.default_rng(seed)
    bits = min(bits or config.wgt_width, config.wgt_width)
    size = []
    for axis, length in enumerate((height, width)):
        reach = (kernel[axis] - 1) * dilation[axis] + 1
        size.append((length + pads[axis] + pads[axis + 2] - reach) // stride[axis] + 1)
    fmt = QFormat(config.act_width, 3, bool(seed % 2))
    wgt = rng.integers(-(1 << bits - 1), 1 << bits - 1, (outputs, channels, *kernel))
    scale = int(np.log2((1 << bits) * max(2.0, (channels * kernel[0] * kernel[1]) ** 0.5)))
    tensors = {
        "in": Tensor(name="in", shape=(height, width, channels), format=fmt),
        "out": Tensor(name="out", shape=(size[0], size[1], outputs), format=fmt),
    }
    layer = Layer(
        name="conv", kind="conv", inputs=("in",), output="out", kernel=kernel, stride=stride, dilation=dilation,
        pads=pads, wgt=wgt.astype(np.int64), wgt_width=bits, bias=rng.integers(-999, 999, outputs),
        shift=rng.integers(scale - 3, scale + 1, outputs), lo=fmt.min, hi=fmt.max,
    )  # fmt: skip
    return QuantizedNetwork(
        name=f"conv{seed}", input="in", outputs=("out",), tensors=tensors, layers=(layer,)
    )


def shortcut(
    seed: int,
    config: EngineConfig,
    height: int,
    width: int,
    channels: int,
    kernel: tuple[int, int] = (1, 1),
) -> QuantizedNetwork:
    """A convolution plus its own input: operand and residual are always in one bank."""
    edge_y, edge_x = kernel[0] // 2, kernel[1] // 2
    pads = (edge_y, edge_x, edge_y, edge_x)
    plain = convolution(seed, config, height, width, channels, channels, kernel, pads=pads)
    layer = replace(plain.layers[0], inputs=("in", "in"), res_shift=np.full(channels, 2))
    return replace(plain, layers=(layer,))


def averaged(
    seed: int,
    config: EngineConfig,
    maker: QuantizedNetwork,
    behind: int = 0,
) -> QuantizedNetwork:
    """The mean of each channel of ``maker``'s map; ``behind``: channels of a 1x1 convolution of the image after it.

    That one waits for nothing: its first codes come as close behind the word of the means as the engine lets them.
    """
    rng, fmt = np.random.default_rng(seed), QFormat(config.act_width, 3, bool(seed & 2))
    made = maker.tensors["out"]
    top, pixels = 1 << config.wgt_width - 1, made.shape[0] * made.shape[1]
    pool = Layer(
        name="mean", kind="avgpool", inputs=("out",), output="mean", kernel=made.shape[:2],
        wgt=np.full((1, 1, 1, 1), rng.integers(-top, top)), wgt_width=config.wgt_width,
        shift=rng.integers(-1, config.wgt_width + pixels.bit_length(), 1), lo=fmt.min, hi=fmt.max,
    )  # fmt: skip
    tensors = maker.tensors | {"mean": Tensor(name="mean", shape=(1, 1, made.shape[2]), format=fmt)}
    layers, outputs = (*maker.layers, pool), ("mean",)
    if behind:
        height, width, channels = maker.tensors["in"].shape
        other = convolution(seed + 1, config, height, width, channels, behind)
        tensors |= {"other": replace(other.tensors["out"], name="other")}
        layers += (replace(other.layers[0], name="other", output="other"),)
        outputs = ("mean", "other")
    return replace(maker, outputs=outputs, tensors=tensors, layers=layers)
