"""Every command on a tiny network, as people and as programs call it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from systolith.sw.cli import main
from systolith.sw.cli_options import ENGINE

Run = Callable[..., Any]
"""The fixture ``run``: words of a command line to its exit status, output and complaint."""


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "command",
    [
        "",
        "check",
        "quantize",
        "bits",
        "static",
        "evaluate",
        "report",
        "compare",
        "compile",
        "disasm",
        "verilog",
        "synth",
        "verify",
        "demo",
    ],
)
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"] if command else ["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "usage: systolith" in text
    if command in ("compile", "verilog", "synth", "verify"):
        for option, _, _ in ENGINE:
            assert f"--{option.replace('_', '-')}" in text
        assert "--mem-latency" in text
    if command:
        assert "example" in text and "--json" in text


def test_as_a_process(tiny: Any) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "systolith.sw.cli", "check", str(tiny.model), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ran.stdout)["supported"] and ran.stderr == ""
    command = [
        sys.executable,
        "-m",
        "systolith.sw.cli",
        "compile",
        str(tiny.quantized),
        "-o",
        "x",
        "--rows",
        "0",
    ]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and refused.stdout == ""
    assert refused.stderr == "systolith: error: --rows must be an integer in 1..128, not 0\n"


def test_check(tiny: Any, run: Run) -> None:
    document = run("check", tiny.model, "--json").json
    assert document["input_shape"] == [8, 8, 3] and document["unsupported"] == 0
    macs = 64 * 27 * 6 + 64 * 54 * 6 + 16 * 54 * 8 + 16 * 72 * 8 + 8 * 5
    assert document["macs"] == macs == sum(node["macs"] for node in document["nodes"])
    ran = run("check", tiny.model)
    assert ran.status == 0 and f"{macs:,} MACs" in ran.out and ran.err == ""


def test_quantize_evaluate(tiny: Any, run: Run, tmp_path: Path) -> None:
    where = tmp_path / "q"
    words = ("quantize", tiny.model, "--calib", tiny.images, "-o", where, "--mean", "0.5", "--std", "0.25")
    document = run(*words, "--calib-count", 8, "--json").json
    assert document["images"] == 8 and document["directory"] == str(where)
    assert document["method"] == "qiu-l2" and len(document["layers"]) == 7
    assert run(*words, "--method", "non-overflow", "--per-channel").status == 0  # replaces it
    report = json.loads((where / "report.json").read_text())
    assert report["method"] == "non-overflow" and report["correct"] == ["equalize", "round"]
    for text, names in (("none", []), ("equalize, bias", ["equalize", "bias"])):
        assert run(*words, "--correct", text, "--json").json["correct"] == names
    bits = tmp_path / "bits.json"
    layers = [row["name"] for row in document["layers"] if row["wgt_width"] and row["kind"] == "conv"]
    bits.write_text(json.dumps({layers[0]: 4}))
    rows = run(*words, "--wgt-bits", bits, "--json").json["layers"]
    assert [row["wgt_width"] for row in rows if row["name"] in layers] == [4] + [8] * (len(layers) - 1)
    for text, error in (('{"none": 4}', "must name layers with weights"), (f'{{"{layers[0]}": 9}}', "2 to 8 or 16"),
                        ("[4]", "must hold a JSON object"), ("{", "must be a JSON file")):  # fmt: skip
        bits.write_text(text)
        assert error in run(*words, "--wgt-bits", bits).err
    assert "correct must name some of equalize, shift" in run(*words, "--correct", "magic").err
    assert json.loads((where / "preprocessing.json").read_text()) == {
        "scale": 255.0,
        "mean": [0.5],
        "std": [0.25],
    }

    ran = run("evaluate", where, "--images", tiny.images, "--json")
    assert ran.status == 0
    assert ran.json["images"] == 24 and ran.json["onnxruntime_mismatches"] == 0
    assert 0 <= ran.json["top1_int"] <= 100 and ran.json["sqnr_db"] > 10
    floats = run(
        "evaluate", tiny.model, "--images", tiny.images, "--mean", "0.5", "--std", "0.25", "--json"
    ).json
    assert floats["top1_float"] == ran.json["top1_float"] and floats["top1_int"] is None
    assert "top-1 float" in run("evaluate", where, "--images", tiny.images, "--count", 3).out


def test_compile_disasm(tiny: Any, run: Run, tmp_path: Path) -> None:
    program = tmp_path / "program"
    document = run("compile", tiny.quantized, *tiny.engine, "-o", program, "--json").json
    assert document["config"]["rows"] == 4 and document["weight_bytes"] > 0
    assert document["program"] == str(program) and files(tmp_path) == {"program"}
    listing = run("disasm", program).out.splitlines()
    records = sum(document["instructions"].values()) + 1
    assert len(listing) == records + 2 and "compute" in listing[-2]
    assert run("disasm", program, "--json").json["listing"] == listing
    first = program.read_bytes()
    assert run("compile", tiny.quantized, *tiny.engine, "-o", program).status == 0
    assert program.read_bytes() == first
