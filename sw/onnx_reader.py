"""From an ONNX file to the small graph: load, check every node, convert, fuse.

``check`` walks the file and reports each node without running the network; ``read`` returns the fused
``Graph`` or raises one error that lists all nodes that cannot run. Opsets 7 to 28.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner

from ..quant.formats import QFormat
from ..quant.network import COPIES
from .graph import Graph, Node, RealLayer
from .onnx_reader_constants import fold_constant
from .onnx_reader_context import MAP, Context, Finding, ModelError, Ref, Unsupported, UnsupportedModel
from .onnx_reader_functions import final_names
from .onnx_reader_input import candidates, find_input
from .onnx_reader_leftovers import leftovers, leftovers_of_part, unfit, with_leftovers
from .onnx_reader_ops import CONVERTERS, CURES, FOLDED
from .onnx_reader_qlinear import expanded, origin
from .passes import fuse, unique_names

__all__ = ["Examined", "Finding", "ModelError", "UnsupportedModel", "check", "examine", "load_model", "read"]

_OPSETS = (7, 28)
_PASSING = ("affine", "clip", "apply")
"""Kinds of nodes that a finished graph does not hold."""


def load_model(path: str | Path) -> onnx.ModelProto:
    """The parsed file. Raises ModelError for a file that is absent, empty, truncated or no ONNX model."""
    file = Path(path)
    if not file.is_file():
        raise ModelError(f"model {str(path)!r} does not exist: give the path of an .onnx file")
    if file.stat().st_size == 0:
        raise ModelError(f"model {str(path)!r} is empty: export it again")
    try:
        model = onnx.load(file)
    except Exception as error:  # noqa: BLE001, protobuf, external data: many types for one message
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"model {str(path)!r} cannot be parsed ({text}): it is truncated or no ONNX file, copy or export it again"
        ) from None
    if not model.graph.node or not model.graph.input:
        raise ModelError(
            f"model {str(path)!r} holds no network: it is truncated or no ONNX file, export it again"
        )
    return _inlined(model)


def _inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without functions of its own, in which the first dynamo exporters of PyTorch wrap every operator."""
    return onnx.inliner.inline_local_functions(model) if model.functions else model


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What there is to say of a file: ``findings`` a node; ``graph`` None while one cannot run.

    ``layers`` and ``shapes`` (height, width, channels by tensor) are there in any case, as far as they are known.
    """

    findings: tuple[Finding, ...]
    graph: Graph | None
    layers: tuple[RealLayer, ...]
    shapes: Mapping[str, tuple[int, int, int]]
    rounded: tuple[str, ...]
    """of a quantized file whose scales are no powers of two: nodes that have such a scale."""


def check(model: str | Path | onnx.ModelProto) -> list[Finding]:
    """One finding a node: supported or not and why, cure, shape, MACs, parameters.

    Raises ModelError for what concerns the whole file (no file, opset, input, dynamic height or width).
    """
    return list(examine(model).findings)


def examine(model: str | Path | onnx.ModelProto) -> Examined:
    """All that ``systolith check`` tells; raises ModelError as ``check`` does."""
    walk = _read(_loaded(model))
    graph = _graph(walk, "model")
    rounded = tuple(dict.fromkeys(walk.context.uneven))
    if graph is not None:
        layers, shapes = graph.layers, graph.shapes
    else:
        nodes = [node for node in walk.context.nodes if node.kind not in _PASSING]
        layers = tuple(_layer(node) for node in nodes)
        shapes = {ref.tensor: ref.shape for ref in walk.context.refs.values()}
    return Examined(findings=tuple(walk.findings), graph=graph, layers=layers, shapes=shapes, rounded=rounded)


def read(model: str | Path | onnx.ModelProto) -> Graph:
    """The fused graph of a model. Raises ModelError, or UnsupportedModel listing every node that cannot run."""
    proto = _loaded(model)
    name = Path(model).stem if isinstance(model, (str, Path)) else (proto.graph.name or "model")
    walk = _read(proto)
    graph = _graph(walk, name)
    if graph is None:
        raise UnsupportedModel(f"model {name!r}", walk.findings)
    return graph


@dataclass
class _Walk:
    """A file as read with one view of its input."""

    source: Ref
    input_axes: tuple[str, ...]
    """as the file has them, those of one value too."""
    context: Context
    findings: list[Finding]
    outputs: list[str]

    @property
    def refused(self) -> int:
        """Nodes that cannot run."""
        return sum(not item.supported for item in self.findings)


def _graph(walk: _Walk, name: str) -> Graph | None:
    """The graph, None where a node cannot run; then all of those have their findings."""
    if not walk.refused:
        return _fused(walk, name)
    context = walk.context
    shapes = {ref.tensor: ref.shape for ref in context.refs.values()}
    lost = leftovers_of_part(context.nodes, context.input, shapes)
    walk.findings = with_leftovers(walk.findings, lost)
    return None


def _fused(walk: _Walk, name: str) -> Graph | None:
    """The graph; None where a node turns out not to run, which its finding then says."""
    source, context = walk.source, walk.context
    refs = [context.refs[output] for output in walk.outputs]
    for ref in refs:
        if ref.tensor == source.tensor:
            raise ModelError(f"model {name!r} returns its input: export a network with layers")
        if ref.parts:
            raise ModelError(f"output {ref.tensor!r} has its channels parted: reshape them back to one axis")
    outputs = tuple(dict.fromkeys(ref.tensor for ref in refs))
    nodes = fuse(context.nodes, outputs)
    if lost := leftovers(nodes, _shapes(nodes, source)):
        walk.findings = with_leftovers(walk.findings, lost)
        return None
    nodes = unique_names(nodes)
    made = [context.refs[name] for name in outputs]
    return Graph(
        name=name,
        input=source.tensor,
        outputs=outputs,
        shapes=_shapes(nodes, source),
        layers=tuple(_layer(node) for node in nodes),
        host=tuple(context.host),
        flat=frozenset(ref.tensor for ref in refs if len(ref.axes) == 1),
        input_axes=walk.input_axes,
        formats=_formats(nodes) if context.formats else {},
        wgt_fl={node.name: node.wgt_fl for node in nodes if node.wgt_fl is not None},
        codes={name: (found.scale, found.zero) for name, found in context.quanta.items() if name in outputs},
        output_axes={ref.tensor: ref.axes for ref in made if not ref.channels_first},
    )


def _loaded(model: str | Path | onnx.ModelProto) -> onnx.ModelProto:
    return _inlined(model) if isinstance(model, onnx.ModelProto) else load_model(model)


def _read(model: onnx.ModelProto) -> _Walk:
    """The walk over a file; with its formats one that is quantized by powers of two, unless no engine takes these."""
    model = expanded(model)
    if any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        walk = _walk(model, formats=True)
        if not walk.refused and not walk.context.uneven:
            graph = _fused(walk, "model")
            lost = [item.name for item in walk.findings if not item.supported]
            lost = lost if graph is None else unfit(graph)
            if not lost:
                return walk
            walk = _walk(model, formats=False)
            walk.context.uneven += lost
            return walk
    return _walk(model, formats=False)


def _walk(model: onnx.ModelProto, formats: bool) -> _Walk:
    """The file read with the view of its input that leaves the fewest nodes unsupported."""
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)
    if not _OPSETS[0] <= opset <= _OPSETS[1]:
        raise ModelError(
            f"opset must be {_OPSETS[0]} to {_OPSETS[1]}, not {opset}: export with opset_version=17"
        )
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    found = find_input(model.graph, constants)
    walks: list[_Walk] = []
    for ref, axes in candidates(model.graph, found):
        context = Context(opset=opset, batch=found.batch, constants=dict(constants), formats=formats)
        walks.append(_walk_with(model, context, ref, axes))
        if not walks[-1].refused:
            break
    best = min(walks, key=lambda walk: (walk.refused, walk.input_axes != MAP))
    for value in model.graph.output:
        if value.name not in best.context.refs and not best.refused:
            raise ModelError(f"output {value.name!r} does not depend on the input: export the model again")
    return best


def _walk_with(model: onnx.ModelProto, context: Context, source: Ref, axes: tuple[str, ...]) -> _Walk:
    graph = model.graph
    context.refs[source.tensor] = source
    context.input = source.tensor
    context.final = final_names(graph)
    context.consumed = {name for node in graph.node for name in node.input} | {v.name for v in graph.output}
    findings = []
    inferred: dict[str, tuple[int, ...]] | None = None
    for i, node in enumerate(graph.node):
        context.enter(node, node.name or f"{node.op_type}_{i}")
        if fold_constant(context):
            continue
        before = len(context.nodes)
        known = True
        try:
            known = _convert(context)
            macs = sum(item.macs for item in context.nodes[before:])
            why = cure = ""
        except Unsupported as error:
            why, cure, macs = error.why, error.cure, 0
        if why or not known:
            if inferred is None:
                inferred = _infer_shapes(model)
            for name in node.output:
                _placeholder(context, name, inferred)
        if origin(node) and not why and node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            continue
        ref = context.refs.get(node.output[0])
        findings.append(
            Finding(
                name=context.name,
                op=origin(node) or node.op_type,
                supported=not why,
                why=why,
                cure=cure,
                where="unknown" if not known else "host" if ref and ref.host == node.op_type
                else "folded" if node.op_type in FOLDED else "engine",
                output_shape=("N", *ref.file_shape) if ref else None,
                macs=macs,
                params=context.params,
            )
        )  # fmt: skip
    return _Walk(source, axes, context, findings, [value.name for value in graph.output])


def _convert(context: Context) -> bool:
    """False where nothing can be said, since a node before it has no known shape."""
    node = context.node
    domain = node.domain not in ("", "ai.onnx")
    if node.op_type not in CONVERTERS or domain:
        what = f"operator {node.domain + '.' if domain else ''}{node.op_type} is not supported"
        raise Unsupported(what, CURES.get(node.op_type, "replace it by a supported operator"))
    if any(name and name not in context.refs and name not in context.constants for name in node.input):
        return False
    CONVERTERS[node.op_type](context)
    return True


def _infer_shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Shapes without the batch, as ONNX infers them: to go on behind a node that cannot run."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # noqa: BLE001, a broken file has broken shapes; the findings say what is unknown
        return {}
    shapes = {}
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        dims = [d.dim_value for d in value.type.tensor_type.shape.dim[1:]]
        if dims and min(dims) > 0:
            shapes[value.name] = tuple(dims)
    return shapes


def _placeholder(context: Context, name: str, inferred: dict[str, tuple[int, ...]]) -> None:
    shape = inferred.get(name)
    if shape is not None and len(shape) == 3:
        context.refs[name] = Ref(tensor=name, shape=(shape[1], shape[2], shape[0]))
    elif shape is not None and len(shape) == 1:
        context.refs[name] = Ref(tensor=name, shape=(1, 1, shape[0]), axes=("C",))


def _formats(nodes: list[Node]) -> dict[str, QFormat]:
    """By tensor, of a quantized file; what only moves codes has its input's."""
    formats: dict[str, QFormat] = {}
    for node in nodes:
        fmt = node.format
        moves = (
            node.weight is not None
            and node.macs == 0
            and bool(np.all((node.weight == 0) | (node.weight == 1)))
        )
        if fmt is None and (moves or node.kind in COPIES) and node.bias is None and len(node.inputs) == 1:
            fmt = formats.get(node.inputs[0])
        if fmt is not None:
            formats[node.output] = fmt
    return formats


def _shapes(nodes: list[Node], source: Ref) -> dict[str, tuple[int, int, int]]:
    from .windows import output_size

    shapes = {source.tensor: source.shape}
    for node in nodes:
        h, w, c = shapes[node.inputs[0]]
        if node.kind not in ("add", "concat"):
            top, left, bottom, right = node.pads
            h = output_size(h, node.kernel[0], node.stride[0], node.dilation[0], top, bottom)
            w = output_size(w, node.kernel[1], node.stride[1], node.dilation[1], left, right)
        if node.kind == "upsample":
            h, w = h * node.factor[0], w * node.factor[1]
        if node.kind == "concat":
            c = sum(shapes[name][2] for name in node.inputs)
        shapes[node.output] = (h, w, c if node.weight is None else int(node.weight.shape[0]))
    return shapes


def _layer(node: Node) -> RealLayer:
    kind = node.kind
    if kind == "affine" or kind == "clip" or kind == "apply":
        raise AssertionError(f"node {node.name!r} of kind {node.kind} was not lowered")
    return RealLayer(
        name=node.name, kind=kind, inputs=node.inputs, output=node.output, kernel=node.kernel,
        stride=node.stride, dilation=node.dilation, pads=node.pads, groups=node.groups, factor=node.factor,
        counts=node.counts, weight=node.weight, bias=node.bias, lo=node.lo, hi=node.hi, macs=node.macs,
        pre_mean=node.pre_mean, pre_std=node.pre_std, function=node.function,
    )  # fmt: skip
