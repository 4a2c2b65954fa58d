"""What a page says of each layer on an engine: its map and formats from the network, bytes and cycles from the program.

speed = macs / cycles        intensity = macs / max(loaded + weights, stored)        of the port's busier direction
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..quant.formats import QFormat
from ..quant.network import Layer, QuantizedNetwork
from .cycle_model.report import LayerCycles, ModelResult
from .page_graph import Node
from .program import LayerInfo, Program
from .quant_page import short_name

__all__ = ["RunLayer", "network_nodes", "run_layers"]


@dataclass(frozen=True, kw_only=True)
class RunLayer:
    """One layer; what the program alone does not know is empty without a network."""

    index: int
    """in the network's layers."""
    name: str
    kind: str
    shape: tuple[int, int, int]
    """height, width, channels of its output."""
    fmt: QFormat
    wgt: str
    macs: int
    info: LayerInfo | None
    """None: it has no instructions of its own."""
    cycles: LayerCycles | None
    within: str = ""
    """the layer on whose output path it works, of one without instructions."""

    @property
    def anchor(self) -> str:
        """Of its row."""
        return f"run-{self.index}"

    @property
    def read(self) -> int:
        """Bytes over the port's read channel."""
        return 0 if self.info is None else self.info.loaded + self.info.weights

    @property
    def intensity(self) -> float | None:
        """MACs a byte of the busier direction; None without MACs or bytes."""
        moved = 0 if self.info is None else max(self.read, self.info.stored)
        return self.macs / moved if moved and self.macs else None

    @property
    def speed(self) -> float | None:
        """MACs a cycle; None without cycles."""
        return self.macs / self.cycles.cycles if self.cycles is not None and self.cycles.cycles else None


def run_layers(
    program: Program, model: ModelResult, network: QuantizedNetwork | None = None
) -> tuple[RunLayer, ...]:
    """In the network's order; of a program alone those that have instructions, in the order of computing."""
    planned = {info.layer: info for info in program.layers}
    timed = {layer.index: layer for layer in model.layers}
    if network is None:
        return tuple(_of_program(program, timed[info.layer], info) for info in program.layers)
    return tuple(
        _of_network(network, i, layer, planned.get(i), timed.get(i)) for i, layer in enumerate(network.layers)
    )


def _of_program(program: Program, timed: LayerCycles, info: LayerInfo) -> RunLayer:
    output = next(item.output for item in program.computes if item.layer == info.layer)
    tensor = program.tensors[output]
    return RunLayer(
        index=info.layer, name=info.name, kind="", shape=tensor.shape, fmt=tensor.format, wgt="", macs=timed.macs,
        info=info, cycles=timed,
    )  # fmt: skip


def _of_network(
    network: QuantizedNetwork, i: int, layer: Layer, info: LayerInfo | None, timed: LayerCycles | None
) -> RunLayer:
    tensor = network.tensors[layer.output]
    within = "" if info is not None else _within(network, layer)
    return RunLayer(
        index=i, name=layer.name, kind=kind_words(layer), shape=tensor.shape, fmt=tensor.format,
        wgt=_weights(layer), macs=layer.macs, info=info, cycles=timed, within=within,
    )  # fmt: skip


def _within(network: QuantizedNetwork, layer: Layer) -> str:
    """Whose output path a pool works on, or what a concatenation joins."""
    makers = [other.name for other in network.layers if other.output in layer.inputs]
    return " + ".join(makers)


def kind_words(layer: Layer) -> str:
    """``conv 3x3 / 2``: kernel, stride, groups where there is something to say."""
    words = layer.kind if layer.kind in ("add", "concat", "table", "product") else _sized(layer)
    words += f" / {layer.stride[0]}" if layer.stride != (1, 1) else ""
    words += f", {layer.groups} groups" if layer.groups > 1 else ""
    return words + " + residual" * (layer.kind == "conv" and len(layer.inputs) > 1)


def _sized(layer: Layer) -> str:
    rows, cols = layer.factor if layer.kind == "upsample" else layer.kernel
    return f"{layer.kind} {rows}x{cols}"


def _weights(layer: Layer) -> str:
    if layer.kind != "conv" or layer.wgt_fl is None:
        return ""
    low, high = int(layer.wgt_fl.min()), int(layer.wgt_fl.max())
    return f"{layer.wgt_width} bits, fl {low if low == high else f'{low} to {high}'}"


def network_nodes(network: QuantizedNetwork, layers: tuple[RunLayer, ...], total: int) -> Iterator[Node]:
    """The graph's rows, the input first; ``total``: cycles of which each layer has its share."""
    made = {layer.output: i + 1 for i, layer in enumerate(network.layers)} | {network.input: 0}
    shape = network.tensors[network.input].shape
    yield Node("graph", network.input, f"input, {_times(shape)}", ())
    for layer, row in zip(network.layers, layers, strict=True):
        share = None if row.cycles is None or not total else row.cycles.cycles / total
        remark = f"{row.kind}, {_times(row.shape)}" + (", no cycles of its own" if row.info is None else "")
        sources = tuple(sorted({made[name] for name in layer.inputs}))
        yield Node(row.anchor, short_name(layer.name), remark, sources, share)


def _times(shape: tuple[int, ...]) -> str:
    return "\u00d7".join(map(str, shape))
