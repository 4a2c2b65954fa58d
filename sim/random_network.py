"""Random integer networks: seeded, small, and full of corners.

Odd channels, maps, kernels, strides, dilations and pads; residuals; pools fused and not; shifts per channel,
negative ones too; signed and unsigned tensors of 2..8 bits side by side; with ``BRANCHES`` groups and concats, with
``TABLES`` activation functions.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..quant.formats import QFormat
from ..quant.network import IntArray, Layer, QuantizedNetwork, Tensor
from .random_geometry import Geometry, Shape, blind, inside
from .random_products import excite, product
from .random_tables import narrowed, random_table

__all__ = ["BRANCHES", "MAPS", "TABLES", "random_codes", "random_network"]

BRANCHES = ("conv", "grouped", "grouped", "branch", "branch", "maxpool", "avgpool", "add")
"""Kinds of layers, groups and concats among them."""

MAPS = ("conv", "upsample", "upsample", "border", "border", "branch", "maxpool", "add")
"""Kinds of layers, maps that grow and averages at the border among them."""

TABLES = ("conv", "conv", "table", "table", "table", "table", "maxpool", "avgpool", "border", "upsample", "add", "mean",
          "depthwise")  # fmt: skip
"""Kinds of layers, many of them with an activation function behind them."""


def random_codes(network: QuantizedNetwork, seed: int, images: int = 1) -> IntArray:
    """Input codes [images, H, W, C] over the whole format, its ends included."""
    tensor = network.tensors[network.input]
    rng = np.random.default_rng(seed)
    codes = rng.integers(tensor.format.min, tensor.format.max, (images, *tensor.shape), endpoint=True)
    return codes.astype(np.int64)


def random_network(
    seed: int,
    layers: int = 4,
    *,
    kinds: tuple[str, ...] = ("conv", "conv", "conv", "maxpool", "avgpool", "add"),
    act_width: int = 8,
    wgt_width: int = 8,
    channels: int = 12,
    size: int = 9,
    image: bool = False,
) -> QuantizedNetwork:
    """A chain of ``layers`` layers with residuals to earlier tensors where shapes allow.

    ``act_width`` and ``wgt_width`` are the widest formats, ``channels`` and ``size`` bound the maps; the
    layers' kinds are drawn from ``kinds``; "mean" is an average pool over the whole map, "border" one with a code for
    each count of pixels inside the map, "excite" a block of squeeze and excitation. ``image``: the input has at most 4
    channels, and the first layer is a convolution with a kernel of up to 7x7.
    """
    return _Generator(seed, act_width, wgt_width, channels, size).network(layers, kinds, image)


class _Generator:
    def __init__(self, seed: int, act_width: int, wgt_width: int, channels: int, size: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.seed, self.channels, self.size = seed, channels, size
        self.act_width, self.wgt_width = act_width, wgt_width
        self.tensors: dict[str, Tensor] = {}

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high, endpoint=True))

    def format(self) -> QFormat:
        narrow = self.number(2, min(self.act_width, 8))
        width = self.act_width if self.rng.random() < 0.6 else narrow
        return QFormat(width, self.number(-2, 8), bool(self.rng.random() < 0.5))

    def tensor(self, shape: tuple[int, int, int], fmt: QFormat) -> Tensor:
        tensor = Tensor(name=f"t{len(self.tensors)}", shape=shape, format=fmt)
        self.tensors[tensor.name] = tensor
        return tensor

    def network(self, count: int, kinds: tuple[str, ...], image: bool) -> QuantizedNetwork:
        channels = min(4, self.channels) if image else self.channels
        shape = (self.number(1, self.size), self.number(1, self.size), self.number(1, channels))
        act = self.tensor(shape, self.format())
        layers: list[Layer] = []
        for index in range(count):
            kind = kinds[self.number(0, len(kinds) - 1)]
            if image and not layers:
                made: Layer | list[Layer] = self._conv("conv0", act, largest=7)
            else:
                made = getattr(self, f"_{kind}")(f"{kind}{index}", act)
            layers += made if isinstance(made, list) else [made]
            act = self.tensors[layers[-1].output]
        outputs = [act.name]
        if len(layers) > 2 and self.rng.random() < 0.3:
            outputs.insert(0, layers[0].output)
        return QuantizedNetwork(
            name=f"random{self.seed}",
            input="t0",
            outputs=tuple(outputs),
            tensors=self.tensors,
            layers=tuple(layers),
        )

    def _bounds(self, fmt: QFormat) -> tuple[int, int]:
        """The format's, or tighter as after a clip."""
        if self.rng.random() < 0.7:
            return fmt.min, fmt.max
        low = self.number(fmt.min, min(0, fmt.max))
        return low, self.number(max(low, 0), fmt.max)

    def _window(self, length: int, largest: int) -> tuple[int, int, int, int, int, int]:
        """Kernel, stride, dilation, pads and output size along one axis."""
        while True:
            kernel, stride, dilation = self.number(1, largest), self.number(1, 3), self.number(1, 2)
            reach = (kernel - 1) * dilation + 1
            low, high = self.number(0, reach - 1), self.number(0, reach - 1)
            if length + low + high >= reach:
                return kernel, stride, dilation, low, high, (length + low + high - reach) // stride + 1

    def _geometry(self, shape: Shape, largest: int = 3) -> tuple[Geometry, tuple[int, int]]:
        """And the output map's size."""
        y, x = self._window(shape[0], largest), self._window(shape[1], largest)
        if shape[0] * shape[1] <= 16 and self.rng.random() < 0.3:  # fully connected, global pool
            y, x = (shape[0], 1, 1, 0, 0, 1), (shape[1], 1, 1, 0, 0, 1)
        return Geometry((y[0], x[0]), (y[1], x[1]), (y[2], x[2]), (y[3], x[3], y[4], x[4])), (y[5], x[5])

    def _residual(self, shape: tuple[int, int, int]) -> Tensor | None:
        fitting = [tensor for tensor in self.tensors.values() if tensor.shape == shape]
        return fitting[self.number(0, len(fitting) - 1)] if fitting and self.rng.random() < 0.7 else None

    def _shifts(self, peak: float, fmt: QFormat, channels: int) -> IntArray:
        """Mostly so that codes use their range, some far off and negative; per channel or not."""
        middle = round(np.log2(max(peak, 1) / fmt.max))
        shifts = self.rng.integers(middle - 4, middle + 1, channels, endpoint=True)
        if self.rng.random() < 0.5:
            shifts[:] = shifts[0]
        elif self.rng.random() < 0.5:
            shifts[self.number(0, channels - 1)] = self.number(-12, 40)
        return shifts.astype(np.int64)

    def _conv(
        self, name: str, act: Tensor, beside: QFormat | None = None, groups: int = 1, largest: int = 3
    ) -> Layer:
        """``beside``: of the same map as ``act``, in this format."""
        geometry, (height, width) = self._geometry(act.shape, largest)
        if beside is not None:
            kernel = 1 + 2 * self.number(0, 1)
            geometry, (height, width) = (
                Geometry((kernel, kernel), (1, 1), (1, 1), (kernel // 2,) * 4),
                act.shape[:2],
            )
        channels = self.number(1, self.channels)
        if groups > 1:
            channels = groups * self.number(1, max(1, self.channels // groups))
        if self.rng.random() < 0.5:  # a shape that residuals fit
            channels = act.shape[2]
        bits = self.number(2, min(self.wgt_width, 8)) if self.rng.random() < 0.5 else self.wgt_width
        limit = 1 << bits - 1
        inside = act.shape[2] // groups
        wgt = self.rng.integers(-limit, limit, (channels, inside, *geometry.kernel)).astype(np.int64)
        fmt, shape = beside or self.format(), (height, width, channels)
        residual = self._residual(shape)
        peak = float(np.abs(wgt).mean()) * act.format.max * wgt[0].size ** 0.5
        low, high = self._bounds(fmt)
        bias = self.rng.integers(-int(peak) - 1, int(peak) + 1, channels).astype(np.int64)
        return Layer(
            name=name,
            kind="conv",
            inputs=(act.name,) if residual is None else (act.name, residual.name),
            output=self.tensor(shape, fmt).name,
            kernel=geometry.kernel,
            stride=geometry.stride,
            dilation=geometry.dilation,
            pads=geometry.pads,
            groups=groups,
            wgt=wgt,
            wgt_width=bits,
            bias=bias if self.rng.random() < 0.8 else None,
            shift=self._shifts(peak, fmt, channels),
            res_shift=None if residual is None else self.rng.integers(0, 8, channels).astype(np.int64),
            lo=low,
            hi=high,
            macs=height * width * wgt.size,
        )

    def _grouped(self, name: str, act: Tensor) -> Layer:
        """Every channel for itself, or groups of several."""
        channels = act.shape[2]
        groups = [n for n in range(1, channels + 1) if channels % n == 0]
        return self._conv(
            name, act, groups=channels if self.rng.random() < 0.5 else int(self.rng.choice(groups))
        )

    def _branch(self, name: str, act: Tensor) -> list[Layer]:
        """Convolutions of a tensor and perhaps others of its map and format, joined."""
        layers = [self._conv(f"{name}_{i}", act, act.format) for i in range(self.number(1, 3))]
        shape, fmt = act.shape[:2], act.format
        others = [t.name for t in self.tensors.values() if t.shape[:2] == shape and t.format == fmt]
        new = [layer.output for layer in layers]
        names = new + [others[self.number(0, len(others) - 1)] for _ in range(self.number(0, 2))]
        joined = [names[i] for i in self.rng.permutation(len(names))]
        channels = sum(self.tensors[n].shape[2] for n in joined)
        output = self.tensor((*shape, channels), fmt)
        concat = Layer(
            name=name, kind="concat", inputs=tuple(joined), output=output.name, lo=fmt.min, hi=fmt.max
        )
        return [*layers, concat]

    def _depthwise(self, name: str, act: Tensor) -> Layer:
        """Every channel for itself, mostly 3x3; a single channel is an ordinary convolution."""
        stride = self.number(1, 2), self.number(1, 2)
        while True:
            kernel = (self.number(2, 5), self.number(1, 5)) if self.rng.random() < 0.4 else (3, 3)
            pads = tuple(self.number(0, min(2, kernel[i % 2] - 1)) for i in range(4))
            size = [act.shape[i] + pads[i] + pads[i + 2] - kernel[i] for i in (0, 1)]
            if min(size) >= 0:
                break
        height, width = size[0] // stride[0] + 1, size[1] // stride[1] + 1
        channels, fmt = act.shape[2], self.format()
        limit = 1 << self.wgt_width - 1
        wgt = self.rng.integers(-limit, limit, (channels, 1, *kernel)).astype(np.int64)
        peak = float(np.abs(wgt).mean()) * act.format.max * wgt[0].size ** 0.5
        low, high = self._bounds(fmt)
        return Layer(
            name=name,
            kind="conv",
            inputs=(act.name,),
            output=self.tensor((height, width, channels), fmt).name,
            kernel=kernel,
            stride=stride,
            pads=(pads[0], pads[1], pads[2], pads[3]),
            groups=channels,
            wgt=wgt,
            wgt_width=self.wgt_width,
            bias=self.rng.integers(-int(peak) - 1, int(peak) + 1, channels).astype(np.int64),
            shift=self._shifts(peak, fmt, channels),
            lo=low,
            hi=high,
            macs=height * width * wgt.size,
        )

    def _table(self, name: str, act: Tensor) -> list[Layer]:
        layers = []
        if act.format.width > 8:
            narrow = self.tensor(act.shape, QFormat(8, 0, bool(self.rng.random() < 0.5)))
            layers.append(narrowed(f"{name}_narrow", act, narrow, self.wgt_width))
            act = narrow
        return [*layers, random_table(self.rng, name, act, self.tensor(act.shape, self.format()))]

    def _maxpool(self, name: str, act: Tensor) -> Layer:
        geometry, (height, width) = self._geometry(act.shape)
        while blind(geometry, act.shape, (height, width)):  # a maximum of nothing is not defined
            geometry, (height, width) = self._geometry(act.shape)
        if self.rng.random() < 0.5 and min(act.shape[:2]) >= 2:  # what can be fused
            geometry = Geometry((2, 2), (2, 2), (1, 1), (0, 0, 0, 0))
            height, width = act.shape[0] // 2, act.shape[1] // 2
        output = self.tensor((height, width, act.shape[2]), act.format)
        return Layer(
            name=name,
            kind="maxpool",
            inputs=(act.name,),
            output=output.name,
            kernel=geometry.kernel,
            stride=geometry.stride,
            dilation=geometry.dilation,
            pads=geometry.pads,
            lo=act.format.min,
            hi=act.format.max,
        )

    def _mean(self, name: str, act: Tensor) -> Layer:
        whole = Geometry(act.shape[:2], (self.number(1, 3), 1), (1, 1), (0, 0, 0, 0))
        layer = self._average(name, act, whole, (1, 1))
        return replace(layer, shift=layer.shift[:1])

    def _avgpool(self, name: str, act: Tensor) -> Layer:
        return self._average(name, act, *self._geometry(act.shape))

    def _average(self, name: str, act: Tensor, geometry: Geometry, output: tuple[int, int]) -> Layer:
        height, width = output
        fmt = self.format()
        code = self.number(1, (1 << min(self.wgt_width, 8) - 1) - 1)
        peak = code * act.format.max * geometry.kernel[0] * geometry.kernel[1] / 2
        low, high = self._bounds(fmt)
        return Layer(
            name=name,
            kind="avgpool",
            inputs=(act.name,),
            output=self.tensor((height, width, act.shape[2]), fmt).name,
            kernel=geometry.kernel,
            stride=geometry.stride,
            dilation=geometry.dilation,
            pads=geometry.pads,
            wgt=np.full((1, 1, 1, 1), code, np.int64),
            shift=self._shifts(peak, fmt, act.shape[2]),
            wgt_width=self.wgt_width,
            lo=low,
            hi=high,
        )

    def _border(self, name: str, act: Tensor) -> Layer:
        """An average with a code of its own for each count of pixels inside the map; windows may see none."""
        geometry, (height, width) = self._geometry(act.shape)
        layer = self._average(name, act, geometry, (height, width))
        counts = inside(geometry, act.shape, (height, width))
        codes = self.rng.integers(1, 1 << min(self.wgt_width, 8) - 1, counts.max() + 1)
        codes <<= self.rng.integers(0, 4, len(codes))
        return replace(layer, wgt=codes[counts][None, None].astype(np.int64))

    def _upsample(self, name: str, act: Tensor) -> Layer:
        most = [max(1, min(3, 2 * self.size // size)) for size in act.shape[:2]]
        factor = self.number(1, most[0]), self.number(1, most[1])
        shape = (act.shape[0] * factor[0], act.shape[1] * factor[1], act.shape[2])
        output = self.tensor(shape, act.format)
        return Layer(
            name=name, kind="upsample", inputs=(act.name,), output=output.name, factor=factor,
            lo=act.format.min, hi=act.format.max,
        )  # fmt: skip

    def _product(self, name: str, act: Tensor) -> list[Layer]:
        return product(self, name, act)

    def _excite(self, name: str, act: Tensor) -> list[Layer]:
        return excite(self, name, act)

    def _add(self, name: str, act: Tensor) -> Layer:
        other, fmt = self._residual(act.shape) or act, self.format()
        aligned, first = self.number(0, 6), self.rng.random() < 0.5
        low, high = self._bounds(fmt)
        peak = act.format.max + (other.format.max << aligned)
        return Layer(
            name=name,
            kind="add",
            inputs=(act.name, other.name),
            output=self.tensor(act.shape, fmt).name,
            in_shift=aligned if first else 0,
            res_shift=np.array([0 if first else aligned], np.int64),
            shift=self._shifts(peak, fmt, act.shape[2]),
            lo=low,
            hi=high,
        )
