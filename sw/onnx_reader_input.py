"""The network's input: its name, its batch, and the maps it may stand for.

[N, C, H, W]    channels first, or [N, H, W, C]: whichever the rest of the file can be read with
[N, H, W]       one channel
[N, F]          F channels of one pixel, or the map that a Reshape makes of it
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import onnx

from .onnx_reader_constants import reshape_targets
from .onnx_reader_context import MAP, ModelError, Ref

__all__ = ["Input", "candidates", "find_input"]

_LAST = ("H", "W", "C")
_CHANNELS = (1, 3)
"""Of an image."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """``batch`` 0 where symbolic; ``dims`` behind it."""

    name: str
    batch: int
    dims: tuple[int, ...]


def find_input(graph: onnx.GraphProto, constants: Collection[str]) -> Input:
    """The network's one input. Raises ModelError where there are more, or it is no image of fixed size."""
    values = [value for value in graph.input if value.name not in constants]
    if len(values) != 1:
        names = ", ".join(repr(value.name) for value in values) or "none"
        raise ModelError(
            f"the model must have one input, not {len(values)} ({names}): export it with one image input"
        )
    value = values[0]
    kind = value.type.tensor_type
    if kind.elem_type != onnx.TensorProto.FLOAT:
        word = onnx.TensorProto.DataType.Name(kind.elem_type).lower()
        raise ModelError(f"input {value.name!r} must be float, not {word}: export the float32 model")
    dims = [d.dim_value if d.HasField("dim_value") else 0 for d in kind.shape.dim]
    labels = [d.dim_param or "?" for d in kind.shape.dim]
    if not 2 <= len(dims) <= 4:
        raise ModelError(
            f"input {value.name!r} must be [N, C, H, W], [N, H, W] or [N, features], not of rank {len(dims)}: "
            "export an image network"
        )
    last = len(dims) == 4 and dims[3] in _CHANNELS and dims[1] not in _CHANNELS
    axes = {4: ("height", "width", "channels") if last else ("channels", "height", "width"),
            3: ("height", "width"), 2: ("number of features",)}[len(dims)]  # fmt: skip
    for axis, dim, label in list(zip(axes, dims[1:], labels[1:], strict=True)):
        if dim <= 0:
            raise ModelError(
                f"input {value.name!r} has a dynamic {axis} ({label!r}): export it with a static {axis}, "
                f"in torch.onnx.export by leaving only the batch in dynamic_axes"
            )
    return Input(name=value.name, batch=max(dims[0], 0), dims=tuple(dims[1:]))


def candidates(graph: onnx.GraphProto, found: Input) -> Iterator[tuple[Ref, tuple[str, ...]]]:
    """What the input may be, the likeliest first: its map, and the file's axes, those of one value too."""
    dims = found.dims
    maps: list[tuple[tuple[int, int, int], tuple[str, ...]]] = []
    if len(dims) == 3:
        maps += [((dims[1], dims[2], dims[0]), MAP)]
        last = dims[2] in _CHANNELS and dims[0] not in _CHANNELS
        if last or any(node.op_type == "Transpose" for node in graph.node):
            maps.insert(0 if last else 1, ((dims[0], dims[1], dims[2]), _LAST))
    elif len(dims) == 2:
        maps += [((dims[0], dims[1], 1), ("H", "W"))]
    else:
        for a, b, c in reshape_targets(graph, found.name):
            if a * b * c == dims[0]:
                maps += [((b, c, a), ("CHW",)), ((a, b, c), ("HWC",))]
        maps += [((1, 1, dims[0]), ("C",))]
    for shape, axes in maps:
        yield Ref(tensor=found.name, shape=shape, axes=axes), axes
