"""``check``: what runs of an ONNX file, and why not the rest; what it accepts no later step refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..hw.config import EngineConfig
from . import limits, onnx_reader
from .api_models import runtime_errors
from .api_results import Check
from .float_reference import FloatSession
from .graph import Graph
from .images import Preprocessing
from .onnx_reader import Finding

__all__ = ["check"]


def check(
    path: str | Path, config: EngineConfig | None = None, *, preprocessing: Preprocessing | None = None
) -> Check:
    """Every operator of an ONNX file with supported / not and why, shapes, MACs, parameters.

    ``config``: the engine that is to run it, of default size without; ``preprocessing``: as for ``quantize``. Operators
    that are not supported, or exceed the engine, are findings, not errors; so is what concerns the network as a
    whole: room in the scratchpad, accumulators, a file that ONNX Runtime does not run (``Check.beyond``).

    Raises ModelError for what concerns the whole file (absent, empty, truncated, a dynamic height), ValueError for
    weights that are no numbers.
    """
    engine = config or EngineConfig()
    model = onnx_reader.load_model(path)
    seen = onnx_reader.examine(model)
    lacks = limits.refused(seen.layers, seen.shapes, engine)
    findings = tuple(_with(item, lacks) for item in seen.findings)
    default = engine == EngineConfig()
    graph = seen.graph
    if graph is None:
        return Check(model=str(path), findings=findings, input_shape=None, outputs={}, default_engine=default)
    _numbers(graph)
    beyond = list(_unnamed(findings, lacks))
    if not lacks and (found := limits.unfit(graph, engine, preprocessing)) is not None:
        beyond.append("; ".join(found))
    try:
        with runtime_errors("the model"):
            FloatSession(model, graph)
    except ValueError as error:
        beyond.append(str(error))
    return Check(
        model=str(path),
        findings=findings,
        input_shape=graph.shapes[graph.input],
        outputs={name: graph.shapes[name] for name in graph.outputs},
        quantized="exact" if graph.formats else "rounded" if seen.rounded else "",
        rounded=seen.rounded,
        beyond=tuple(beyond),
        default_engine=default,
    )


def _with(item: Finding, lacks: Mapping[str, tuple[str, str]]) -> Finding:
    if not item.supported or item.name not in lacks:
        return item
    return replace(item, lacks="; ".join(lacks[item.name]))


def _unnamed(findings: tuple[Finding, ...], lacks: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """What layers lack that bear no node's name: a node may become several."""
    names = {item.name for item in findings if item.supported}
    for name, (why, cure) in lacks.items():
        if name not in names:
            yield f"layer {name!r}: {why}; {cure}"


def _numbers(graph: Graph) -> None:
    for layer in graph.layers:
        for what, values in (("weight", layer.weight), ("bias", layer.bias)):
            if values is not None and not np.all(np.isfinite(values)):
                raise ValueError(
                    f"{layer.name} {what} holds NaN or infinite values: "
                    f"the file is damaged or the training diverged, export the model again"
                )
