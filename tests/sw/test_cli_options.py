"""Every way to use a command wrong: one sentence, exit status 2, nothing left behind."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from systolith.hw.config import EngineConfig
from systolith.quant.options import CORRECTIONS
from systolith.quant.search import METHODS
from systolith.sw.cli_options import engine_config, parser
from systolith.sw.random_model import ModelBuilder

Run = Callable[..., Any]
"""The fixture ``run``: words of a command line to its exit status, output and complaint."""


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_serial_engine_takes_the_defaults_along() -> None:
    """With --serial 1 what is not given is what such an engine has."""
    arguments = parser().parse_args(["model", "net.q", "--serial", "1", "--acc-width", "24"])
    config = engine_config(arguments)
    assert config.serial and config.acc_width == 24 and config.port_width == 8 and not config.means
    assert config.scratchpad == EngineConfig().scratchpad


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
        (("--serial", "1", "--rows", "4"), "--rows must be 8 where serial is True, not 4"),
        (("--serial", "2"), "--serial must be True or False, not '2'"),
        (("--fold-width", "2"), "--fold-width must be an integer in 3..2047, not 2; or 0 for no line buffer"),
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
    current = build.same("LRN", build.conv("input", 4), size=3)
    return build.model(build.same("LpNormalization", build.conv(current, 4)))


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
    "operators": (
        lambda tiny: _unsupported().SerializeToString(),
        "2 nodes that cannot run: .*LRN.*LpNormalization",
    ),
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


def test_model_with_groups_and_a_concat(tiny: Any, run: Run, tmp_path: Path) -> None:
    """Depthwise convolutions and concats: check, quantize, evaluate and compile."""
    build = ModelBuilder((3, 8, 8))
    first = build.same("Relu", build.conv("input", 6))
    joined = build.concat(build.same("Relu", build.conv(first, 6, group=6)), first)
    model = tmp_path / "branches.onnx"
    onnx.save(build.model(build.dense(build.pool("GlobalAveragePool", joined), 5)), model)
    document = run("check", model, "--json").json
    assert document["supported"] and document["runs_on_engine"] and document["not_on_engine"] == 0
    words = ("quantize", model, "--calib", tiny.images, "-o", tmp_path / "q", "--calib-count", 8)
    assert run(*words).status == 0
    evaluated = run("evaluate", tmp_path / "q", "--images", tiny.images, "--json")
    assert evaluated.status == 0 and evaluated.json["onnxruntime_mismatches"] == 0
    assert run("compile", tmp_path / "q", "-o", tmp_path / "p").status == 0


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


def test_help_of_quantize_lists_methods_and_corrections(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["quantize", "--help"])
    lines = capsys.readouterr().out.splitlines()
    meanings = {**{name: method.meaning for name, method in METHODS.items()}, **CORRECTIONS}
    for name, meaning in meanings.items():
        assert f"  {name:16}{meaning}" in lines


def test_images_or_none(run: Run, tiny: Any, tmp_path: Path) -> None:
    words = ("quantize", tiny.model, "-o", tmp_path / "q")
    assert "one of the arguments --calib --data-free is required" in run(*words).err
    both = run(*words, "--data-free", "--calib", tiny.images)
    assert both.status == 2 and "not allowed with argument --data-free" in both.err
    first = run(*words, "--data-free", "--calib-count", 12, "--json").json
    assert first["data_free"] is True and first["images"] == 12 and first["correct"] == ["round"]
    written = {file.name: file.read_bytes() for file in (tmp_path / "q").iterdir() if file.is_file()}
    ran = run(*words, "--data-free", "--calib-count", 12)
    assert "no images: 12 synthetic ones" in ran.out
    again = {file.name: file.read_bytes() for file in (tmp_path / "q").iterdir() if file.is_file()}
    assert again == written
    assert run(*words, "--calib", tiny.images, "--json").json["data_free"] is False
