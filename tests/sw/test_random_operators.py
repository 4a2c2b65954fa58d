"""Operators with random attributes: ONNX Runtime == our floats; reference == ONNX Runtime on QDQ == simulator."""

from typing import Any

import numpy as np
import onnx
import pytest
from systolith.hw.config import EngineConfig
from systolith.quant.quantizer import Options, quantize
from systolith.sim.trace import simulate
from systolith.sw import integer_reference, oracle
from systolith.sw.compiler import compile_network
from systolith.sw.float_reference import FloatSession, run
from systolith.sw.input_folding import given_input
from systolith.sw.onnx_reader import check, read
from systolith.sw.qdq import export_qdq
from systolith.sw.random_operators import OPERATORS

Array = np.ndarray
CONFIG = EngineConfig(rows=5, cols=3, acc_depth=256, scratchpad=1 << 14)


@pytest.mark.parametrize("operator", OPERATORS)
def test_random_operators(operator: str) -> None:
    refused = 0
    for seed in range(60):
        model = OPERATORS[operator](np.random.default_rng(seed))
        findings = [item for item in check(model) if not item.supported]
        if findings:
            assert all("sees nothing" in item.why for item in findings), findings
            refused += 1
            continue
        agrees(model, read(model), seed)
    assert refused < 10


def read_back(exported: onnx.ModelProto, real: Array) -> Array:
    """The codes that the network's own export gives as a file."""
    again = given_input(read(exported))
    assert again is not None
    options = Options(
        input_format=again.format, formats=again.graph.formats, wgt_fl=again.graph.wgt_fl, per_channel=True
    )
    found = quantize(again.graph, again.real(real), options).network
    (name,) = found.outputs
    return integer_reference.run(found, found.input_codes(real))[name]


def agrees(model: onnx.ModelProto, graph: Any, seed: int) -> None:
    """All models of the chain but the RTL, on random images."""
    shape = graph.shapes[graph.input]
    real = np.random.default_rng(seed).normal(size=(2, *shape)).astype(np.float32)
    (name,) = graph.outputs
    theirs = FloatSession(model, graph).run(real)[name].reshape(2, -1)
    ours = run(graph, real)[name].transpose(0, 3, 1, 2).reshape(2, -1)
    assert np.abs(ours - theirs).max() <= 1e-4 * max(1.0, np.abs(theirs).max()), seed
    network = quantize(graph, real, Options(per_channel=seed % 2 == 0)).network
    result = oracle.compare(network, real, "all")
    assert result.mismatches == 0, f"{seed}: {result.first}"
    codes = network.input_codes(real)
    expected = integer_reference.run(network, codes)
    exported = export_qdq(network)
    if not any(
        node.op_type == "Pad" for node in exported.graph.node
    ):  # of a max pool whose pads exceed its kernel
        assert np.array_equal(read_back(exported, real), expected[name]), seed
    for i, made in enumerate(simulate(compile_network(network, CONFIG), codes)):
        assert np.array_equal(made[name], expected[name][i]), seed
