"""Passes that make tables: whatever is a function of one value becomes one look-up.

``f(x), g(x) -> product``      f(x) * g(x) of x, likewise ``add`` and ``apply``
``table -> affine``            scale * f(x) + offset
``table -> table``             g(f(x))
``affine, clip -> table``      f(scale * x + offset), where no layer in front takes it in

So the spellings of an activation function need no list: ``x * Sigmoid(x)``, ``x * Clip(x + 3, 0, 6) / 6``,
``0.5 * x * (1 + Erf(x / sqrt(2)))`` become tables of their x. f and g are any chain of functions, constants per
channel and bounds. Nothing fuses through codes of a quantized file.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..quant.functions import OPERANDS, Function, X, apply, clamp, constant
from .graph import Node

__all__ = ["TABLES", "TABLES_LATE", "live", "sources"]

_BINARY = {
    "product": apply("Mul", *map(Function, OPERANDS[:2])),
    "add": apply("Add", *map(Function, OPERANDS[:2])),
}


def _function(node: Node) -> Function | None:
    """What a node does to each value, but for its bounds; None where it does more."""
    if node.kind == "clip":
        return X
    if node.kind == "table":
        return node.function
    if node.kind != "affine" or node.scale is None or node.offset is None or node.scale.ndim != 1:
        return None
    scaled = X if np.all(node.scale == 1.0) else apply("Mul", X, constant(node.scale))
    return apply("Add", scaled, constant(node.offset)) if node.offset.any() else scaled


def _chain(nodes: dict[str, Node], tensor: str) -> list[tuple[str, Function]]:
    """(tensor, f) of what ``tensor`` is a function f of, the nearest first: itself."""
    result, f = [(tensor, X)], X
    while tensor in nodes and nodes[tensor].format is None:
        node = nodes[tensor]
        own = _function(node)
        if own is None:
            break
        f, tensor = f.of(clamp(own, node.lo, node.hi)), node.inputs[0]
        result.append((tensor, f))
    return result


def sources(nodes: list[Node], node: Node) -> set[str]:
    """The tensors that the operands of ``node`` are functions of."""
    made = {other.output: other for other in nodes}
    return {_chain(made, name)[-1][0] for name in node.inputs}


def _readers(nodes: list[Node], tensor: str) -> int:
    return sum(node.inputs.count(tensor) for node in nodes)


def live(nodes: list[Node], kept: frozenset[str]) -> list[Node]:
    """The nodes that ``kept`` depends on."""
    needed = set(kept)
    result = []
    for node in reversed(nodes):
        if node.output in needed:
            needed.update(node.inputs)
            result.append(node)
    return result[::-1]


def _fuse_operands(nodes: list[Node], kept: frozenset[str]) -> list[Node] | None:
    made = {node.output: node for node in nodes}
    for i, node in enumerate(nodes):
        function = node.function if node.kind == "apply" else _BINARY.get(node.kind)
        if function is None or len(node.inputs) < 2:
            continue
        chains = [_chain(made, name) for name in node.inputs]
        known = [dict(chain) for chain in chains]
        source = next((name for name, _ in chains[0] if all(name in other for other in known)), "")
        if not source or (node.kind == "add" and not _worth(nodes, kept, made, source, chains)):
            continue
        leaves = {leaf: other[source] for leaf, other in zip(OPERANDS, known, strict=False)}
        fused = replace(node, kind="table", inputs=(source,), function=function.with_leaves(leaves))
        return live([*nodes[:i], fused, *nodes[i + 1 :]], kept)
    return None


def _worth(
    nodes: list[Node],
    kept: frozenset[str],
    made: dict[str, Node],
    source: str,
    chains: list[list[tuple[str, Function]]],
) -> bool:
    """Does a table in place of an addition save tables, or two operands of it?"""
    between = [
        list(itertools.takewhile(lambda n: n != source, (name for name, _ in chain))) for chain in chains
    ]
    names = [name for part in between for name in part]
    private = all(name not in kept and _readers(nodes, name) == 1 for name in names)
    return private and (all(between) or any(made[name].kind == "table" for name in names))


def _compose_behind(nodes: list[Node], kept: frozenset[str]) -> list[Node] | None:
    made = {node.output: i for i, node in enumerate(nodes)}
    for i, node in enumerate(nodes):
        j = made.get(node.inputs[0], -1)
        if j < 0 or nodes[j].kind != "table" or nodes[j].format is not None or node.kind == "clip":
            continue
        before, own = nodes[j], _function(node)
        if (
            own is None
            or before.function is None
            or before.output in kept
            or _readers(nodes, before.output) > 1
        ):
            continue
        f = own.of(clamp(before.function, before.lo, before.hi))
        merged = replace(
            node, kind="table", name=before.name, inputs=before.inputs, function=f, scale=None, offset=None,
            pre_mean=None, pre_std=None,
        )  # fmt: skip
        return [merged if n == i else old for n, old in enumerate(nodes) if n != j]
    return None


def _compose_before(nodes: list[Node], kept: frozenset[str]) -> list[Node] | None:
    made = {node.output: node for node in nodes}
    for i, node in enumerate(nodes):
        before = made.get(node.inputs[0])
        if node.kind != "table" or node.function is None or before is None or before.format is not None:
            continue
        own = _function(before)
        if own is None or before.kind == "table":
            continue
        f = node.function.of(clamp(own, before.lo, before.hi))
        fused = replace(node, inputs=before.inputs, function=f)
        return live([*nodes[:i], fused, *nodes[i + 1 :]], kept)
    return None


def _scale_operand(nodes: list[Node], kept: frozenset[str]) -> list[Node] | None:
    """``product -> scale``: the second operand times the scale, whose own layer takes that in."""
    made = {node.output: i for i, node in enumerate(nodes)}
    for i, node in enumerate(nodes):
        j = made.get(node.inputs[0], -1)
        if node.kind != "affine" or j < 0 or nodes[j].kind != "product" or nodes[j].format is not None:
            continue
        before = nodes[j]
        bounded = before.lo > -math.inf or before.hi < math.inf
        if node.scale is None or node.offset is None or node.offset.any() or node.scale.ndim != 1 or bounded:
            continue
        if before.output in kept or _readers(nodes, before.output) > 1:
            continue
        scaled = f"{before.inputs[1]}:times:{node.name}"
        gate = replace(
            node, inputs=(before.inputs[1],), output=scaled, lo=-math.inf, hi=math.inf, format=None
        )
        product = replace(
            before, inputs=(before.inputs[0], scaled), output=node.output, lo=node.lo, hi=node.hi,
            format=node.format,
        )  # fmt: skip
        rest = [old for n, old in enumerate(nodes[:i]) if n != j]
        return [*rest, gate, product, *nodes[i + 1 :]]
    return None


Pass = Callable[[list[Node], frozenset[str]], "list[Node] | None"]
TABLES: tuple[Pass, ...] = (_fuse_operands, _compose_behind, _scale_operand)
TABLES_LATE: tuple[Pass, ...] = (_compose_before,)
"""When nothing else takes an affine or a clip in."""
