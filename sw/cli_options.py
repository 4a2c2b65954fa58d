"""The options of every command, and how their text becomes values; all errors are one sentence."""

from __future__ import annotations

import argparse
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import MISSING, fields
from importlib import metadata
from typing import Any, NoReturn

from ..hw.config import SERIAL, EngineConfig
from ..quant.options import CORRECTIONS, DATA_FREE_CORRECT, DEFAULT_CORRECT
from ..quant.search import DEFAULT_METHOD, METHODS
from .cli_bits import BUDGET, add_bits, add_static
from .cli_explore import add_explore
from .cli_profile import add_profile
from .cli_report import add_report
from .cli_sweep import add_sweep
from .cli_synth import add_synth
from .cli_texts import IMAGES, TEXTS
from .images import Preprocessing

__all__ = ["UsageError", "engine_config", "mem_latency", "named", "parser", "preprocessing"]

ENGINE = (
    ("rows", "1..128", "PEs of a column: input channels at a time"),
    ("cols", "1..128", "PEs of a row: output channels at a time"),
    ("act_width", "2..8 or 16", "bits of an activation"),
    ("wgt_width", "2..8 or 16", "bits of a weight"),
    ("acc_width", "16..48", "bits of an accumulator"),
    ("port_width", "a power of two in 8..512", "bits of the memory port"),
    ("scratchpad", "bytes, also as 64K or 1M", "activation memory"),
    ("acc_depth", "a power of two in 16..65536", "accumulators a column"),
    ("fold_width", "3..2047, or 0", "pixels of a row of the image, for kernel rows folded on load"),
    ("fir_depth", "0 or a power of two in 16..4096", "pixels a column keeps for depthwise layers, 0: none"),
    ("tables", "0 or a power of two up to 64", "activation functions a column holds at a time, 0: none"),
    ("coord_width", "4..16", "bits of a map's coordinates, a sign among them"),
    ("wait_width", "8..24", "bits of completion counts, 3 more than those of a program's instructions"),
    ("memory_width", "12..32", "bits of an address of memory"),
    ("count_width", "8..32", "bits of counts of images and cycles"),
    ("profile", "0 or 1", "count events, besides cycles"),
    ("means", "0 or 1", "global averages on the output path"),
    ("products", "0 or 1", "products of a map and a vector"),
    ("folds", "0 or 1", "kernels folded on load"),
    ("fifo_depth", "a power of two in 64..512", "port words of the queues of records, weights, LOAD"),
    ("lookahead", "0 or 1", "the next record waits behind the one in execution"),
    ("serial", "0 or 1", "one thing after the other, for FPGAs of a few thousand cells"),
    ("bank_stages", "0 or 1", "a register in front of the scratchpad's block RAMs"),
)
"""Options that are fields of EngineConfig: name, range or unit, meaning. EngineConfig checks them."""

LATENCY = (1, 200)
LATENCY_DEFAULT = 30


class UsageError(Exception):
    """The command line itself is wrong; one sentence."""


class _Parser(ArgumentParser):
    """One sentence instead of a usage dump."""

    def error(self, message: str) -> NoReturn:
        choice = r"argument (COMMAND): invalid choice: (\S+) \(choose from (.*)\)"
        known = re.sub(choice, r"\1 must be one of \3, not \2", message)
        known = re.sub(r"^argument ([^:]+): ", r"\1: ", known)
        raise UsageError(f"{known}; see `{self.prog} --help`")


def integer(text: str) -> int | str:
    """A number, with K or M for 2**10 and 2**20; other text stays, for whoever knows the range to refuse."""
    found = re.fullmatch(r"([+-]?\d+)([kKmM]?)", text.strip())
    if found is None:
        return text
    return int(found[1]) << {"": 0, "k": 10, "m": 20}[found[2].lower()]


def switch(text: str) -> bool | str:
    """0 or 1; other text stays."""
    return {"0": False, "1": True}.get(text.strip(), text)


def named(error: ValueError) -> ValueError:
    """The same sentence with the option's spelling in front of it."""
    name, space, rest = str(error).partition(" ")
    known = {field.name for field in fields(EngineConfig)}
    return ValueError(f"--{name.replace('_', '-')}{space}{rest}") if name in known else error


def engine_config(arguments: Namespace) -> EngineConfig:
    """The engine that the options describe; raises ValueError naming the option and its range.

    With --serial 1 those at their defaults are what a serial engine has.
    """
    values: dict[str, Any] = {name: getattr(arguments, name) for name, _, _ in ENGINE}
    if values["serial"] is True:
        defaults = {field.name: field.default for field in fields(EngineConfig)}
        values |= {name: value for name, value in SERIAL.items() if values[name] == defaults[name]}
    try:
        return EngineConfig(**values)
    except ValueError as error:
        raise named(error) from None


def count_of(option: str, low: int) -> Any:
    """An argparse type: an integer of at least ``low``."""

    def convert(text: str) -> int:
        value = integer(text)
        if isinstance(value, str) or value < low:
            raise UsageError(f"{option} must be an integer of at least {low}, not {text!r}")
        return value

    return convert


def corrections(text: str) -> tuple[str, ...]:
    """An argparse type: names separated by commas; ``none`` is none of them. ``Options`` checks the names."""
    return () if text.strip() == "none" else tuple(name.strip() for name in text.split(","))


def mem_latency(arguments: Namespace) -> int:
    """Cycles of the bench memory."""
    value = arguments.mem_latency
    if isinstance(value, str) or not LATENCY[0] <= value <= LATENCY[1]:
        raise ValueError(f"--mem-latency must be an integer in {LATENCY[0]}..{LATENCY[1]}, not {value!r}")
    return int(value)


def preprocessing(arguments: Namespace) -> Preprocessing | None:
    """What --scale, --mean and --std describe; None where none of them is given."""
    given = {name: getattr(arguments, name) for name in ("scale", "mean", "std")}
    if all(text is None for text in given.values()):
        return None
    values = {}
    for name, text in given.items():
        try:
            values[name] = None if text is None else tuple(float(part) for part in text.split(","))
        except ValueError:
            what = "a number" if name == "scale" else "numbers separated by commas"
            raise ValueError(f"--{name} must be {what}, not {text!r}") from None
    scale, mean, std = values["scale"] or (255.0,), values["mean"] or (0.0,), values["std"] or (1.0,)
    if len(scale) != 1:
        raise ValueError(f"--scale must be a number, not {given['scale']!r}")
    return Preprocessing(scale[0], mean, std)


# Parsers -------------------------------------------------------------------------------------------


def _engine_options(command: ArgumentParser, latency: bool = True) -> None:
    group = command.add_argument_group("engine options (the same for every command)")
    default = {field.name: field.default for field in fields(EngineConfig) if field.default is not MISSING}
    for name, unit, meaning in ENGINE:
        convert = switch if isinstance(default[name], bool) else integer
        group.add_argument(f"--{name.replace('_', '-')}", type=convert, default=default[name], metavar="N",
                           help=f"{meaning}, {unit} (default: {int(default[name])})")  # fmt: skip
    if latency:
        text = f"cycles of the bench memory (not of the engine), 1..200 (default: {LATENCY_DEFAULT})"
        group.add_argument("--mem-latency", type=integer, default=LATENCY_DEFAULT, metavar="N", help=text)


def _preprocessing_options(command: ArgumentParser) -> None:
    group = command.add_argument_group("preprocessing: real = (images / scale - mean) / std")
    group.add_argument("--scale", metavar="S", help="what pixels are divided by (default: 255)")
    group.add_argument("--mean", metavar="A,B,C", help="subtracted, one value or one a channel (default: 0)")
    group.add_argument("--std", metavar="A,B,C", help="divided by, one value or one a channel (default: 1)")


def _quantizing_options(command: ArgumentParser, widths: bool = True, data_free: bool = False) -> None:
    """The model, its calibration images and how to quantize; ``widths``: bits of everything too."""
    command.add_argument("model", metavar="MODEL.onnx")
    source = command.add_mutually_exclusive_group(required=True) if data_free else command
    source.add_argument(
        "--calib", required=not data_free, metavar="FILE", help=f"calibration images: {IMAGES}"
    )
    if data_free:
        source.add_argument("--data-free", action="store_true",
                            help="no images: synthetic ones, made from a fixed seed, take their place")  # fmt: skip
    command.add_argument("--calib-count", type=count_of("--calib-count", 1), metavar="N",
                         help="how many of them (default: 256, or all if there are fewer)")  # fmt: skip
    for option, what, value in (
        ("act", "activations", 8),
        ("wgt", "weights", 8),
        ("acc", "accumulators", 32),
    ):
        if widths:
            command.add_argument(f"--{option}-width", type=integer, default=value, metavar="N",
                                 help=f"bits of {what} (default: {value})")  # fmt: skip
    command.add_argument("--method", default=DEFAULT_METHOD, metavar="NAME",
                         help=f"how fractional lengths are chosen, see below (default: {DEFAULT_METHOD})")  # fmt: skip
    free = f", with --data-free {','.join(DATA_FREE_CORRECT)}" if data_free else ""
    command.add_argument("--correct", type=corrections, default=None if data_free else DEFAULT_CORRECT, metavar="A,B",
                         help="corrections that leave the hardware unchanged, see below, or none "
                         f"(default: {','.join(DEFAULT_CORRECT)}{free})")  # fmt: skip
    command.add_argument("--per-channel", action="store_true",
                         help="one fractional length of the weights for each output channel")  # fmt: skip
    _preprocessing_options(command)
    meanings = {name: method.meaning for name, method in METHODS.items()}
    command.epilog = "\n\n".join((_listed("methods", meanings), _listed("corrections", CORRECTIONS)))


def _listed(title: str, meanings: Mapping[str, str]) -> str:
    """Names and what they mean, a line each."""
    return "\n".join([f"{title}:", *(f"  {name:16}{meaning}" for name, meaning in meanings.items())])


def parser() -> ArgumentParser:
    """The whole command line."""
    top = _Parser(
        prog="systolith",
        description="From a trained CNN (ONNX) to a systolic accelerator that is proved byte for byte.",
        epilog="exit status: 0 all is well, 1 a mismatch or failed target, 2 bad input. "
        "`systolith COMMAND --help` shows a command's options and examples.",
    )
    top.add_argument("--version", action="version", version=f"systolith {metadata.version('systolith')}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str) -> ArgumentParser:
        summary = TEXTS[name].replace("\n", " ").split(". ")[0].split(":")[0].rstrip(".")
        found: ArgumentParser = commands.add_parser(
            name,
            help=summary,
            description=TEXTS[name],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        found.add_argument("--json", action="store_true", help="one JSON document on stdout, nothing else")
        return found

    check = command("check")
    check.add_argument("model", metavar="MODEL.onnx")
    _preprocessing_options(check)
    _engine_options(check, latency=False)

    quantize = command("quantize")
    _quantizing_options(quantize, data_free=True)
    quantize.add_argument("-o", "--output", required=True, metavar="DIR", help="directory to write")
    quantize.add_argument("--wgt-bits", metavar="FILE|BUDGET",
                          help='a JSON object of bits by layer, {"conv1": 8, "fc": 4}; or a budget that layers '
                          f"share by their sensitivity: {BUDGET}")  # fmt: skip
    quantize.add_argument("--act-bits", metavar="FILE",
                          help="a JSON object of bits by tensor, for activations")  # fmt: skip

    bits = command("bits")
    _quantizing_options(bits)
    add_bits(bits, count_of)

    static = command("static")
    _quantizing_options(static, widths=False)
    add_static(static, count_of)

    evaluate = command("evaluate")
    evaluate.add_argument("source", metavar="DIR|MODEL.onnx", help="a quantized model or an ONNX file")
    evaluate.add_argument("--images", required=True, metavar="FILE", help=IMAGES)
    evaluate.add_argument(
        "--count", type=count_of("--count", 1), metavar="N", help="the first N images (default: all)"
    )
    _preprocessing_options(evaluate)

    report = command("report")
    add_report(report, count_of)
    _engine_options(report)

    compare = command("compare")
    compare.add_argument("directories", nargs="+", metavar="DIR", help="quantized models of one network")
    compare.add_argument("--images", required=True, metavar="FILE", help=IMAGES)
    compare.add_argument(
        "--count", type=count_of("--count", 1), metavar="N", help="the first N images (default: all)"
    )
    compare.add_argument("--picture", metavar="FILE.png", help="also draw it")

    compile_ = command("compile")
    compile_.add_argument("directory", metavar="DIR", help="a quantized model")
    compile_.add_argument("-o", "--output", required=True, metavar="FILE", help="program file to write")
    compile_.add_argument("--explain", action="store_true",
                          help="strips, bytes moved, cycles and the bound that holds, layer by layer")  # fmt: skip
    _engine_options(compile_)

    model = command("model")
    model.add_argument("source", metavar="DIR|MODEL.onnx", help="a quantized model or an ONNX file")
    model.add_argument("--images", type=count_of("--images", 1), default=1, metavar="N",
                       help="how many run back to back for the second figure (default: 1)")  # fmt: skip
    _preprocessing_options(model)
    _engine_options(model)

    profile = command("profile")
    add_profile(profile, count_of)
    _preprocessing_options(profile)
    _engine_options(profile)

    sweep = command("sweep")
    add_sweep(sweep, count_of, {name: (unit, meaning) for name, unit, meaning in ENGINE})
    _preprocessing_options(sweep)

    explore = command("explore")
    add_explore(explore, count_of, {name: (unit, meaning) for name, unit, meaning in ENGINE})
    _preprocessing_options(explore)

    disasm = command("disasm")
    disasm.add_argument("program", metavar="PROGRAM")

    verilog = command("verilog")
    verilog.add_argument("-o", "--output", required=True, metavar="FILE.v", help="Verilog file to write")
    verilog.add_argument(
        "--testbench", action="store_true", help="also write a self-checking bench, see above"
    )
    verilog.add_argument("--device", metavar="NAME", help="a netlist of this FPGA's cells, see above")
    verilog.add_argument("--package", metavar="DIR", help="also write a folder for FuseSoC, Vivado, ...")
    verilog.add_argument(
        "--freq", metavar="MHZ", help="the clock of the package's constraints (default: 100)"
    )
    _engine_options(verilog)

    synth = command("synth")
    _engine_options(synth)
    add_synth(synth, count_of, tuple(name for name, _, _ in ENGINE))

    verify = command("verify")
    verify.add_argument("directory", metavar="DIR", help="a quantized model")
    verify.add_argument("--images", required=True, metavar="FILE", help=IMAGES)
    verify.add_argument(
        "--count", type=count_of("--count", 1), default=1, metavar="N", help="the first N images (default: 1)"
    )
    verify.add_argument(
        "--layers", metavar="A:B", help="compare and report only layers A <= i < B, counted from 0"
    )
    verify.add_argument("--program", metavar="FILE", help="take this program as it is instead of compiling")
    verify.add_argument("--verilog", metavar="FILE", help="take this engine as it is instead of generating")
    verify.add_argument(
        "--netlist", metavar="FILE", help="run this netlist of `verilog --device` beside the RTL"
    )
    verify.add_argument(
        "--waves",
        metavar="FILE",
        help="write a waveform of the whole simulation (.fst, or .vcd without zlib and lz4; slow, large)",
    )
    _engine_options(verify)

    demo = command("demo")
    demo.add_argument("-o", "--output", default="systolith-demo", metavar="DIR",
                      help="directory for the picture and all files (default: systolith-demo)")  # fmt: skip
    return top
