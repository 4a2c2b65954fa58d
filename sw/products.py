"""Products of a map and a vector: what the engine multiplies by.

acc[y, x, c] = act[y, x, c] * vector[0, 0, c]

The vector becomes weights, on the diagonal of a tile (``isa.COMPUTE``), so its codes must be some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..hw.config import EngineConfig
from ..quant.network import Tensor

if TYPE_CHECKING:
    from .operations import Operation

__all__ = ["multiplier"]


def multiplier(op: Operation, config: EngineConfig) -> Tensor:
    """The vector of a product, its second operand. Raises ``ValueError`` naming the layer and the cure."""
    vector = op.residual
    if not config.products:
        raise ValueError(
            f"layer {op.name!r} multiplies a map by a vector, which this engine has no hardware for: use products=True"
        )
    if vector is None:
        raise ValueError(f"layer {op.name!r} of kind product needs two inputs, not one")
    channels = op.output.shape[2]
    if op.act.shape != op.output.shape or vector.shape != (1, 1, channels):
        raise ValueError(
            f"layer {op.name!r} multiplies {op.act.shape} by {vector.shape} to {op.output.shape}: "
            f"the second must be one pixel of all channels, {(1, 1, channels)}"
        )
    if op.bias.any() or op.res_shift.any():
        raise ValueError(f"layer {op.name!r} of kind product has a bias or a res_shift: it adds nothing")
    limit, codes = 1 << config.wgt_width - 1, vector.format
    if codes.min < -limit or codes.max >= limit:
        raise ValueError(
            f"layer {op.name!r} multiplies by {vector.name!r}, whose codes are {codes.min}..{codes.max}, and weights "
            f"hold {-limit}..{limit - 1}: quantize it to {config.wgt_width} bits, signed, or use a larger wgt_width"
        )
    return vector
