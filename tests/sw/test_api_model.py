"""``model``: its figures, and its place in ``verify``. That they equal the RTL's is tested in tests/sim."""

import json
from typing import Any

import pytest
from systolith.sim.rtl import RtlResult
from systolith.sw import api
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.machine import simulate
from systolith.sw.cycle_model.report import BOUNDS


def test_quantized(tiny: Any) -> None:
    found = api.model(tiny.quantized, tiny.config, images=3, mem_latency=7)
    program = compile_network(api.load_quantized(tiny.quantized).network, tiny.config)
    result = found.result
    assert found.quantized and (result.images, result.mem_latency) == (3, 7)
    assert result.cycles == simulate(program, 1, 7).cycles
    assert result.cycles_total == simulate(program, 3, 7).cycles < 3 * result.cycles
    assert result.macs == program.macs == sum(layer.macs for layer in result.layers)
    assert result.utilization == program.macs / (16 * result.cycles)
    assert result.utilization_stream == 3 * program.macs / (16 * result.cycles_total)


def test_onnx_takes_as_many_cycles(tiny: Any) -> None:
    """Formats decide no cycle."""
    nominal = api.model(tiny.model, tiny.config, preprocessing=tiny.preprocessing, images=2)
    quantized = api.model(tiny.quantized, tiny.config, images=2)
    assert not nominal.quantized and nominal.result == quantized.result
    assert "nominal" in nominal.to_text() and "nominal" not in quantized.to_text()


def test_command(tiny: Any, run: Any) -> None:
    words = ("model", tiny.quantized, *tiny.engine, "--mem-latency", 50)
    ran = run(*words, "--images", 2, "--json")
    assert ran.status == 0
    found = ran.json
    layers = [layer.name for layer in api.load_quantized(tiny.quantized).network.layers]
    assert found["config"]["mem_latency"] == 50
    assert all(row["name"].split("+")[0] == layers[row["index"]] for row in found["layers"])
    assert found["cycles"] == sum(row["cycles"] for row in found["layers"]) + found["drain"]
    assert found["cycles"] < found["cycles_total"] < 2 * found["cycles"] and found["quantized"] is True
    assert 0 < found["utilization"] < found["utilization_stream"] < 1
    text = run(*words).out
    assert "back to back" not in text
    assert all(word in text for word in (f"{found['cycles']:,}", layers[0], "bound"))
    of_file = run("model", tiny.model, *tiny.engine, "--mean", "0.5", "--std", "0.25", "--mem-latency", 50,
                  "--images", 2, "--json").json  # fmt: skip
    assert {**of_file, "quantized": True, "network": found["network"]} == found


def test_refusals(tiny: Any, run: Any) -> None:
    with pytest.raises(ValueError, match="images must be a positive integer, not 0"):
        api.model(tiny.quantized, tiny.config, images=0)
    with pytest.raises(ValueError, match=r"mem_latency must be an integer in 1..200, not 201"):
        api.model(tiny.quantized, tiny.config, mem_latency=201)
    with pytest.raises(ValueError, match="holds its preprocessing"):
        api.model(tiny.quantized, tiny.config, preprocessing=tiny.preprocessing)
    for words, complaint in (
        (("nothing.onnx",), "nothing.onnx"),
        ((tiny.quantized, "--images", 0), "--images must be an integer of at least 1"),
        ((tiny.quantized, "--mem-latency", 0), "--mem-latency must be an integer in 1..200"),
        ((tiny.quantized, "--act-width", 4), "quantize to fewer bits or use act_width=8"),
        ((tiny.model, "--mean", "1,2"), "mean"),
    ):
        ran = run("model", *words)
        assert ran.status == 2 and complaint in ran.complaint


def test_verify_compares(tiny: Any, fake: Any, run: Any, tmp_path: Any) -> None:
    (tmp_path / "engine.v").write_text("module engine ();\nendmodule\n")
    words = ("verify", tiny.quantized, "--images", tiny.images, "--count", 2, *tiny.engine,
             "--verilog", tmp_path / "engine.v")  # fmt: skip
    ran = run(*words, "--json")
    assert ran.status == 0 and ran.json["ok"]
    assert ran.json["model_cycles"] == ran.json["cycles"]
    assert ran.json["model_cycles_total"] == ran.json["cycles_total"]
    assert "cycle model" in run(*words).out

    def spoil(number: int, result: RtlResult) -> RtlResult:
        if number in spoiled:
            result.counters["cycles"] += 1
        return result

    spoiled: list[int] = []
    fake.spoil = spoil
    right = ran.json["cycles"][0], ran.json["cycles_total"]
    for job, what, mine in ((1, "for image 1", right[0]), (2, "back to back", right[1])):
        spoiled[:] = [job]
        ran = run(*words, "--json")
        assert ran.status == 1 and not ran.json["ok"] and not any(ran.json["mismatches"].values())
        said = f"the cycle model has {mine:,} cycles {what}, the RTL took {mine + 1:,}"
        assert said in ran.complaint and ran.json["errors"] == [said]


def test_json_document(tiny: Any) -> None:
    found = json.loads(json.dumps(api.model(tiny.quantized, tiny.config).to_json(), allow_nan=False))
    assert found["layers"][0]["bound"] in BOUNDS
    assert set(found) == {
        "network", "config", "quantized", "images", "mem_latency", "macs", "cycles", "cycles_total", "utilization",
        "utilization_stream", "counters", "layers", "drain",
    }  # fmt: skip
