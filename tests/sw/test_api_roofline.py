"""``roofline``: its numbers against those of the plan and of the cycle model; its picture, its errors."""

from typing import Any

import pytest
from systolith.sw import api


def test_numbers_are_those_of_compile_and_model(tiny: Any) -> None:
    found = api.roofline(tiny.quantized, tiny.config, mem_latency=9)
    plan = api.compile(tiny.quantized, tiny.config, explain=True, mem_latency=9).explanation
    assert plan is not None
    (roof,) = found.roofs
    rows = {row["name"]: row for row in plan.to_json()["layers"] if row["macs"]}
    assert [layer.name for layer in roof.layers] == list(rows)
    for layer in roof.layers:
        row = rows[layer.name]
        moved = max(row["loaded"] + row["weights"], row["stored"])
        assert (layer.macs, layer.bytes, layer.cycles) == (row["macs"], moved, row["cycles"])
        assert layer.intensity == row["macs"] / moved and layer.speed <= roof.flat
        assert layer.bound == row["bound"]
    alone = api.model(tiny.quantized, tiny.config, mem_latency=9).result
    assert (roof.total.cycles, roof.total.macs) == (alone.cycles, alone.macs)
    assert roof.total.speed == pytest.approx(alone.utilization * 16)
    layers = plan.to_json()["layers"]
    read, written = sum(r["loaded"] + r["weights"] for r in layers), sum(r["stored"] for r in layers)
    assert roof.total.bytes == max(read, written) and read and written


def test_the_roof_has_a_ridge(tiny: Any) -> None:
    (roof,) = api.roofline(tiny.model, api.EngineConfig(rows=4, cols=8, port_width=32)).roofs
    assert (roof.flat, roof.ridge) == (32, 8.0)
    assert [roof.at(place) for place in (0.5, 8.0, 100.0)] == [2.0, 32.0, 32.0]
    assert roof.total.speed <= roof.at(roof.total.intensity)


def test_text_json_and_picture(tiny: Any) -> None:
    engines = (api.EngineConfig(rows=4, cols=4), api.EngineConfig(rows=2, cols=8))
    found = api.roofline(tiny.model, *engines, preprocessing=tiny.preprocessing)
    text, document = found.to_text(), found.to_json()
    assert repr(found) == text and "4x4" in text and "2x8" in text and "MACs a byte" in text
    assert [roof["flat"] for roof in document["roofs"]] == [16, 16]
    assert [row["name"] for row in document["roofs"][0]["layers"]][-1] == "all"
    assert found._repr_png_().startswith(b"\x89PNG")
    assert found.picture().png != api.roofline(tiny.model, engines[0]).picture().png


def test_errors(tiny: Any) -> None:
    with pytest.raises(ValueError, match="engines must be 1 to 5, not 0"):
        api.roofline(tiny.model)
    with pytest.raises(ValueError, match="mem_latency must be an integer in 1..200, not 0"):
        api.roofline(tiny.model, tiny.config, mem_latency=0)
    with pytest.raises(ValueError, match="a quantized model holds its preprocessing"):
        api.roofline(tiny.quantized, tiny.config, preprocessing=tiny.preprocessing)
