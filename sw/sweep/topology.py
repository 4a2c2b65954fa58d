"""SCALE-Sim's layer tables (topology CSV files) as workloads: each layer is a network of its own.

    name, ifmap h, ifmap w, filter h, filter w, channels, filters, stride [, stride w],        one line a layer

    out = ceil((ifmap - filter + stride) / stride)      as SCALE-Sim has it: the last window may reach beyond the map

A name with DP is a depthwise layer, as in SCALE-Sim 3: ``filters`` of one channel for each channel. Maps have their
padding already. A layer's image is loaded, its weights are random codes from a fixed seed (cycles do not depend on
them), and its result is stored: nothing stays in the scratchpad between layers.

Samajdar et al., A systematic methodology for characterizing scalability of DNN accelerators using SCALE-Sim, ISPASS
2020.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...quant.formats import QFormat
from ...quant.network import Layer, QuantizedNetwork, Tensor
from .keys import content_digest
from .measure import Widths

__all__ = ["LayerTable", "TableLayer", "read_topology"]

_SEED = 2020
_FIELDS = (
    "ifmap height",
    "ifmap width",
    "filter height",
    "filter width",
    "channels",
    "filters",
    "stride",
    "stride",
)


@dataclass(frozen=True)
class TableLayer:
    """One line of a table."""

    name: str
    height: int
    width: int
    kernel: tuple[int, int]
    channels: int
    filters: int
    stride: tuple[int, int]

    @property
    def out(self) -> tuple[int, int]:
        """Height and width of the result."""
        (r, s), (down, across) = self.kernel, self.stride
        return -(-(self.height - r + down) // down), -(-(self.width - s + across) // across)

    @property
    def groups(self) -> int:
        """Of channels that see one another: as many as channels in a depthwise layer."""
        return self.channels if "DP" in self.name else 1

    @property
    def results(self) -> int:
        """Channels of the result."""
        return self.filters * self.groups

    @property
    def macs(self) -> int:
        """Products of one image."""
        return self.out[0] * self.out[1] * self.kernel[0] * self.kernel[1] * self.channels * self.filters


@dataclass(frozen=True)
class LayerTable:
    """A workload: one network a layer, made when it is asked for."""

    name: str
    layers: tuple[TableLayer, ...]

    def networks(self, widths: Widths) -> Iterator[QuantizedNetwork]:
        """In the table's order."""
        for number, layer in enumerate(self.layers):
            yield _network(layer, number, widths)

    def digest(self, widths: Widths) -> str:
        """Of the table."""
        return content_digest([_SEED, self.layers, widths])


def _network(layer: TableLayer, number: int, widths: Widths) -> QuantizedNetwork:
    act, wgt, _ = widths
    (rows, columns), limit = layer.out, 1 << (wgt - 1)
    shape = (layer.results, layer.channels // layer.groups, *layer.kernel)
    codes = np.random.default_rng([_SEED, number]).integers(-limit, limit, shape)
    below = (rows - 1) * layer.stride[0] + layer.kernel[0] - layer.height
    right = (columns - 1) * layer.stride[1] + layer.kernel[1] - layer.width
    format_ = QFormat(act, 0)
    shift = wgt + int(np.prod(shape[1:])).bit_length() // 2
    conv = Layer(
        name=layer.name, kind="conv", inputs=("image",), output="result", kernel=layer.kernel, stride=layer.stride,
        pads=(0, 0, max(below, 0), max(right, 0)), wgt=codes, wgt_width=wgt,
        wgt_fl=np.zeros(layer.results, np.int64), bias=None, shift=np.full(layer.results, shift, np.int64),
        groups=layer.groups, lo=format_.min, hi=format_.max, macs=layer.macs,
    )  # fmt: skip
    tensors = {
        "image": Tensor(name="image", shape=(layer.height, layer.width, layer.channels), format=format_),
        "result": Tensor(name="result", shape=(rows, columns, layer.results), format=QFormat(act, -shift)),
    }
    return QuantizedNetwork(
        name=layer.name, input="image", outputs=("result",), tensors=tensors, layers=(conv,)
    )


def read_topology(path: str | Path) -> LayerTable:
    """The layers of a file. Raises ``ValueError`` naming the line that is none, and what it lacks."""
    source = Path(path)
    if not source.is_file():
        raise ValueError(f"layer table {str(path)!r} does not exist")
    try:
        lines = list(csv.reader(source.read_text(encoding="utf-8-sig").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"layer table {str(path)!r} is no CSV file: {error}") from None
    layers = []
    for number, line in enumerate(lines, 1):
        cells = [cell.strip() for cell in line]
        while cells and not cells[-1]:  # lines end with a comma
            cells.pop()
        if cells and not (number == 1 and not re.fullmatch(r"\d+", cells[1] if len(cells) > 1 else "")):
            layers.append(_layer(cells, f"{source.name}, line {number}"))
    if not layers:
        raise ValueError(f"layer table {str(path)!r} holds no layer below its first line")
    return LayerTable(source.stem, tuple(layers))


def _layer(cells: list[str], where: str) -> TableLayer:
    name, *texts = cells
    texts = [
        text for text in texts if not re.fullmatch(r"\d+:\d+", text)
    ]  # sparsity, which this engine has none of
    if len(texts) not in (7, 8):
        raise ValueError(
            f"{where}: a layer has a name and 7 numbers, {', '.join(_FIELDS[:7])}, not {len(texts)} of them"
        )
    values = []
    for field, text in zip(_FIELDS, texts, strict=False):
        if not re.fullmatch(r"\d+", text) or int(text) < 1:
            raise ValueError(f"{where}: {field} must be a positive integer, not {text!r}")
        values.append(int(text))
    height, width, r, s, channels, filters, down, *across = values
    if r > height or s > width:
        raise ValueError(f"{where}: the filter, {r}x{s}, must not be larger than the map, {height}x{width}")
    return TableLayer(name, height, width, (r, s), channels, filters, (down, across[0] if across else down))
