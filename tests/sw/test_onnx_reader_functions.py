"""Activation functions and products of two maps: every operator and spelling, held against ONNX Runtime."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from systolith.sw.float_reference import FloatSession, run
from systolith.sw.graph import Graph
from systolith.sw.onnx_reader import UnsupportedModel, check, read
from systolith.sw.onnx_reader_functions import FUNCTIONS
from systolith.sw.random_model import ModelBuilder, random_model

Spelling = Callable[[ModelBuilder, str], str]


def number(b: ModelBuilder, value: float) -> str:
    return b.constant(np.array(value, np.float32))


def same_as_onnxruntime(model: onnx.ModelProto) -> Graph:
    """The file as it is, and its graph, whose outputs may lie in front of a Sigmoid on the host."""
    graph = read(model)
    real = np.random.default_rng(0).normal(size=(3, *graph.shapes[graph.input])).astype(np.float32)
    theirs, ours = FloatSession(model, graph, outputs=graph.outputs).run(real), run(graph, real)
    for name in graph.outputs:
        expected = theirs[name].reshape(3, -1)
        got = ours[name].transpose(0, 3, 1, 2).reshape(3, -1)
        assert np.abs(got - expected).max() <= 1e-4 * max(1.0, np.abs(expected).max()), name
    return graph


@pytest.mark.parametrize("seed", range(30))
def test_random_models(seed: int) -> None:
    same_as_onnxruntime(random_model(seed, branches=bool(seed % 2), functions=True))


OPERATORS = (
    "Abs", "Ceil", "Celu", "Cos", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSwish", "LeakyRelu", "Log", "Mish",
    "Reciprocal", "Round", "Selu", "Shrink", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Swish", "Tanh",
    "ThresholdedRelu",
)  # fmt: skip
ATTRIBUTES: dict[str, dict[str, float | str]] = {
    "Celu": {"alpha": 0.7}, "Elu": {"alpha": 0.3}, "LeakyRelu": {"alpha": 0.2}, "Selu": {"alpha": 1.5, "gamma": 0.9},
    "Shrink": {"lambd": 0.3, "bias": 0.1}, "ThresholdedRelu": {"alpha": 0.4}, "Gelu": {"approximate": "tanh"},
}  # fmt: skip


@pytest.mark.parametrize("given", [False, True], ids=["defaults", "attributes"])
@pytest.mark.parametrize("op", OPERATORS)
def test_operators(op: str, given: bool) -> None:
    build = ModelBuilder((3, 6, 6), opset={"Gelu": 20, "Mish": 18, "Swish": 24}.get(op, 15))
    source = build.conv("input", 4)
    if op in ("Sqrt", "Log", "Reciprocal"):  # of positive values
        source = build.same("Add", build.same("Abs", source), number(build, 0.5))
    attributes = ATTRIBUTES.get(op, {}) if given else {}
    graph = same_as_onnxruntime(build.model(build.same(op, source, **attributes)))
    assert [layer.kind for layer in graph.layers] == ["conv", "table"]
    assert graph.layers[1].function is not None and op in str(graph.layers[1].function)


def test_every_function_is_here() -> None:
    assert set(OPERATORS) == set(FUNCTIONS)


def clipped(b: ModelBuilder, x: str, low: float = 0.0, high: float = 6.0) -> str:
    return b.same("Clip", x, number(b, low), number(b, high))


def gelu(b: ModelBuilder, x: str) -> str:
    inner = b.same("Erf", b.same("Mul", x, number(b, 0.5**0.5)))
    return b.same("Mul", b.same("Mul", x, number(b, 0.5)), b.same("Add", number(b, 1.0), inner, like=x))


def gelu_tanh(b: ModelBuilder, x: str) -> str:
    cube = b.same("Mul", b.same("Pow", x, number(b, 3.0)), number(b, 0.044715))
    inner = b.same("Tanh", b.same("Mul", b.same("Add", x, cube), number(b, (2 / np.pi) ** 0.5)))
    return b.same("Mul", b.same("Mul", number(b, 0.5), x, like=x), b.same("Add", inner, number(b, 1.0)))


def keras_prelu(b: ModelBuilder, x: str) -> str:
    """Relu(x) + -alpha * Relu(-x), one alpha a channel."""
    slope = b.constant(np.linspace(-0.5, -0.1, 4, dtype=np.float32).reshape(4, 1, 1))
    negative = b.same("Mul", b.same("Relu", b.same("Neg", x)), slope)
    return b.same("Add", b.same("Relu", x), negative)


SPELLINGS: dict[str, Spelling] = {
    "silu": lambda b, x: b.same("Mul", x, b.same("Sigmoid", x)),
    "silu, sigmoid first": lambda b, x: b.same("Mul", b.same("Sigmoid", x), x),
    "swish with beta": lambda b, x: b.same("Mul", x, b.same("Sigmoid", b.same("Mul", x, number(b, 1.7)))),
    "hard swish by its operator": lambda b, x: b.same("HardSwish", x),
    "x * HardSigmoid(x)": lambda b, x: b.same("Mul", x, b.same("HardSigmoid", x, alpha=1 / 6)),
    "x * Clip(x + 3) / 6": lambda b, x: b.same(
        "Div", b.same("Mul", x, clipped(b, b.same("Add", x, number(b, 3.0)))), number(b, 6.0)
    ),
    "x * (Clip(x + 3) / 6)": lambda b, x: b.same(
        "Mul", b.same("Div", clipped(b, b.same("Add", x, number(b, 3.0))), number(b, 6.0)), x
    ),
    "x * Clip(x + 3) * (1 / 6)": lambda b, x: b.same(
        "Mul", b.same("Mul", x, clipped(b, b.same("Add", number(b, 3.0), x, like=x))), number(b, 1 / 6)
    ),
    "x / 6 * Clip(x + 3)": lambda b, x: b.same(
        "Mul", b.same("Div", x, number(b, 6.0)), clipped(b, b.same("Add", x, number(b, 3.0)))
    ),
    "mish": lambda b, x: b.same("Mul", x, b.same("Tanh", b.same("Softplus", x))),
    "mish, softplus spelled": lambda b, x: b.same(
        "Mul", x, b.same("Tanh", b.same("Log", b.same("Add", b.same("Exp", x), number(b, 1.0))))
    ),
    "softsign": lambda b, x: b.same("Div", x, b.same("Add", b.same("Abs", x), number(b, 1.0))),
    "gelu": gelu,
    "gelu by tanh": gelu_tanh,
    "leaky relu as a maximum": lambda b, x: b.same("Max", x, b.same("Mul", x, number(b, 0.2))),
    "prelu": lambda b, x: b.same("PRelu", x, b.weight(4, 1, 1, scale=0.3)),
    "prelu, one slope": lambda b, x: b.same("PRelu", x, b.weight(1, scale=0.3)),
    "prelu of keras": keras_prelu,
    "square": lambda b, x: b.same("Mul", x, x),
    "1 / (1 + exp(-x))": lambda b, x: b.same(
        "Div", number(b, 1.0), b.same("Add", b.same("Exp", b.same("Neg", x)), number(b, 1.0)), like=x
    ),
}


@pytest.mark.parametrize("behind", ["conv", "norm", "pool"])
@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings(name: str, behind: str) -> None:
    """One table, whatever comes before it, with bounds behind it and without."""
    build = ModelBuilder((3, 6, 6), opset=14)
    source = build.conv("input", 4)
    if behind == "norm":
        source = build.batch_norm(source)
    elif behind == "pool":
        source = build.pool("MaxPool", source)
    made = SPELLINGS[name](build, source)
    build.shapes[made] = build.shapes[source]
    graph = same_as_onnxruntime(build.model(build.conv(made, 2), clipped(build, made, -0.1, 0.9)))
    kinds = [layer.kind for layer in graph.layers if layer.kind not in ("maxpool", "avgpool")]
    assert kinds == ["conv", "table", "conv"]


@pytest.mark.parametrize("form", ["operator", "clip", "mul"])
def test_hard_sigmoid_takes_no_layer(form: str) -> None:
    build = ModelBuilder((3, 6, 6), opset=14)
    source = build.batch_norm(build.conv("input", 4))
    if form == "operator":
        made = build.same("HardSigmoid", source, alpha=1 / 6, beta=0.5)
    else:
        bounded = clipped(build, build.same("Add", source, number(build, 3.0)))
        made = build.same(*(("Div", bounded, number(build, 6.0)) if form == "clip" else
                            ("Mul", bounded, number(build, 1 / 6))))  # fmt: skip
    (layer,) = same_as_onnxruntime(build.model(made)).layers
    assert (layer.kind, layer.lo) == ("conv", 0.0) and layer.hi == pytest.approx(1.0)


def gate(b: ModelBuilder, source: str, form: str) -> str:
    channels = b.shapes[source][0]
    pooled = b.pool("GlobalAveragePool", source)
    if form == "dense":
        made = b.same("Sigmoid", b.dense(pooled, channels))
        b.shapes[made] = (channels,)
        return b.node("Reshape", made, b.constant(np.array([-1, channels, 1, 1])))
    made = b.conv(pooled, channels, (1, 1), pads=(0, 0, 0, 0))
    return b.same("Sigmoid" if form == "sigmoid" else "HardSigmoid", made)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("form", ["sigmoid", "hard", "dense"])
def test_squeeze_and_excitation(form: str, first: bool) -> None:
    build = ModelBuilder((3, 6, 6))
    source = build.same("Relu", build.conv("input", 4))
    factors = (source, gate(build, source, form))
    made = build.same("Mul", *(factors if first else factors[::-1]), like=source)
    graph = same_as_onnxruntime(build.model(build.conv(build.same("Relu", made), 2)))
    (product,) = (layer for layer in graph.layers if layer.kind == "product")
    assert graph.shapes[product.inputs[0]] == (6, 6, 4) and graph.shapes[product.inputs[1]] == (1, 1, 4)
    assert product.lo == 0.0
    assert len(graph.layers) == (5 if form == "hard" else 6)


def test_a_scale_behind_a_product_goes_into_its_operand() -> None:
    build = ModelBuilder((3, 6, 6))
    source = build.same("Relu", build.conv("input", 4))
    product = build.same("Mul", source, gate(build, source, "hard"))
    made = build.pool("MaxPool", build.same("Div", product, number(build, 6.0)))
    graph = same_as_onnxruntime(build.model(made))
    assert [layer.kind for layer in graph.layers] == ["conv", "avgpool", "conv", "product", "maxpool"]
    assert graph.layers[2].hi == pytest.approx(1 / 6)


def test_sigmoid_at_the_end_stays_with_the_host() -> None:
    build = ModelBuilder((3, 5, 5))
    inside = build.same("Sigmoid", build.conv("input", 4))
    last = build.same("Sigmoid", build.dense(inside, 4))
    build.shapes[last] = (4,)
    model = build.model(build.same("Identity", last))
    graph = same_as_onnxruntime(model)
    assert [layer.kind for layer in graph.layers] == ["conv", "table", "conv"]
    assert [op.op for op in graph.host] == ["Sigmoid"]
    assert [item.where for item in check(model)] == ["engine", "engine", "folded", "engine", "host", "folded"]


def refused(build: ModelBuilder, output: str) -> str:
    model = build.model(output)
    with pytest.raises(UnsupportedModel) as caught:
        read(model)
    lines = [f"{item.name} ({item.op}): {item.why}; {item.cure}" for item in check(model) if item.why]
    assert all(line in str(caught.value) for line in lines)
    return str(caught.value)


def test_two_maps_are_refused_unless_of_one() -> None:
    build = ModelBuilder((3, 6, 6))
    one, two = build.conv("input", 4), build.conv("input", 4)
    text = refused(build, build.same("Mul", one, two))
    assert "Mul_3 (Mul): it multiplies two maps; multiply by a map of one pixel a channel" in text
    build = ModelBuilder((3, 6, 6))
    one, two = build.conv("input", 4), build.conv("input", 4)
    text = refused(build, build.same("Max", build.same("Div", one, two), two))
    assert "Div_3 (Div): it divides two maps" in text and "Max_4 (Max): its operands are two maps" in text
    build = ModelBuilder((3, 6, 6))
    spatial = build.same("Mul", build.conv("input", 4), build.conv("input", 1))
    assert "it multiplies ['N', 4, 6, 6] with ['N', 1, 6, 6]; use tensors of one shape" in refused(
        build, spatial
    )


def test_every_reason_at_once() -> None:
    """What only shows once everything is fused is listed beside what shows at once."""
    build = ModelBuilder((3, 6, 6))
    one, two = build.conv("input", 4), build.conv("input", 4)
    odd = build.same("LRN", build.same("Mul", one, two), size=3)
    text = refused(build, build.same("Mul", odd, one))
    assert (
        "holds 2 nodes that cannot run" in text and "(LRN)" in text and "Mul_3 (Mul): it multiplies" in text
    )


@pytest.mark.parametrize("op", ["PRelu", "Pow", "Max", "Greater"])
def test_constants_within_a_channel(op: str) -> None:
    build = ModelBuilder((3, 6, 6))
    text = refused(build, build.same(op, build.conv("input", 4), build.weight(4, 6, 6)))
    assert "its constant differs within a channel; use one value a channel" in text


def test_constants_by_channel() -> None:
    build = ModelBuilder((3, 6, 6))
    made = build.same("Max", build.conv("input", 4), build.weight(4, 1, 1), number(build, -0.1))
    (_, table) = same_as_onnxruntime(build.model(made)).layers
    assert table.function is not None and table.function.channels == 4


@pytest.mark.parametrize("op", ["Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"])
def test_comparisons_choose(op: str) -> None:
    """As exporters spell Softplus beyond a threshold, or a LeakyRelu of opset 16."""
    build = ModelBuilder((3, 6, 6), opset=16)
    source = build.same("Relu", build.conv("input", 4))
    condition = build.same(op, source, number(build, 0.0))
    other = build.same(
        "Not",
        build.same("And", condition, build.same("Xor", condition, build.same("Or", condition, condition))),
    )
    chosen = build.same(
        "Where", other, source, build.same("Add", build.same("Tanh", source), number(build, 1.0))
    )
    graph = same_as_onnxruntime(
        build.model(build.conv(build.same("Where", condition, chosen, number(build, 0.3), like=source), 2))
    )
    assert [layer.kind for layer in graph.layers] == ["conv", "table", "conv"]


def test_choices_between_two_maps_are_refused() -> None:
    build = ModelBuilder((3, 6, 6))
    one, two = build.conv("input", 4), build.conv("input", 4)
    chosen = build.same("Where", build.same("Greater", one, number(build, 0.0)), one, two)
    assert "Where_4 (Where): its operands are two maps" in refused(build, chosen)
    build = ModelBuilder((3, 6, 6))
    pooled = build.pool("MaxPool", "input")
    assert "it broadcasts ['N', 3, 6, 6] with ['N', 3, 3, 3]" in refused(
        build, build.same("Max", "input", pooled)
    )


@pytest.mark.parametrize("last", [True, False])
def test_an_expanded_gate_is_the_gate(last: bool) -> None:
    build = ModelBuilder((3, 6, 6), opset=13)
    source = build.same("Relu", build.conv("input", 4))
    small = gate(build, source, "sigmoid")
    if last:
        small = build.node("Transpose", small, perm=[0, 2, 3, 1])
    shape = [1, 6, 6, 4] if last else [1, 4, 6, 6]
    wide = build.node("Expand", small, build.constant(np.array(shape, np.int64)))
    if last:
        wide = build.node("Transpose", wide, perm=[0, 3, 1, 2])
    graph = same_as_onnxruntime(build.model(build.conv(build.same("Mul", source, wide), 2)))
    assert [layer.kind for layer in graph.layers] == ["conv", "avgpool", "conv", "table", "product", "conv"]


def test_an_expanded_pixel_is_an_upsample() -> None:
    build = ModelBuilder((3, 6, 6))
    source = build.conv("input", 4)
    pooled = build.pool("GlobalAveragePool", source)
    wide = build.node("Expand", pooled, build.constant(np.array([1, 4, 6, 6], np.int64)))
    graph = same_as_onnxruntime(build.model(build.same("Concat", source, wide, axis=1)))
    assert [layer.kind for layer in graph.layers] == ["conv", "avgpool", "upsample", "concat"]
