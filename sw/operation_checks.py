"""What one operation may be: the fields of COMPUTE, the bits of weights; how many instructions there may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..hw.config import EngineConfig
from ..quant.network import IntArray

if TYPE_CHECKING:
    from .operations import Operation

__all__ = ["check", "check_counts", "check_wgt"]


def check_counts(network: str, total: Mapping[str, int], config: EngineConfig) -> None:
    """Raises ``ValueError`` naming the network whose instructions of a unit are more than the engine counts."""
    limit = (1 << config.wait_width - 3) - 1
    unit = max(total, key=lambda name: total[name])
    if total[unit] > limit:
        raise ValueError(
            f"network {network!r} takes {total[unit]} instructions of the {unit} unit, the engine counts {limit}: "
            f"use a wait_width of {total[unit].bit_length() + 3}"
        )


def check_wgt(name: str, wgt: IntArray, width: int, config: EngineConfig) -> None:
    """Raises ``ValueError`` naming the layer whose codes do not fit their width, or the engine's."""
    if width > config.wgt_width:
        raise ValueError(
            f"layer {name!r} has {width}-bit weights, the engine {config.wgt_width}: "
            f"quantize to fewer bits or use wgt_width={width}"
        )
    low, high = -(1 << width - 1), (1 << width - 1) - 1
    if wgt.min(initial=0) < low or wgt.max(initial=0) > high:
        raise ValueError(
            f"layer {name!r} must have weight codes in {low}..{high}, not {wgt.min()}..{wgt.max()}"
        )


def check(op: Operation, config: EngineConfig) -> None:
    """What the fields of COMPUTE cannot hold. Raises ``ValueError`` naming the layer."""
    if max(op.kernel) > 16:
        raise ValueError(
            f"layer {op.name!r} has a kernel of {op.kernel[0]}x{op.kernel[1]}, at most 16x16 is possible"
        )
    if not op.fits(config):
        raise ValueError(
            f"layer {op.name!r} pools {op.window_pixels} pixels a window, the engine has {config.acc_depth} "
            "accumulators: use a larger acc_depth, or an array with no more columns than rows"
        )
    limit = (1 << config.coord_width - 1) - 1
    for axis, what in ((0, "rows"), (1, "columns")):
        span = (op.output.shape[axis] - 1) * op.window_stride[axis] * op.stride[axis]
        span += (op.window[axis] - 1) * op.window_dilation[axis] * op.stride[axis]
        span += (op.kernel[axis] - 1) * op.dilation[axis]
        if max(span, op.act.shape[axis], op.output.shape[axis]) > limit:
            bits = max(span, op.act.shape[axis], op.output.shape[axis]).bit_length() + 1
            cure = f": use a coord_width of {bits}" if bits <= 16 else ""
            raise ValueError(f"layer {op.name!r} reaches over {span + 1} {what}, at most {limit} fit{cure}")
    if op.residual is not None:
        if op.res_shift.min() < 0 or op.res_shift.max() >= config.acc_width:
            raise ValueError(
                f"layer {op.name!r} must shift its residual left by 0..{config.acc_width - 1}, not "
                f"{op.res_shift.min()}..{op.res_shift.max()}: its fl must not exceed the accumulator's"
            )
        if op.residual.shape[2] != op.output.shape[2]:
            raise ValueError(
                f"layer {op.name!r} adds {op.residual.shape[2]} residual channels to {op.output.shape[2]}"
            )
    if op.wgt is not None:
        found, expected = op.wgt.shape[:2], (op.output.shape[2], op.act.shape[2] // op.groups)
        if found != expected or op.output.shape[2] % op.groups or op.act.shape[2] % op.groups:
            raise ValueError(
                f"layer {op.name!r} has weights of {found} out and in channels in {op.groups} groups, its tensors "
                f"{(op.output.shape[2], op.act.shape[2])} channels"
            )
