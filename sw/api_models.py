"""Runs the models of the chain; their codes in one form: tensors [H, W, C] by name, for each image.

ONNX Runtime on the QDQ export; the instruction-set simulator and the RTL on a program. The traces of the last
two may end early: codes that were never written are ``MISSING``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..hw.isa import decode, loop_counts, record_words
from ..quant.network import IntArray
from ..sim import iss
from ..sim.memory_image import Trace
from .cycle_model.machine import simulate
from .oracle import Oracle
from .program import ComputeInfo, Program
from .quantized_io import QuantizedModel
from .verify import MISSING

if TYPE_CHECKING:
    from ..sim.rtl import RtlResult

__all__ = ["Codes", "RtlRun", "cycle_limit", "reason", "rtl_codes", "run_iss", "run_oracle", "run_rtl",
           "runtime_errors"]  # fmt: skip

Array = npt.NDArray[Any]


@dataclass
class Codes:
    """One image: codes by tensor, the cycle each was written in (RTL), results as the host finds them."""

    tensors: dict[str, IntArray] = field(default_factory=dict)
    cycles: dict[str, IntArray] = field(default_factory=dict)
    results: Mapping[str, IntArray] = field(default_factory=dict)


@contextmanager
def runtime_errors(what: str) -> Iterator[None]:
    """Turn what ONNX Runtime raises over a model into ValueError, one sentence."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith("onnxruntime"):
            raise
        text = str(error).splitlines()[0]
        raise ValueError(f"{what} does not run in ONNX Runtime ({text}): make it again") from None


def run_oracle(model: QuantizedModel, real: Array, batch: int = 16) -> dict[str, Array]:
    """Codes [N, H, W, C] of every tensor by ONNX Runtime on the export that is on disk."""
    with runtime_errors("qdq.onnx of the quantized model"):
        session = Oracle(model.network, "all", model.qdq)
        parts = [session.run(real[at : at + batch]) for at in range(0, len(real), batch)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


# Traces --------------------------------------------------------------------------------------------


def _tensors(
    program: Program, writes: Iterable[tuple[ComputeInfo, IntArray, IntArray | None, IntArray | None]]
) -> Codes:
    """Codes by tensor from (COMPUTE, codes [n, cols], cycles [n], whether each is where it belongs [n])."""
    result = Codes()
    for name in {info.output for info in program.computes}:
        height, width, channels = program.tensors[name].shape
        result.tensors[name] = np.full((height * width, channels), MISSING)
        result.cycles[name] = np.full((height * width, channels), -1)
    for info, codes, when, placed in writes:
        tensor = result.tensors[info.output]
        count = min(info.count, len(codes), len(tensor) - info.pixel)
        end = min(info.channel + program.config.cols, tensor.shape[1])
        area = np.s_[info.pixel : info.pixel + count, info.channel : end]
        signed = program.signed(info.output, codes[:count, : end - info.channel])
        tensor[area] = signed if placed is None else np.where(placed[:count, None], signed, MISSING)
        if when is not None:
            result.cycles[info.output][area] = when[:count, None]
    for name, tensor in result.tensors.items():
        shape = program.tensors[name].shape
        result.tensors[name] = tensor.reshape(shape)
        result.cycles[name] = result.cycles[name].reshape(shape)
    return result


def run_iss(program: Program, codes: Array) -> tuple[list[Codes], list[IntArray] | None, str | None]:
    """Images [N, H, W, C] in the instruction-set simulator.

    Returns each image's codes, the word address of every write of one image (None if it did not end), and why
    the simulator stopped, if it did.
    """
    memory, registers = program.image(codes)
    traces: dict[tuple[int, int], iss.ComputeTrace] = {}
    error = None
    try:
        for trace in iss.InstructionSetSimulator(program.config, memory).run(registers):
            traces[trace.iteration, trace.index] = trace
    except (iss.EngineError, ValueError, IndexError, KeyError, OverflowError, MemoryError) as stopped:
        error = f"iss: {stopped}"
    images = []
    for n in range(len(codes)):
        writes = [
            (info, traces[n, i].codes, None, None)
            for i, info in enumerate(program.computes)
            if (n, i) in traces
        ]
        images.append(_tensors(program, writes))
    if error is not None:
        return images, None, error
    for image, results in zip(images, program.results(memory, len(codes)), strict=True):
        image.results = results
    return images, [traces[0, i].addr for i in range(program.n_compute)], None


def rtl_codes(program: Program, trace: Trace, addresses: list[IntArray] | None) -> Codes:
    """The codes of one image from its part of the engine's trace.

    ``addresses``: where each COMPUTE writes; a write elsewhere leaves its code missing.
    """
    pieces = trace.split([info.count for info in program.computes])
    writes = []
    for i, (info, piece) in enumerate(zip(program.computes, pieces, strict=True)):
        placed = None
        if addresses is not None and len(addresses[i]) == info.count:
            placed = np.asarray(piece.addr == addresses[i][: len(piece)], np.int64).astype(bool)
        writes.append((info, piece.codes, piece.cycle, placed))
    return _tensors(program, writes)


# RTL -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RtlRun:
    """Each image alone, then images back to back; or why there is no result."""

    alone: tuple[RtlResult, ...] = ()
    stream: RtlResult | None = None
    """None for one image and an engine of our own."""
    order: tuple[int, ...] = ()
    """the images of ``stream``."""
    error: str | None = None


def run_rtl(
    program: Program,
    codes: Array,
    *,
    mem_latency: int,
    limit: int,
    verilog: str,
    given: str | None = None,
    waves: Path | None = None,
) -> RtlRun:
    """Images [N, H, W, C] in the engine, each alone, then back to back; ``limit`` cycles an image.

    ``given``: the file the Verilog is from. On such an engine one image runs twice back to back: faults in
    what counts across images would not show otherwise.

    Raises ValueError where Verilog from a file does not build, ToolchainError where a tool is missing.
    """
    from ..sim.build import BuildError
    from ..sim.rtl import RtlJob, SimulationError, run_jobs

    jobs = [RtlJob(codes=image, mem_latency=mem_latency, timeout=limit) for image in codes]
    order = tuple(range(len(codes)))
    if len(codes) == 1:
        order = () if given is None else (0, 0)
    if order:
        timeout = min(limit * len(order), (1 << 32) - 1)
        jobs.append(RtlJob(codes=codes[list(order)], mem_latency=mem_latency, timeout=timeout))
    try:
        results = run_jobs(program, jobs, verilog=verilog, waves=waves)
    except BuildError as error:
        if given is None:
            return RtlRun(error=f"rtl: the simulation does not build: {reason(error)}")
        raise ValueError(f"Verilog {given!r} does not build: {reason(error)}") from None
    except SimulationError as error:
        return RtlRun(error=f"rtl: {reason(error)}")
    return RtlRun(tuple(results[: len(codes)]), results[len(codes)] if order else None, order)


_TELLING = re.compile(r"(%Error[^:]*: .*|\b[\w.]*(?:Error|Exception): .*|%Fatal.*|.*\$fatal.*)")


def reason(error: Exception) -> str:
    """What a tool's log says went wrong, as one line."""
    lines = str(error).splitlines()
    for line in lines:
        if found := _TELLING.search(line):
            return re.sub(r"\S*/build-\w+/", "", found[0]).strip()
    return lines[0].rstrip(":") if lines else type(error).__name__


def cycle_limit(program: Program, mem_latency: int) -> int:
    """Cycles after which an engine hangs: four times a schedule without any overlap, for one image.

    COMPUTE = passes x max(pixels, rows, 64) + segment; LOAD and STORE = beats; each + 4 latencies. Of a serial engine
    four times what it takes.
    """
    config = program.config
    if config.serial:
        return int(min(4 * simulate(program, 1, mem_latency).cycles + 20_000, (1 << 32) - 1))
    size = record_words(config) * config.port_bytes
    total = (len(program.records) + len(program.weights)) // config.port_bytes
    for at in range(0, len(program.records), size):
        _, v = decode(program.records[at : at + size], config)
        total += 4 * (mem_latency + 50)
        if "kb_last" in v:
            passes = (v["kb_last"] + 1) * (v["ky_last"] + 1) * (v["kx_last"] + 1)
            total += passes * max(prod(loop_counts(v)), config.rows, 64)
    total += (program.input_bytes * 2 + program.output_bytes * 4) // min(config.port_bytes, config.word_bytes)
    return int(min(4 * total + 20_000, (1 << 32) - 1))
