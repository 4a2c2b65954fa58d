"""``model``: the cycles of a network on an engine, without running it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..hw.config import EngineConfig
from ..quant.network import QuantizedNetwork
from . import onnx_reader, quantized_io
from .api_results import config_json, table
from .compiler import compile_network
from .cycle_model.machine import simulate
from .cycle_model.nominal import nominal_network
from .cycle_model.report import LayerCycles, ModelResult, model_cycles
from .images import Preprocessing
from .program import Program
from .quantized_io import QuantizedModel
from .verify import Verification

__all__ = ["Model", "model", "network_of", "with_model"]


@dataclass(frozen=True, kw_only=True)
class Model:
    """What ``model`` found; ``quantized``: of a quantized model, not of an ONNX file in nominal formats."""

    config: Mapping[str, Any]
    quantized: bool
    result: ModelResult

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {**self.result.to_json(), "config": dict(self.config), "quantized": self.quantized}

    def to_text(self) -> str:
        """A table, one line a layer, and the totals."""
        r = self.result
        head = ("layer", "MACs", "passes", "cycles", "wait", "weight", "bank", "pass", "util %", "bound")
        rows = [head, *(_row(layer) for layer in r.layers)]
        rows.append(("(drain)", "", "", f"{r.drain:,}", "", "", "", "", "", ""))
        lines = table(rows, right=range(1, 9))
        lines += ["", f"cycles       {r.cycles:,}", f"utilization  {100 * r.utilization:.2f} %"]
        if r.images > 1:
            lines[-2] += f"; {r.cycles_total:,} for {r.images} images back to back"
            lines[-1] += f"; {100 * r.utilization_stream:.2f} % back to back"
        if not self.quantized:
            lines.append("formats      nominal: the file is not quantized")
        return "\n".join(lines)


def _row(layer: LayerCycles) -> tuple[str, ...]:
    counts = (layer.macs, layer.passes, layer.cycles, layer.stall_wait, layer.stall_weight, layer.stall_bank,
              layer.stall_pass)  # fmt: skip
    return (layer.name, *(f"{count:,}" for count in counts), f"{100 * layer.utilization:.1f}", layer.bound)


def model(
    source: QuantizedModel | str | Path,
    config: EngineConfig | None = None,
    *,
    images: int = 1,
    mem_latency: int = 30,
    preprocessing: Preprocessing | None = None,
) -> Model:
    """Cycles from start to done, equal to those of the RTL with the bench memory: nothing is simulated.

    Parameters
    ----------
    source : a quantized model, its directory, or an ONNX file, which is given nominal formats: cycles depend on shapes
        and on the bits of the weights alone.
    config : the engine; by default 8x8.
    images : how many run back to back for ``cycles_total``.
    mem_latency : of the bench memory, 1..200 cycles.
    preprocessing : of an ONNX file, as for ``quantize``, which folds it into the first layer; by default images / 255.

    Raises ValueError naming the layer or tensor that the engine cannot compute, and the cure.
    """
    engine = config or EngineConfig()
    network, quantized = network_of(source, engine, preprocessing)
    result = model_cycles(compile_network(network, engine), images, mem_latency)
    return Model(
        config={**config_json(engine), "mem_latency": mem_latency}, quantized=quantized, result=result
    )


def network_of(
    source: QuantizedModel | str | Path, engine: EngineConfig, preprocessing: Preprocessing | None
) -> tuple[QuantizedNetwork, bool]:
    """The network of a quantized model, or of an ONNX file in nominal formats; whether it is quantized."""
    if isinstance(source, (str, Path)) and not Path(source).is_dir():
        graph, given = onnx_reader.read(source), preprocessing or Preprocessing(255.0)
        network = nominal_network(
            graph, given, act_width=engine.act_width, wgt_width=engine.wgt_width, acc_width=engine.acc_width
        )
        return network, False
    if preprocessing is not None:
        raise ValueError("a quantized model holds its preprocessing: give none")
    return (source if isinstance(source, QuantizedModel) else quantized_io.load(source)).network, True


def with_model(found: Verification, program: Program, mem_latency: int) -> Verification:
    """The verification with the cycle model's figures beside the RTL's; where they differ that is an error."""
    alone = simulate(program, 1, mem_latency).cycles if any(found.cycles) else None
    modelled = tuple(None if cycles is None else alone for cycles in found.cycles)
    total = None
    if found.cycles_total is not None:
        total = alone if found.images == 1 else simulate(program, found.images, mem_latency).cycles
    errors = [
        f"the cycle model has {mine:,} cycles {what}, the RTL took {theirs:,}"
        for what, mine, theirs in [
            *((f"for image {n}", *pair) for n, pair in enumerate(zip(modelled, found.cycles, strict=True))),
            ("back to back", total, found.cycles_total),
        ]
        if mine is not None and theirs is not None and mine != theirs
    ]
    return replace(found, model_cycles=modelled, model_cycles_total=total, errors=(*found.errors, *errors))
