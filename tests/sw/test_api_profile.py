"""``profile``: from the model, from the RTL, as a file of every kind; refused before the run."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from systolith.sim import rtl
from systolith.sim.rtl import RtlResult
from systolith.sw import api
from systolith.sw.cycle_model.record import record
from systolith.sw.driver import EngineError

MARKS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def test_model(tiny: Any) -> None:
    found, model = (
        api.profile(tiny.quantized, tiny.config, images=3),
        api.model(tiny.quantized, tiny.config, images=3),
    )
    assert found.timeline.cycles == model.result.cycles_total and found.quantized and not found.error
    assert found.timeline.recording.source == "model" and found.path is None
    text = found.to_text()
    assert f"{found.timeline.cycles:,} for 3 images back to back" in text and "cycle model" in text
    rows = [line.split() for line in text.splitlines()[1:] if line and line.split()[0] in tiny_layers(tiny)]
    assert [row[1] for row in rows] == ["2"] * len(tiny_layers(tiny))  # the last image


def tiny_layers(tiny: Any) -> list[str]:
    return [info.name for info in api.compile(tiny.quantized, tiny.config).program.layers]


@pytest.mark.parametrize("suffix", MARKS)
def test_pictures(tiny: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"timeline{suffix}"
    found = api.profile(tiny.quantized, tiny.config, path, images=2, first=10, last=900)
    assert found.path == path and path.read_bytes().startswith(MARKS[suffix])
    assert len(path.read_bytes()) > 5000 and list(tmp_path.iterdir()) == [path]


def test_notebooks_show_it(tiny: Any) -> None:
    found = api.profile(tiny.quantized, tiny.config)
    whole, part = found._repr_png_(), found.picture(0, 500).png
    assert whole.startswith(MARKS[".png"]) and part.startswith(MARKS[".png"]) and whole != part
    name = tiny_layers(tiny)[0]
    assert found.picture(layers=[name]).png not in (whole, part)
    assert repr(found) == found.to_text()


def test_trace(tiny: Any, tmp_path: Path) -> None:
    found = api.profile(tiny.quantized, tiny.config, tmp_path / "t.json", first=100, last=300)
    document = json.loads((tmp_path / "t.json").read_text())
    assert document["otherData"]["cycles"] == found.timeline.cycles
    assert all(e["ts"] <= 300 for e in document["traceEvents"] if e["ph"] == "X")


def test_window_of_the_table(tiny: Any) -> None:
    name = tiny_layers(tiny)[1]
    found = api.profile(tiny.quantized, tiny.config, layers=[name])
    assert found.window is not None and any(line.startswith(name) for line in found.to_text().splitlines())
    low, high = found.window
    shown = [layer for layer in found.timeline.layers if layer.start <= high and layer.end >= low]
    assert (
        len(found.to_text().split("\n\n")[0].splitlines()) == 1 + len(shown) < 1 + len(found.timeline.layers)
    )


def test_rtl_equals_the_model(tiny: Any) -> None:
    """The engine itself, three images back to back: every span of both is the same."""
    measured = api.profile(tiny.quantized, tiny.config, images=3, origin="rtl", mem_latency=17)
    modelled = api.profile(tiny.quantized, tiny.config, images=3, mem_latency=17)
    assert measured.error == "" and measured.timeline.recording.source == "rtl"
    assert measured.timeline.spans == modelled.timeline.spans
    assert measured.timeline.layers == modelled.timeline.layers
    assert "RTL in Verilator; outputs equal the reference, every event the cycle model" in measured.to_text()


class Recorded:
    """Stands for ``run_jobs``: the fake engine, its recording the model's; ``spoil`` changes the result."""

    def __init__(self, fake: Any) -> None:
        self._fake = fake

    def spoil(self, result: RtlResult) -> RtlResult:
        return result

    def __call__(self, program: Any, jobs: Any, *, probe: bool, scope: None) -> list[RtlResult]:
        assert probe
        (result,) = self._fake(program, jobs)
        recording = replace(record(program, len(jobs[0].codes), jobs[0].mem_latency), source="rtl")
        return [self.spoil(replace(result, recording=recording))]


@pytest.fixture
def recorded(fake: Any, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    engine = Recorded(fake)
    monkeypatch.setattr(rtl, "run_jobs", engine)
    return engine


def test_another_event_is_named(tiny: Any, recorded: Any, run: Any) -> None:
    def late(result: RtlResult) -> RtlResult:
        assert result.recording is not None
        done = {**result.recording.done, "store": result.recording.done["store"] + 1}
        return replace(result, recording=replace(result.recording, done=done))

    recorded.spoil = late
    ran = run("profile", tiny.quantized, *tiny.engine, "--from", "rtl")
    assert ran.status == 1
    assert ran.complaint.startswith("the cycle model differs in store done, number 0: ")


def test_another_output_is_named(tiny: Any, recorded: Any, run: Any) -> None:
    def wrong(result: RtlResult) -> RtlResult:
        (name,) = result.outputs[0]
        codes = np.array(result.outputs[0][name])
        codes[0, 0, :2] ^= 1
        return replace(result, outputs=[{name: codes}])

    recorded.spoil = wrong
    ran = run("profile", tiny.quantized, *tiny.engine, "--from", "rtl", "--json")
    assert ran.status == 1 and ran.json["error"].startswith("2 codes of output")
    assert ran.json["source"] == "rtl" and ran.json["spans"]


def test_an_engine_that_stops(tiny: Any, recorded: Any) -> None:
    recorded.spoil = lambda result: replace(result, recording=None, error=EngineError("bad opcode", 1))
    with pytest.raises(ValueError, match="rtl: .*bad opcode"):
        api.profile(tiny.quantized, tiny.config, origin="rtl")


def test_equal(tiny: Any, recorded: Any, run: Any) -> None:
    ran = run("profile", tiny.quantized, *tiny.engine, "--from", "rtl", "--images", 2)
    assert ran.status == 0 and "every event the cycle model" in ran.out


def test_refused_before_the_run(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("it ran")

    monkeypatch.setattr(rtl, "run_jobs", never)
    for words, complaint in (
        ({"origin": "board"}, "origin must be one of model, rtl, not 'board'"),
        ({"output": tmp_path / "a.gif"}, r"output must end in .png, .svg, .pdf or .json, not 'a.gif'"),
        ({"output": tmp_path / "none" / "a.png"}, "does not exist: create it, or write elsewhere"),
        ({"images": 0}, "images must be a positive integer"),
        ({"mem_latency": 500}, r"mem_latency must be an integer in 1\.\.200"),
        ({"layers": ["nosuch"], "origin": "rtl"}, "layers must be names of the engine's layers"),
        ({"first": 1 << 30, "origin": "rtl"}, "first must be a cycle of the run"),
        ({"first": 9, "last": 3, "origin": "rtl"}, "last must be a cycle from first on"),
        ({"preprocessing": tiny.preprocessing}, "holds its preprocessing"),
    ):
        given: dict[str, Any] = dict(words)
        with pytest.raises(ValueError, match=complaint):
            api.profile(tiny.quantized, tiny.config, **given)
    assert not list(tmp_path.iterdir())
