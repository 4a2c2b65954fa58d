"""The float references: layouts, batches, errors."""

import numpy as np
import onnx
import pytest
from systolith.sw.float_reference import FloatSession, flat_logits, run, with_dynamic_batch
from systolith.sw.onnx_reader import read
from systolith.sw.random_model import ModelBuilder, random_model


def test_keep_all_matches_onnxruntime_on_every_tensor() -> None:
    build = ModelBuilder((3, 6, 6))
    hidden = build.same("Relu", build.batch_norm(build.conv("input", 5)))
    output = build.dense(build.pool("MaxPool", hidden), 4)
    model = build.model(output)
    graph = read(model)
    real = np.random.default_rng(0).normal(size=(20, 6, 6, 3)).astype(np.float32)
    names = [layer.output for layer in graph.layers]
    theirs = FloatSession(model, graph, names).run(real, batch=7)
    ours = run(graph, real, "all", batch=6)
    assert set(ours) == {"input", *names}
    for name in names:
        assert np.allclose(theirs[name].reshape(20, -1), flat_logits(ours[name]), atol=1e-5), name
    precise = run(graph, real.astype(np.float64))[output]
    assert precise.dtype == np.float64 and np.allclose(precise, ours[output], atol=1e-5)


def test_flat_logits_are_in_the_order_of_the_file() -> None:
    values = np.arange(2 * 2 * 3 * 4).reshape(2, 2, 3, 4)
    assert np.array_equal(flat_logits(values), values.transpose(0, 3, 1, 2).reshape(2, -1))


def test_files_newer_than_onnxruntime() -> None:
    """Their operators are those it knows; the file itself stays as it is."""
    build = ModelBuilder((3, 6, 6), opset=28)
    scales = build.constant(np.array([1, 1, 2, 2], np.float32))
    resized = build.node("Resize", build.conv("input", 2), "", scales, nearest_mode="round_prefer_ceil")
    build.shapes[resized] = (2, 12, 12)
    model = build.model(build.pool("AveragePool", resized, (3, 3), (2, 2), (1, 1, 1, 1), counted=False))
    model.ir_version = onnx.IR_VERSION
    graph = read(model)
    real = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype(np.float32)
    (name,) = graph.outputs
    theirs = FloatSession(model, graph).run(real)[name]
    assert np.allclose(theirs, run(graph, real)[name].transpose(0, 3, 1, 2), atol=1e-5)
    assert (model.ir_version, model.opset_import[0].version) == (onnx.IR_VERSION, 28)


def test_dynamic_batch_leaves_the_original() -> None:
    build = ModelBuilder((3, 4, 4), batch=1)
    model = build.model(build.conv("input", 2))
    before = model.SerializeToString()
    patched = with_dynamic_batch(model)
    assert model.SerializeToString() == before
    assert patched.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    onnx.checker.check_model(patched)


def test_errors() -> None:
    graph = read(random_model(0))
    with pytest.raises(ValueError, match=r"input must be \[N"):
        run(graph, np.zeros((1, 2, 2, 99), np.float32))


def test_a_batch_that_cannot_be_changed() -> None:
    """Zeros for one image joined to it, and a shape computed from the batch: the file runs with its own batch.

    One image at a time where it calls that batch a symbol.
    """
    symbol = ModelBuilder((2, 4, 4))
    joined = symbol.node("Concat", symbol.conv("input", 2), symbol.weight(1, 1, 4, 4, scale=0.0), axis=1)
    symbol.shapes[joined] = (3, 4, 4)
    graph, real = read(symbol.model(joined)), np.ones((3, 4, 4, 2), np.float32)
    assert FloatSession(symbol.model(joined), graph).run(real)[joined].shape == (3, 3, 4, 4)
    build = ModelBuilder((2, 4, 4), batch=1)
    zeros = build.constant(np.zeros((1, 3, 4, 4), np.float32))
    joined = build.node("Concat", build.conv("input", 2), zeros, axis=1)
    build.shapes[joined] = (5, 4, 4)
    head = build.constant(np.array([1], np.int64))
    shape = build.node("Concat", head, build.constant(np.array([-1], np.int64)), axis=0)
    for output in (joined, build.node("Reshape", build.same("Relu", "input"), shape)):
        build.shapes.setdefault(output, (32,))
        model = build.model(output)
        graph = read(model)
        real = np.random.default_rng(0).normal(size=(5, 4, 4, 2)).astype(np.float32)
        name = graph.outputs[0]
        theirs = FloatSession(model, graph).run(real)[name]
        assert run(graph, real)[name].transpose(0, 3, 1, 2) == pytest.approx(theirs, abs=1e-5)
