"""The command ``profile``: files, table, JSON, one sentence for what is wrong."""

import json
from pathlib import Path
from typing import Any


def test_files(tiny: Any, run: Any, tmp_path: Path) -> None:
    words = ("profile", tiny.quantized, *tiny.engine, "--images", 2)
    for name, mark in (("t.png", b"\x89PNG"), ("t.svg", b"<?xml"), ("t.json", b"{")):
        ran = run(*words, "-o", tmp_path / name)
        assert ran.status == 0 and ran.out.rstrip().endswith(f"written: {tmp_path / name}")
        assert (tmp_path / name).read_bytes().startswith(mark)
    assert {event["ph"] for event in json.loads((tmp_path / "t.json").read_text())["traceEvents"]} == {
        "M",
        "X",
        "C",
    }


def test_table_is_that_of_model(tiny: Any, run: Any) -> None:
    profile = run("profile", tiny.quantized, *tiny.engine)
    model = run("model", tiny.quantized, *tiny.engine, "--json").json
    lines = [line.split() for line in profile.out.splitlines()]
    assert lines[0][:5] == ["layer", "image", "start", "end", "cycles"]
    for line, layer in zip(lines[1:], model["layers"], strict=False):
        assert line[0] == layer["name"] and line[4] == f"{layer['cycles']:,}", layer
        assert line[6:10] == [f"{layer[f'stall_{cause}']:,}" for cause in ("wait", "weight", "bank", "pass")]
    assert f"cycles       {model['cycles']:,}" in profile.out


def test_json(tiny: Any, run: Any) -> None:
    found = run("profile", tiny.quantized, *tiny.engine, "--images", 2, "--layers", "nosuch", "--json")
    assert found.status == 2 and "layers must be" in found.json["error"]
    document = run(
        "profile", tiny.quantized, *tiny.engine, "--images", 2, "--first", 5, "--last", 90, "--json"
    ).json
    assert document["window"] == [5, 90] and document["config"]["rows"] == 4 and document["error"] == ""
    assert {span["unit"] for span in document["spans"]} == {"fetch", "weight", "load", "compute", "store"}
    assert {span["image"] for span in document["spans"]} == {0, 1}
    assert {"taken", "started", "ended", "done", "layer", "index", "bytes"} <= set(document["spans"][0])


def test_of_a_file(tiny: Any, run: Any) -> None:
    ran = run("profile", tiny.model, *tiny.engine, "--mean", "0.5", "--std", "0.25")
    assert ran.status == 0 and "nominal formats" in ran.out
    quantized = run("profile", tiny.quantized, *tiny.engine)
    assert ran.out.split("source")[0] == quantized.out.split("source")[0]


def test_refusals(tiny: Any, run: Any, tmp_path: Path) -> None:
    for words, complaint in (
        (("-o", "timeline.gif"), "output must end in .png, .svg, .pdf or .json, not 'timeline.gif'"),
        (("-o", tmp_path), "is a directory: give the name of a file"),
        (("--layers", "conv99"), "layers must be names of the engine's layers"),
        (("--first", 99_999_999), "first must be a cycle of the run, 0.."),
        (("--first", 50, "--last", 40), "last must be a cycle from first on, 50.."),
        (("--first", -1), "--first must be an integer of at least 0, not '-1'"),
        (("--images", 0), "--images must be an integer of at least 1"),
        (("--from", "board"), "--from: invalid choice: 'board' (choose from"),
    ):
        ran = run("profile", tiny.quantized, *tiny.engine, *words)
        assert ran.status == 2 and complaint in ran.complaint, ran.err
    assert run("profile", tmp_path / "none.onnx").status == 2
