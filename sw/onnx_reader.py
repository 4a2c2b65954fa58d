"""From an ONNX file to the small graph: load, check every node, convert, fuse.

``check`` walks the file and reports each node without running the network; ``read`` returns the fused
``Graph`` or raises one error that lists all nodes that cannot run. Opsets 8 to 21.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from .graph import Graph, Node, RealLayer
from .onnx_reader_context import Array, Context, Finding, ModelError, Ref, Unsupported, UnsupportedModel
from .onnx_reader_ops import CONVERTERS, CURES
from .passes import fuse, unique_names

__all__ = ["Finding", "ModelError", "UnsupportedModel", "check", "load_model", "read"]

_OPSETS = (8, 21)
_FOLDED = frozenset(
    {"BatchNormalization", "Identity", "Dropout", "Flatten", "Reshape", "Squeeze", "Transpose"}
)
_HOST = frozenset({"Softmax", "LogSoftmax", "ArgMax"})


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
    return model


def check(model: str | Path | onnx.ModelProto) -> list[Finding]:
    """One finding a node: supported or not and why, cure, shape, MACs, parameters.

    Raises ModelError for what concerns the whole file (no file, opset, input, dynamic height or width).
    """
    _, context, findings = _walk(_loaded(model))
    del context
    return findings


def read(model: str | Path | onnx.ModelProto) -> Graph:
    """The fused graph of a model. Raises ModelError, or UnsupportedModel listing every node that cannot run."""
    proto = _loaded(model)
    name = Path(model).stem if isinstance(model, (str, Path)) else (proto.graph.name or "model")
    source, context, findings = _walk(proto)
    if any(not item.supported for item in findings):
        raise UnsupportedModel(f"model {name!r}", findings)
    refs = [context.refs[value.name] for value in proto.graph.output]
    for ref in refs:
        if ref.tensor == source.tensor:
            raise ModelError(f"model {name!r} returns its input: export a network with layers")
        if ref.layout == "HWC" and ref.shape[:2] != (1, 1):
            raise ModelError(
                f"output {ref.tensor!r} has its channels last: export the model channels first (NCHW)"
            )
    outputs = tuple(dict.fromkeys(ref.tensor for ref in refs))
    nodes = unique_names(fuse(context.nodes, outputs))
    shapes = _shapes(nodes, source)
    return Graph(
        name=name,
        input=source.tensor,
        outputs=outputs,
        shapes=shapes,
        layers=tuple(_layer(node) for node in nodes),
        host=tuple(context.host),
        flat=frozenset(ref.tensor for ref in refs if ref.flat),
        input_layout="NCHW" if source.layout == "CHW" else "NHWC",
    )


def _loaded(model: str | Path | onnx.ModelProto) -> onnx.ModelProto:
    return model if isinstance(model, onnx.ModelProto) else load_model(model)


def _walk(model: onnx.ModelProto) -> tuple[Ref, Context, list[Finding]]:
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)
    if not _OPSETS[0] <= opset <= _OPSETS[1]:
        raise ModelError(
            f"opset must be {_OPSETS[0]} to {_OPSETS[1]}, not {opset}: export with opset_version=17"
        )
    graph = model.graph
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    source, batch = _input(graph, constants)
    context = Context(opset=opset, batch=batch, constants=constants)
    context.refs[source.tensor] = source
    context.consumed = {name for node in graph.node for name in node.input} | {v.name for v in graph.output}
    findings = []
    inferred: dict[str, tuple[int, ...]] | None = None
    for i, node in enumerate(graph.node):
        context.enter(node, node.name or f"{node.op_type}_{i}")
        if _fold_constant(context):
            continue
        before = len(context.nodes)
        try:
            _convert(context)
            macs = sum(item.macs for item in context.nodes[before:])
            why = cure = ""
        except Unsupported as error:
            why, cure, macs = error.why, error.cure, 0
            if inferred is None:
                inferred = _infer_shapes(model)
            for name in node.output:
                _placeholder(context, name, inferred)
        ref = context.refs.get(node.output[0])
        findings.append(
            Finding(
                name=context.name,
                op=node.op_type,
                supported=not why,
                why=why,
                cure=cure,
                where="host" if node.op_type in _HOST else "folded" if node.op_type in _FOLDED else "engine",
                lacks="" if why else context.lacks,
                output_shape=("N", *ref.file_shape) if ref else None,
                macs=macs,
                params=context.params,
            )
        )
    for value in graph.output:
        if value.name not in context.refs and all(item.supported for item in findings):
            raise ModelError(f"output {value.name!r} does not depend on the input: export the model again")
    return source, context, findings


def _convert(context: Context) -> None:
    node = context.node
    domain = node.domain not in ("", "ai.onnx")
    if node.op_type not in CONVERTERS or domain:
        what = f"operator {node.domain + '.' if domain else ''}{node.op_type} is not supported"
        raise Unsupported(what, CURES.get(node.op_type, "replace it by a supported operator"))
    for name in node.input:
        if name and name not in context.refs and name not in context.constants:
            raise Unsupported(f"the shape of its input {name!r} is unknown", "repair the nodes before it")
    CONVERTERS[node.op_type](context)


def _input(graph: onnx.GraphProto, constants: dict[str, Array]) -> tuple[Ref, int]:
    """The network's input and its static batch (0 where symbolic)."""
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
    if len(dims) != 4:
        raise ModelError(
            f"input {value.name!r} must be [N, C, H, W], not of rank {len(dims)}: export an image network"
        )
    first = next((node for node in graph.node if value.name in node.input), None)
    last = False
    if first is not None and first.op_type == "Transpose":
        perm = next((list(a.ints) for a in first.attribute if a.name == "perm"), [])
        last = perm == [0, 3, 1, 2]
    axes = ("batch", "height", "width", "channels") if last else ("batch", "channels", "height", "width")
    for axis, dim, label in list(zip(axes, dims, labels, strict=True))[1:]:
        if dim <= 0:
            raise ModelError(
                f"input {value.name!r} has a dynamic {axis} ({label!r}): export it with a static {axis}, "
                f"in torch.onnx.export by leaving only the batch in dynamic_axes"
            )
    h, w, c = (dims[1], dims[2], dims[3]) if last else (dims[2], dims[3], dims[1])
    return Ref(tensor=value.name, shape=(h, w, c), layout="HWC" if last else "CHW"), max(dims[0], 0)


def _fold_constant(context: Context) -> bool:
    """Evaluate a node whose inputs are all constants (or a Shape); its outputs become constants."""
    node = context.node
    if node.op_type == "Shape" and node.input[0] in context.refs:
        dims = [context.batch or -1, *context.refs[node.input[0]].file_shape]
        end = context.attributes.get("end", len(dims))
        context.constants[node.output[0]] = np.array(dims[context.attributes.get("start", 0) : end], np.int64)
        return True
    names = [name for name in node.input if name]
    if any(name not in context.constants for name in names) or (not names and node.op_type != "Constant"):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = onnx.helper.make_graph(
                [node], "constant",
                [onnx.helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(names)],
                [onnx.helper.make_empty_tensor_value_info(name) for name in node.output],
            )  # fmt: skip
            opset = onnx.helper.make_opsetid("", context.opset)
            evaluator = ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=[opset]))
            values = evaluator.run(None, {name: context.constants[name] for name in names})
    except Exception:  # noqa: BLE001, whatever it cannot evaluate is an ordinary node, judged as such
        return False
    for name, value in zip(node.output, values, strict=True):
        context.constants[name] = np.asarray(value)
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
        context.refs[name] = Ref(tensor=name, shape=(1, 1, shape[0]), flat=True)


def _shapes(nodes: list[Node], source: Ref) -> dict[str, tuple[int, int, int]]:
    from .windows import output_size

    shapes = {source.tensor: source.shape}
    for node in nodes:
        h, w, c = shapes[node.inputs[0]]
        if node.kind not in ("add", "concat"):
            top, left, bottom, right = node.pads
            h = output_size(h, node.kernel[0], node.stride[0], node.dilation[0], top, bottom)
            w = output_size(w, node.kernel[1], node.stride[1], node.dilation[1], left, right)
        if node.kind == "concat":
            c = sum(shapes[name][2] for name in node.inputs)
        shapes[node.output] = (h, w, c if node.weight is None else int(node.weight.shape[0]))
    return shapes


def _layer(node: Node) -> RealLayer:
    if node.kind == "affine" or node.kind == "clip":
        raise AssertionError(f"node {node.name!r} of kind {node.kind} was not lowered")
    return RealLayer(
        name=node.name, kind=node.kind, inputs=node.inputs, output=node.output, kernel=node.kernel,
        stride=node.stride, dilation=node.dilation, pads=node.pads, groups=node.groups, weight=node.weight,
        bias=node.bias, lo=node.lo, hi=node.hi, macs=node.macs, pre_mean=node.pre_mean, pre_std=node.pre_std,
    )  # fmt: skip
