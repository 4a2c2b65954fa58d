"""Windows of ONNX convolutions and pools: strides, dilations, pads in all their spellings.

``output = (size + before + after - dilation*(kernel-1) - 1) // stride + 1`` along each axis, rounded up
with ``ceil_mode``, whose overhang becomes explicit pads; a last window that would begin behind the map is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from .onnx_reader_context import Context, Unsupported
from .windows import output_size

__all__ = ["Window", "pool_window", "window"]


@dataclass(frozen=True, kw_only=True)
class Window:
    """Where a kernel goes; ``output`` (height, width), ``pads`` top, left, bottom, right."""

    stride: tuple[int, int]
    dilation: tuple[int, int]
    pads: tuple[int, int, int, int]
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
    output = []
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
        output=(output[0], output[1]),
    )


def pool_window(ctx: Context, shape: tuple[int, int, int]) -> tuple[tuple[int, int], Window]:
    """Kernel and window of a MaxPool or AveragePool.

    An average that divides border windows by fewer values (count_include_pad 0 with pads, or an overhang
    from ceil_mode) is refused: one weight code serves all windows.
    """
    sizes = [int(v) for v in ctx.attributes.get("kernel_shape", ())]
    if len(sizes) != 2:
        raise Unsupported(f"its kernel is {len(sizes)}-dimensional", "use two-dimensional pools")
    kernel = (sizes[0], sizes[1])
    where = window(ctx, shape, kernel)
    if ctx.node.op_type == "AveragePool" and any(where.pads):
        overhang = bool(ctx.attributes.get("ceil_mode", 0))
        if overhang or not ctx.attributes.get("count_include_pad", 0):
            raise Unsupported(
                "its border windows average fewer values",
                "use count_include_pad=1 without ceil_mode, or no pads",
            )
    return kernel, where
