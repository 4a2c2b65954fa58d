"""Folding a kernel's taps into channels: a convolution of few channels as one of more.

folded word (Y, X) = pixels X - left .. X - left + taps - 1 of rows Y - top .. Y - top + stack - 1
    word[Y, X][(j*stack + i)*C + c] = image[Y - top + stack - 1 - i][X - left + taps - 1 - j][c]
    wgt'[k, (j*stack + i)*C + c, r, q] = wgt[k, c, r*stack + stack - 1 - i, q*taps + taps - 1 - j]

0 where there is no such weight; so rows of the kernel become ceil(rows / stack) steps of ``stack`` rows, columns
likewise. A word may be several words of the scratchpad, blocks of it. LOAD makes them, see ``isa.LOAD``. Words that
hold nothing of the image are not made: outside of the folded map COMPUTE reads 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..hw.config import EngineConfig
from ..hw.isa import FOLD_CHANNELS
from ..quant.network import QuantizedNetwork, Tensor
from .operations import Operation

__all__ = ["Fold", "fold_input", "folds", "shapes"]

_STACK = 3
"""Rows of the image in a word at most: the line buffer keeps two."""


@dataclass(frozen=True)
class Fold:
    """How LOAD makes the words of a map of ``rows`` x ``width``, each of ``stack`` x ``taps`` pixels.

    ``top``: how many of the rows in the first words lie above the image. ``before``: pixels of a row without a word
    of their own; ``zeros`` behind it.
    """

    stack: int
    taps: int
    top: int
    rows: int
    before: int
    zeros: int
    width: int

    @property
    def ahead(self) -> int:
        """Rows from a word's own to the newest one in it."""
        return self.stack - 1 - self.top


def fold_input(network: QuantizedNetwork, ops: Sequence[Operation], fold: Fold | None) -> list[Operation]:
    """The operations, the one that reads the network's input folded."""
    return [_folded(op, fold) if fold and op.act.name == network.input else op for op in ops]


def folds(
    network: QuantizedNetwork, ops: Sequence[Operation], config: EngineConfig
) -> Iterator[tuple[Fold | None, int]]:
    """Ways to fold and the array's cycles with each, the fastest first, each with fewer words than the one before.

    The last one is None, the image as it is.
    """
    op = _reader(network, ops)
    if op is None:
        yield None, 0
        return
    choices: dict[tuple[int, int, int], Fold | None] = {}
    for fold in (None, *_possible(op, config)):
        choices.setdefault(_cost(op, fold, config), fold)
    words = None
    for (_, compute, made), fold in sorted(choices.items(), key=lambda item: item[0]):
        if words is None or made < words:
            yield fold, compute
            words = made
            if fold is None:
                return
    yield None, _cost(op, None, config)[1]


def shapes(
    channels: int, kernel: tuple[int, int], dilation: tuple[int, int], config: EngineConfig
) -> Iterator[tuple[int, int]]:
    """Rows and columns of a kernel that the words of one pixel can hold, (1, 1) first."""
    rows = min(_STACK, kernel[0]) if config.fold_width and dilation[0] == 1 else 1
    columns = kernel[1] if dilation[1] == 1 else 1
    most = config.fold_elements // channels if channels <= min(FOLD_CHANNELS, config.lanes) else 1
    for stack in range(1, rows + 1):
        for taps in range(1, columns + 1):
            if stack * taps <= max(most, 1):
                yield stack, taps


def _reader(network: QuantizedNetwork, ops: Sequence[Operation]) -> Operation | None:
    """The operation that reads the network's input, where its kernel can be folded."""
    name = network.input
    readers = [op for op in ops if name in (op.act.name, op.residual and op.residual.name)]
    if len(readers) != 1 or name in network.outputs:
        return None
    op = readers[0]
    if op.wgt is None or op.groups > 1 or op.act.name != name:
        return None
    if op.residual is not None and op.residual.name == name:  # which wants the image as it is
        return None
    return op


def _possible(op: Operation, config: EngineConfig) -> Iterator[Fold]:
    """Every way that the engine has."""
    _, width, channels = op.act.shape
    for stack, taps in shapes(channels, op.kernel, op.dilation, config):
        fold = _fold(op, stack, taps)
        if stack * taps == 1 or fold.before >= width:
            continue
        if stack == 1 or width + fold.zeros <= config.fold_width:
            yield fold


def _fold(op: Operation, stack: int, taps: int) -> Fold:
    def needed(axis: int, step: int) -> int:
        pixels = (op.output.shape[axis] - 1) * op.window_stride[axis]
        pixels += (op.window[axis] - 1) * op.window_dilation[axis]
        return pixels * op.stride[axis] + (-(-op.kernel[axis] // step) - 1) * step * op.dilation[axis] + 1

    (height, width, _), (top, left) = op.act.shape, op.origin
    top, left = min(top, stack - 1), min(left, taps - 1)
    rows = height if stack == 1 else min(needed(0, stack) + top - op.origin[0], height + top)
    before = taps - 1 - left
    columns = min(needed(1, taps) + left - op.origin[1], width + left)
    zeros = max(0, columns + before - width, 3 - width if stack > 1 else 0)
    return Fold(stack, taps, top, max(rows, 1), before, zeros, width + zeros - before)


def _cost(op: Operation, fold: Fold | None, config: EngineConfig) -> tuple[int, int, int]:
    """What is to be small, compute and the longer of compute and LOAD; the array's cycles; words."""
    height, width, channels = op.act.shape
    stack, taps = (fold.stack, fold.taps) if fold else (1, 1)
    passes = -(-op.kernel[0] // stack) * -(-op.kernel[1] // taps) * -(-stack * taps * channels // config.rows)
    pixels = op.output.shape[0] * op.output.shape[1] * op.window_pixels
    compute = passes * pixels * -(-op.output.shape[2] // config.cols)
    words = (fold.rows * fold.width if fold else height * width) * -(-stack * taps * channels // config.lanes)
    load = words + (height * fold.before if fold else 0)
    return compute + max(compute, load), compute, words


def _folded(op: Operation, fold: Fold) -> Operation:
    assert op.wgt is not None
    outs, channels, rows, columns = op.wgt.shape
    stack, taps = fold.stack, fold.taps
    down, across = -(-rows // stack), -(-columns // taps)
    wide = np.zeros((outs, channels, down * stack, across * taps), np.int64)
    wide[..., :rows, :columns] = op.wgt
    # [k, c, r, s, q, t] with s = stack - 1 - i, t = taps - 1 - j -> [k, j, i, c, r, q]
    split = wide.reshape(outs, channels, down, stack, across, taps)[:, :, :, ::-1, :, ::-1]
    lanes = stack * taps * channels
    wgt = split.transpose(0, 5, 3, 1, 2, 4).reshape(outs, lanes, down, across)
    act = Tensor(name=op.act.name, shape=(fold.rows, fold.width, lanes), format=op.act.format)
    left = fold.taps - 1 - fold.before
    return replace(
        op, act=act, wgt=wgt, kernel=(down, across),
        dilation=(stack if stack > 1 else op.dilation[0], taps if taps > 1 else op.dilation[1]),
        origin=(op.origin[0] - fold.top, op.origin[1] - left),
    )  # fmt: skip
