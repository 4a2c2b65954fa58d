"""Layers of three networks in SCALE-Sim's format, with the padding that its own tables leave out.

    ifmap = (out - 1) * stride + filter        all rows and columns that a window reads, those of the padding too

so that both sides compute exactly the network's products. SCALE-Sim's wheel has no tables; its repository lists these
networks without padding, and MobileNet's depthwise layers as one channel each. A name with DP is a depthwise layer:
SCALE-Sim 3 makes a layer of one channel of each, Systolith one layer.

ResNet-18: He et al., CVPR 2016, table 1. AlexNet: Krizhevsky et al., NIPS 2012, convolutions, without the two groups.
MobileNet 1.0 at 224: Howard et al., arXiv 1704.04861, table 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["TABLES", "TableRow", "as_csv"]

_HEAD = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"


@dataclass(frozen=True)
class TableRow:
    """A square convolution: ``out`` rows and columns of its result; ``filters`` of each channel if ``depthwise``."""

    name: str
    out: int
    filter: int
    channels: int
    filters: int
    stride: int = 1

    @property
    def depthwise(self) -> bool:
        """By SCALE-Sim's mark."""
        return "DP" in self.name

    @property
    def ifmap(self) -> int:
        """Rows and columns of the padded map."""
        return (self.out - 1) * self.stride + self.filter

    @property
    def macs(self) -> int:
        """Products of one image."""
        return self.out**2 * self.filter**2 * self.channels * self.filters

    def cycles(self, size: int) -> int:
        """SCALE-Sim's, weight stationary on size x size PEs, by its own rules in closed form.

        folds = ceil(products of a result / size) * ceil(filters / size)
        cycles = folds * (2 * size + size + pixels - 2) - 1                       the last cycle's number, from 0
        A fold loads its weights (size), streams its pixels, and drains (2 * size - 2) before the next one begins.
        """
        seen, layers = (1, self.channels) if self.depthwise else (self.channels, 1)
        folds = -(-(self.filter**2) * seen // size) * -(-self.filters // size)
        return layers * (folds * (3 * size + self.out**2 - 2) - 1)


def _resnet18() -> Iterator[TableRow]:
    yield TableRow("Conv1", 112, 7, 3, 64, 2)
    before = 64
    for stage, (out, channels) in enumerate(((56, 64), (28, 128), (14, 256), (7, 512)), 2):
        stride = 1 if stage == 2 else 2
        yield TableRow(f"Conv{stage}_1a", out, 3, before, channels, stride)
        yield TableRow(f"Conv{stage}_1b", out, 3, channels, channels)
        if stride == 2:
            yield TableRow(f"Conv{stage}_s", out, 1, before, channels, 2)
        yield TableRow(f"Conv{stage}_2a", out, 3, channels, channels)
        yield TableRow(f"Conv{stage}_2b", out, 3, channels, channels)
        before = channels
    yield TableRow("FC", 1, 1, 512, 1000)


def _alexnet() -> Iterator[TableRow]:
    yield TableRow("Conv1", 55, 11, 3, 96, 4)
    yield TableRow("Conv2", 27, 5, 96, 256)
    yield TableRow("Conv3", 13, 3, 256, 384)
    yield TableRow("Conv4", 13, 3, 384, 384)
    yield TableRow("Conv5", 13, 3, 384, 256)


def _mobilenet() -> Iterator[TableRow]:
    yield TableRow("Conv1", 112, 3, 3, 32, 2)
    blocks = ((112, 32, 64, 1), (56, 64, 128, 2), (56, 128, 128, 1), (28, 128, 256, 2), (28, 256, 256, 1),
              (14, 256, 512, 2), *[(14, 512, 512, 1)] * 5, (7, 512, 1024, 2), (7, 1024, 1024, 1))  # fmt: skip
    for number, (out, channels, filters, stride) in enumerate(blocks, 2):
        yield TableRow(f"Conv{number}_DP", out, 3, channels, 1, stride)
        yield TableRow(f"Conv{number}_PW", out, 1, channels, filters)
    yield TableRow("FC", 1, 1, 1024, 1000)


TABLES: Mapping[str, tuple[TableRow, ...]] = {
    "resnet18": tuple(_resnet18()),
    "alexnet": tuple(_alexnet()),
    "mobilenet": tuple(_mobilenet()),
}
"""Each network's layers."""


def as_csv(rows: tuple[TableRow, ...]) -> str:
    """A table as SCALE-Sim and ``sweep`` read it."""
    return _HEAD + "".join(
        f"{row.name},{row.ifmap},{row.ifmap},{row.filter},{row.filter},{row.channels},{row.filters},{row.stride},\n"
        for row in rows
    )
