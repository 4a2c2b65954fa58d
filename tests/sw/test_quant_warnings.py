"""What the page warns of: each threshold from both sides."""

import math
from dataclasses import replace

import numpy as np
import pytest
from systolith.quant.evidence import Evidence
from systolith.quant.quantizer import Quantization, quantize
from systolith.sw.onnx_reader import read
from systolith.sw.quant_warnings import MOST, falls, is_fall, remarks, rounding_db
from systolith.sw.random_model import ModelBuilder


@pytest.fixture(scope="module")
def result() -> Quantization:
    build = ModelBuilder((2, 6, 6), seed=0)
    hidden = build.same("Relu", build.conv("input", 3))
    graph = read(
        build.model(build.dense(build.same("Relu", build.same("Add", build.conv(hidden, 3), hidden)), 4))
    )
    return quantize(graph, np.random.default_rng(0).normal(size=(8, 6, 6, 2)).astype(np.float32))


def changed(result: Quantization, values: dict[int, dict[str, object]], **report: object) -> Quantization:
    calm = {"sqnr_db": 30.0, "saturated": 0.0}
    rows = tuple(
        replace(row, **{**calm, **values.get(i, {})})  # type: ignore[arg-type]
        for i, row in enumerate(result.report.layers)
    )
    fresh = {"input_sqnr_db": 30.0, "input_saturated": 0.0, **report}
    return replace(result, report=replace(result.report, layers=rows, **fresh))  # type: ignore[arg-type]


def words(result: Quantization) -> list[str]:
    return [f"{item.layer} {item.words}" for item in remarks(result.network, result.report)]


def test_nothing_to_say(result: Quantization) -> None:
    assert words(changed(result, {})) == []
    assert words(changed(result, {1: dict(sqnr_db=27.1, saturated=0.1), 2: dict(sqnr_db=26.0)})) == []


def test_a_fall(result: Quantization) -> None:
    name = result.network.layers[1].name
    found = words(changed(result, {1: dict(sqnr_db=26.0), 2: dict(sqnr_db=26.0)}))
    assert found == [f"{name} loses 4.0 dB: SQNR falls from 30.0 to 26.0 dB"]


def test_an_exact_input_counts_as_what_rounding_would_leave(result: Quantization) -> None:
    layer, row = result.network.layers[0], result.report.layers[0]
    seen = next(item for item in result.report.evidence if item.name == layer.output)
    could = rounding_db(seen, row.out_fl)
    good = changed(result, {0: dict(sqnr_db=could - 2.0)}, input_sqnr_db=math.inf)
    assert falls(good.network, good.report)[layer.name] == pytest.approx(2.0)
    bad = changed(
        result,
        {0: dict(sqnr_db=could - 5.0), 1: dict(sqnr_db=20.0), 2: dict(sqnr_db=20.0)},
        input_sqnr_db=math.inf,
    )
    first = next(item for item in words(bad) if item.startswith(layer.name))
    assert first == f"{layer.name} loses 5.0 dB: SQNR {could - 5.0:.1f} dB, where {could:.1f} dB could remain"


def test_rounding_alone() -> None:
    """Uniform values in -1..1, steps of 2**-6: 10 log10((1 / 3) / (2**-12 / 12))."""
    seen = Evidence(name="t", low=-1.0, high=1.0, counts=(1,) * 96, free_fl=7, why="loss")
    assert rounding_db(seen, 6) == pytest.approx(10 * math.log10(4 * 2**12), abs=0.01)
    assert rounding_db(replace(seen, low=0.0, high=0.0, counts=(9,)), 6) == math.inf


def test_saturation(result: Quantization) -> None:
    found = words(changed(result, {1: dict(saturated=0.11)}, input_saturated=3.0))
    assert found == [
        "None saturates 3.0 % of its codes",
        f"{result.network.layers[1].name} saturates 0.11 % of its output codes",
    ]


def test_accumulators(result: Quantization) -> None:
    wide = {i: dict(acc_bits=bits, acc_width=20) for i, bits in enumerate((20, 19, 18))}
    assert words(changed(result, wide)) == [
        f"{result.network.layers[0].name} needs all 20 bits of the accumulator: none to spare"
    ]


def test_no_more_than_a_few_of_a_kind(result: Quantization) -> None:
    rows = result.report.layers
    names = [f"c{i}" for i in range(MOST + 5)]
    layers = tuple(replace(result.network.layers[0], name=name) for name in names)
    report = replace(
        result.report, layers=tuple(replace(rows[0], name=name, saturated=1.0) for name in names)
    )
    found = remarks(replace(result.network, layers=layers), report)
    assert len([item for item in found if "saturate" in item.words]) == MOST + 1
    assert any(item.words == "5 more layers saturate more than 0.1 % of their codes" for item in found)


def test_falls_without_a_number_are_none() -> None:
    assert is_fall(3.1) and not is_fall(3.0) and not is_fall(math.inf) and not is_fall(math.nan)
