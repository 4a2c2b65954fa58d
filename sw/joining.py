"""Concat without an instruction: its operands are made where they belong.

    words of block b of operand i = blocks first[i] + b of the joined tensor,   first[i+1] = first[i] + blocks of i

An operand's last word may have lanes that belong to nobody, for each operand begins at a word of its own. Such gaps
are channels with weights of 0 for a convolution that reads the joined tensor; every other reader gets a dense copy,
made by a convolution of ones and zeros. An operand that cannot be made in place (the network's input, one of its
outputs, or one that lies in another joined tensor already) is copied likewise, through a diagonal tile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..hw.config import EngineConfig
from ..quant.network import IntArray, Layer, QuantizedNetwork, Tensor
from .allocation import tensor_blocks
from .operations import Operation

__all__ = ["NOTHING", "Joined", "join"]


@dataclass(frozen=True)
class Joined:
    """Which tensors are parts of others: ``parts[name]`` is a joined tensor and the block where the part begins.

    ``tensors``: those that the network does not have, and the joined ones as they lie in words, gaps included.
    """

    parts: Mapping[str, tuple[str, int]]
    tensors: Mapping[str, Tensor]

    def root(self, name: str) -> str:
        """The tensor that is placed: ``name`` or what it is, perhaps in several steps, a part of."""
        return self.place(name)[0]

    def place(self, name: str) -> tuple[str, int]:
        """The tensor that is placed, and the block of it where ``name`` begins."""
        block = 0
        while name in self.parts:
            name, first = self.parts[name]
            block += first
        return name, block


NOTHING = Joined({}, {})
"""Nothing is joined."""


def join(
    network: QuantizedNetwork, ops: Sequence[Operation], config: EngineConfig
) -> tuple[list[Operation], Joined]:
    """The operations with those that concats need, each at the first moment it can run, and where operands lie."""
    joiner = _Joiner(network, list(ops), config)
    for index, layer in enumerate(network.layers):
        if layer.kind == "concat":
            joiner.add(index, layer)
    return joiner.ops, Joined(joiner.parts, joiner.tensors)


class _Joiner:
    def __init__(self, network: QuantizedNetwork, ops: list[Operation], config: EngineConfig) -> None:
        self.network, self.ops, self.config = network, ops, config
        self.parts: dict[str, tuple[str, int]] = {}
        self.tensors: dict[str, Tensor] = {}
        self.lanes: dict[str, IntArray] = {}
        """of a joined tensor: the lane of each channel, counted over all of its words"""

    def add(self, index: int, layer: Layer) -> None:
        """Give the operands of a concat their places, and its readers what they can read."""
        out = self.network.tensors[layer.output]
        height, width, channels = out.shape
        if sum(self.network.tensors[name].shape[2] for name in layer.inputs) != channels:
            raise ValueError(f"layer {layer.name!r} joins tensors that have not {channels} channels together")
        lanes, first = [], 0
        name = self._stored_as(layer)
        for number, operand in enumerate(layer.inputs):
            tensor = self.network.tensors[operand]
            where = self.lanes.get(operand, np.arange(tensor.shape[2]))
            blocks = tensor_blocks(self.tensors.get(operand, tensor).shape[2], self.config)
            if self._needs_copy(operand):
                tensor = replace(self.tensors.get(operand, tensor), name=f"{layer.name} (operand {number})")
                self._copy(index, layer, operand, tensor)
            self.parts[tensor.name] = name, first
            lanes.append(where + first * self.config.lanes)
            first += blocks
        self.lanes[name] = np.concatenate(lanes)
        self.tensors[name] = replace(out, name=name, shape=(height, width, first * self.config.lanes))
        if name != layer.output:
            self._pack(index, layer, name)
        elif not self._dense(name, channels):
            self.ops = [self._wide(op) if op.act.name == name else op for op in self.ops]

    def _dense(self, name: str, channels: int) -> bool:
        return bool(np.array_equal(self.lanes[name], np.arange(channels)))

    def _stored_as(self, layer: Layer) -> str:
        """The tensor that operands lie in: the concat's own, or another if that has to be a dense copy."""
        if layer.output in self.network.outputs:
            return f"{layer.name} (joined)"
        ends = np.cumsum([self.network.tensors[name].shape[2] for name in layer.inputs])[:-1]
        if not np.any(ends % self.config.lanes) and not any(name in self.lanes for name in layer.inputs):
            aligned = [
                tensor_blocks(self.network.tensors[n].shape[2], self.config) for n in layer.inputs[:-1]
            ]
            if np.array_equal(np.cumsum(aligned) * self.config.lanes, ends):
                return layer.output
        for op in self.ops:
            plain = op.wgt is not None and op.groups == 1
            beside = layer.output in [tensor.name for tensor in op.operands[1:]]
            if beside or (op.act.name == layer.output and not plain):
                return f"{layer.name} (joined)"
        return layer.output

    def _needs_copy(self, operand: str) -> bool:
        return operand in self.parts or operand == self.network.input or operand in self.network.outputs

    def _insert(self, op: Operation) -> None:
        """Behind all that makes what it reads."""
        makers = [i for i, other in enumerate(self.ops) if self._within(other.output.name, op.act.name)]
        self.ops.insert(max(makers, default=-1) + 1, op)

    def _within(self, name: str, whole: str) -> bool:
        while name != whole and name in self.parts:
            name, _ = self.parts[name]
        return name == whole

    def _operation(self, index: int, layer: Layer, act: Tensor, output: Tensor) -> Operation:
        nothing = np.zeros(output.shape[2], np.int64)
        return Operation(
            layer=index, name=layer.name, act=act, residual=None, output=output, wgt=None, diagonal=1,
            bias=nothing, shift=nothing, res_shift=nothing, lo=layer.lo, hi=layer.hi, macs=0,
        )  # fmt: skip

    def _copy(self, index: int, layer: Layer, operand: str, output: Tensor) -> None:
        """A copy of an operand, word by word."""
        act = self.tensors.get(operand, self.network.tensors[operand])
        self._insert(self._operation(index, layer, act, output))

    def _pack(self, index: int, layer: Layer, name: str) -> None:
        """A dense copy of a joined tensor, under the concat's own name."""
        output = self.network.tensors[layer.output]
        wgt = np.eye(output.shape[2], dtype=np.int64)[:, :, None, None]
        op = replace(self._operation(index, layer, replace(output, name=name), output), diagonal=0, wgt=wgt)
        self._insert(self._wide(op))

    def _wide(self, op: Operation) -> Operation:
        """A convolution of a joined tensor, its weights where the channels lie."""
        assert op.wgt is not None
        act = self.tensors[op.act.name]
        wgt = np.zeros((op.wgt.shape[0], act.shape[2], *op.kernel), np.int64)
        wgt[:, self.lanes[op.act.name]] = op.wgt
        return replace(op, act=act, wgt=wgt)
