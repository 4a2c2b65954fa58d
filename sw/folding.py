"""Folding kernel columns into channels: a convolution of few channels as one of more.

folded word X = pixels X - left .. X - left + taps - 1 of its row, the last one in the lowest lanes:
    word[X][j*C + c] = image[X - left + taps - 1 - j][c]
    wgt'[k, j*C + c, r, q] = wgt[k, c, r, q*taps + taps - 1 - j]        0 where there is no such column

so kernel columns become ceil(columns / taps) steps of ``taps`` words. LOAD makes the words, see ``isa.LOAD``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..hw.config import EngineConfig
from ..hw.isa import FOLD_CHANNELS
from ..quant.network import QuantizedNetwork, Tensor
from .operations import Operation

__all__ = ["Fold", "fold_input"]

_MOST_ZEROS = 31


@dataclass(frozen=True)
class Fold:
    """How LOAD makes the words: pixels of a row without a word of their own, zeros behind it, words a row."""

    before: int
    zeros: int
    width: int


def fold_input(
    network: QuantizedNetwork, ops: Sequence[Operation], config: EngineConfig
) -> tuple[list[Operation], Fold | None]:
    """The operations with the one that reads the network's input folded, if that saves passes."""
    readers = [
        i for i, op in enumerate(ops) if network.input in (op.act.name, op.residual and op.residual.name)
    ]
    if len(readers) != 1 or network.input in network.outputs:
        return list(ops), None
    op = ops[readers[0]]
    if op.wgt is None or op.groups > 1 or op.act.name != network.input or op.dilation[1] != 1:
        return list(ops), None
    if op.residual is not None and op.residual.name == network.input:  # which wants the image as it is
        return list(ops), None
    channels, columns, left = op.act.shape[2], op.kernel[1], op.origin[1]
    if channels > FOLD_CHANNELS:
        return list(ops), None

    def passes(taps: int) -> int:
        return -(-columns // taps) * -(-taps * channels // config.rows)

    possible = range(max(2, left + 1), min(columns, config.lanes // channels) + 1)
    taps = min(possible, key=passes, default=1)
    if taps == 1 or passes(taps) >= passes(1):
        return list(ops), None
    fold = _fold(op, taps)
    if fold is None:
        return list(ops), None
    return [_folded(o, taps, fold) if o is op else o for o in ops], fold


def _fold(op: Operation, taps: int) -> Fold | None:
    width, steps = op.act.shape[1], -(-op.kernel[1] // taps)
    pixels = (op.output.shape[1] - 1) * op.window_stride[1] + (op.window[1] - 1) * op.window_dilation[1]
    needed = pixels * op.stride[1] + (steps - 1) * taps + 1
    before = taps - 1 - op.origin[1]
    zeros = max(0, needed + before - width)
    if zeros > _MOST_ZEROS or before >= width:
        return None
    return Fold(before, zeros, width + zeros - before)


def _folded(op: Operation, taps: int, fold: Fold) -> Operation:
    assert op.wgt is not None
    outs, channels, rows, columns = op.wgt.shape
    steps = -(-columns // taps)
    wide = np.zeros((outs, channels, rows, steps * taps), np.int64)
    wide[..., :columns] = op.wgt
    # [k, c, r, q, t] with t = taps - 1 - j -> [k, j, c, r, q]
    split = wide.reshape(outs, channels, rows, steps, taps)[..., ::-1]
    wgt = split.transpose(0, 4, 1, 2, 3).reshape(outs, taps * channels, rows, steps)
    act = Tensor(name=op.act.name, shape=(op.act.shape[0], fold.width, taps * channels), format=op.act.format)
    return replace(
        op, act=act, wgt=wgt, kernel=(rows, steps), dilation=(op.dilation[0], taps), origin=(op.origin[0], 0)
    )
