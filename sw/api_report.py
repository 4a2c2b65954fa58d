"""``report``: one page of a network, its quantization, its engine: from what other commands leave.

No network, no scripts: the file is all there is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..hw.config import EngineConfig
from . import page, quantized_io
from .api_files import file_target, write_whole
from .compiler import compile_network
from .container import MAGIC, load_program
from .cycle_model.record import record
from .cycle_model.report import model_cycles, require_run
from .page import Chapter, Tile, text
from .program import Program
from .quant_page import CALM, quantization_chapters, quantization_remarks, quantization_tiles
from .quantized_io import QuantizedModel
from .resource_page import Stock, resource_chapter, resource_tiles
from .run_page import Run
from .sweep_page import sweep_chapters, sweep_tiles
from .timeline import timeline
from .verify_page import verify_chapter, verify_verdict

__all__ = ["report"]

_KINDS = (
    "a quantized model's directory, a compiled program, a sweep's directory, or what `verify --json` or "
    "`synth --json` printed"
)


@dataclass(frozen=True, kw_only=True)
class _Sources:
    """What a page is made of."""

    model: QuantizedModel | None = None
    program: Program | None = None
    sweep: Mapping[str, Any] | None = None
    verified: Mapping[str, Any] | None = None
    synths: tuple[Mapping[str, Any], ...] = ()


def report(
    sources: QuantizedModel | str | Path | Sequence[QuantizedModel | str | Path],
    output: str | Path | None = None,
    *,
    config: EngineConfig | None = None,
    images: int = 2,
    mem_latency: int = 30,
    progress: Callable[[str], None] = lambda line: None,
) -> Path:
    """Write a page of one file: network, layers, cycles, timeline, roofline, resources, quantization, as far as known.

    Parameters
    ----------
    sources : one or several of: a quantized model or its directory; a compiled program; a sweep's directory; documents
        of ``verify --json`` and ``synth --json``. They share one page.
    output : by default ``report.html`` in the first directory, or beside the first file.
    config : the engine; by default the program's, else one of default size. Of that size, a network that does not fit
        has no engine's chapters, and the page says why.
    images : how many run back to back in the timeline.
    mem_latency : of the bench memory, 1..200 cycles.

    Raises ValueError naming the source that cannot be used, and the cure.
    """
    require_run(images, mem_latency)
    given = [sources] if isinstance(sources, (QuantizedModel, str, Path)) else list(sources)
    if not given:
        raise ValueError(f"sources must name at least one of: {_KINDS}")
    target = _target(given[0], output)
    found = _Sources()
    for source in given:
        found = _with(found, source)
    if found.program is not None and config is not None and config != found.program.config:
        raise ValueError("a program holds its engine: give no other engine options with it")
    progress(f"writing {target}")
    return write_whole(target, _page(found, config, images, mem_latency))


def _target(first: QuantizedModel | str | Path, output: str | Path | None) -> Path:
    if output is not None:
        return file_target(output)
    if isinstance(first, QuantizedModel):
        raise ValueError("output must name the file of a model that is no directory")
    path = Path(first)
    return path / "report.html" if path.is_dir() else path.with_suffix(".html")


# Sources -------------------------------------------------------------------------------------------


def _with(found: _Sources, source: QuantizedModel | str | Path) -> _Sources:
    """The sources with one more. Raises ValueError for what is none, or the second of its kind."""
    kind, value = _recognized(source)
    if kind == "synths":
        return replace(found, synths=(*found.synths, value))
    if getattr(found, kind) is not None:
        raise ValueError(f"{str(source)!r} is a second {_WORDS[kind]}: a page has one, write two pages")
    return replace(found, **{kind: value})


_WORDS = {
    "model": "quantized model",
    "program": "program",
    "sweep": "sweep",
    "verified": "verification",
}


def _recognized(source: QuantizedModel | str | Path) -> tuple[str, Any]:
    """The field of ``_Sources`` that it is, and its content."""
    if isinstance(source, QuantizedModel):
        return "model", source
    path = Path(source)
    if path.is_dir() and (path / "sweep.json").is_file():
        return "sweep", _document(path / "sweep.json", ("points", "axes", "model"))
    if path.is_dir() or not path.exists():
        return "model", quantized_io.load(path)
    with path.open("rb") as file:
        magic = file.read(len(MAGIC))
    if magic == MAGIC:
        return "program", load_program(path)
    if path.suffix == ".onnx":
        raise ValueError(
            f"{str(source)!r} is an ONNX file: quantize it and name the directory, or see `model`"
        )
    if not magic.lstrip().startswith(b"{"):
        raise ValueError(f"{str(source)!r} is nothing that report knows: name {_KINDS}")
    document = _document(path, ())
    if {"compared", "mismatches", "layers", "ok"} <= document.keys():
        return "verified", document
    if {"fmax_mhz", "resources", "device"} <= document.keys():
        return "synths", document
    if {"points", "axes"} <= document.keys():
        return "sweep", document
    raise ValueError(f"{str(source)!r} is no document that report knows: name {_KINDS}")


def _document(path: Path, keys: Sequence[str]) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text())
        if not isinstance(document, dict) or any(key not in document for key in keys):
            raise ValueError("it lacks what the command writes")
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is damaged ({error}): run the command that wrote it again") from None
    return document


# Page ----------------------------------------------------------------------------------------------


def _page(found: _Sources, config: EngineConfig | None, images: int, mem_latency: int) -> str:
    tiles: list[Tile] = []
    remarks: list[str] = []
    calm: list[str] = []
    chapters: list[Chapter] = []
    run, refused = _run(found, config, images, mem_latency)
    if refused:
        remarks.append(f"No figures of an engine: {text(refused)}")
    if run is not None:
        tiles += run.tiles()
        remarks += run.remarks()
        calm.append(run.calm)
        chapters += run.chapters()
    if found.verified is not None:
        verdict = verify_verdict(found.verified)
        (calm if found.verified["ok"] else remarks).append(verdict if found.verified["ok"] else text(verdict))
        chapters.append(verify_chapter(found.verified))
    if run is not None or found.synths:
        stock = None if run is None else _stock(run.program.config)
        tiles += resource_tiles(stock, found.synths)
        chapters.append(resource_chapter(stock, found.synths))
    if found.sweep is not None:
        tiles += sweep_tiles(found.sweep)
        chapters += sweep_chapters(found.sweep)
    if found.model is not None:
        network, made = found.model.network, found.model.report
        tiles += quantization_tiles(network, made)
        remarks += quantization_remarks(network, made)
        calm.append(CALM)
        chapters += quantization_chapters(network, made, found.model.preprocessing)
    if remarks or calm:
        attention = page.words(remarks, " ".join(calm))
        chapters.insert(0, Chapter("attention", "What deserves attention", [attention]))
    body = [page.tiles(tiles), page.contents(chapters), *(chapter.html for chapter in chapters)]
    return page.document(*_title(found, run), body, "Made by systolith report; this file needs nothing else.")


def _title(found: _Sources, run: Run | None) -> tuple[str, str]:
    """Heading and the line below."""
    parts = []
    if found.model is not None:
        parts.append(f"dynamic fixed point by {found.model.report.method}, {found.model.report.calibration}")
    if run is not None:
        parts.append(f"on {run.program.config.describe()}; cycles by the cycle model, which the RTL equals")
        name = run.program.name
    elif found.model is not None:
        name = found.model.network.name
    elif found.sweep is not None:
        name = str(found.sweep["model"])
    elif found.verified is not None:
        name = str(found.verified["network"])
    else:
        name = "Engine"
    if found.sweep is not None:
        parts.append(f"a sweep of {len(found.sweep['points']):,} engines")
    words = "; ".join(parts)
    return name, f"{words[:1].upper()}{words[1:]}." if words else ""


def _run(
    found: _Sources, config: EngineConfig | None, images: int, mem_latency: int
) -> tuple[Run | None, str]:
    """The network on its engine, or why it does not run on one of default size."""
    if found.program is None and found.model is None:
        return None, ""
    network = None if found.model is None else found.model.network
    program = found.program
    if program is None and network is not None:
        try:
            program = compile_network(network, config or EngineConfig())
        except ValueError as error:
            if config is not None:
                raise
            return None, f"an engine of default size cannot run it: {error}"
    assert program is not None
    if network is not None and found.program is not None:
        _match(network.name, {layer.name for layer in network.layers}, program)
    return (
        Run(
            program=program, model=model_cycles(program, images, mem_latency), network=network,
            timeline=timeline(program, record(program, images, mem_latency), mem_latency),
        ),
        "",
    )  # fmt: skip


def _match(name: str, layers: set[str], program: Program) -> None:
    strange = [info.name for info in program.layers if not set(info.name.split("+")) & layers]
    if strange or name != program.name:
        raise ValueError(
            f"the program is of {program.name!r}, the quantized model of {name!r}: compile this model again"
            if not strange
            else f"the program has a layer {strange[0]!r}, the quantized model does not: compile this model again"
        )


def _stock(config: EngineConfig) -> Stock:
    from ..hw.engine import Engine
    from ..hw.inventory import inventory

    found = inventory(Engine(config))
    return Stock(
        multipliers=dict(found.multipliers), memories=dict(found.memories), ecp5_blocks=found.ecp5_blocks
    )
