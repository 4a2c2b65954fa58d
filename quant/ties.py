"""Tensors that share one format, and how that is chosen.

A concat's operands and its output have one fl and one signedness; a max pool's output has its input's. So
tensors fall into classes, each named by its first tensor, its root. A class that several layers write takes

    fl = argmin sum over its tensors sum |x_float - x(width, fl)|**p

over the float network's values, before the data phase: a tensor may be read long before the last one of its
class is made, and every reader must see the format they all agreed on.

What a table reads has 8 bits at most; so has a product's second operand, which is signed too: a weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from .arithmetic import FloatArray
from .evidence import Evidence
from .formats import QFormat
from .measure import Batch, Batches, choose_format
from .network import COPIES
from .protocol import Network
from .search import Method
from .store import ActivationStore
from .tables import TABLE_WIDTH

__all__ = ["Ties", "choose_shared", "narrow", "never_negative", "ties"]


@dataclass(frozen=True, kw_only=True)
class Ties:
    """Which tensors share a format."""

    root: Mapping[str, str]
    """of every tensor; its own name where it shares with nobody."""
    shared: Mapping[str, tuple[str, ...]]
    """for the roots of classes that more than one layer (or the input) writes: these tensors, in order."""
    signed: frozenset[str] = frozenset()
    """tensors whose codes are signed, whatever their values: a product's second operands, and what they share with."""


def ties(network: Network) -> Ties:
    """The classes of the network's tensors."""
    root = {name: name for name in network.shapes}

    def find(name: str) -> str:
        while root[name] != name:
            name = root[name]
        return name

    order = {name: i for i, name in enumerate((network.input, *(layer.output for layer in network.layers)))}
    for layer in network.layers:
        for name in layer.inputs if layer.kind in COPIES else ():
            first, second = sorted((find(name), find(layer.output)), key=order.__getitem__)
            root[second] = first
    whole = {name: find(name) for name in root}
    copied = {layer.output for layer in network.layers if layer.kind in COPIES}
    members: dict[str, list[str]] = {}
    for name in order:
        if name not in copied:
            members.setdefault(whole[name], []).append(name)
    return Ties(
        root=whole,
        shared={name: tuple(group) for name, group in members.items() if len(group) > 1},
        signed=_sharing(whole, {layer.inputs[1] for layer in network.layers if layer.kind == "product"}),
    )


def _sharing(root: Mapping[str, str], names: Collection[str]) -> frozenset[str]:
    roots = {root[name] for name in names}
    return frozenset(name for name in root if root[name] in roots)


def narrow(network: Network) -> Mapping[str, int]:
    """The bits that a tensor's codes may have at most, of those tensors that are bound to fewer than 16."""
    read = {layer.inputs[0] for layer in network.layers if layer.kind == "table"}
    read |= {layer.inputs[1] for layer in network.layers if layer.kind == "product"}
    return dict.fromkeys(_sharing(ties(network).root, read), TABLE_WIDTH) if read else {}


def never_negative(network: Network, signed_input: bool) -> dict[str, bool]:
    """Of every tensor: can no value be below 0, by bounds of its layer, or as no term of its sums can?"""
    positive = {network.input: not signed_input}
    for layer in network.layers:
        terms = [values for values in (layer.weight, layer.bias) if values is not None]
        sums = all(positive[name] for name in layer.inputs) and all(bool(np.all(v >= 0.0)) for v in terms)
        if layer.function is not None:
            sums = layer.function.never_negative
        positive[layer.output] = sums or layer.lo >= 0.0
    return positive


def choose_shared(
    network: Network,
    tied: Ties,
    batches: Batches,
    *,
    input_format: QFormat,
    method: Method,
    act_width: Callable[[str], int],
    caps: Mapping[str, int],
    fixed: Mapping[str, int],
) -> dict[str, tuple[QFormat, Evidence]]:
    """Format and evidence of every class in ``tied.shared``, by its root.

    ``batches``: the input's real values; the float network runs on them, a batch at a time. The width is the
    least that ``act_width`` gives to one of the tensors; unsigned only where none can be negative.
    """
    if not tied.shared:
        return {}
    wanted = {name for group in tied.shared.values() for name in group}
    last_use = {name: i for i, layer in enumerate(network.layers) for name in layer.inputs}
    positive = never_negative(network, input_format.signed)
    zero = np.zeros(1, np.int64)
    chosen: dict[str, tuple[QFormat, Evidence]] = {}
    with ActivationStore() as store:

        def run(b: int, real: FloatArray) -> None:
            live = {network.input: real}
            for i, layer in enumerate(network.layers):
                live[layer.output] = network.forward(layer, [live[name] for name in layer.inputs])
                for name in {*layer.inputs, layer.output}:
                    if last_use.get(name, -1) <= i and name in live:
                        keep(name, b, live.pop(name))
            for name, values in live.items():
                keep(name, b, values)

        def keep(name: str, b: int, values: FloatArray) -> None:
            if name in wanted:
                store[name, b] = values

        batches.each(lambda b, real, acc: run(b, real))
        for root, group in tied.shared.items():

            def value(i: int, group: tuple[str, ...] = group) -> Batch:
                real = store[group[i // batches.count], i % batches.count]
                return real, real

            width = min(act_width(name) for name in group)
            kind = QFormat(width, 0, root in tied.signed or not all(positive[name] for name in group))
            if network.input in group:
                kind = QFormat(min(width, input_format.width), 0, kind.signed)
            values = batches.of(len(group) * batches.count, value)
            chosen[root] = choose_format(
                root, values, zero, kind, -math.inf, math.inf, method, caps.get(root), fixed.get(root)
            )
            for name in group:
                store.forget(name)
    return chosen
