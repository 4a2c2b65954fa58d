"""One function a command: arguments to ``sw.api``, its result to text, JSON and exit status."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from . import api
from .cli_bits import bits_file, budgets, precisions, wgt_bits
from .cli_explore import run_explore
from .cli_options import ENGINE, engine_config, mem_latency, named, preprocessing
from .cli_sweep import AXES
from .cli_synth import megahertz, run_synth

__all__ = ["COMMANDS", "Outcome"]

OK, FAILED, BAD_INPUT = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a command leaves: a JSON document, lines for people, the exit status and its reason."""

    document: dict[str, Any]
    lines: Iterable[str]
    status: int = OK
    error: str = ""


def _check(arguments: Namespace, progress: api.Progress) -> Outcome:
    result = api.check(arguments.model, engine_config(arguments), preprocessing=preprocessing(arguments))
    missing = [(item, f"{item.why}; {item.cure}") for item in result.unsupported]
    missing += [(item, item.lacks) for item in result.waiting]
    error = ""
    if missing:
        listed = " | ".join(f"{item.name} ({item.op}): {why}" for item, why in missing)
        nodes = f"{len(missing)} node{'s' * (len(missing) > 1)}"
        error = f"model {arguments.model!r} holds {nodes} that cannot run: {listed}"
    elif result.beyond:
        error = f"model {arguments.model!r} cannot run: {' | '.join(result.beyond)}"
    return Outcome(
        document=result.to_json(),
        lines=[result.to_text()],
        status=BAD_INPUT if error else OK,
        error=error,
    )


def _quantize(arguments: Namespace, progress: api.Progress) -> Outcome:
    chosen = preprocessing(arguments)
    given = None if arguments.wgt_bits is None else wgt_bits(arguments.wgt_bits)
    act_bits = None if arguments.act_bits is None else bits_file("--act-bits", arguments.act_bits)
    try:
        result = api.quantize(
            arguments.model, arguments.calib, arguments.output,
            count=arguments.calib_count, act_width=arguments.act_width, wgt_width=arguments.wgt_width,
            acc_width=arguments.acc_width, method=arguments.method, correct=arguments.correct,
            wgt_bits=given, act_bits=act_bits, per_channel=arguments.per_channel, progress=progress,
            preprocessing=chosen or api.RAW_PIXELS,
        )  # fmt: skip
    except ValueError as error:
        raise named(error) from None
    return Outcome(document=result.to_json(), lines=[result.to_text()])


def _bits(arguments: Namespace, progress: api.Progress) -> Outcome:
    try:
        result = api.bits(
            arguments.model, arguments.calib, arguments.output, count=arguments.calib_count,
            images=arguments.images, image_count=arguments.count, budgets=budgets(arguments.budgets),
            act_width=arguments.act_width, wgt_width=arguments.wgt_width, acc_width=arguments.acc_width,
            method=arguments.method, correct=arguments.correct, per_channel=arguments.per_channel,
            preprocessing=preprocessing(arguments) or api.RAW_PIXELS, progress=progress,
        )  # fmt: skip
    except ValueError as error:
        raise named(error) from None
    return Outcome(document=result.to_json(), lines=[result.to_text()])


def _static(arguments: Namespace, progress: api.Progress) -> Outcome:
    result = api.static(
        arguments.model, arguments.calib, arguments.output, count=arguments.calib_count,
        images=arguments.images, image_count=arguments.count, precisions=precisions(arguments.precisions),
        method=arguments.method, correct=arguments.correct, per_channel=arguments.per_channel,
        preprocessing=preprocessing(arguments) or api.RAW_PIXELS, progress=progress,
    )  # fmt: skip
    return Outcome(document=result.to_json(), lines=[result.to_text()])


def _evaluate(arguments: Namespace, progress: api.Progress) -> Outcome:
    result = api.evaluate(
        arguments.source, arguments.images, count=arguments.count, preprocessing=preprocessing(arguments),
        progress=progress,
    )  # fmt: skip
    rows = [
        ("images", str(result.images)),
        ("top-1 float", _percent(result.top1_float)),
        ("top-1 integer", _percent(result.top1_int)),
        ("agreement", _percent(result.agreement)),
        ("SQNR of the logits", "-" if result.sqnr_db is None else f"{result.sqnr_db:.2f} dB"),
        ("ONNX Runtime", _equal(result.onnxruntime_mismatches)),
    ]
    failed = bool(result.onnxruntime_mismatches)
    return Outcome(
        document=result.to_json(),
        lines=[f"{name:20}{value}" for name, value in rows],
        status=FAILED if failed else OK,
        error=f"ONNX Runtime differs: {result.first_mismatch}" if failed else "",
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} %"


def _equal(mismatches: int | None) -> str:
    return "-" if mismatches is None else f"{mismatches} mismatches in the network's outputs"


def _report(arguments: Namespace, progress: api.Progress) -> Outcome:
    config = engine_config(arguments)
    path = api.report(
        arguments.sources, arguments.output, config=None if config == api.EngineConfig() else config,
        images=arguments.images, mem_latency=mem_latency(arguments), progress=progress,
    )  # fmt: skip
    return Outcome(document={"report": str(path)}, lines=[f"written: {path}"])


def _compare(arguments: Namespace, progress: api.Progress) -> Outcome:
    names = list(dict.fromkeys(arguments.directories))
    result = api.compare({name: name for name in names}, arguments.images, count=arguments.count)
    if arguments.picture is not None:
        result.picture("Quantized models compared").save(arguments.picture)
    return Outcome(document=result.to_json(), lines=[result.to_text()])


def _compile(arguments: Namespace, progress: api.Progress) -> Outcome:
    result = api.compile(
        arguments.directory, engine_config(arguments), arguments.output, explain=arguments.explain,
        mem_latency=mem_latency(arguments),
    )  # fmt: skip
    return Outcome(document=result.to_json(), lines=[result.to_text()])


def _model(arguments: Namespace, progress: api.Progress) -> Outcome:
    result = api.model(
        arguments.source, engine_config(arguments), images=arguments.images,
        mem_latency=mem_latency(arguments), preprocessing=preprocessing(arguments),
    )  # fmt: skip
    return Outcome(document=result.to_json(), lines=[result.to_text()])


def _profile(arguments: Namespace, progress: api.Progress) -> Outcome:
    result = api.profile(
        arguments.source, engine_config(arguments), arguments.output, images=arguments.images,
        mem_latency=mem_latency(arguments), preprocessing=preprocessing(arguments), origin=arguments.origin,
        first=arguments.first, last=arguments.last, layers=arguments.layers, progress=progress,
    )  # fmt: skip
    return Outcome(
        document=result.to_json(),
        lines=[result.to_text()],
        status=FAILED if result.error else OK,
        error=result.error,
    )


def _sweep(arguments: Namespace, progress: api.Progress) -> Outcome:
    axes = {name: getattr(arguments, name) for name in AXES}
    try:
        result = api.sweep(
            arguments.source, arguments.output, images=arguments.images, mem_latency=mem_latency(arguments),
            preprocessing=preprocessing(arguments), accuracy=arguments.accuracy, accuracy_count=arguments.count,
            calibration=arguments.calib, calibration_count=arguments.calib_count, jobs=arguments.jobs,
            resources="synthesis" if arguments.synth else "model" if arguments.resources else None,
            device=arguments.device, scheduler=arguments.scheduler, progress=progress, **axes,
        )  # fmt: skip
        if arguments.prove:
            result = result.prove(arguments.prove, arguments.seed, progress=progress)
    except ValueError as error:
        raise named(error) from None
    wrong = result.wrong()
    return Outcome(
        document=result.to_json(), lines=[result.to_text()], status=FAILED if wrong else OK, error=wrong
    )


def _explore(arguments: Namespace, progress: api.Progress) -> Outcome:
    try:
        result = run_explore(arguments, preprocessing(arguments), progress)
    except ValueError as error:
        raise named(error) from None
    return Outcome(document=result.to_json(), lines=[result.to_text()])


def _disasm(arguments: Namespace, progress: api.Progress) -> Outcome:
    program = api.read_program(arguments.program)
    if not arguments.json:
        return Outcome(document={}, lines=api.disassemble(program))
    document = api.Compilation(program=program, path=None).to_json()
    return Outcome(document={**document, "listing": list(api.disassemble(program))}, lines=[])


def _verilog(arguments: Namespace, progress: api.Progress) -> Outcome:
    config = engine_config(arguments)
    mem_latency(arguments)
    result = api.verilog(
        config, arguments.output, testbench=arguments.testbench, device=arguments.device,
        package=arguments.package, freq=megahertz(arguments.freq), progress=progress,
    )  # fmt: skip
    return Outcome(document=result.to_json(), lines=[result.to_text()])


def _synth(arguments: Namespace, progress: api.Progress) -> Outcome:
    mem_latency(arguments)
    try:
        result = run_synth(arguments, tuple(name for name, _, _ in ENGINE), progress)
    except ValueError as error:
        raise named(error) from None
    return Outcome(
        document=result.to_json(),
        lines=[result.to_text()],
        status=OK if result.ok else FAILED,
        error="" if result.ok else result.verdict(),
    )


def _verify(arguments: Namespace, progress: api.Progress) -> Outcome:
    result = api.verify(
        arguments.directory, arguments.images, count=arguments.count, config=engine_config(arguments),
        mem_latency=mem_latency(arguments), layers=arguments.layers, program=arguments.program,
        verilog=arguments.verilog, netlist=arguments.netlist, waves=arguments.waves, progress=progress,
    )  # fmt: skip
    return Outcome(
        document=result.to_json(),
        lines=[result.to_text()],
        status=OK if result.ok else FAILED,
        error="" if result.ok else result.verdict(),
    )


def _demo(arguments: Namespace, progress: api.Progress) -> Outcome:
    result = api.demo(arguments.output, progress=progress)
    return Outcome(
        document=result.to_json(),
        lines=[result.to_text()],
        status=OK if result.ok else FAILED,
        error="" if result.ok else result.verdict(),
    )


COMMANDS: dict[str, Callable[[Namespace, api.Progress], Outcome]] = {
    "check": _check,
    "quantize": _quantize,
    "bits": _bits,
    "static": _static,
    "evaluate": _evaluate,
    "report": _report,
    "compare": _compare,
    "compile": _compile,
    "model": _model,
    "profile": _profile,
    "sweep": _sweep,
    "explore": _explore,
    "disasm": _disasm,
    "verilog": _verilog,
    "synth": _synth,
    "verify": _verify,
    "demo": _demo,
}
