"""ONNX's own backend node tests in integers, within the bound that their formats give; which run is written down."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from node_bounds import RULES, bounds
from node_families import FAMILIES, node_tests
from node_runs import main, page, ran, reads, run
from systolith.quant.formats import QFormat
from systolith.quant.ties import narrow
from systolith.sw.onnx_reader_ops import CONVERTERS

WITHOUT = {
    "Cast", "CastLike", "Pad", "Tile", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "And",
    "Or", "Xor", "Where",
}  # fmt: skip
"""Operators none of whose node tests run: NaN, other types, a batch that grows, no zero pads, truth values."""

ROOT = Path(__file__).resolve().parents[2]


def test_which_run_is_written_down() -> None:
    """Neither does a test start to run without being counted, nor does one stop."""
    taken, refused = reads()
    assert not set(taken) & set(refused) and set(taken) | set(refused) == {test.name for test in node_tests()}
    print(f"ONNX's node tests: {len(taken)} run, {len(refused)} do not")
    assert (ROOT / "docs" / "onnx-node-tests.md").read_text() == page(), "run python tests/sw/node_runs.py"


def test_main_writes_the_page(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    assert (tmp_path / "onnx-node-tests.md").read_text() == page()


@pytest.mark.parametrize("family", FAMILIES)
def test_within_the_bound(family: str) -> None:
    """Element by element; and the bound says something: it is far below the results."""
    cases = {name: case for name, case in ran().items() if case.read.test.family == family}
    for name, case in cases.items():
        for result, expected, bound in zip(case.result, case.expected, case.bound, strict=True):
            assert result.shape == expected.shape, name
            beyond = np.abs(result - expected) > bound
            assert not beyond.any(), f"{name} at {np.argwhere(beyond)[0]}"
            if not case.read.written.rounded:
                of, most = (np.max, 1e-3)
                if narrow(
                    case.read.graph
                ):  # codes of 8 bits where a table reads them, and beside a step, one off
                    of, most = (np.median, 0.05)
                assert of(bound) < most * max(1.0, float(np.abs(expected).max())), name


def test_every_operator_is_among_them() -> None:
    """An operator that ONNX has node tests for is in a family, or needs none."""
    tested = {case.read.test.model.graph.node[0].op_type for case in ran().values()}
    assert set(CONVERTERS) - tested <= WITHOUT


def test_a_wrong_result_is_noticed() -> None:
    case = reads()[0]["test_conv_with_strides_padding"]
    layer = case.graph.layers[0]
    for change in ({"pads": (0, 1, 2, 1)}, {"weight": np.asarray(layer.weight) * 1.001}, {"hi": 100.0}):
        made = run(replace(case, graph=replace(case.graph, layers=(replace(layer, **change),))))
        if made.result[0].shape == made.expected[0].shape:
            assert np.any(np.abs(made.result[0] - made.expected[0]) > made.bound[0]), change


def test_bounds_of_formats_that_saturate_are_refused() -> None:
    case = ran()["test_conv_with_strides_padding"]
    network = case.network
    name = network.outputs[0]
    tight = replace(network.tensors[name], format=QFormat(8, 7))
    small = replace(network, tensors={**network.tensors, name: tight})
    real = network.tensors[network.input].real(case.codes)
    with pytest.raises(AssertionError, match="saturates"):
        bounds(case.read.graph, small, real)
    assert set(RULES) >= {layer.kind for case in ran().values() for layer in case.network.layers}
