"""What ``check`` accepts no later step refuses; what concerns the network as a whole it says too."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from random_files import random_file
from systolith.sw import api
from systolith.sw.onnx_reader import ModelError
from systolith.sw.random_model import ModelBuilder

SEEDS = range(40)


def engine(seed: int) -> api.EngineConfig:
    """Small ones, with too little scratchpad for some."""
    rng = np.random.default_rng(seed)
    rows, cols = (int(n) for n in rng.integers(1, 9, 2))
    acc_width, acc_depth = int(rng.choice([20, 24, 32])), int(rng.choice([16, 64, 256]))
    words = 64 * int(rng.choice([1, 2, 8, 64]))
    act_width, wgt_width = [(8, 8), (4, 3), (16, 16), (8, 8), (6, 8)][seed % 5]
    return api.EngineConfig(
        rows=rows, cols=cols, acc_depth=acc_depth, acc_width=48 if act_width == 16 else acc_width,
        act_width=act_width, wgt_width=wgt_width, scratchpad=words * max(rows, cols) * (2 if act_width == 16 else 1),
    )  # fmt: skip


def accepted(path: Path, seed: int, preprocessing: api.Preprocessing) -> api.Check | None:
    """What ``check`` says where it has nothing against the file."""
    onnx.save(random_file(seed), path)
    try:
        found = api.check(path, engine(seed), preprocessing=preprocessing)
    except ModelError:
        return None
    refused = found.unsupported or found.waiting or found.beyond
    assert found.to_json()["runs_on_engine"] == (not refused)
    return None if refused else found


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_accepted_quantizes_compiles_and_evaluates(seed: int, tmp_path: Path) -> None:
    given = api.Preprocessing(255.0, (0.4,), (0.3,)) if seed % 3 else api.Preprocessing(255.0)
    found = accepted(tmp_path / "m.onnx", seed, given)
    if found is None:
        return
    assert found.input_shape is not None
    images = np.random.default_rng(seed).integers(0, 256, (4, *found.input_shape)).astype(np.uint8)
    np.savez(tmp_path / "i.npz", images=images)
    config = engine(seed)
    api.quantize(
        tmp_path / "m.onnx", tmp_path / "i.npz", tmp_path / "q", preprocessing=given, acc_width=config.acc_width,
        act_width=config.act_width, wgt_width=config.wgt_width,
        correct=("round",) if seed % 4 else None,
    )  # fmt: skip
    api.compile(tmp_path / "q", config)
    assert api.evaluate(tmp_path / "q", tmp_path / "i.npz").onnxruntime_mismatches == 0


def test_many_are_accepted_and_some_for_each_reason_are_not(tmp_path: Path) -> None:
    plain = api.Preprocessing(255.0)
    kept = [seed for seed in SEEDS if accepted(tmp_path / "m.onnx", seed, plain) is not None]
    assert len(SEEDS) / 2 < len(kept) < len(SEEDS)


def test_no_room_is_found_before_any_quantizing(tmp_path: Path, run: Callable[..., Any]) -> None:
    build = ModelBuilder((3, 20, 20))
    onnx.save(
        build.model(build.dense(build.pool("MaxPool", build.conv("input", 40)), 5)), tmp_path / "m.onnx"
    )
    small = api.EngineConfig(rows=4, cols=4, scratchpad=1024)
    (why,) = api.check(tmp_path / "m.onnx", small).beyond
    assert "bytes of scratchpad for the smallest strip" in why and why.endswith(
        "use --scratchpad with more bytes"
    )
    assert not api.check(tmp_path / "m.onnx").beyond
    done = run("check", tmp_path / "m.onnx", "--rows", "4", "--cols", "4", "--scratchpad", "1K", "--json")
    assert done.status == 2 and "of scratchpad" in done.err
    assert done.json["beyond"] == [why] and not done.json["runs_on_engine"] and done.json["supported"]
    text = run("check", tmp_path / "m.onnx", "--rows", "4", "--cols", "4", "--scratchpad", "1K").out
    assert f"not on this engine: {why}" in text
    done = run("check", tmp_path / "m.onnx", "--scratchpad", "3")
    assert done.status == 2 and "--scratchpad must hold at least" in done.err


def test_accumulators_that_are_too_narrow(tmp_path: Path) -> None:
    build = ModelBuilder((2, 30, 30))
    onnx.save(build.model(build.pool("GlobalAveragePool", build.conv("input", 3))), tmp_path / "m.onnx")
    narrow = api.EngineConfig(acc_width=17)
    (why,) = api.check(tmp_path / "m.onnx", narrow).beyond
    assert "cannot fit an accumulator of 17 bits" in why and "widen acc_width" in why


def test_a_layer_without_a_node_of_its_name_is_listed(tmp_path: Path) -> None:
    """Two nodes of one name: the second layer has a number."""
    build = ModelBuilder((2, 4, 4))
    wide = build.conv(build.conv("input", 2), 2, (17, 17), pads=(8, 8, 8, 8))
    model = build.model(wide)
    for node in model.graph.node:
        node.name = "conv"
    onnx.save(model, tmp_path / "m.onnx")
    layer, runtime = api.check(tmp_path / "m.onnx").beyond
    assert layer == "layer 'conv:2': it has a kernel of 17x17, at most 16x16 is possible; use a smaller one"
    assert "two nodes with same node name" in runtime


def test_a_file_that_onnx_runtime_refuses(tmp_path: Path) -> None:
    """A quantized operator that it defines and has no code for."""
    build = ModelBuilder((2, 4, 4))
    scale, zero = build.constant(np.array([0.5], np.float32)), build.constant(np.array([0], np.int8))
    codes = build.same("QuantizeLinear", "input", scale, zero)
    mean = helper.make_node(
        "QLinearReduceMean", [codes, scale, zero, scale, zero], ["mean"], domain="com.microsoft", axes=[2, 3]
    )  # fmt: skip
    model = build.model(build.same("DequantizeLinear", codes, scale, zero))
    model.graph.node.insert(1, mean)
    model.graph.node[-1].input[0] = "mean"
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    onnx.save(model, tmp_path / "m.onnx")
    (why,) = api.check(tmp_path / "m.onnx").beyond
    assert "does not run in ONNX Runtime" in why and "make it again" in why
