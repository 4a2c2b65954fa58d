"""Conv, Gemm, MatMul: every operator with products becomes a conv.

``out[k] = bias[k] + sum_{c,r,s} in[first(k)+c,r,s] * weight[k,c,r,s]``, with groups ``first(k) = (k // (K/G)) *
(C/G)``; a dense layer's kernel covers the map.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..quant.layers import average_weight
from ..quant.network import IntArray
from .graph import Node
from .onnx_reader_context import Context, Unsupported
from .onnx_reader_quantized import weight_fl
from .onnx_reader_windows import window

__all__ = ["conv", "gemm", "matmul"]

Array = npt.NDArray[Any]


def conv(ctx: Context) -> None:
    """Conv, grouped and depthwise too: a conv."""
    source = ctx.map()
    if not ctx.is_constant(1):
        raise Unsupported("its weights are computed at run time", "export them as constants")
    weight = ctx.weight(1)
    if weight.ndim != 4:
        raise Unsupported(f"it is {weight.ndim - 2}-dimensional", "use two-dimensional convolutions")
    group = ctx.attributes.get("group", 1)
    inside, outputs = int(weight.shape[1]), int(weight.shape[0])
    if group < 1 or inside * group != source.shape[2] or outputs % group:
        raise Unsupported(
            f"it expects {inside * group} channels in {group} groups, not {source.shape[2]}"
            if outputs % max(group, 1) == 0
            else f"its {outputs} output channels do not fall into {group} groups",
            "export the model again",
        )
    bias = ctx.weight(2) if ctx.has(2) else None
    kernel = (int(weight.shape[2]), int(weight.shape[3]))
    where = window(ctx, source.shape, kernel)
    shape = (*where.output, int(weight.shape[0]))
    fl = weight_fl(ctx, 1, 0, weight)
    node = Node(
        name=ctx.name, kind="conv", inputs=(source.tensor,), output=ctx.node.output[0], kernel=kernel,
        stride=where.stride, dilation=where.dilation, pads=where.pads, groups=group, weight=weight,
        bias=bias, macs=where.output[0] * where.output[1] * int(weight.size), wgt_fl=fl,
    )  # fmt: skip
    if fl is not None and group == outputs and bias is None and _averages(weight, fl):
        node = replace(node, kind="avgpool", weight=None, groups=1, macs=0, wgt_fl=None)
    ctx.emit(node, shape)


def _averages(weight: Array, fl: IntArray) -> bool:
    """Is it the average that ``quant.layers`` gives a pool of this kernel?"""
    code, average_fl = average_weight(int(weight[0].size), 8)
    return bool(
        weight.shape[1] == 1 and np.all(fl == average_fl) and np.all(weight == code * 2.0**-average_fl)
    )


def _dense(ctx: Context, weight: Array, bias: Array | None, fl: IntArray | None = None) -> None:
    """``out = in @ weight.T + bias`` with weight [K, features]: a conv.

    Its kernel covers the map where the file's last axis is the whole map; it is 1x1 where that is the channels.
    """
    source = ctx.ref()
    if weight.ndim != 2 or not source.axes or weight.shape[1] != source.file_shape[-1]:
        raise Unsupported(
            f"its weights {list(weight.shape[::-1])} do not fit its input {['N', *source.file_shape]}",
            "put a Flatten before it",
        )
    outputs = int(weight.shape[0])
    order = source.axes[-1]
    if len(source.axes) == 1:
        h, w = source.shape[:2]
        kernel = source.to_map(weight)
        node = Node(
            name=ctx.name, kind="conv", inputs=(source.tensor,), output=ctx.node.output[0], kernel=(h, w),
            weight=np.ascontiguousarray(kernel), bias=bias, macs=int(weight.size), wgt_fl=fl,
        )  # fmt: skip
        ctx.emit(node, (1, 1, outputs), replace(source, shape=(1, 1, outputs), axes=("C",)))
        return
    if order != ("C" if source.shape[2] > 1 else ""):
        raise Unsupported(
            f"it multiplies along the last axis of {['N', *source.file_shape]}", "put a Flatten before it"
        )
    shape = (*source.shape[:2], outputs)
    node = Node(
        name=ctx.name, kind="conv", inputs=(source.tensor,), output=ctx.node.output[0],
        weight=weight[:, :, None, None], bias=bias, macs=int(weight.size) * shape[0] * shape[1],
        wgt_fl=fl,
    )  # fmt: skip
    ctx.emit(node, shape, replace(source, shape=shape, axes=(*source.axes[:-1], "C")))


def gemm(ctx: Context) -> None:
    """Gemm with constant weights: a conv whose kernel covers the map."""
    if len(ctx.ref().axes) != 1:
        raise Unsupported(f"its input is {['N', *ctx.ref().file_shape]}", "put a Flatten before it")
    if ctx.attributes.get("transA", 0):
        raise Unsupported("it transposes its input (transA)", "export it as a linear layer")
    transposed, alpha = ctx.attributes.get("transB", 0), ctx.attributes.get("alpha", 1.0)
    weight = ctx.weight(1)
    fl = weight_fl(ctx, 1, 0 if transposed else 1, weight) if alpha == 1.0 else None
    weight = (weight if transposed else weight.T) * alpha
    bias = None
    if ctx.has(2):
        bias = ctx.weight(2) * ctx.attributes.get("beta", 1.0)
        if bias.size not in (1, weight.shape[0]):
            raise Unsupported(
                f"its bias {list(bias.shape)} differs between images", "use one value an output"
            )
        bias = np.broadcast_to(bias.reshape(-1), (weight.shape[0],)).copy()
    _dense(ctx, weight, bias, fl)


def matmul(ctx: Context) -> None:
    """MatMul by a constant on the right: a conv whose kernel covers the map."""
    if ctx.is_constant(0):
        raise Unsupported("its left operand is a constant", "put the constant on the right")
    weight = ctx.weight(1)
    if weight.ndim != 2:
        raise Unsupported(f"its constant has {weight.ndim} dimensions", "multiply by a matrix")
    _dense(ctx, weight.T, None, weight_fl(ctx, 1, 1, weight))
