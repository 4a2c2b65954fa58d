"""What `check` says of layers too large for an engine is what the compiler says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from systolith.sw import api, limits
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.nominal import nominal_network
from systolith.sw.onnx_reader import examine, read
from systolith.sw.random_model import ModelBuilder, random_model

CONFIG = api.EngineConfig(cols=16)
"""More columns than rows: pools take two passes, and need accumulators."""


def test_every_layer_is_named_and_the_compiler_agrees() -> None:
    build = ModelBuilder((3, 68, 68))
    first = build.dense(build.conv("input", 2, (3, 3), (4, 4)), 3)
    second = build.dense(build.pool("GlobalAveragePool", "input"), 4)
    model = build.model(first, second)
    seen = examine(model)
    found = limits.refused(seen.layers, seen.shapes, CONFIG)
    assert set(found) == {"Gemm_3", "GlobalAveragePool_4"}
    why, cure = found["Gemm_3"]
    assert why.startswith("it has a kernel of 17x17, at most 16x16") and cure
    assert "pools 4624 pixels" in found["GlobalAveragePool_4"][0]
    network = nominal_network(read(model), api.RAW_PIXELS)
    with pytest.raises(ValueError, match="layer '(Gemm_3|GlobalAveragePool_4)'"):
        compile_network(network, CONFIG)


@pytest.mark.parametrize("seed", range(20))
def test_what_compiles_is_not_refused(seed: int) -> None:
    seen = examine(random_model(seed, branches=bool(seed % 2)))
    assert seen.graph is not None
    assert limits.refused(seen.layers, seen.shapes, CONFIG) == {}
    compile_network(nominal_network(seen.graph, api.RAW_PIXELS), api.EngineConfig(rows=4, cols=4))


@pytest.mark.parametrize("width", [2, 5, 16])
def test_engines_of_other_widths(width: int) -> None:
    """Layers have no bits of their own yet: narrow engines refuse none for that."""
    config = api.EngineConfig(rows=4, cols=4, act_width=width, wgt_width=width, acc_width=48)
    for seed in range(8):
        seen = examine(random_model(seed, branches=bool(seed % 2)))
        assert limits.refused(seen.layers, seen.shapes, config) == {}
        assert seen.graph is not None and limits.unfit(seen.graph, config) is None


def test_check_lists_both_kinds_in_one_pass(run: Callable[..., Any], tmp_path: Path) -> None:
    build = ModelBuilder((3, 68, 68))
    odd = build.same("LRN", build.conv("input", 2), size=3)
    out = build.dense(build.conv(odd, 2, (3, 3), (4, 4)), 3)
    onnx.save(build.model(out), tmp_path / "m.onnx")
    done = run("check", tmp_path / "m.onnx", "--json")
    assert done.status == 2
    text = done.err
    assert "2 nodes that cannot run" in text and "LRN_2 (LRN): operator LRN is not supported; use" in text
    assert "Gemm_5 (Gemm): it has a kernel of 17x17" in text
    assert done.json["unsupported"] == 1 and done.json["not_on_engine"] == 1
    table = run("check", tmp_path / "m.onnx").out
    assert "not on an engine of default size: Gemm_5 (Gemm): it has a kernel of 17x17" in table


def test_check_says_that_a_file_is_quantized(run: Callable[..., Any], tmp_path: Path) -> None:
    for scale, text in (
        (0.25, "quantize keeps every code"),
        (0.3, "2 scales or zero points are no fixed point"),
    ):
        build = ModelBuilder((3, 6, 6))
        step, zero = build.constant(np.array(scale, np.float32)), build.constant(np.array(0, np.int8))
        value = build.conv(
            build.same("DequantizeLinear", build.same("QuantizeLinear", "input", step, zero), step, zero), 2
        )
        value = build.same("DequantizeLinear", build.same("QuantizeLinear", value, step, zero), step, zero)
        onnx.save(build.model(value), tmp_path / "q.onnx")
        done = run("check", tmp_path / "q.onnx")
        assert done.status == 0 and text in done.out
