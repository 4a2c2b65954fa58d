"""The exported QDQ model in ONNX Runtime gives our integers, whatever the widths."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from systolith.quant.assembly import assemble
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.quant.quantizer import Options, quantize
from systolith.sw import integer_reference, oracle
from systolith.sw.onnx_reader import read
from systolith.sw.qdq import codes_name, export_qdq
from systolith.sw.qdq_split import split_weights
from systolith.sw.random_model import ModelBuilder, random_model


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.booleans(),
    st.sampled_from([2, 3, 4, 5, 6, 7, 8, 16]),
    st.sampled_from([2, 3, 4, 5, 6, 7, 8, 16]),
    st.booleans(),
    st.sampled_from(["non-overflow", "qiu-l1", "qiu-l2"]),
)
def test_random_networks(
    seed: int, functions: bool, act_width: int, wgt_width: int, per_channel: bool, method: str
) -> None:
    graph = read(random_model(seed, branches=bool(seed % 2), functions=functions))
    real = np.random.default_rng(seed).normal(size=(3, *graph.shapes[graph.input])).astype(np.float32)
    options = Options(
        act_width=act_width, wgt_width=wgt_width, per_channel=per_channel, method=method, acc_width=48
    )
    result = oracle.compare(quantize(graph, real, options).network, real * 1.5, "all")
    assert result.mismatches == 0, str(result.first)


@pytest.mark.parametrize(
    "op", ["Sigmoid", "Tanh", "HardSwish", "LeakyRelu", "Elu", "Softplus", "Selu", "Abs", "Erf"]
)
@pytest.mark.parametrize("width, fl, signed", [(8, 4, True), (8, 6, False), (5, 2, True)])
def test_tables_are_half_a_step_from_onnxruntime(op: str, width: int, fl: int, signed: bool) -> None:
    """Its own operator in float32 on every code: no table entry farther off than rounding the output must be."""
    build = ModelBuilder((1, 1, 1 << width), opset=15)
    model = build.model(
        build.same(op, "input"), build.conv("input", 1)
    )  # a Sigmoid at the end were the host's
    graph = read(model if op != "Sigmoid" else build.model(build.same("Abs", build.same(op, "input"))))
    act, out = QFormat(width, fl, signed), QFormat(8, 5, True)
    layers = tuple(layer for layer in graph.layers if layer.kind == "table")
    graph = replace(graph, layers=layers, outputs=(layers[0].output,))
    network = assemble(graph, {"input": act, layers[0].output: out}, {}, lambda name: 8, 32, False)
    codes = np.arange(act.min, act.max + 1).reshape(1, 1, -1, 1)
    real = (codes * act.step).astype(np.float32)
    got = integer_reference.run(network, codes)[layers[0].output] * out.step
    session = onnxruntime.InferenceSession(model.SerializeToString())
    expected = session.run([build.nodes[0].output[0]], {"input": real.transpose(0, 3, 1, 2)})[0].transpose(
        0, 2, 3, 1
    )
    inside = np.clip(expected.astype(np.float64), out.min * out.step, out.max * out.step)
    assert np.abs(got - inside).max() <= out.step / 2 + 1e-6
    assert oracle.compare(network, real, "all").mismatches == 0


def layer_network(layer: Layer, act: QFormat, out: QFormat, size: int, channels: int) -> QuantizedNetwork:
    shapes = {"x": (size, size, layer.wgt.shape[1]), "y": (size, size, channels)}  # type: ignore[union-attr]
    tensors = {
        n: Tensor(name=n, shape=s, format=f) for (n, s), f in zip(shapes.items(), (act, out), strict=True)
    }
    return QuantizedNetwork(name="n", input="x", outputs=("y",), tensors=tensors, layers=(layer,))


@pytest.mark.parametrize("act_width, wgt_width", [(8, 8), (16, 8), (8, 16), (16, 16)])
def test_sums_beyond_float32(act_width: int, wgt_width: int) -> None:
    """All codes near their limits: a plain float32 convolution would be wrong here."""
    rng = np.random.default_rng(0)
    act, out = QFormat(act_width, 3, False), QFormat(act_width, -9)
    top = (1 << (wgt_width - 1)) - 1
    wgt = rng.integers(top - 20, top + 1, (4, 80, 3, 3))
    layer = Layer(
        name="c", kind="conv", inputs=("x",), output="y", kernel=(3, 3), pads=(1, 1, 1, 1), wgt=wgt,
        wgt_width=wgt_width, wgt_fl=np.full(4, 6), bias=rng.integers(-(2**20), 2**20, 4), shift=np.full(4, 18),
        lo=out.min, hi=out.max,
    )  # fmt: skip
    network = layer_network(layer, act, out, 4, 4)
    real = (rng.integers(act.max - 50, act.max + 1, (2, 4, 4, 80)) * act.step).astype(np.float32)
    convs = [node for node in export_qdq(network).graph.node if node.op_type == "Conv"]
    assert len(convs) > 1
    assert oracle.compare(network, real, "all").mismatches == 0


def test_plain_and_split_forms_agree() -> None:
    graph = read(random_model(11))
    real = np.random.default_rng(0).normal(size=(4, *graph.shapes[graph.input])).astype(np.float32)
    network = quantize(graph, real).network
    split = export_qdq(network, "all", exact_below=40_000)
    assert sum(n.op_type == "Conv" for n in split.graph.node) > sum(
        n.op_type == "Conv" for n in export_qdq(network).graph.node
    )
    assert oracle.compare(network, real, "all", model=split).mismatches == 0


def test_split_weights_stay_below_the_limit() -> None:
    rng = np.random.default_rng(0)
    wgt = rng.integers(-128, 128, (5, 7, 3, 3))
    total = np.zeros_like(wgt)
    for part in split_weights(wgt, 8, 255, 100_000):
        first, last = part.channels
        assert (np.abs(part.codes).reshape(5, -1).sum(axis=1) * 255 < 100_000).all()
        total[:, first:last] += part.codes << part.unit
    assert np.array_equal(total, wgt)
    wide = rng.integers(-32768, 32768, (5, 7, 3, 3))
    total = np.zeros_like(wide)
    for part in split_weights(wide, 16, 255, 1 << 20):
        total[:, part.channels[0] : part.channels[1]] += part.codes << part.unit
    assert np.array_equal(total, wide)
    assert list(split_weights(np.zeros((2, 2, 1, 1), int), 8, 255, 100)) == []
    with pytest.raises(ValueError, match="reaches the limit"):
        list(split_weights(wgt, 8, 255, 100))


@pytest.mark.parametrize("act_width, exact_below", [(8, 1 << 24), (16, 1 << 24), (8, 1000)])
def test_products_are_exact(act_width: int, exact_below: int) -> None:
    """Every code of the second operand, at the corners of the first one's; in double beyond float32's integers."""
    act, gate, out = QFormat(act_width, 3), QFormat(8, 11 - act_width), QFormat(act_width, 9 - act_width)
    layer = Layer(
        name="p", kind="product", inputs=("x", "g"), output="y", shift=np.full(256, 5), lo=out.min, hi=out.max
    )
    pick = Layer(
        name="g", kind="conv", inputs=("x",), output="g", wgt=np.eye(256, dtype=int)[:, :, None, None],
        wgt_fl=np.zeros(256, np.int64), shift=np.full(256, act_width - 8), lo=gate.min, hi=gate.max,
    )  # fmt: skip
    tensors = {
        n: Tensor(name=n, shape=(1, 1, 256), format=f) for n, f in (("x", act), ("g", gate), ("y", out))
    }
    network = QuantizedNetwork(name="n", input="x", outputs=("y",), tensors=tensors, layers=(pick, layer))
    codes = np.stack([np.arange(-128, 128) << act_width - 8, np.arange(act.max - 255, act.max + 1)])
    real = (codes * act.step).astype(np.float32).reshape(2, 1, 1, 256)
    model = export_qdq(network, "all", exact_below=exact_below)
    assert any(node.op_type == "Mul" for node in model.graph.node)
    assert oracle.compare(network, real, "all", model=model).mismatches == 0


def test_all_weights_zero_beyond_float32() -> None:
    act, out = QFormat(16, 3, False), QFormat(16, -11)
    layer = Layer(
        name="c", kind="conv", inputs=("x",), output="y", wgt=np.zeros((2, 3, 1, 1), np.int64), wgt_fl=np.zeros(2, int),
        bias=np.array([1 << 27, -(1 << 26)]), shift=np.full(2, 14), lo=out.min, hi=out.max,
    )  # fmt: skip
    network = layer_network(layer, act, out, 2, 2)
    assert oracle.compare(network, np.ones((1, 2, 2, 3), np.float32), "all").mismatches == 0


def test_real_outputs_are_drop_in() -> None:
    model = random_model(14)
    graph = read(model)
    real = np.random.default_rng(0).normal(size=(4, *graph.shapes[graph.input])).astype(np.float32)
    network = quantize(graph, real).network
    exported = export_qdq(network, flat=graph.flat)
    onnx.checker.check_model(exported, full_check=True)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(exported.SerializeToString(), options)
    assert [v.name for v in session.get_outputs()] == [v.name for v in model.graph.output]
    name = network.outputs[0]
    got = session.run(None, {network.input: real.transpose(0, 3, 1, 2)})[0]
    fmt = network.tensors[network.input].format
    codes = np.clip(np.rint(real * 2.0**fmt.fl), fmt.min, fmt.max).astype(np.int64)
    expected = integer_reference.run(network, codes)[name] * network.tensors[name].format.step
    assert np.array_equal(got.reshape(4, -1), expected.transpose(0, 3, 1, 2).reshape(4, -1))


def test_codes_of_all_tensors() -> None:
    graph = read(random_model(14))
    real = np.random.default_rng(0).normal(size=(2, *graph.shapes[graph.input])).astype(np.float32)
    network = quantize(graph, real).network
    assert [v.name for v in export_qdq(network, "all").graph.output] == [
        codes_name(n) for n in network.tensors
    ]
    assert [v.name for v in export_qdq(network, "codes").graph.output] == [
        codes_name(n) for n in network.outputs
    ]


def test_needs_weights() -> None:
    layer = Layer(name="c", kind="conv", inputs=("x",), output="y", wgt=np.ones((1, 1, 1, 1), int))
    with pytest.raises(ValueError, match="layer 'c' of kind conv needs weight codes"):
        export_qdq(layer_network(layer, QFormat(8, 0), QFormat(8, 0), 2, 1))
