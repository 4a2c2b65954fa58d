"""Models that are quantized already: QuantizeLinear, DequantizeLinear, and the codes between them.

    real = (code - zero) * scale        code = clamp(round_half_even(real / scale) + zero)

What the reader makes of it is the network of the real values: weights are ``(code - zero) * scale``, a
QuantizeLinear is the clamp to the range of its codes. Where scales are powers of two it keeps the formats too
(``Node.format``, ``Node.wgt_fl``), and ``systolith quantize`` takes them as they are: bit-exact. Elsewhere the
roundings of the file are left out, and the network is quantized anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..quant.formats import QFormat
from ..quant.network import COPIES, IntArray
from .graph import Array, Node
from .onnx_reader_context import Context, Steps, Unsupported

__all__ = ["Quantum", "dequantize", "fold_dequantize", "keep_steps", "quantize", "weight_fl"]

_BITS = {"int4": 4, "uint4": 4, "int8": 8, "uint8": 8, "int16": 16, "uint16": 16}


@dataclass(frozen=True, kw_only=True)
class Quantum:
    """The codes of an activation: lowest and highest code, scale, zero point."""

    scale: float
    zero: int
    low: int
    high: int
    width: int

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the largest real value."""
        return (self.low - self.zero) * self.scale, (self.high - self.zero) * self.scale

    @property
    def format(self) -> QFormat | None:
        """The same codes without a zero point, None where there are none: ``quant.formats``."""
        fl = exponent(self.scale)
        if fl is None or self.width == 4:
            return None
        for signed in (True, False):
            fmt = QFormat(self.width, fl, signed)
            if (self.low - self.zero, self.high - self.zero) == (fmt.min, fmt.max):
                return fmt
        return None


def exponent(scale: float) -> int | None:
    """fl with ``scale == 2**-fl``, None where there is none."""
    mantissa, power = np.frexp(scale)
    return 1 - int(power) if mantissa == 0.5 else None


def _quantum(ctx: Context) -> Quantum:
    """Of the QuantizeLinear or DequantizeLinear at hand."""
    scale, zero = ctx.constant(1), np.zeros(1, np.uint8)
    if ctx.has(2):
        zero = ctx.constant(2)
    elif ctx.attributes.get("output_dtype", 0) not in (0, 2):
        raise Unsupported("its type of codes has no zero point beside it", "export it with a zero point")
    if scale.size != 1 or zero.size != 1:
        raise Unsupported("its activation has several scales", "quantize activations with one scale a tensor")
    bits = _BITS.get(zero.dtype.name)
    if bits is None or not float(scale.reshape(-1)[0]) > 0:
        raise Unsupported(f"its codes are {zero.dtype.name}", "quantize to int8, uint8, int16 or uint16")
    low = -(1 << bits - 1) if zero.dtype.name.startswith("i") else 0
    return Quantum(
        scale=float(scale.reshape(-1)[0]), zero=int(zero.reshape(-1)[0]), low=low, high=low + (1 << bits) - 1,
        width=bits,
    )  # fmt: skip


def quantize(ctx: Context) -> None:
    """QuantizeLinear: the clamp to the range of its codes; nothing where the values have that range already."""
    if ctx.ref(host=True).host:
        ctx.alias(ctx.ref(host=True))
        return
    source, found = ctx.ref(), _quantum(ctx)
    ctx.quanta[ctx.node.output[0]] = found
    if found.format is None:
        ctx.uneven.append(ctx.name)
    lo, hi = found.bounds
    least, most = _hull(ctx, source.tensor)
    if ctx.formats:
        if _codes(ctx, source.tensor) == found:
            ctx.alias(source)
            return
    elif source.tensor == ctx.input or (lo <= least and most <= hi):
        ctx.alias(source)
        return
    node = Node(
        name=ctx.name, kind="clip", inputs=(source.tensor,), output=ctx.node.output[0], lo=lo, hi=hi,
        format=found.format if ctx.formats else None,
    )  # fmt: skip
    ctx.emit(node, source.shape, source)


def _codes(ctx: Context, tensor: str) -> Quantum | None:
    """What the codes of a tensor are: its own, or those it only passes on."""
    known: Quantum | None = ctx.quanta.get(tensor)
    made = next((node for node in reversed(ctx.nodes) if node.output == tensor), None)
    if known is None and made is not None and made.kind in COPIES:
        inside = [_codes(ctx, name) for name in made.inputs]
        known = inside[0] if all(other == inside[0] for other in inside) else None
    return known


def _hull(ctx: Context, tensor: str) -> tuple[float, float]:
    """Bounds that the values of a tensor keep."""
    made = next((node for node in reversed(ctx.nodes) if node.output == tensor), None)
    if made is None or (made.kind not in ("clip", "maxpool", "avgpool", "concat", "upsample")):
        return -np.inf, np.inf
    if made.kind == "clip":
        return made.lo, made.hi
    inside = [_hull(ctx, name) for name in made.inputs]
    if made.kind == "avgpool" and any(made.pads):
        inside.append((0.0, 0.0))
    return min(low for low, _ in inside), max(high for _, high in inside)


def dequantize(ctx: Context) -> None:
    """DequantizeLinear of codes that a QuantizeLinear made: nothing, or another scale for the same codes."""
    if ctx.ref(host=True).host:
        ctx.alias(ctx.ref(host=True))
        return
    source, found = ctx.ref(), _quantum(ctx)
    made = ctx.quanta.get(ctx.node.input[0]) or ctx.quanta.get(source.tensor)
    if made is None or (made.scale, made.zero) == (found.scale, found.zero):
        ctx.alias(source)
        return
    ratio, count = found.scale / made.scale, source.shape[2]
    node = Node(
        name=ctx.name, kind="affine", inputs=(source.tensor,), output=ctx.node.output[0],
        scale=np.full(count, ratio), offset=np.full(count, (made.zero - found.zero) * found.scale),
    )  # fmt: skip
    ctx.emit(node, source.shape, source)


def fold_dequantize(ctx: Context) -> bool:
    """DequantizeLinear of constants: their real values, in double; remembers the steps."""
    node = ctx.node
    if node.op_type != "DequantizeLinear" or any(name and name not in ctx.constants for name in node.input):
        return False
    codes, scale = (ctx.constants[name] for name in node.input[:2])
    zero = ctx.constants[node.input[2]] if ctx.has(2) else np.zeros(1, np.int64)
    axis = int(ctx.attributes.get("axis", 1))
    if ctx.attributes.get("block_size", 0) or scale.ndim > 1:
        return False
    shape = [1] * codes.ndim
    if scale.size > 1:
        shape[axis] = -1
    full_scale = np.asarray(scale, np.float64).reshape(shape if scale.size > 1 else [1] * codes.ndim)
    full_zero = np.asarray(zero, np.int64).reshape(shape if zero.size > 1 else [1] * codes.ndim)
    shifted = np.asarray(codes, np.int64) - full_zero
    ctx.constants[node.output[0]] = np.asarray(shifted * full_scale, np.float64)
    ctx.steps[node.output[0]] = Steps(
        scale=np.asarray(scale, np.float64).reshape(-1), axis=axis % max(codes.ndim, 1) if scale.size > 1 else None,
        width=_BITS.get(codes.dtype.name, 32),
    )  # fmt: skip
    return True


def keep_steps(ctx: Context) -> None:
    """Constants that only move weights of one scale leave them their steps."""
    node = ctx.node
    known = ctx.steps.get(node.input[0]) if node.input else None
    if known is not None and node.op_type in (
        "Reshape",
        "Transpose",
        "Identity",
        "Squeeze",
        "Unsqueeze",
        "Flatten",
    ):
        if node.op_type == "Transpose" and known.axis is not None:
            values = ctx.constants[node.output[0]]
            perm = list(ctx.attributes.get("perm", range(values.ndim)[::-1]))
            ctx.steps[node.output[0]] = replace(known, axis=perm.index(known.axis))
        elif known.axis is None or node.op_type == "Identity":
            ctx.steps[node.output[0]] = known


def weight_fl(ctx: Context, index: int, axis: int, values: Array) -> IntArray | None:
    """fl [K] of the weights at one input, whose output channels are ``axis``; None where they have none."""
    steps = ctx.steps.get(ctx.node.input[index]) if ctx.has(index) else None
    if steps is None:
        return None
    known = [fl for scale in steps.scale if (fl := exponent(float(scale))) is not None]
    if len(known) == len(steps.scale) and steps.width == 8 and steps.axis in (None, axis):
        shape = [1] * values.ndim
        shape[axis] = values.shape[axis]
        each = np.broadcast_to(np.array(known, np.int64), (values.shape[axis],)).copy()
        codes = values * np.ldexp(1.0, each.astype(np.int32)).reshape(shape)
        if codes.min(initial=0) >= -128 and codes.max(initial=0) <= 127:
            return each if ctx.formats else None
    ctx.uneven.append(ctx.name)
    return None
