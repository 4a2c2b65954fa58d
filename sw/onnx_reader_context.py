"""What the ONNX reader knows while it walks a file: constants, tensors, attributes; and what it reports.

A tensor of the file is a ``Ref``: the tensor of the small graph that holds its values, its map (height, width,
channels) and how the file sees it: ("C", "H", "W") is [N, C, H, W], ("HWC",) a map flattened from channels last,
("C", "HW") one whose rows are joined. What only changes this (Reshape, Transpose, Squeeze, ...) does nothing.

What a file computes from a symbolic batch (``x.view(x.size(0), -1)``) is evaluated for two batches; where both
agree it is a constant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from .graph import HostOp, Node

__all__ = [
    "BATCHES",
    "MAP",
    "Context",
    "Finding",
    "ModelError",
    "Ref",
    "Steps",
    "Unsupported",
    "UnsupportedModel",
]

Array = npt.NDArray[Any]
MAP = ("C", "H", "W")
BATCHES = (5, 7)
"""The two batches that stand for a symbolic one."""


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
    """why an engine of default size cannot run it, and the cure, though ``quantize`` and ``evaluate`` work."""
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
    axes: tuple[str, ...] = MAP
    """the file's axes behind the batch, each the letters C, H, W it runs over, the last one fastest."""
    host: str = ""
    """the host operation that made it, if one did."""
    parts: tuple[int, ...] = ()
    """sizes of the letters a and b where the file has parted the channels: channel = a * parts[1] + b."""

    def __post_init__(self) -> None:
        """Leave out the letters of size 1: [N, C, 1, 1] and [N, C] hold the same values in the same order."""
        sizes = self.sizes
        object.__setattr__(self, "axes", tuple("".join(x for x in a if sizes[x] > 1) for a in self.axes))

    @property
    def sizes(self) -> dict[str, int]:
        """Values by letter."""
        return dict(zip("HWC", self.shape, strict=True)) | dict(zip("ab", self.parts, strict=False))

    @property
    def order(self) -> str:
        """The letters of all axes, the last one fastest."""
        return "".join(self.axes)

    @property
    def features(self) -> int:
        """Values of one image."""
        return math.prod(self.shape)

    @property
    def file_shape(self) -> tuple[int, ...]:
        """The file's shape without the batch."""
        sizes = self.sizes
        return tuple(math.prod(sizes[x] for x in axis) for axis in self.axes)

    @property
    def channels_first(self) -> bool:
        """Are the values in the order C, H, W?"""
        return self.order == "".join(x for x in "CHW" if x in self.order)

    def seen(self, axes: Sequence[str]) -> bool:
        """Does the file see it with these axes, but for those of one value?"""
        return self.axes == replace(self, axes=tuple(axes)).axes

    def to_map(self, values: Array) -> Array:
        """Values [..., *file_shape] as [..., C, H, W]."""
        if self.parts:
            raise Unsupported("the channels of its input are parted", "reshape them back first")
        sizes, order = self.sizes, self.order
        lead = values.shape[: values.ndim - len(self.axes)]
        split = values.reshape((*lead, *(sizes[x] for x in order), *(1 for x in "CHW" if x not in order)))
        order += "".join(x for x in "CHW" if x not in order)
        return split.transpose(*range(len(lead)), *(len(lead) + order.index(x) for x in "CHW"))


@dataclass(frozen=True, kw_only=True)
class Steps:
    """How constant weights were quantized: one scale, or one a slice along ``axis``; bits of a code."""

    scale: Array
    axis: int | None
    width: int


@dataclass
class Context:
    """The state of a walk; the converters read operands and attributes through it."""

    opset: int
    batch: int
    """the static batch, 0 where symbolic."""
    constants: dict[str, Array]
    """known before the network runs; of what depends on a symbolic batch, the value for the first of BATCHES."""
    others: dict[str, Array] = field(default_factory=dict)
    """the value for the second one, where it is another."""
    refs: dict[str, Ref] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    host: list[HostOp] = field(default_factory=list)
    consumed: set[str] = field(default_factory=set)
    """every name some node or the graph's outputs read."""
    final: frozenset[str] = frozenset()
    """names that nothing but outputs and the host read (``onnx_reader_functions.final_names``)."""
    node: onnx.NodeProto = field(default_factory=onnx.NodeProto)
    attributes: dict[str, Any] = field(default_factory=dict)
    params: int = 0
    name: str = ""
    input: str = ""
    formats: bool = False
    """of a quantized model: keep its formats."""
    quanta: dict[str, Any] = field(default_factory=dict)
    """``onnx_reader_quantized.Quantum`` by the tensor of codes."""
    steps: dict[str, Steps] = field(default_factory=dict)
    """by constant, where codes were dequantized."""
    uneven: list[str] = field(default_factory=list)
    """nodes whose scale is no power of two, or has a zero point that is no format's."""

    def enter(self, node: onnx.NodeProto, name: str) -> None:
        """Begin with one node of the file."""
        self.node, self.name, self.params = node, name, 0
        self.attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}

    def has(self, index: int) -> bool:
        """Is the optional input there?"""
        return index < len(self.node.input) and self.node.input[index] != ""

    def is_constant(self, index: int) -> bool:
        """Is the input there and known before the network runs?"""
        return self.has(index) and self.node.input[index] in self.constants

    def ref(self, index: int = 0, host: bool = False) -> Ref:
        """The tensor at one input; refuses constants and, unless ``host``, results of host operations."""
        name = self.node.input[index]
        if name not in self.refs:
            what = "a constant" if name in self.constants else "unknown"
            raise Unsupported(f"its input {name!r} is {what}", "feed it from the network's input")
        ref = self.refs[name]
        if ref.host and not host:
            raise Unsupported(
                f"it takes the result of {ref.host}, which runs on the host behind the network",
                "use Relu or Clip instead" if ref.host == "Sigmoid" else f"cut the model before {ref.host}",
            )
        return ref

    def map(self, index: int = 0) -> Ref:
        """The tensor at one input as a map: rank 4, channels first."""
        ref = self.ref(index)
        if len(ref.axes) != 3:
            shape = ["N", *ref.file_shape]
            raise Unsupported(
                f"its input is {shape}, not [N, C, H, W]", "apply it to a map, before a Flatten"
            )
        if not ref.seen(MAP):
            raise Unsupported("its input has its channels last", "export the model channels first (NCHW)")
        return ref

    def constant(self, index: int) -> Array:
        """A constant input as it is; refuses what is computed at run time or depends on the batch."""
        name = self.node.input[index]
        if name not in self.constants:
            raise Unsupported(f"its input {name!r} is computed at run time", "export it as a constant")
        if name in self.others:
            raise Unsupported(f"its input {name!r} depends on the batch", "export with a static batch")
        return self.constants[name]

    def integers(self, index: int, key: str = "") -> list[int] | None:
        """A list of integers, from an input (later opsets) or attribute ``key``; None where there is neither."""
        if self.has(index):
            return [int(v) for v in self.constant(index).reshape(-1)]
        values = self.attributes.get(key)
        return None if values is None else [int(v) for v in np.reshape(values, -1)]

    def target(self, index: int = 1) -> list[int]:
        """The shape a node is to give its output, behind the batch; refuses one that changes the batch."""
        name = self.node.input[index] if self.has(index) else ""
        if name in self.others:
            shape, other = (found[name].reshape(-1).tolist() for found in (self.constants, self.others))
            if len(shape) == len(other) and (shape[0], other[0]) == BATCHES and shape[1:] == other[1:]:
                return [int(v) for v in shape[1:]]
            raise Unsupported("it mixes the batch with other axes", "keep the batch as the first axis")
        shape = self.integers(index, "shape") or []
        if not shape:
            raise Unsupported("it does not say which shape", "export the model again")
        zero_copies = not self.attributes.get("allowzero", 0)
        if shape[0] == self.batch > 0 or shape[0] == -1 or (shape[0] == 0 and zero_copies):
            return shape[1:]
        what = f"fixes the batch to {shape[0]}" if self.batch == 0 else f"makes a batch of {shape[0]}"
        raise Unsupported(f"it {what} ({shape})", "keep the batch as the first axis: [0, -1]")

    def per_image(self, index: int) -> Array:
        """A constant with a first axis for the batch, as one image's: [1, ...]."""
        name = self.node.input[index]
        values = self.constants[name]
        batch = BATCHES[0] if name in self.others else self.batch
        if (
            values.ndim
            and values.shape[0] in (1, batch)
            and np.array_equal(values, values[:1].repeat(len(values), 0))
        ):
            return values[:1]
        raise Unsupported(
            f"its constant {name!r} differs between the images of a batch", "use one for all images"
        )

    def axes(self, values: Sequence[int] | None, rank: int) -> list[int]:
        """Axes of a tensor of this rank, none negative; refuses the batch and what is no axis."""
        found = sorted(int(v) + rank if v < 0 else int(v) for v in values or ())
        if any(not 0 < v < rank for v in found):
            raise Unsupported(f"its axes {list(values or ())} are not within 1..{rank - 1}", "keep the batch")
        return found

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
