"""``verify``: one quantized model through every model of the chain, every layer compared code by code."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ..hw.config import EngineConfig
from ..quant.network import QuantizedNetwork
from . import integer_reference, quantized_io
from .api_model import with_model
from .api_models import Codes, RtlRun, cycle_limit, rtl_codes, run_iss, run_oracle, run_rtl
from .api_results import config_json
from .compiler import compile_network
from .container import from_bytes, to_bytes
from .images import Images, load_images
from .program import Program
from .quantized_io import QuantizedModel
from .verify import MODELS, Ledger, Verification, layer_range, layer_results
from .weights import decode_segment

__all__ = ["Progress", "quiet", "verify"]

Progress = Callable[[str], None]


def quiet(line: str) -> None:
    """No progress."""


def verify(
    source: QuantizedModel | str | Path,
    images: Images | str | Path,
    *,
    count: int = 1,
    config: EngineConfig | None = None,
    mem_latency: int = 30,
    layers: str | None = None,
    program: str | Path | None = None,
    verilog: str | Path | None = None,
    netlist: str | Path | None = None,
    waves: str | Path | None = None,
    progress: Progress = quiet,
) -> Verification:
    """Integer reference == ONNX Runtime == instruction-set simulator == RTL, on every layer's output codes.

    Each image runs alone in the RTL, then all of them back to back. The cycle model must have the same cycles.

    Parameters
    ----------
    source : a quantized model, or its directory.
    images : labelled or not; the first ``count`` of them.
    config : the engine; by default 8x8.
    mem_latency : of the bench memory, 1..200 cycles.
    layers : ``A:B`` restricts comparison and report to layers A <= i < B, counted from 0.
    program, verilog : files to take as they are instead of compiling and generating.
    netlist : file of ``api.verilog(device=...)``: it runs beside the RTL, and every port must agree in every cycle.
    waves : file for a waveform; its suffix becomes .fst or .vcd, whichever can be written here.

    What the models do wrong is in the result. Raises ValueError for a program or Verilog of another engine or
    network, and for input that cannot be used.
    """
    engine = config or EngineConfig()
    model = source if isinstance(source, QuantizedModel) else quantized_io.load(source)
    network = model.network
    chosen = layer_range(layers, len(network.layers))
    if isinstance(mem_latency, bool) or not isinstance(mem_latency, int) or not 1 <= mem_latency <= 200:
        raise ValueError(f"mem_latency must be an integer in 1..200, not {mem_latency!r}")
    loaded = images if isinstance(images, Images) else load_images(images, network.image_shape)
    real = model.preprocessing.apply(loaded.first(count).images)
    codes = network.input_codes(real)
    compiled = compile_network(network, engine)
    errors: list[str] = []
    used = compiled
    if program is not None:
        used = _program(Path(program), compiled, errors)
    text = _verilog(Path(verilog), engine) if verilog is not None else None
    cells = _verilog(Path(netlist), engine) if netlist is not None else None
    target = None if waves is None else Path(waves)
    if target is not None and not target.absolute().parent.is_dir():
        raise ValueError(f"directory {str(target.parent)!r} does not exist: create it, or write elsewhere")
    if text is None:
        from ..hw.verilog import engine_verilog

        progress(f"generating the engine: {engine.describe()}")
        text = engine_verilog(engine)
    if cells is not None:
        from ..hw.ports import engine_ports
        from ..sim.lockstep import lockstep

        text = lockstep(text, cells, engine_ports(engine))
    with ThreadPoolExecutor(1) as pool:
        progress(
            f"RTL: building the simulation, then {count} image{'s alone, then back to back' * (count > 1)}"
        )
        given = next((str(path) for path in (netlist, verilog) if path is not None), None)
        future = pool.submit(
            run_rtl, used, codes, mem_latency=mem_latency, limit=cycle_limit(compiled, mem_latency),
            verilog=text, given=given, waves=target,
        )  # fmt: skip
        ledger = Ledger([network.layers[i] for i in chosen], _reference(network, codes, progress))
        progress("ONNX Runtime")
        oracle = run_oracle(model, real)
        for n in range(count):
            ledger.enter("onnxruntime", n, {name: values[n] for name, values in oracle.items()})
        progress("instruction-set simulator")
        simulated, addresses, error = run_iss(used, codes)
        errors += [] if error is None else [error]
        for n, image in enumerate(simulated):
            ledger.enter("iss", n, image.tensors)
            ledger.enter("iss", n, image.results)
        if not future.done():
            progress("waiting for the RTL")
        rtl = future.result()
    for suffix in (".fst", ".vcd"):
        if target is not None and target.with_suffix(suffix).exists():
            progress(f"waveform: {target.with_suffix(suffix)}")
    spans = _enter_rtl(ledger, used, rtl, addresses, errors)
    progress("comparing")
    result = _result(network, used, engine, mem_latency, chosen, count, ledger, rtl, spans, errors)
    return with_model(result, used, mem_latency)


def _reference(network: QuantizedNetwork, codes: np.ndarray, progress: Progress) -> Mapping[str, np.ndarray]:
    progress("integer reference")
    return integer_reference.run(network, codes, "all")


# Artefacts from disk -------------------------------------------------------------------------------


def _program(path: Path, compiled: Program, errors: list[str]) -> Program:
    """The program in a file as it is; a wrong checksum and where it differs are added to ``errors``."""
    if not path.is_file():
        raise ValueError(f"program {str(path)!r} does not exist: compile one first")
    content = path.read_bytes()
    program = from_bytes(content, f"program {str(path)!r}", checked=False)
    program.require(compiled.config)
    same = (
        program.input == compiled.input
        and {o.tensor for o in program.outputs} == {o.tensor for o in compiled.outputs}
        and all(
            name in compiled.tensors
            and (info.shape, info.format) == (compiled.tensors[name].shape, compiled.tensors[name].format)
            for name, info in program.tensors.items()
        )
        and all(info.output in program.tensors for info in program.computes)
    )
    if not same:
        raise ValueError(
            f"program {str(path)!r} computes another network ({program.name!r}) than the quantized model: "
            f"compile it again"
        )
    if content != to_bytes(program):
        errors.append(
            f"program {str(path)!r} was changed after it was compiled (its checksum does not match)"
            + _difference(program, compiled)
        )
    return program


def _difference(program: Program, compiled: Program) -> str:
    """Where a program differs from the compiler's."""
    for what in ("records", "weights"):
        mine, other = (np.frombuffer(getattr(p, what), np.uint8) for p in (program, compiled))
        if len(mine) != len(other):
            return f": its {what} differ in length"
        if np.any(mine != other):
            at = int(np.argmax(mine != other))
            return f": {what} differ from byte {at} on" + (
                f", weights of layer {_owner(compiled, at)!r}" if what == "weights" else ""
            )
    return ""


def _owner(program: Program, byte: int) -> str:
    """The layer whose segment of the weight stream holds a byte."""
    position = 0
    stream = np.frombuffer(program.weights, np.uint8)
    for info in program.computes:
        _, taken = decode_segment(stream[position:], program.config)
        position += taken
        if byte < position:
            return info.name
    return "?"


def _verilog(path: Path, config: EngineConfig) -> str:
    if not path.is_file():
        raise ValueError(f"Verilog {str(path)!r} does not exist: generate it with `systolith verilog`")
    text = path.read_text(errors="replace")
    if not re.search(r"^\s*module\s+engine\b", text, re.MULTILINE):
        raise ValueError(
            f"Verilog {str(path)!r} holds no module `engine`: generate it with `systolith verilog`"
        )
    found = re.search(r"^// (\d+x\d+ array.*)\n// Configuration hash (0x[0-9a-f]{8})", text, re.MULTILINE)
    if found is not None and int(found[2], 16) != config.hash:
        raise ValueError(
            f"Verilog {str(path)!r} is of another engine: {found[1]} there; this engine: {config.describe()}"
        )
    return text


# RTL -----------------------------------------------------------------------------------------------


def _enter_rtl(
    ledger: Ledger, program: Program, rtl: RtlRun, addresses: list[np.ndarray] | None, errors: list[str]
) -> dict[str, int]:
    """Compare what the RTL wrote; returns the cycles each tensor took in the first image."""
    spans: dict[str, int] = {}
    if rtl.error is not None:
        errors.append(rtl.error)
    writes = sum(info.count for info in program.computes)
    runs = [(f"image {n}", [n], result) for n, result in enumerate(rtl.alone)]
    if rtl.stream is not None:
        runs.append(("back to back", list(rtl.order), rtl.stream))
    for what, images, result in runs:
        if result.error is not None:
            errors.append(f"rtl, {what}: {result.error}")
        elif len(result.trace) != writes * len(images):
            errors.append(
                f"rtl, {what}: the engine made {len(result.trace)} writes of outputs, "
                f"not {writes * len(images)}"
            )
        run = "back to back" if what == "back to back" else "alone"
        for part, n in enumerate(images):
            codes = rtl_codes(program, result.trace.split([part * writes, writes])[1], addresses)
            ledger.enter("rtl", n, codes.tensors, run=run, cycles=codes.cycles)
            if result.outputs:
                ledger.enter("rtl", n, result.outputs[part], run=run)
            if n == 0 and run == "alone" and result.error is None:
                spans = _spans(program, codes)
    return spans


def _spans(program: Program, codes: Codes) -> dict[str, int]:
    """Cycles from the last write of the tensor before to a tensor's own last one, in the order of these."""
    last = {name: int(when.max()) for name, when in codes.cycles.items()}
    spans, before = {}, 0
    for name in sorted(last, key=last.__getitem__):
        spans[name] = last[name] - before
        before = last[name]
    return spans


# Result --------------------------------------------------------------------------------------------


def _result(
    network: QuantizedNetwork, program: Program, config: EngineConfig, mem_latency: int, chosen: range,
    count: int, ledger: Ledger, rtl: RtlRun, spans: Mapping[str, int], errors: list[str],
) -> Verification:  # fmt: skip
    macs: dict[str, int] = {}
    for info in program.computes:
        macs[info.output] = macs.get(info.output, 0) + info.macs
    fused = {}
    for layer in network.layers:
        if layer.output not in program.tensors and layer.kind != "concat":
            fused[layer.output] = next(
                other.output for other in network.layers if layer.output in other.inputs
            )
    pes = config.rows * config.cols
    useful = sum(layer.macs for layer in network.layers)
    rows = layer_results(network, chosen, ledger, fused, spans, macs, pes)
    cycles = tuple(result.cycles if result.error is None else None for result in rtl.alone)
    done = [value for value in cycles if value]
    stream = rtl.stream if count > 1 else (rtl.alone[0] if rtl.alone else None)
    total = stream.cycles if stream is not None and stream.error is None else None
    return Verification(
        network=network.name,
        config={**config_json(config), "mem_latency": mem_latency},
        images=count,
        layers=rows,
        macs=useful,
        compared={model: sum(row.compared[model] for row in rows) for model in MODELS},
        mismatches={model: sum(row.mismatches[model] for row in rows) for model in MODELS},
        cycles=cycles,
        cycles_total=total,
        utilization=sum(useful / (pes * value) for value in done) / len(done) if done else None,
        utilization_stream=None if not total else count * useful / (pes * total),
        first_mismatch=ledger.first(),
        errors=tuple(errors),
        counters={} if stream is None else stream.counters,
    )
