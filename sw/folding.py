"""Folding a kernel's taps into channels: a convolution of few channels as one of more.

folded word (Y, X) = pixels X - left .. X - left + taps - 1 of rows Y - top .. Y - top + stack - 1
    word[Y, X][(j*stack + i)*C + c] = image[Y - top + stack - 1 - i][X - left + taps - 1 - j][c]
    wgt'[k, (j*stack + i)*C + c, r, q] = wgt[k, c, r*stack + stack - 1 - i, q*taps + taps - 1 - j]

0 where there is no such weight; so rows of the kernel become ceil(rows / stack) steps of ``stack`` rows, columns
likewise. A word may be several words of the scratchpad, blocks of it. LOAD makes them, see ``isa.LOAD``. Words that
hold nothing of the image are not made: outside of the folded map COMPUTE reads 0.

Where windows advance by several columns, LOAD takes ``merge`` pixels as one of as many more channels, a word for each:
    image'[y][X][p*C + c] = image[y][merge*X + p][c]
    wgt'[k, p*C + c, r, q] = wgt[k, c, r, merge*(q - Q) + p + left]
with Q = ceil(left / merge) such pixels of padding on the left.

A 3x3 kernel over 3 channels that advances by an even number of rows reads 27 elements for each output. Words of 14 or
more lanes can take turns: one for each row and merged pixel, so that two rows of words hold all 27, see ``isa.LOAD``:
    word of row y + 1 = its own 9 elements, some of row y;  word of row y + 2 = its own, the rest of row y
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from ..hw.config import EngineConfig
from ..hw.isa import FOLD_CHANNELS
from ..quant.network import QuantizedNetwork, Tensor
from .operations import Operation

__all__ = ["Fold", "fold_input", "folds", "port_words", "shapes"]

_STACK = 3
"""Rows of the image in a word at most: the line buffer keeps two."""


@dataclass(frozen=True)
class Fold:
    """How LOAD makes the words of a map of ``rows`` x ``width``, each of ``stack`` x ``taps`` pixels.

    ``merge``: pixels of the image that are one here, side by side; in ``before``, ``zeros``, ``width`` too.
    ``top``: how many of the rows in the first words lie above the image. ``before``: pixels of a row without a word
    of their own; ``zeros`` behind it.
    """

    merge: int
    stack: int
    taps: int
    top: int
    rows: int
    before: int
    zeros: int
    width: int
    elements: int
    """of a pixel's words"""
    turns: bool = False
    above: int = 0
    """with turns: the rows of words that an output's windows begin above the first one"""
    half: int = 0
    """with turns: 1 where the kernel begins with the second of the pixels that are one"""

    @property
    def ahead(self) -> int:
        """Rows from a word's own to the newest one in it."""
        return self.stack - 1 - self.top

    def image(self, image: Tensor) -> Tensor:
        """The image as LOAD takes it."""
        height, width, channels = image.shape
        return replace(image, shape=(height, width // self.merge, channels * self.merge))


def fold_input(network: QuantizedNetwork, ops: Sequence[Operation], fold: Fold | None) -> list[Operation]:
    """The operations, the one that reads the network's input folded."""
    return [
        _folded(_merged(op, fold.merge), fold) if fold and op.act.name == network.input else op for op in ops
    ]


def folds(
    network: QuantizedNetwork, ops: Sequence[Operation], config: EngineConfig
) -> Iterator[tuple[Fold | None, int]]:
    """Ways to fold and the array's cycles with each, the fastest first, each with fewer words than the one before.

    The last one is None, the image as it is.
    """
    op = _reader(network, ops)
    if op is None or not config.folds:
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


def port_words(image: Tensor, folded: Tensor, config: EngineConfig) -> float:
    """Port words of the image for each word that LOAD makes of it."""
    height, width, elements = folded.shape
    return (
        prod(image.shape)
        * config.lane_bytes
        / config.port_bytes
        / (height * width * -(-elements // config.lanes))
    )


def _reader(network: QuantizedNetwork, ops: Sequence[Operation]) -> Operation | None:
    """The operation that reads the network's input, where its kernel can be folded."""
    name = network.input
    readers = [op for op in ops if name in [tensor.name for tensor in op.operands]]
    if len(readers) != 1 or name in network.outputs:
        return None
    op = readers[0]
    if op.wgt is None or op.groups > 1 or op.act.name != name:
        return None
    if op.residual is not None and op.residual.name == name:  # which wants the image as it is
        return None
    return op


def _merges(op: Operation, config: EngineConfig) -> Iterator[int]:
    """How many pixels may be one, 1 first: whole rows, and windows that advance by whole ones."""
    _, width, channels = op.act.shape
    for merge in range(1, max(1, min(FOLD_CHANNELS, config.lanes) // channels) + 1):
        if merge == 1 or (op.dilation[1] == 1 and op.stride[1] % merge == 0 and width % merge == 0):
            yield merge


def _merged(op: Operation, merge: int) -> Operation:
    """The operation on an image of ``merge`` pixels as one."""
    assert op.wgt is not None
    (height, width, channels), (outs, _, rows, columns), left = op.act.shape, op.wgt.shape, op.origin[1]
    pads = -(-left // merge)
    skipped = pads * merge - left
    across = -(-(skipped + columns) // merge)
    wide = np.zeros((outs, channels, rows, across * merge), np.int64)
    wide[..., skipped : skipped + columns] = op.wgt
    wgt = wide.reshape(outs, channels, rows, across, merge).transpose(0, 4, 1, 2, 3)
    return replace(
        op, act=replace(op.act, shape=(height, width // merge, channels * merge)), kernel=(rows, across),
        wgt=wgt.reshape(outs, merge * channels, rows, across), stride=(op.stride[0], op.stride[1] // merge),
        origin=(op.origin[0], pads),
    )  # fmt: skip


def _possible(op: Operation, config: EngineConfig) -> Iterator[Fold]:
    """Every way that the engine has."""
    for merge in _merges(op, config):
        merged = _merged(op, merge)
        _, width, channels = merged.act.shape
        for stack, taps in shapes(channels, merged.kernel, merged.dilation, config):
            fold = _fold(merged, merge, stack, taps)
            if stack * taps == 1 or fold.before >= width:
                continue
            if stack == 1 or width + fold.zeros <= config.fold_width:
                yield fold
                if (stack, taps, merge, channels) == (3, 2, 2, 6) and config.fold_turns and _even(op):
                    yield _turns(op, fold, config)


def _even(op: Operation) -> bool:
    """A 3x3 kernel that advances by an even number of rows?"""
    return op.kernel == (3, 3) and op.dilation == (1, 1) and op.stride[0] % 2 == 0


def _fold(op: Operation, merge: int, stack: int, taps: int) -> Fold:
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
    elements = stack * taps * op.act.shape[2]
    return Fold(merge, stack, taps, top, max(rows, 1), before, zeros, width + zeros - before, elements)


def _turns(op: Operation, fold: Fold, config: EngineConfig) -> Fold:
    """Words that take turns, from the same pixels as those of ``fold``.

    An output's first row of words is the one whose own row of the image is the second of the kernel.
    """
    top = min(op.origin[0] + 1, 2)
    above = op.origin[0] + 1 - top
    last = (op.output.shape[0] - 1) * op.window_stride[0] + (op.window[0] - 1) * op.window_dilation[0]
    rows = min(last * op.stride[0] + 2 - above, op.act.shape[0] + top)
    return replace(
        fold, turns=True, top=top, rows=max(rows, 1), above=above, half=op.origin[1] % 2,
        elements=min(config.lanes, 18),
    )  # fmt: skip


def _cost(op: Operation, fold: Fold | None, config: EngineConfig) -> tuple[int, int, int]:
    """What is to be small, compute and the longer of compute and LOAD; the array's cycles; words."""
    height, width, _ = op.act.shape
    folded = _folded(_merged(op, fold.merge), fold) if fold else op
    passes = folded.kernel[0] * folded.kernel[1] * -(-folded.act.shape[2] // config.rows)
    pixels = op.output.shape[0] * op.output.shape[1] * op.window_pixels
    compute = passes * pixels * -(-op.output.shape[2] // config.cols)
    words = (fold.rows * fold.width if fold else height * width) * -(-folded.act.shape[2] // config.lanes)
    load = words + (height * fold.before if fold else 0)
    return compute + max(compute, load), compute, words


def _folded(op: Operation, fold: Fold) -> Operation:
    assert op.wgt is not None
    if fold.turns:
        return _in_turns(op, fold)
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


def _in_turns(op: Operation, fold: Fold) -> Operation:
    """Two rows of words: of the kernel's second row and part of the first, of the third and the rest of the first."""
    assert op.wgt is not None
    outs, more = op.wgt.shape[0], fold.elements - 9
    # [k, p*3 + c, r, q] -> [k, r, (q*2 + p)*3 + c], of which the kernel has 9.
    kernel = op.wgt.transpose(0, 2, 3, 1).reshape(outs, 3, 12)[:, :, 3 * fold.half :][:, :, :9]
    wgt = np.zeros((outs, fold.elements, 2, 1), np.int64)
    wgt[:, :9, :, 0] = kernel[:, 1:].transpose(0, 2, 1)
    wgt[:, 9:, 0, 0] = kernel[:, 0, :more]
    wgt[:, 2 * more :, 1, 0] = kernel[:, 0, more:]
    act = Tensor(name=op.act.name, shape=(fold.rows, fold.width, fold.elements), format=op.act.format)
    left = fold.taps - 1 - fold.before
    return replace(
        op, act=act, wgt=wgt, kernel=(2, 1), dilation=(1, 1), origin=(fold.above, op.origin[1] - left)
    )
