"""Passes over the small graph: fold, fuse, lower, until every node is one requantization.

``conv -> affine``            weight * scale, bias * scale + offset; the statistics of the sums go along
``affine -> conv``            likewise along the input channels, where the conv does not pad an offset
``node -> clip``              the node's own lo..hi
``node -> maxpool -> clip``   the clip moves in front of the maxpool (both are monotone, so they commute)
``nodes -> concat -> clip``   the clip moves in front of the concat, to each operand
``node -> upsample -> clip``  likewise, an affine too
``copy -> copy``              one convolution: Slice and Pad of a shortcut
``pad -> conv``               the conv's own pads; also a maxpool's, behind values that are never negative
``conv, x -> add``            a conv with x as its residual operand
``sum * map``                 an average pool of many divisors (``passes_averages``)
``f(x), g(x) -> op``          one table of x (``passes_tables``): SiLU, HardSwish, GELU in whatever spelling
``affine`` left over          a 1x1 conv with a diagonal kernel; ``clip`` left over: a 1x1 average pool

A pass fuses only through tensors that nobody else reads and that are no outputs of the network, nor codes of a
quantized file (``Node.format``): these are rounded, and every rounding is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..quant.network import COPIES
from .graph import Array, Node
from .passes_averages import fuse_average
from .passes_tables import TABLES, TABLES_LATE, live

__all__ = ["fuse", "unique_names"]

Pass = Callable[[list[Node], frozenset[str]], "list[Node] | None"]


def fuse(nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
    """The nodes with every pass applied until nothing changes, in topological order, dead ones removed."""
    kept = frozenset(outputs)
    current = live(list(nodes), kept)
    first = (
        _fold_affine,
        _fold_affine_forward,
        fuse_average,
        _fuse_copies,
        _fuse_pads,
        _fuse_clip,
        _push_clip,
        *TABLES,
        _fuse_residual,
    )
    for passes in (first, (*first, *TABLES_LATE), (_lower, _fuse_residual)):
        current = _until_stable(current, kept, passes)
    return current


def unique_names(nodes: Sequence[Node]) -> list[Node]:
    """The nodes with repeated names told apart by a number."""
    seen: dict[str, int] = {}
    result = []
    for node in nodes:
        count = seen.get(node.name, 0)
        seen[node.name] = count + 1
        result.append(node if count == 0 else replace(node, name=f"{node.name}:{count + 1}"))
    return result


def _until_stable(nodes: list[Node], kept: frozenset[str], passes: Sequence[Pass]) -> list[Node]:
    changed = True
    while changed:
        changed = False
        for step in passes:
            while (result := step(nodes, kept)) is not None:
                nodes, changed = result, True
    return nodes


def _producers(nodes: list[Node]) -> dict[str, int]:
    return {node.output: i for i, node in enumerate(nodes)}


def _private(nodes: list[Node], kept: frozenset[str], tensor: str) -> bool:
    """Is the tensor read exactly once, no output, and no codes?"""
    if any(node.output == tensor and node.format is not None for node in nodes):
        return False
    return _read_once(nodes, kept, tensor)


def _read_once(nodes: list[Node], kept: frozenset[str], tensor: str) -> bool:
    return tensor not in kept and sum(node.inputs.count(tensor) for node in nodes) == 1


def _bounded(node: Node) -> bool:
    return bool(np.isfinite(node.lo) or np.isfinite(node.hi))


def _merged(nodes: list[Node], first: int, second: int, node: Node) -> list[Node]:
    """Nodes ``first`` and ``second`` replaced by one, at the place of the second."""
    return [node if i == second else old for i, old in enumerate(nodes) if i != first]


def _fold_affine(nodes: list[Node], kept: frozenset[str]) -> list[Node] | None:
    made_by = _producers(nodes)
    for i, node in enumerate(nodes):
        if (
            node.kind != "affine"
            or node.inputs[0] not in made_by
            or node.scale is None
            or node.offset is None
        ):
            continue
        j = made_by[node.inputs[0]]
        before = nodes[j]
        if not _private(nodes, kept, before.output):
            continue
        bounds = node.lo, node.hi
        if _bounded(before):
            moved = _moved_bounds(before, node)
            if moved is None:
                continue
            bounds = moved
        if node.scale.ndim > 1 and (
            before.kind != "affine" or before.scale is None or before.scale.ndim != node.scale.ndim
        ):
            continue
        if before.kind == "conv" and len(before.inputs) == 1 and before.weight is not None:
            bias = np.zeros(len(node.scale)) if before.bias is None else before.bias
            weight: Array = before.weight * node.scale[:, None, None, None]
            merged = replace(
                before, weight=weight, bias=bias * node.scale + node.offset, output=node.output,
                lo=bounds[0], hi=bounds[1], wgt_fl=None, format=node.format,
            )  # fmt: skip
        elif before.kind == "affine" and before.scale is not None and before.offset is not None:
            by, plus = (
                v if v.ndim == before.scale.ndim else v[:, None, None] for v in (node.scale, node.offset)
            )
            scale, offset = before.scale * by, before.offset * by + plus
            merged = replace(
                before, scale=scale, offset=offset, output=node.output, lo=bounds[0], hi=bounds[1],
                format=node.format,
            )  # fmt: skip
        else:
            continue
        return _merged(nodes, j, i, _with_statistics(merged, node))
    return None


def _fold_affine_forward(nodes: list[Node], kept: frozenset[str]) -> list[Node] | None:
    """``affine -> conv``: into the weights along the input channels, where no padding comes between."""
    for i, node in enumerate(nodes):
        j = _producers(nodes).get(node.inputs[0], -1)
        if j < 0 or node.kind != "conv" or node.weight is None or nodes[j].output in node.inputs[1:]:
            continue
        before = nodes[j]
        if before.kind != "affine" or before.scale is None or before.offset is None or _bounded(before):
            continue
        if not _private(nodes, kept, before.output) or (any(node.pads) and before.offset.any()):
            continue
        scale, offset = (v if v.ndim == 3 else v[:, None, None] for v in (before.scale, before.offset))
        if before.scale.ndim == 3 and scale.shape[1:] != node.weight.shape[2:]:
            continue
        count, inside = node.weight.shape[:2]
        channel = (np.arange(count) // (count // node.groups))[:, None] * inside + np.arange(inside)
        weight: Array = node.weight * scale[channel]
        bias = (np.zeros(count) if node.bias is None else node.bias) + (node.weight * offset[channel]).sum(
            (1, 2, 3)
        )
        inputs = (before.inputs[0], *node.inputs[1:])
        merged = replace(node, inputs=inputs, weight=weight, bias=bias, wgt_fl=None)
        return live([merged if n == i else old for n, old in enumerate(nodes)], kept)
    return None


def _moved_bounds(before: Node, affine: Node) -> tuple[float, float] | None:
    """The bounds of ``before`` behind an affine that is the same for every channel, inside of its own."""
    if affine.scale is None or affine.offset is None:
        return None
    scale, offset = affine.scale.flat[0], affine.offset.flat[0]
    if scale == 0 or np.any(affine.scale != scale) or np.any(affine.offset != offset):
        return None
    ends = sorted(float(bound * scale + offset) for bound in (before.lo, before.hi))
    low, high = (min(max(end, affine.lo), affine.hi) for end in ends)
    return low, high


def _with_statistics(merged: Node, affine: Node) -> Node:
    """``merged`` (still with the statistics before ``affine``) with those behind it: BatchNormalization's own win."""
    if affine.pre_mean is not None:
        return replace(merged, pre_mean=affine.pre_mean, pre_std=affine.pre_std)
    if merged.pre_mean is None or merged.pre_std is None or affine.scale is None or affine.offset is None:
        return merged
    if affine.scale.ndim > 1:
        return replace(merged, pre_mean=None, pre_std=None)
    mean = merged.pre_mean * affine.scale + affine.offset
    return replace(merged, pre_mean=mean, pre_std=merged.pre_std * np.abs(affine.scale))


def _clamp(node: Node, clip: Node) -> tuple[float, float]:
    """The bounds of ``clip`` applied after those of ``node``."""
    low, high = (min(max(bound, clip.lo), clip.hi) for bound in (node.lo, node.hi))
    return low, high


def _fuse_clip(nodes: list[Node], kept: frozenset[str]) -> list[Node] | None:
    made_by = _producers(nodes)
    for i, node in enumerate(nodes):
        if node.kind != "clip" or node.inputs[0] not in made_by:
            continue
        j = made_by[node.inputs[0]]
        before = nodes[j]
        if (
            before.kind in COPIES
            or not _read_once(nodes, kept, before.output)
            or not _same_codes(before, node)
        ):
            continue
        lo, hi = _clamp(before, node)
        fmt = before.format or node.format
        return _merged(nodes, j, i, replace(before, lo=lo, hi=hi, output=node.output, format=fmt))
    return None


def _same_codes(before: Node, clip: Node) -> bool:
    """Are the values behind ``clip`` codes of ``before``, if these are codes?"""
    if before.format is None:
        return True
    if clip.format is not None:
        return clip.format == before.format
    codes = [bound / before.format.step for bound in (clip.lo, clip.hi) if np.isfinite(bound)]
    return all(code == round(code) for code in codes)


def _push_clip(nodes: list[Node], kept: frozenset[str]) -> list[Node] | None:
    made_by = _producers(nodes)
    for node in nodes:
        if node.kind not in ("clip", "affine") or node.inputs[0] not in made_by:
            continue
        j = made_by[node.inputs[0]]
        copy = nodes[j]
        if node.scale is not None and (copy.kind != "upsample" or node.scale.ndim > 1):
            continue
        if copy.kind not in COPIES or not _private(nodes, kept, copy.output):
            continue
        if not all(name in made_by and _private(nodes, kept, name) for name in copy.inputs):
            continue
        moved = {name: f"{name}:clipped" for name in copy.inputs}
        result = []
        for old in nodes:
            if old is node:  # whatever the copy reads is made by then
                result.append(replace(copy, inputs=tuple(moved.values()), output=node.output))
            elif old is not copy:
                result.append(old)
            if old.output in moved:
                name = node.name if len(moved) == 1 else f"{node.name}:{old.name}"
                result.append(replace(node, name=name, inputs=(old.output,), output=moved[old.output]))
        return result
    return None


def _is_copy(node: Node) -> bool:
    """A convolution that the file does not have: Slice or Pad (``onnx_reader_copies``)."""
    alone = node.kind == "conv" and len(node.inputs) == 1 and node.groups == 1
    return alone and node.macs == 0 and node.bias is None and not _bounded(node)


def _fuse_copies(nodes: list[Node], kept: frozenset[str]) -> list[Node] | None:
    made_by = _producers(nodes)
    for i, node in enumerate(nodes):
        j = made_by.get(node.inputs[0], -1)
        if j < 0 or not (_is_copy(node) and _is_copy(nodes[j])):
            continue
        before, matrix = nodes[j], node.weight
        if before.weight is None or matrix is None or not _private(nodes, kept, before.output):
            continue
        if matrix.shape[2:] == (1, 1) and node.stride == (1, 1) and not any(node.pads):
            weight = np.einsum("kj,jcrs->kcrs", matrix[:, :, 0, 0], before.weight)
            return _merged(
                nodes,
                j,
                i,
                replace(before, name=node.name, weight=weight, output=node.output, format=node.format),
            )
    return None


def _fuse_pads(nodes: list[Node], kept: frozenset[str]) -> list[Node] | None:
    made_by = _producers(nodes)
    for i, node in enumerate(nodes):
        j = made_by.get(node.inputs[0], -1)
        if j < 0 or not _is_copy(nodes[j]) or not any(nodes[j].pads):
            continue
        before = nodes[j]
        if node.kind == "maxpool" and not _zeros_lose(nodes, made_by, node, before):
            continue
        if node.kind not in ("conv", "avgpool", "maxpool"):
            continue
        if before.weight is None or before.output in (*kept, *node.inputs[1:]):
            continue
        if before.stride == (1, 1) and np.array_equal(before.weight[:, :, 0, 0], np.eye(len(before.weight))):
            top, left, bottom, right = (a + b for a, b in zip(before.pads, node.pads, strict=True))
            inputs = (before.inputs[0], *node.inputs[1:])
            merged = replace(node, inputs=inputs, pads=(top, left, bottom, right))
            return live([merged if n == i else old for n, old in enumerate(nodes)], kept)
    return None


def _zeros_lose(nodes: list[Node], made_by: dict[str, int], pool: Node, pad: Node) -> bool:
    """Is every window's largest value inside the map, or 0 there too?"""
    source = made_by.get(pad.inputs[0], -1)
    sides = zip(pad.pads, pool.pads, pool.kernel * 2, strict=True)
    return source >= 0 and nodes[source].lo >= 0.0 and all(a + b < taps for a, b, taps in sides)


def _fuse_residual(nodes: list[Node], kept: frozenset[str]) -> list[Node] | None:
    made_by = _producers(nodes)
    for i, node in enumerate(nodes):
        if node.kind != "add":
            continue
        candidates = []
        for operand, other in (node.inputs, node.inputs[::-1]):
            j = made_by.get(operand, -1)
            before = nodes[j]
            if j < 0 or before.kind != "conv" or len(before.inputs) != 1 or _bounded(before):
                continue
            if operand != other and _private(nodes, kept, operand):
                candidates.append((before.macs, j, other))
        if candidates:
            _, j, other = max(candidates)
            before = nodes[j]
            inputs = (before.inputs[0], other)
            merged = replace(
                before, inputs=inputs, output=node.output, lo=node.lo, hi=node.hi, format=node.format
            )
            return _merged(nodes, j, i, merged)
    return None


def _lower(nodes: list[Node], kept: frozenset[str]) -> list[Node] | None:
    for i, node in enumerate(nodes):
        if node.kind == "affine" and node.scale is not None and node.scale.ndim == 1:
            weight = np.diag(node.scale)[:, :, None, None]
            lowered = replace(node, kind="conv", weight=weight, bias=node.offset, scale=None, offset=None)
        elif node.kind == "clip":
            lowered = replace(node, kind="avgpool")
        else:
            continue
        return [*nodes[:i], lowered, *nodes[i + 1 :]]
    return None
