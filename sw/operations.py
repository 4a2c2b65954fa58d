"""Layers as the engine sees them: every kind becomes one form of ``Operation``.

    for oy, ox, wy, wx:                            pixel = (oy*window_stride + wy*window_dilation, likewise x)
      acc = bias + (residual[pixel] << res_shift) + sum_{c,k} act[pixel*stride + k*dilation - origin, c] * wgt
    out[oy, ox] = requantized acc; over the window: sum before, or maximum after
    product: acc = act[oy, ox, c] * vector[0, 0, c]

A convolution has windows of one pixel, a pool a kernel of one tap; a max pool in a convolution has both. So has a
global average pool: the window is the map, the sum is of requantized codes, and ``Mean`` makes the output of it.
Pools, additions and tables take their operand through a diagonal tile; that of a product is made of a map of one pixel.
A table is looked up last, behind a maximum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..hw.config import EngineConfig
from ..hw.isa import POOL_MAX, POOL_MEAN, POOL_NONE, POOL_SUM
from ..quant.network import IntArray, Layer, QuantizedNetwork, Tensor
from .operation_checks import check, check_wgt
from .products import multiplier
from .tables import entries, range_of, rises
from .weights import tile_width

__all__ = ["Mean", "Operation", "operations"]

Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Mean:
    """clamp(round_half_even(sum * weight * 2**-shift), lo, hi)"""

    weight: int
    shift: int
    lo: int
    hi: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation:
    """One requantization, normalized; pairs are (y, x)."""

    layer: int
    name: str
    act: Tensor
    residual: Tensor | None
    output: Tensor
    vector: Tensor | None = None
    """What a product multiplies by."""
    kernel: Pair = (1, 1)
    dilation: Pair = (1, 1)
    stride: Pair = (1, 1)
    origin: Pair = (0, 0)
    """Padding above and left: pixel (0, 0) reads row -origin[0], column -origin[1] first."""
    window: Pair = (1, 1)
    window_dilation: Pair = (1, 1)
    window_stride: Pair = (1, 1)
    pool: int = POOL_NONE
    mean: Mean | None = None
    """of pool MEAN."""
    wgt: IntArray | None
    """[K, C/groups, R, S]; None where the tile is diagonal."""
    groups: int = 1
    fir: int = 0
    """Passes of a depthwise convolution whose taps are in the rows of the array (``depthwise``); 0: it is none."""
    diagonal: int = 0
    """The code on the diagonal."""
    codes: IntArray | None = None
    """[OH, OW] codes on the diagonal, one for each output, where they differ: times 2**lift each."""
    lift: IntArray | None = None
    """[OH, OW], by which the shifts are smaller."""
    factor: Pair = (1, 1)
    """Outputs that a pixel becomes, one below and one beside the other: upsampling. Then windows are of one pixel."""
    bias: IntArray
    shift: IntArray
    res_shift: IntArray
    lo: int
    hi: int
    """bounds of the requantized codes; the table's entries have none."""
    macs: int
    table: IntArray | None = None
    """[1 or C, 2**table_bits] codes of the output; None: requantized codes are the output."""

    @property
    def window_pixels(self) -> int:
        """Accumulators one output takes."""
        return self.window[0] * self.window[1]

    @property
    def weights(self) -> IntArray:
        """All codes in its tiles but 0."""
        if self.wgt is not None:
            return self.wgt
        return np.array([self.diagonal]) if self.codes is None else self.codes

    @cached_property
    def width(self) -> int:
        """Bits that all of them fit."""
        return tile_width(self.weights)

    @property
    def operands(self) -> tuple[Tensor, ...]:
        """All that it reads."""
        return tuple(tensor for tensor in (self.act, self.residual, self.vector) if tensor is not None)

    @property
    def depthwise(self) -> bool:
        """A convolution of every channel for itself?"""
        return self.wgt is not None and self.groups == self.act.shape[2] == self.output.shape[2] > 1

    @property
    def own(self) -> bool:
        """Does a block of channels read the same block of the input, and nothing else?"""
        return self.wgt is None or self.fir > 0

    def longest(self, config: EngineConfig) -> int:
        """Outputs of a strip at most: it has accumulators for these. A single pass of slots needs none."""
        return (
            1 << 2 * config.coord_width if self.fir == 1 else max(config.acc_depth // self.window_pixels, 1)
        )

    def fits(self, config: EngineConfig) -> bool:
        """Are there accumulators for one window? A single pass needs none: a diagonal tile no wider than high."""
        return self.window_pixels <= config.acc_depth or (self.wgt is None and config.cols <= config.rows)

    def rows_read(self, first: int, last: int) -> tuple[int, int]:
        """First and last row of the input map that output rows ``first``..``last`` read, inside the map."""
        return self.read(0, first, last)

    def read(self, axis: int, first: int, last: int) -> Pair:
        """First and last row (axis 0) or column (1) of the input that outputs ``first``..``last`` read, inside."""
        if self.factor != (1, 1):
            return first // self.factor[axis], last // self.factor[axis]
        stride = self.window_stride[axis] * self.stride[axis]
        reach = (self.window[axis] - 1) * self.window_dilation[axis] * self.stride[axis]
        reach += (self.kernel[axis] - 1) * self.dilation[axis]
        low, high = first * stride - self.origin[axis], last * stride - self.origin[axis] + reach
        return max(low, 0), min(high, self.act.shape[axis] - 1)


def operations(network: QuantizedNetwork, config: EngineConfig, fuse_pools: bool = True) -> list[Operation]:
    """One operation a layer, in order; what can be is fused into what makes its map: tables, max and global average
    pools (these if ``fuse_pools``).

    Raises ``ValueError`` naming the layer or tensor that the engine cannot compute, and the cure.
    """
    if not network.layers:
        raise ValueError(f"network {network.name!r} has no layers: there is nothing to compile")
    for tensor in network.tensors.values():
        if tensor.format.width > config.act_width:
            raise ValueError(
                f"tensor {tensor.name!r} has {tensor.format.width}-bit codes, the engine {config.act_width}: "
                f"quantize to fewer bits or use act_width={tensor.format.width}"
            )
    result: list[Operation] = []
    made: dict[str, int] = {}
    uses: dict[str, int] = dict.fromkeys(network.outputs, 1)
    for layer in network.layers:
        for name in layer.inputs:
            uses[name] = uses.get(name, 0) + 1
    for index, layer in enumerate(network.layers):
        if layer.kind == "concat":  # not an operation: see ``joining``
            continue
        op = _operation(index, layer, network.tensors, config)
        source = made.get(layer.inputs[0])
        if (
            source is not None
            and uses[layer.inputs[0]] == 1
            and _fusible(result[source], op, config, fuse_pools)
        ):
            result[source] = _fused(result[source], op)
            check(result[source], config)
            made[layer.output] = source
            continue
        check(op, config)
        made[layer.output] = len(result)
        result.append(op)
    return result


def _each(values: IntArray | None, count: int) -> IntArray:
    if values is None:
        return np.zeros(count, np.int64)
    return np.broadcast_to(values, (count,)).astype(np.int64)


def _operation(index: int, layer: Layer, tensors: Mapping[str, Tensor], config: EngineConfig) -> Operation:
    inputs, output = [tensors[name] for name in layer.inputs], tensors[layer.output]
    if layer.lo < output.format.min or layer.hi > output.format.max or layer.lo > layer.hi:
        raise ValueError(
            f"layer {layer.name!r} saturates to {layer.lo}..{layer.hi}, outside of its output's "
            f"{output.format.min}..{output.format.max}"
        )
    channels = output.shape[2]
    shift = np.clip(_each(layer.shift, channels), -config.max_left_shift, config.acc_width)
    op = Operation(
        layer=index, name=layer.name, output=output,
        act=inputs[0], residual=inputs[1] if len(inputs) > 1 else None,
        wgt=None, bias=_each(layer.bias, channels), shift=shift, res_shift=_each(layer.res_shift, channels),
        lo=layer.lo, hi=layer.hi, macs=layer.macs,
    )  # fmt: skip
    if layer.kind == "add":
        return _add(op, layer, config)
    if layer.kind == "upsample":
        return _upsample(op, layer)
    if layer.kind == "table":
        act = op.act.format
        table = entries(layer, op.act, output, config)
        return replace(op, diagonal=1, shift=_each(None, channels), lo=act.min, hi=act.max, table=table)
    if layer.kind == "product":
        return replace(op, residual=None, vector=multiplier(op, config))
    op = replace(op, origin=layer.pads[:2])
    if layer.kind == "conv":
        if layer.wgt is None:
            raise ValueError(f"layer {layer.name!r} of kind conv needs weight codes, not None")
        check_wgt(layer.name, layer.wgt, layer.wgt_width, config)
        return replace(
            op,
            wgt=layer.wgt.astype(np.int64),
            groups=layer.groups,
            kernel=layer.kernel,
            dilation=layer.dilation,
            stride=layer.stride,
        )
    op = replace(op, window=layer.kernel, window_dilation=layer.dilation, window_stride=layer.stride)
    if layer.kind == "maxpool":
        return replace(op, diagonal=1, pool=POOL_MAX, shift=_each(None, channels))
    if layer.wgt is None or layer.wgt.shape not in ((1, 1, 1, 1), (1, 1, *output.shape[:2])):
        raise ValueError(
            f"layer {layer.name!r} of kind avgpool needs one weight code, or one for each output pixel"
        )
    if op.bias.any():
        raise ValueError(f"layer {layer.name!r} of kind avgpool has a bias: fold it into the next layer")
    codes = layer.wgt[0, 0].astype(np.int64)
    lift = np.zeros_like(codes)
    if codes.size > 1 or codes[0, 0] >> layer.wgt_width - 1:
        lift = np.log2(np.maximum(codes & -codes, 1)).astype(np.int64)
    check_wgt(layer.name, codes >> lift, layer.wgt_width, config)
    if np.ptp(codes):
        return replace(op, codes=codes >> lift, lift=lift, shift=_each(layer.shift, channels), pool=POOL_SUM)
    shift = np.clip(_each(layer.shift, channels) - lift[0, 0], -config.max_left_shift, config.acc_width)
    return replace(op, diagonal=int(codes[0, 0] >> lift[0, 0]), shift=shift, pool=POOL_SUM)


def _upsample(op: Operation, layer: Layer) -> Operation:
    (height, width, channels), factor = op.act.shape, layer.factor
    if min(factor) < 1 or op.output.shape != (height * factor[0], width * factor[1], channels):
        raise ValueError(
            f"layer {layer.name!r} makes {op.output.shape} of {op.act.shape}, "
            f"not each pixel {factor[0]}x{factor[1]} times"
        )
    return replace(op, diagonal=1, factor=factor, shift=_each(None, channels))


def _add(op: Operation, layer: Layer, config: EngineConfig) -> Operation:
    """Only the residual can be aligned, so the operand with shift 0 goes through the array."""
    if op.residual is None:
        raise ValueError(f"layer {layer.name!r} of kind add needs two inputs, not one")
    if op.act.shape != op.output.shape or op.residual.shape != op.output.shape:
        raise ValueError(
            f"layer {layer.name!r} adds {op.act.shape} and {op.residual.shape} to {op.output.shape}: "
            "shapes must be equal, broadcasting is not supported"
        )
    if layer.in_shift == 0:
        return replace(op, diagonal=1)
    if op.res_shift.any():
        raise ValueError(
            f"layer {layer.name!r} shifts both operands, by {layer.in_shift} and {op.res_shift.tolist()}"
        )
    aligned = np.full_like(op.res_shift, layer.in_shift)
    return replace(op, diagonal=1, act=op.residual, residual=op.act, res_shift=aligned)


def _fusible(conv: Operation, pool: Operation, config: EngineConfig, fuse_pools: bool) -> bool:
    """A table: there is none yet, no mean. Average: ``_global``. Max: windows are disjoint, whole, and clamp nothing
    the convolution lets through; a table, which comes behind the maximum, keeps the order of codes.
    """
    if pool.table is not None:
        return conv.table is None and conv.pool != POOL_MEAN
    if not fuse_pools:
        return False
    if pool.pool == POOL_SUM:
        return _global(conv, pool, config)
    if pool.pool != POOL_MAX or conv.wgt is None or conv.pool != POOL_NONE or any(pool.origin):
        return False
    if conv.depthwise and config.fir_lines:  # which is faster and knows no windows
        return False
    low, high = conv.lo, conv.hi
    if conv.table is not None:
        if not rises(conv.table, low, high):
            return False
        low, high = range_of(conv.table, low, high)
    if pool.lo > low or pool.hi < high or pool.window_pixels > config.acc_depth:
        return False
    for axis in (0, 1):
        reach = (pool.window[axis] - 1) * pool.window_dilation[axis] + 1
        if reach > pool.window_stride[axis]:
            return False
        if (pool.output.shape[axis] - 1) * pool.window_stride[axis] + reach > conv.output.shape[axis]:
            return False
    return True


def _global(maker: Operation, pool: Operation, config: EngineConfig) -> bool:
    """The pool is one window, the whole map; one COMPUTE makes the map of a block of channels."""
    if not config.means or maker.pool != POOL_NONE or maker.factor != (1, 1) or maker.table is not None:
        return False
    if pool.window_pixels > config.acc_depth or np.ptp(pool.shift):
        return False
    dense = all(n == 1 or step == 1 for n, step in zip(pool.window, pool.window_dilation, strict=True))
    whole = pool.window == maker.output.shape[:2] and pool.output.shape[:2] == (1, 1)
    return dense and whole and not any(pool.origin)


def _fused(conv: Operation, pool: Operation) -> Operation:
    if pool.table is not None:
        return replace(conv, name=f"{conv.name}+{pool.name}", output=pool.output, table=pool.table)
    mean = None
    if pool.pool == POOL_SUM:
        mean = Mean(weight=pool.diagonal, shift=int(pool.shift[0]), lo=pool.lo, hi=pool.hi)
    return replace(
        conv, name=f"{conv.name}+{pool.name}", output=pool.output, pool=POOL_MAX if mean is None else POOL_MEAN,
        mean=mean, window=pool.window, window_dilation=pool.window_dilation, window_stride=pool.window_stride,
    )  # fmt: skip
