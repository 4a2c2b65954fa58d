"""Measures a case: quantize, compile, and every model of the chain; what was measured before is taken from the cache.

    key = SHA-256 of program, engine's Verilog, bench, simulators, input codes, latency
    cache/benchmark/KEY.json = what the simulation gave

so a change of the compiler or the engine that leaves a case's program and Verilog as they were measures nothing
again, and a run that was interrupted goes on where it stopped. The cache is that of ``sim.build``.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from ...hw.config import EngineConfig
from ...sim import build, iss
from ...sim.verilator import content_key
from .. import api, api_verify, onnx_reader, quantized_io
from ..api_files import write_whole
from ..compiler import compile_network
from ..container import to_bytes
from ..cycle_model.machine import simulate
from ..cycle_model.nominal import nominal_network
from ..images import Images
from ..program import Program
from ..quantized_io import QuantizedModel
from .bound import bounds, port_cycles, total_cycles
from .cases import Case
from .results import Measurement
from .sources import Source, find
from .speed import TARGETS, Speed, measure_speed

__all__ = ["measure", "measure_speeds", "quantized", "revision"]

_KEPT = ("cycles", "cycles_total", "compared", "counters")
"""What is kept of a measurement that found nothing wrong."""

_ROOT = Path(__file__).resolve().parents[2]


def revision() -> str:
    """The commit of the checkout, with "+" where its sources are changed; "unknown" outside of one."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=_ROOT, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "hw", "quant", "sim", "sw")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def measure(
    case: Case, source: Source, commit: str, *, progress: api.Progress = api_verify.quiet
) -> Measurement:
    """One row. What the engine cannot compute, and what goes wrong, is in its ``error``."""
    row = Measurement(
        case=case.name, network_hash=source.hash, commit=commit, engine=case.config.describe(),
        pes=case.config.rows * case.config.cols, mem_latency=case.mem_latency, images=case.images, macs=0,
        bound_cycles=0, port_cycles=0,
    )  # fmt: skip
    if case.rtl:
        with tempfile.TemporaryDirectory(prefix="systolith-") as name:
            model = quantized(source, Path(name), progress)
        network = model.network
    else:
        network = nominal_network(onnx_reader.read(onnx.load_from_string(source.onnx)), source.preprocessing)
    least = bounds(network, case.config)
    row = replace(
        row, macs=sum(layer.macs for layer in network.layers), bound_cycles=total_cycles(least),
        port_cycles=port_cycles(least, case.config),
    )  # fmt: skip
    try:
        program = compile_network(network, case.config)
    except ValueError as error:
        return replace(row, error=str(error))
    if case.rtl:
        row = _simulated(row, case, source, model, program, progress)
    if row.error:
        return row
    progress("cycle model")
    one = simulate(program, 1, case.mem_latency).cycles
    total = one if case.images == 1 else simulate(program, case.images, case.mem_latency).cycles
    return replace(row, model_cycles=one, model_cycles_total=total)


def _simulated(
    row: Measurement,
    case: Case,
    source: Source,
    model: QuantizedModel,
    program: Program,
    progress: api.Progress,
) -> Measurement:
    """With what the models of the chain gave, now or before."""
    kept = build.cache_folder() / "benchmark" / f"{_key(case, source, model, program)}.json"
    if kept.is_file():
        progress("measured before")
        return replace(row, **json.loads(kept.read_text()))
    row = _verified(row, case, source, model, progress)
    if not row.error:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, json.dumps({name: getattr(row, name) for name in _KEPT}, indent=1) + "\n")
    return row


def measure_speeds(commit: str, *, progress: api.Progress = api_verify.quiet) -> list[Speed]:
    """Cycles a second of the demo network in the engines that have a target; never from the cache."""
    source = find("demo")
    assert source is not None
    with tempfile.TemporaryDirectory(prefix="systolith-") as name:
        model = quantized(source, Path(name), progress)
    codes = model.network.input_codes(model.preprocessing.apply(source.images[:1]))[0]
    result = []
    for size in TARGETS:
        program = compile_network(model.network, EngineConfig(rows=size, cols=size))
        progress(f"{size}x{size}")
        result.append(measure_speed(program, codes, commit))
    return result


def quantized(source: Source, folder: Path, progress: api.Progress) -> QuantizedModel:
    """Quantized in the quickest way: the formats decide no cycle."""
    (folder / "net.onnx").write_bytes(source.onnx)
    np.savez(folder / "calibration.npz", images=source.calibration)
    api.quantize(
        folder / "net.onnx", folder / "calibration.npz", folder / "net.q", preprocessing=source.preprocessing,
        method="qiu-l1" if len(source.calibration) > 1 else "non-overflow", correct=(), progress=progress,
    )  # fmt: skip
    return quantized_io.load(folder / "net.q")


def _key(case: Case, source: Source, model: QuantizedModel, program: Program) -> str:
    codes = model.network.input_codes(model.preprocessing.apply(source.images[: case.images]))
    simulators = [path.read_text() for path in (*build.BENCH, Path(iss.__file__))]
    digests = [hashlib.sha256(part).hexdigest() for part in (to_bytes(program), codes.tobytes())]
    return content_key(build.engine_text(case.config), *simulators, *digests, str(case.mem_latency))


def _verified(
    row: Measurement, case: Case, source: Source, model: QuantizedModel, progress: api.Progress
) -> Measurement:
    images = Images(source.images[: case.images])
    with tempfile.TemporaryDirectory(prefix="systolith-") as name:
        engine = Path(name) / "engine.v"  # from the cache, as it takes a quarter of a minute to generate
        engine.write_text(build.engine_text(case.config))
        result = api.verify(
            model, images, count=case.images, config=case.config, mem_latency=case.mem_latency, verilog=engine,
            progress=progress,
        )  # fmt: skip
    return replace(
        row, cycles=result.cycles[0] if result.cycles else None, cycles_total=result.cycles_total,
        compared=sum(result.compared.values()), mismatches=sum(result.mismatches.values()),
        error="" if result.ok else result.verdict(), counters=dict(result.counters),
    )  # fmt: skip
