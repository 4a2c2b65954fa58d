"""The documented Python API: one function a command; the command line is a thin layer over it.

    check -> quantize -> evaluate -> compile -> verify        demo: all of them on the network of the package
                                     model, profile, sweep, report, disassemble, verilog, synth

Every function raises ``ValueError`` (or ``OSError``, ``ToolchainError``) with one sentence that names what is
wrong and the cure; files are written whole or not at all. ``progress`` is called with a line of text now and
then.

    >>> from systolith.sw import api
    >>> api.quantize("net.onnx", "calibration.npz", "net.q", preprocessing=api.Preprocessing(255.0))
    >>> result = api.verify("net.q", "test.npz", count=2, config=api.EngineConfig(rows=8, cols=8))
    >>> result.ok, result.cycles, result.first_mismatch
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..hw.config import EngineConfig
from ..quant.allocator import Budget
from ..quant.options import CORRECTIONS, DATA_FREE_CORRECT, DEFAULT_CORRECT, Options
from ..quant.search import DEFAULT_METHOD, METHODS
from . import api_explain, compiler, disassembler, onnx_reader, quantized_io
from . import evaluate as evaluation
from .api_bits import Bits, bits
from .api_board import VivadoProject, synth_board
from .api_check import check
from .api_choice import energy_picture, frames_picture, heat_map
from .api_explore import explore
from .api_explore_result import Exploration
from .api_faults import with_weight
from .api_files import file_target, write_whole
from .api_model import Model, model
from .api_models import runtime_errors
from .api_pictures import Comparison, DemoFiles, Picture, compare, demo_files, layer_picture, picture
from .api_placed import boards_picture, cells_picture, path_picture
from .api_profile import Profile, profile
from .api_report import report
from .api_results import Check, Compilation, Quantized, VerilogFiles
from .api_roofline import Roofline, roofline
from .api_scope import Scope, scope
from .api_static import Static, static
from .api_sweep import sweep
from .api_sweep_result import Sweep
from .api_synth import Synth, device_config, synth
from .api_testbench import write_testbench
from .api_verify import Progress, quiet, verify
from .bit_widths import widths_for
from .calibrated import load_calibrated
from .container import load_program, to_bytes
from .evaluate import Evaluation
from .explore.objectives import OBJECTIVES, Objective
from .graph import Graph
from .images import RAW_PIXELS, Images, Preprocessing, load_images
from .program import Program
from .quantized_io import QuantizedModel
from .verify import Divergence, LayerResult, Verification

if TYPE_CHECKING:
    from .demo.run import DemoResult

__all__ = [
    "CORRECTIONS", "DATA_FREE_CORRECT", "DEFAULT_CORRECT", "DEFAULT_METHOD", "METHODS", "OBJECTIVES", "RAW_PIXELS",
    "Bits", "Budget", "Check", "Comparison", "Compilation", "DemoFiles",
    "Divergence", "EngineConfig",
    "Evaluation", "Exploration", "Images", "LayerResult", "Model", "Objective", "Picture", "Preprocessing", "Profile",
    "Program", "Progress", "Quantized", "QuantizedModel", "Roofline", "Scope", "Static", "Sweep", "Synth",
    "Verification", "VerilogFiles", "VivadoProject", "bits", "boards_picture", "cells_picture", "check",
    "compare", "compile", "demo", "demo_files", "device_config", "disassemble", "energy_picture",
    "evaluate", "explore", "frames_picture", "heat_map", "layer_picture", "load_images",
    "load_quantized", "model", "path_picture", "picture", "profile", "quantize", "read_model",
    "read_program", "report", "roofline", "scope", "static", "sweep", "synth", "synth_board", "verify",
    "verilog", "with_weight",
]  # fmt: skip


def read_model(path: str | Path) -> Graph:
    """The fused graph of an ONNX file; raises ModelError, listing every node that cannot run."""
    return onnx_reader.read(path)


def load_quantized(directory: str | Path) -> QuantizedModel:
    """A directory that ``quantize`` wrote: network, preprocessing, report, float model, QDQ export."""
    return quantized_io.load(directory)


def quantize(
    path: str | Path,
    calibration: str | Path | None,
    output: str | Path,
    *,
    count: int | None = None,
    preprocessing: Preprocessing = RAW_PIXELS,
    act_width: int = 8,
    wgt_width: int = 8,
    acc_width: int = 32,
    method: str = DEFAULT_METHOD,
    correct: Sequence[str] | None = None,
    per_channel: bool = False,
    wgt_bits: Mapping[str, int] | Budget | None = None,
    act_bits: Mapping[str, int] | None = None,
    progress: Progress = quiet,
) -> Quantized:
    """Quantize an ONNX file on calibration images and write the directory ``output``.

    Parameters
    ----------
    calibration : an .npz file with ``images`` uint8 [N, H, W, C], or a folder of PNG or JPEG files; None:
        data-free, synthetic images of ``quant.synthetic`` take their place.
    count : how many of them to use; None: the first 256, or all where there are fewer.
    preprocessing : real = (images / scale - mean) / std; stored in the directory, later commands reuse it.
    act_width, wgt_width, acc_width : bits; 2..8 or 16 for the first two.
    method : one of ``METHODS``.
    correct : some of ``CORRECTIONS``; none of them changes the hardware. None: ``DEFAULT_CORRECT``, or
        ``DATA_FREE_CORRECT`` without images.
    wgt_bits : bits of the weights of single layers, by name, instead of ``wgt_width``; or a ``Budget`` that
        the layers share by their sensitivity, none wider than ``wgt_width``.
    act_bits : bits of single activations, by tensor, instead of ``act_width``.
    per_channel : one fractional length of the weights an output channel instead of one a layer.
    """
    if correct is None:
        correct = DATA_FREE_CORRECT if calibration is None else DEFAULT_CORRECT
    budget = wgt_bits if isinstance(wgt_bits, Budget) else None
    options = Options(
        act_width=act_width, wgt_width=wgt_width, acc_width=acc_width, method=method, per_channel=per_channel,
        correct=tuple(correct), act_widths=act_bits or {}, input_range=preprocessing.real_range(),
        wgt_widths={} if wgt_bits is None or isinstance(wgt_bits, Budget) else wgt_bits,
    )  # fmt: skip
    ready = load_calibrated(path, calibration, count=count, preprocessing=preprocessing, options=options)
    if budget is not None:
        options = replace(options, wgt_widths=widths_for(ready, options, budget, progress=progress))
    graph = ready.trained
    kind = "synthetic" if ready.data_free else "calibration"
    if graph.formats:
        progress("the file is quantized by powers of two: its formats are kept")
    progress(f"quantizing {graph.name}: {len(graph.layers)} layers, {len(ready.images)} {kind} images")
    result = ready.quantize(options)
    progress(f"writing {output}")
    quantized_io.save(output, result.network, preprocessing, result.report, ready.model, graph.flat)
    return Quantized(directory=Path(output), report=result.report)


def evaluate(
    source: QuantizedModel | str | Path,
    images: Images | str | Path,
    *,
    count: int | None = None,
    preprocessing: Preprocessing | None = None,
    progress: Progress = quiet,
) -> Evaluation:
    """Accuracy on labelled images: float against integers, integers against ONNX Runtime.

    ``source``: a quantized model or its directory, or an ONNX file (then the float network alone, with
    ``preprocessing``, by default images / 255). ``count``: how many images; None: all.
    """
    if isinstance(source, (str, Path)) and Path(source).is_dir():
        source = quantized_io.load(source)
    if isinstance(source, QuantizedModel):
        if preprocessing is not None:
            raise ValueError("a quantized model holds its preprocessing: give none")
        network = source.network
        shape = network.image_shape
    else:
        graph = onnx_reader.read(source)
        shape = graph.shapes[graph.input]
        preprocessing = preprocessing or RAW_PIXELS
        preprocessing.check_channels(shape[2])
    loaded = images if isinstance(images, Images) else load_images(images, shape)
    if count is not None:
        loaded = loaded.first(count)
    progress(f"evaluating {len(loaded)} images")
    with runtime_errors("the model"):
        return evaluation.evaluate(source, loaded, preprocessing)


def compile(
    source: QuantizedModel | str | Path,
    config: EngineConfig,
    output: str | Path | None = None,
    *,
    explain: bool = False,
    mem_latency: int = 30,
) -> Compilation:
    """The program that computes a quantized model on an engine; written to ``output`` if it is given.

    ``explain``: how each layer is cut, the bytes it moves, its cycles with a memory of ``mem_latency``, what bounds it.

    Raises ValueError naming the layer or tensor that the engine cannot compute, and the cure.
    """
    if output is not None:
        file_target(output)
    model = source if isinstance(source, QuantizedModel) else quantized_io.load(source)
    program = compiler.compile_network(model.network, config)
    path = None if output is None else write_whole(output, to_bytes(program))
    why = api_explain.explain(program, mem_latency) if explain else None
    return Compilation(program=program, path=path, explanation=why)


def disassemble(program: Program | str | Path) -> Iterator[str]:
    """The lines of a program's listing."""
    return disassembler.disassemble(program if isinstance(program, Program) else read_program(program))


def read_program(path: str | Path) -> Program:
    """The program in a file; raises ValueError where there is none."""
    if not Path(path).is_file():
        raise ValueError(f"program {str(path)!r} does not exist: compile one first")
    return load_program(path)


def verilog(
    config: EngineConfig,
    output: str | Path | None = None,
    *,
    testbench: bool = False,
    device: str | None = None,
    package: str | Path | None = None,
    freq: float | None = None,
    progress: Progress = quiet,
) -> VerilogFiles:
    """The engine of a configuration as Verilog, top module ``engine``; written to ``output`` if it is given.

    ``testbench``: write a self-checking bench too, into the folder ``<output without suffix>_bench``. ``device``: as
    yosys's netlist of its cells, with what the cells do; the device must be an ECP5. ``package``: a folder for FuseSoC,
    Vivado and others (``docs/ip.md``), its constraints for a clock of ``freq`` MHz, by default 100.
    """
    from ..hw.verilog import engine_verilog
    from .api_package import FREQ, write_package
    from .synthesis_netlist import engine_netlist

    if output is not None:
        file_target(output)
    elif testbench:
        raise ValueError("a test bench needs an output: name the Verilog file")
    if package is not None and device is not None:
        raise ValueError("package must be of RTL, not of a device's netlist: leave device out")
    if freq is not None and package is None:
        raise ValueError("freq must come with package: the Verilog itself has no clock")
    progress(f"generating an engine: {config.describe()}")
    text = engine_verilog(config) if device is None else engine_netlist(config, device, say=progress)
    path = folder = None
    if output is not None:
        target = Path(output)
        if testbench:
            folder = write_testbench(config, target.with_name(f"{target.stem}_bench"), f"../{target.name}")
        path = write_whole(output, text)
    packaged = (
        None if package is None else write_package(config, package, text, FREQ if freq is None else freq)
    )
    return VerilogFiles(config=config, verilog=text, path=path, testbench=folder, package=packaged)


def demo(output: str | Path = "systolith-demo", *, progress: Progress = quiet) -> DemoResult:
    """The whole path on the network and the images of the package; see ``sw.demo.run``."""
    from .demo.run import run

    return run(output, progress=progress)
