"""What the ONNX reader knows while it walks a file: constants, tensors, attributes; and what it reports.

A tensor of the file is a ``Ref``: the tensor of the small graph that holds its values, its map
(height, width, channels) and how the file sees it (rank 4 as CHW or HWC, or flattened to [N, features]).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx

from .graph import HostOp, Node

__all__ = ["Context", "Finding", "ModelError", "Ref", "Unsupported", "UnsupportedModel"]

Array = npt.NDArray[Any]


class ModelError(ValueError):
    """The model file cannot be used; one sentence that names the thing and the cure."""


class Unsupported(Exception):
    """One node that cannot run: why, and what to do about it."""

    def __init__(self, why: str, cure: str) -> None:
        super().__init__(f"{why}; {cure}")
        self.why, self.cure = why, cure


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What ``check`` says of one node."""

    name: str
    op: str
    supported: bool
    why: str = ""
    """empty where supported."""
    cure: str = ""
    where: str = "engine"
    """engine, folded (no work at run time), or host."""
    lacks: str = ""
    """what the engine lacks to run it, though ``quantize`` and ``evaluate`` work; empty where it runs."""
    output_shape: tuple[int | str, ...] | None = None
    """as the file sees it, the batch as "N"; None where unknown."""
    macs: int = 0
    params: int = 0


class UnsupportedModel(ModelError):
    """The model holds nodes that cannot run; the text lists every one of them, one a line if several."""

    def __init__(self, model: str, findings: Sequence[Finding]) -> None:
        self.findings = tuple(item for item in findings if not item.supported)
        count = len(self.findings)
        lines = [f"{item.name} ({item.op}): {item.why}; {item.cure}" for item in self.findings]
        if count == 1:
            super().__init__(f"{model} cannot run: node {lines[0]}")
        else:
            super().__init__("\n  ".join([f"{model} holds {count} nodes that cannot run:", *lines]))


@dataclass(frozen=True, kw_only=True)
class Ref:
    """A tensor as the file sees it; see the module."""

    tensor: str
    shape: tuple[int, int, int]
    """height, width, channels."""
    layout: Literal["CHW", "HWC"] = "CHW"
    flat: bool = False
    host: str = ""
    """the host operation that made it, if one did."""

    @property
    def features(self) -> int:
        """Values of one image."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    @property
    def file_shape(self) -> tuple[int, ...]:
        """The file's shape without the batch."""
        h, w, c = self.shape
        if self.flat:
            return (self.features,)
        return (c, h, w) if self.layout == "CHW" else (h, w, c)


@dataclass
class Context:
    """The state of a walk; the converters read operands and attributes through it."""

    opset: int
    batch: int
    """the static batch, 0 where symbolic."""
    constants: dict[str, Array]
    refs: dict[str, Ref] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    host: list[HostOp] = field(default_factory=list)
    consumed: set[str] = field(default_factory=set)
    """every name some node or the graph's outputs read."""
    node: onnx.NodeProto = field(default_factory=onnx.NodeProto)
    attributes: dict[str, Any] = field(default_factory=dict)
    params: int = 0
    name: str = ""
    lacks: str = ""
    """what the engine lacks to run the node (``Finding.lacks``)."""

    def enter(self, node: onnx.NodeProto, name: str) -> None:
        """Begin with one node of the file."""
        self.node, self.name, self.params, self.lacks = node, name, 0, ""
        self.attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}

    def has(self, index: int) -> bool:
        """Is the optional input there?"""
        return index < len(self.node.input) and self.node.input[index] != ""

    def is_constant(self, index: int) -> bool:
        """Is the input there and known before the network runs?"""
        return self.has(index) and self.node.input[index] in self.constants

    def ref(self, index: int = 0) -> Ref:
        """The tensor at one input; refuses constants and results of host operations."""
        name = self.node.input[index]
        if name not in self.refs:
            what = "a constant" if name in self.constants else "unknown"
            raise Unsupported(f"its input {name!r} is {what}", "feed it from the network's input")
        ref = self.refs[name]
        if ref.host:
            raise Unsupported(
                f"it takes the result of {ref.host}, which runs on the host behind the network",
                f"cut the model before {ref.host}",
            )
        return ref

    def map(self, index: int = 0) -> Ref:
        """The tensor at one input as a map: rank 4, channels first."""
        ref = self.ref(index)
        if ref.flat:
            raise Unsupported("its input is flattened", "apply it before the Flatten")
        if ref.layout != "CHW":
            raise Unsupported("its input has its channels last", "export the model channels first (NCHW)")
        return ref

    def constant(self, index: int) -> Array:
        """A constant input as it is; refuses what is computed at run time."""
        name = self.node.input[index]
        if name not in self.constants:
            raise Unsupported(f"its input {name!r} is computed at run time", "export it as a constant")
        return self.constants[name]

    def weight(self, index: int) -> Array:
        """A constant real input as float64, checked for NaN and infinity; counts as parameters."""
        values = self.constant(index)
        if values.dtype.kind != "f":
            raise Unsupported(
                f"its input {self.node.input[index]!r} is {values.dtype}", "export float32 weights"
            )
        bad = ~np.isfinite(values)
        if bad.any():
            at = [int(i) for i in np.argwhere(bad)[0]]
            word = "NaN" if np.isnan(values[tuple(at)]) else "infinite"
            raise Unsupported(
                f"its weight {self.node.input[index]!r} is {word} at index {at}",
                "the file is damaged or the training diverged: export the model again",
            )
        self.params += int(values.size)
        return values.astype(np.float64)

    def put(self, ref: Ref, output: int = 0) -> None:
        """Name the node's output; refuses nodes whose further outputs are read."""
        for i, name in enumerate(self.node.output):
            if i != output and name in self.consumed:
                raise Unsupported(f"its output {i} ({name!r}) is read", "use its first output only")
        self.refs[self.node.output[output]] = ref

    def alias(self, source: Ref, **changes: Any) -> None:
        """The output holds the same values as ``source``, seen otherwise."""
        self.put(replace(source, **changes))

    def emit(self, node: Node, shape: tuple[int, int, int], source: Ref | None = None) -> None:
        """Add a node to the small graph; its output keeps the look of ``source`` (rank 4 without)."""
        self.nodes.append(node)
        if source is None:
            self.put(Ref(tensor=node.output, shape=shape))
        else:
            self.put(replace(source, tensor=node.output, shape=shape))
