"""Every command, every way to use it wrong."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from systolith.sim.toolchain import find_toolchain
from systolith.sw.cli import main
from systolith.sw.cli_options import ENGINE
from systolith.sw.container import load_program
from systolith.sw.random_model import ModelBuilder
from systolith.sw.weights import decode_segment

Run = Callable[..., "Ran"]


class Ran:
    """Exit status and what was printed."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one sentence of an error."""
        lines = [line for line in self.err.splitlines() if not line.startswith("[")]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("systolith: error: ") and "Traceback" not in self.err
        return lines[0].removeprefix("systolith: error: ")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: Any) -> Ran:
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Ran(status, captured.out, captured.err)

    return call


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


# Commands ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", ["", "check", "quantize", "evaluate", "compile", "disasm", "verilog", "verify", "demo"]
)
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"] if command else ["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "usage: systolith" in text
    if command in ("compile", "verilog", "verify"):
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
    assert json.loads((where / "report.json").read_text())["method"] == "non-overflow"
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


# Bad input -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--rows", "0"), "--rows must be an integer in 1..128, not 0"),
        (("--rows", "four"), "--rows must be an integer in 1..128, not 'four'"),
        (("--cols", "129"), "--cols must be an integer in 1..128, not 129"),
        (("--act-width", "9"), "--act-width must be 2..8 or 16, not 9"),
        (("--wgt-width", "x"), "--wgt-width must be 2..8 or 16, not 'x'"),
        (("--acc-width", "60"), "--acc-width must be an integer in 16..48, not 60"),
        (("--port-width", "48"), "--port-width must be a power of two, not 48"),
        (("--mem-latency", "0"), "--mem-latency must be an integer in 1..200, not 0"),
        (("--mem-latency", "soon"), "--mem-latency must be an integer in 1..200, not 'soon'"),
        (
            ("--scratchpad", "1"),
            "--scratchpad must hold at least 16 words a bank, 512 bytes for this array, not 1",
        ),
        (("--acc-depth", "100"), "--acc-depth must be a power of two, not 100"),
    ],
)
@pytest.mark.parametrize("command", ["compile", "verilog", "verify"])
def test_engine_options(
    tiny: Any, run: Run, tmp_path: Path, command: str, words: tuple[str, ...], complaint: str
) -> None:
    rest = {
        "compile": (tiny.quantized, "-o", tmp_path / "program"),
        "verilog": ("-o", tmp_path / "engine.v"),
        "verify": (tiny.quantized, "--images", tiny.images),
    }[command]
    ran = run(command, *rest, *words)
    assert (ran.status, ran.complaint, ran.out) == (2, complaint, "")
    assert files(tmp_path) == set()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("make",), "COMMAND must be one of .*'check'.*, not 'make'"),
        (
            ("compile", "q"),
            "the following arguments are required: -o/--output; see `systolith compile --help`",
        ),
        (("check", "m", "--nonsense"), "unrecognized arguments: --nonsense"),
        (
            ("quantize", "m", "--calib", "c", "-o", "d", "--calib-count", "0"),
            "--calib-count must be .* not '0'",
        ),
        (("evaluate", "m", "--images", "i", "--count", "all"), "--count must be .* not 'all'"),
    ],
)
def test_usage(run: Run, words: tuple[str, ...], complaint: str) -> None:
    ran = run(*words)
    assert ran.status == 2 and re.match(complaint, ran.complaint) and ran.out == ""
    assert run(*words, "--json").json["error"]


def _unsupported() -> onnx.ModelProto:
    build = ModelBuilder((3, 8, 8))
    current = build.same("Sigmoid", build.conv("input", 4))
    return build.model(build.same("Elu", build.conv(current, 4)))


def _dynamic_height() -> onnx.ModelProto:
    build = ModelBuilder((3, 8, 8))
    model = build.model(build.conv("input", 4))
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    return model


def _nan() -> onnx.ModelProto:
    build = ModelBuilder((3, 8, 8))
    model = build.model(build.conv("input", 4))
    values = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
    values[0, 0, 0, 0] = np.nan
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(values, model.graph.initializer[0].name))
    return model


MODELS: dict[str, tuple[Callable[[Any], bytes], str]] = {
    "empty": (lambda tiny: b"", "is empty"),
    "truncated": (lambda tiny: tiny.model.read_bytes()[:-1000], "truncated"),
    "garbage": (lambda tiny: b"no model at all", "no ONNX file"),
    "operators": (lambda tiny: _unsupported().SerializeToString(), "2 nodes that cannot run: .*Sigmoid.*Elu"),
    "height": (lambda tiny: _dynamic_height().SerializeToString(), "dynamic height"),
    "nan": (lambda tiny: _nan().SerializeToString(), "weight .*NaN"),
}


@pytest.mark.parametrize("case", MODELS)
@pytest.mark.parametrize("command", ["check", "quantize"])
def test_bad_model(tiny: Any, run: Run, tmp_path: Path, command: str, case: str) -> None:
    make, complaint = MODELS[case]
    model = tmp_path / "bad.onnx"
    model.write_bytes(make(tiny))
    rest = ("--calib", tiny.images, "-o", tmp_path / "q") if command == "quantize" else ()
    ran = run(command, model, *rest)
    assert ran.status == 2 and re.search(complaint, ran.complaint), ran.complaint
    assert files(tmp_path) == {"bad.onnx"}


def test_absent(tiny: Any, run: Run, tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    for words in (
        ("check", absent),
        ("quantize", absent, "--calib", tiny.images, "-o", tmp_path / "q"),
        ("quantize", tiny.model, "--calib", absent, "-o", tmp_path / "q"),
        ("evaluate", absent, "--images", tiny.images),
        ("evaluate", tiny.quantized, "--images", absent),
        ("compile", absent, "-o", tmp_path / "p"),
        ("disasm", absent),
        ("verify", absent, "--images", tiny.images),
        ("verify", tiny.quantized, "--images", absent),
        ("verify", tiny.quantized, "--images", tiny.images, *tiny.engine, "--program", absent),
        ("verify", tiny.quantized, "--images", tiny.images, *tiny.engine, "--verilog", absent),
    ):
        ran = run(*words)
        assert ran.status == 2 and repr(str(absent)) in ran.complaint and "not exist" in ran.complaint, words
    for words in (
        ("compile", tiny.quantized, "-o", absent / "p"),
        ("verilog", "-o", absent / "engine.v"),
        ("verify", tiny.quantized, "--images", tiny.images, *tiny.engine, "--waves", absent / "w.fst"),
    ):
        ran = run(*words)
        assert ran.status == 2 and "does not exist" in ran.complaint, words
    assert files(tmp_path) == set()


ARCHIVES: dict[str, tuple[dict[str, Any] | bytes, str]] = {
    "corrupt": (b"PK\x03\x04 and no more", "corrupt"),
    "empty": (b"", "corrupt"),
    "without": ({"pictures": np.zeros((2, 8, 8, 3), np.uint8)}, "no `images`"),
    "channels": ({"images": np.zeros((2, 8, 8, 1), np.uint8)}, "1 channels, the model takes 3"),
    "size": ({"images": np.zeros((2, 9, 8, 3), np.uint8)}, "9x8, the model takes 8x8"),
    "float": ({"images": np.zeros((2, 8, 8, 3), np.float32)}, "uint8"),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_bad_images(tiny: Any, run: Run, tmp_path: Path, case: str) -> None:
    content, complaint = ARCHIVES[case]
    path = tmp_path / "bad.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)
    for words in (
        ("quantize", tiny.model, "--calib", path, "-o", tmp_path / "q"),
        ("evaluate", tiny.quantized, "--images", path),
        ("evaluate", tiny.model, "--images", path),
        ("verify", tiny.quantized, "--images", path, *tiny.engine),
    ):
        ran = run(*words)
        assert ran.status == 2 and complaint in ran.complaint, ran.complaint
    assert files(tmp_path) == {"bad.npz"}


def test_bad_values(tiny: Any, run: Run, tmp_path: Path) -> None:
    quantize = ("quantize", tiny.model, "--calib", tiny.images, "-o", tmp_path / "q")
    verify = ("verify", tiny.quantized, "--images", tiny.images, *tiny.engine)
    for words, complaint in (
        ((*quantize, "--mean", "a,b"), "--mean must be numbers separated by commas"),
        ((*quantize, "--scale", "1,2"), "--scale must be a number"),
        ((*quantize, "--scale", "0"), "scale must be a positive number"),
        ((*quantize, "--std", "1,1"), "std has 2 values for 3 channels"),
        ((*quantize, "--act-width", "9"), "--act-width must be 2 to 8 or 16"),
        ((*quantize, "--wgt-width", "eight"), "--wgt-width must be 2 to 8 or 16"),
        ((*quantize, "--method", "best"), "method must be one of"),
        ((*quantize, "--calib-count", "25"), "count must be 1 to 24"),
        ((*verify, "--count", "25"), "count must be 1 to 24"),
        ((*verify, "--layers", "3"), "layers must be A:B with 0 <= A < B <= 7"),
        ((*verify, "--layers", "5:8"), "layers must be A:B"),
        (("evaluate", tiny.quantized, "--images", tiny.images, "--scale", "2"), "holds its preprocessing"),
        (("compile", tiny.quantized, "-o", tmp_path / "p", "--act-width", "4"), "8-bit codes, the engine 4"),
        (("compile", tiny.quantized, "-o", tmp_path), "is a directory"),
        (("disasm", tiny.model), "is not a Systolith program"),
        ((*verify, "--verilog", tiny.model), "holds no module `engine`"),
    ):
        ran = run(*words)
        assert ran.status == 2 and complaint in ran.complaint, ran.complaint
    assert files(tmp_path) == set()


def test_keeps_what_is_there(tiny: Any, run: Run, tmp_path: Path) -> None:
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "thesis.tex").write_text("years of work")
    ran = run("quantize", tiny.model, "--calib", tiny.images, "-o", tmp_path / "q")
    assert ran.status == 2 and "is not empty" in ran.complaint
    (tmp_path / "program").write_text("old")
    assert run("compile", tiny.quantized, "-o", tmp_path / "program", "--wgt-width", "4").status == 2
    assert (tmp_path / "program").read_text() == "old"
    assert files(tmp_path) == {"q", "q/thesis.tex", "program"}


def test_damaged_model(tiny: Any, run: Run, tmp_path: Path) -> None:
    damaged = tmp_path / "q"
    damaged.mkdir()
    for path in tiny.quantized.iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    (damaged / "codes.npz").write_bytes(b"nothing")
    for words in (("evaluate", damaged, "--images", tiny.images), ("compile", damaged, "-o", tmp_path / "p")):
        ran = run(*words)
        assert ran.status == 2 and "is damaged" in ran.complaint and "quantize" in ran.complaint


# Verification --------------------------------------------------------------------------------------


def test_program_of_another(tiny: Any, run: Run, tmp_path: Path) -> None:
    program = tmp_path / "program"
    run("compile", tiny.quantized, *tiny.engine, "-o", program)
    verify = ("verify", tiny.quantized, "--images", tiny.images, "--program", program)
    ran = run(*verify, *tiny.engine, "--rows", "5")
    assert ran.status == 2 and "rows is 4 there and 5 here" in ran.complaint
    content = program.read_bytes()
    program.write_bytes(content[:-100])
    assert "truncated" in run(*verify, *tiny.engine).complaint
    assert "truncated" in run("disasm", program).complaint
    run("quantize", _other(tmp_path), "--calib", tiny.images, "-o", tmp_path / "other")
    run("compile", tmp_path / "other", *tiny.engine, "-o", program)
    ran = run(*verify, *tiny.engine)
    assert ran.status == 2 and "another network" in ran.complaint


def _other(folder: Path) -> Path:
    build = ModelBuilder((3, 8, 8), seed=1)
    onnx.save(build.model(build.conv("input", 4)), folder / "other.onnx")
    return folder / "other.onnx"


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
