"""Windows of ONNX convolutions and pools: strides, dilations, pads in all their spellings.

``output = (size + before + after - dilation*(kernel-1) - 1) // stride + 1`` along each axis, rounded up
with ``ceil_mode``, whose overhang becomes explicit pads; a last window that would begin behind the map is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..quant.network import IntArray
from .onnx_reader_context import Context, Unsupported
from .windows import Pair, output_size

__all__ = ["Window", "pool_window", "window"]


@dataclass(frozen=True, kw_only=True)
class Window:
    """Where a kernel goes; ``output`` (height, width), ``pads`` top, left, bottom, right."""

    stride: tuple[int, int]
    dilation: tuple[int, int]
    pads: tuple[int, int, int, int]
    padding: tuple[int, int, int, int]
    """Of ``pads``, what the file has: not the overhang of ceil_mode."""
    output: tuple[int, int]


def _pair(ctx: Context, key: str) -> tuple[int, int]:
    values = [int(v) for v in ctx.attributes.get(key, (1, 1))]
    if len(values) != 2 or min(values) < 1:
        raise Unsupported(f"its {key} are {values}", "use two positive integers")
    return values[0], values[1]


def window(ctx: Context, shape: tuple[int, int, int], kernel: tuple[int, int]) -> Window:
    """The window of the node ``ctx`` is at, over a map (height, width, channels)."""
    stride, dilation = _pair(ctx, "strides"), _pair(ctx, "dilations")
    auto = ctx.attributes.get("auto_pad", b"NOTSET").decode()
    pads = [int(v) for v in ctx.attributes.get("pads", (0, 0, 0, 0))]
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        pads = [0, 0, 0, 0]
        for axis in (0, 1):
            reach = dilation[axis] * (kernel[axis] - 1) + 1
            total = max((-(-shape[axis] // stride[axis]) - 1) * stride[axis] + reach - shape[axis], 0)
            small, large = total // 2, total - total // 2
            pads[axis], pads[axis + 2] = (small, large) if auto == "SAME_UPPER" else (large, small)
    elif auto == "VALID":
        pads = [0, 0, 0, 0]
    elif auto not in ("NOTSET", ""):
        raise Unsupported(f"its auto_pad is {auto!r}", "export explicit pads")
    if len(pads) != 4 or min(pads) < 0:
        raise Unsupported(f"its pads are {pads}", "use four pads of 0 or more")
    output, counted = [], list(pads)
    for axis in (0, 1):
        before, after = pads[axis], pads[axis + 2]
        count = output_size(shape[axis], kernel[axis], stride[axis], dilation[axis], before, after)
        if count < 1:
            raise Unsupported(
                f"its kernel {list(kernel)} exceeds the map {list(shape[:2])}", "use a smaller kernel"
            )
        if ctx.attributes.get("ceil_mode", 0):
            reach = dilation[axis] * (kernel[axis] - 1) + 1
            count = -(-(shape[axis] + before + after - reach) // stride[axis]) + 1
            count -= (count - 1) * stride[axis] >= shape[axis] + before  # such a window begins outside
            pads[axis + 2] = max(after, (count - 1) * stride[axis] + reach - shape[axis] - before)
        output.append(count)
    return Window(
        stride=stride,
        dilation=dilation,
        pads=(pads[0], pads[1], pads[2], pads[3]),
        padding=(counted[0], counted[1], counted[2], counted[3]),
        output=(output[0], output[1]),
    )


def pool_window(ctx: Context, shape: tuple[int, int, int]) -> tuple[tuple[int, int], Window, IntArray | None]:
    """Kernel, window and, of an AveragePool, what each window's sum is divided by: see ``Node.counts``.

    Pixels inside the map count, with count_include_pad those of the pads too; never the overhang of ceil_mode. This is
    ONNX's definition since opset 19, and what ONNX Runtime computes in every opset.
    """
    sizes = [int(v) for v in ctx.attributes.get("kernel_shape", ())]
    if len(sizes) != 2:
        raise Unsupported(f"its kernel is {len(sizes)}-dimensional", "use two-dimensional pools")
    kernel = (sizes[0], sizes[1])
    where = window(ctx, shape, kernel)
    inside = _counts(shape, kernel, where, (0, 0, 0, 0))
    if not inside.all():
        raise Unsupported("one of its windows sees nothing of the map", "use pads smaller than the kernel")
    if ctx.node.op_type != "AveragePool":
        return kernel, where, None
    counts = (
        _counts(shape, kernel, where, where.padding) if ctx.attributes.get("count_include_pad", 0) else inside
    )
    if np.ptp(counts):
        return kernel, where, counts
    return kernel, where, None if counts[0, 0] == kernel[0] * kernel[1] else counts[:1, :1]


def _counts(
    shape: tuple[int, int, int], kernel: Pair, where: Window, pads: tuple[int, int, int, int]
) -> IntArray:
    """[OH, OW]: pixels of each window inside the map with ``pads`` around it."""
    counts = []
    for axis in (0, 1):
        taps = np.arange(kernel[axis]) * where.dilation[axis] - where.pads[axis]
        at = np.arange(where.output[axis])[:, None] * where.stride[axis] + taps
        counts.append(((at >= -pads[axis]) & (at < shape[axis] + pads[axis + 2])).sum(axis=1))
    product: IntArray = np.multiply.outer(*counts)
    return product
