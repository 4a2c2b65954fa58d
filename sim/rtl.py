"""Runs programs in RTL: the engine's Verilog in Verilator under cocotb, with the bench memory of ``sim/bench.sv``."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cocotb_tools import runner
from cocotb_tools.check_results import get_results

from ..quant.network import IntArray
from ..sw.container import save_program
from ..sw.driver import EngineError
from ..sw.program import Program
from ..sw.recording import Recording
from .build import TRACE, Simulation, build_bench, engine_text, find_instance, tail
from .memory_image import Trace, decode_trace
from .probe import decode_probe
from .scope import decode_scope, scope_module, scope_plusargs, wires

__all__ = ["RtlJob", "RtlResult", "SimulationError", "Stalls", "run_jobs", "run_rtl", "simulate"]

_VIOLATIONS = (
    "a burst that is not INCR or not of the port's full width",
    "an address that is not a multiple of the port's width",
    "a burst that crosses 4096 bytes",
    "a read address taken back or changed before it was accepted",
    "a write address taken back or changed before it was accepted",
    "write data taken back or changed before it was accepted",
    "WLAST too early or too late",
)

_log = logging.getLogger("systolith.sim")


class SimulationError(RuntimeError):
    """The simulation itself failed, or the engine broke the protocol of its memory port."""


@dataclass(frozen=True, kw_only=True)
class Stalls:
    """Random pauses of the bench memory: a seed and for each channel the probability of a pause, in 1/256."""

    seed: int
    read_address: int = 0
    read_data: int = 0
    write_address: int = 0
    write_data: int = 0
    response: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.seed < 1 << 32:
            raise ValueError(f"seed must be in 1..2**32 - 1, not {self.seed!r}")
        for name in ("read_address", "read_data", "write_address", "write_data", "response"):
            if not 0 <= getattr(self, name) <= 255:
                raise ValueError(f"{name} must be in 0..255, not {getattr(self, name)!r}")


@dataclass(frozen=True, kw_only=True)
class RtlJob:
    """One batch: what to run it on.

    Parameters
    ----------
    codes : input codes [N, H, W, C]; the images run back to back.
    mem_latency : the bench memory's, 1..200 cycles.
    stalls : random pauses of the memory.
    timeout : cycles after which the job fails; by default far more than the program can need.
    watchdog : cycles without progress that the engine takes for an error, 0: never.
    trace : record every output write.
    read_error, write_error : byte address that the memory answers with an error.
    reset_after : run once before, and reset the engine so many cycles after its start.
    """

    codes: npt.ArrayLike
    mem_latency: int = 30
    stalls: Stalls | None = None
    timeout: int | None = None
    watchdog: int = 0
    trace: bool = True
    read_error: int | None = None
    write_error: int | None = None
    reset_after: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.mem_latency <= 200:
            raise ValueError(f"mem_latency must be in 1..200, not {self.mem_latency!r}")

    def describe(self, program: Program, images: int) -> dict[str, Any]:
        """The job as cocotb_engine wants it, codes apart."""
        stalls = self.stalls
        return {
            "mem_latency": self.mem_latency,
            "stalls": [stalls.seed, stalls.read_address, stalls.read_data, stalls.write_address, stalls.write_data,
                       stalls.response] if stalls else [0] * 6,
            "timeout": _patience(program, images) if self.timeout is None else self.timeout,
            "watchdog": self.watchdog,
            "trace": int(self.trace),
            "read_error": self.read_error,
            "write_error": self.write_error,
            "reset_after": self.reset_after,
        }  # fmt: skip


@dataclass(frozen=True)
class RtlResult:
    """What a job left: counters by name, each image's outputs as codes [H, W, C], every output write.

    ``error`` is what the engine said against it; then there are no outputs, and the trace ends where it stopped.
    ``recording``: what happened when, if the jobs were run with ``probe`` and there was no error.
    ``signals``: values by name in each cycle of the scope's window, up to the end of the run.
    """

    counters: dict[str, int]
    outputs: list[dict[str, IntArray]]
    trace: Trace
    error: EngineError | None = None
    recording: Recording | None = None
    signals: Mapping[str, IntArray] = field(default_factory=dict)

    @property
    def cycles(self) -> int:
        """Cycles from start to done."""
        return self.counters["cycles"]


def _patience(program: Program, images: int) -> int:
    """Cycles that no working engine needs: 64 times the array's work, 512 a port word, 2000 an instruction."""
    config = program.config
    work = program.macs // (config.rows * config.cols)
    words = (len(program.weights) + program.input_bytes + program.output_bytes) // config.port_bytes
    instructions = program.n_load + program.n_compute + program.n_store
    return min(100_000 + images * (64 * work + 512 * words + 2000 * instructions), (1 << 32) - 1)


def simulate(
    simulation: Simulation,
    module: str,
    folder: Path,
    *,
    waves: Path | None = None,
    plusargs: Sequence[str] = (),
) -> None:
    """Run a cocotb test module in a folder. Raises SimulationError with the log's tail unless every test passes."""
    log, results = folder / "sim.log", folder / "results.xml"
    simulator = runner.Verilator()
    simulator.log.setLevel(logging.CRITICAL)
    environment = {
        "OPENBLAS_NUM_THREADS": "1",
        "COCOTB_REWRITE_ASSERTION_FILES": "",
        "COCOTB_ANSI_OUTPUT": "0",
        "PYTHONWARNINGS": "default",
    }
    try:
        simulator.test(test_module=module, hdl_toplevel=simulation.top, hdl_toplevel_lang="verilog", seed=1,
                       build_dir=simulation.executable.parent, test_dir=folder, results_xml=str(results),
                       waves=waves is not None, log_file=log, extra_env=environment,
                       plusargs=list(plusargs))  # fmt: skip
        failed = get_results(results)[1]
    except (RuntimeError, SystemExit):
        failed = 1
    if waves is not None and simulation.waves_file and (folder / simulation.waves_file).exists():
        shutil.move(folder / simulation.waves_file, waves)
    if failed:
        raise SimulationError(f"the simulation failed:\n{tail(log, 60)}")


def run_jobs(
    program: Program,
    jobs: Sequence[RtlJob],
    *,
    verilog: str | None = None,
    waves: Path | None = None,
    probe: bool = False,
    scope: tuple[int, int] | None = None,
    optimize: str = "-O2",
) -> list[RtlResult]:
    """Run several jobs of one program, one after the other in one simulator.

    Parameters
    ----------
    verilog : text of the engine, top module ``engine``; by default the program's configuration is generated.
    waves : where to put a waveform; its suffix is made ``.fst`` or ``.vcd``, whichever can be written here.
    probe : record every job's events: a simulation of its own, somewhat slower; jobs must be traced.
    scope : first and last cycle in which signals are recorded; with ``probe`` a simulation of its own too.
    optimize : the C++ compiler's option: -O1 builds faster, -O3 may run faster.

    Raises ToolchainError, BuildError, SimulationError; an error of the engine is in its job's result.
    """
    if verilog is None:
        verilog = engine_text(program.config)
    batches = [np.asarray(job.codes) for job in jobs]
    batches = [batch[None] if batch.ndim == 3 else batch for batch in batches]
    needed = max(program.memory_map(len(batch)).end for batch in batches)
    chosen = () if scope is None else wires(program.config, find_instance(verilog, "engine", TRACE))
    simulation = build_bench(program.config, verilog, memory_bytes=needed, waves=waves is not None, probe=probe,
                             scope=scope_module(chosen) if chosen else "", optimize=optimize)  # fmt: skip
    if waves is not None:
        waves = waves.absolute().with_suffix(Path(simulation.waves_file).suffix)
    with tempfile.TemporaryDirectory(prefix="systolith-") as name:
        folder = Path(name)
        save_program(program, folder / "program")
        for number, batch in enumerate(batches):
            np.save(folder / f"codes{number}.npy", batch)
        described = [job.describe(program, len(batch)) for job, batch in zip(jobs, batches, strict=True)]
        (folder / "jobs.json").write_text(json.dumps(described))
        began = time.monotonic()
        simulate(simulation, "systolith.sim.cocotb_engine", folder, waves=waves,
                 plusargs=[] if scope is None else scope_plusargs(scope))  # fmt: skip
        results = json.loads((folder / "results.json").read_text())
        decoded = [_result(program, folder, number, result) for number, result in enumerate(results)]
        if scope is not None:
            texts = [(folder / f"scope{number}.txt").read_text() for number in range(len(jobs))]
            decoded = [
                replace(result, signals=decode_scope(text, chosen, scope))
                for result, text in zip(decoded, texts, strict=True)
            ]
    cycles = sum(result.cycles for result in decoded)
    _log.info("simulated %d cycles in %.1f s", cycles, time.monotonic() - began)
    return decoded


def _result(program: Program, folder: Path, number: int, result: dict[str, Any]) -> RtlResult:
    broken = [text for bit, text in enumerate(_VIOLATIONS) if result["violation"] >> bit & 1]
    if broken:
        raise SimulationError(f"job {number}: the engine broke the AXI protocol: {'; '.join(broken)}")
    recorded = folder / f"trace{number}.bin"
    trace = decode_trace(recorded.read_bytes() if recorded.exists() else b"", program.config)
    if result["error"] is not None:
        return RtlResult(result["counters"], [], trace, EngineError(result["error"], result["code"]))
    with np.load(folder / f"outputs{number}.npz") as stored:
        tensors = {name: stored[name] for name in stored.files}
    count = len(next(iter(tensors.values())))
    outputs = [{name: t[i] for name, t in tensors.items()} for i in range(count)]
    probed, recording = folder / f"probe{number}.bin", None
    if probed.exists():
        recording = decode_probe(probed.read_bytes(), program, count, result["counters"]["cycles"])
    return RtlResult(result["counters"], outputs, trace, recording=recording)


def run_rtl(
    program: Program,
    codes: npt.ArrayLike,
    *,
    mem_latency: int = 30,
    stalls: Stalls | None = None,
    verilog: str | None = None,
    waves: Path | None = None,
) -> RtlResult:
    """Run images [N, H, W, C] (or one [H, W, C]) back to back. Raises as ``run_jobs``, and EngineError."""
    job = RtlJob(codes=codes, mem_latency=mem_latency, stalls=stalls)
    (result,) = run_jobs(program, [job], verilog=verilog, waves=waves)
    if result.error is not None:
        raise result.error
    return result
