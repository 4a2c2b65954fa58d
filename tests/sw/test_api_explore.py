"""``explore`` from Python: figures are those of ``model``, commands build what is recommended; resumed; one's own."""

import csv
import io
import json
import random
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
import pytest
from systolith.sw import api
from systolith.sw.cli_options import engine_config, parser
from systolith.sw.explore import evaluate
from systolith.sw.resources.model import predict, predict_beside
from systolith.sw.synthesis_boards import board_named

SMALL: dict[str, Any] = {"rows": "2,4,8", "cols": "2,4,8", "scratchpad": "16K,64K", "acc_depth": 256, "port_width": 32,
                         "fold_width": 0}  # fmt: skip


def _explore(tiny: Any, folder: Path, **given: Any) -> api.Exploration:
    options = {
        "board": "ulx3s-85f",
        "trials": 40,
        "clock": 100.0,
        "preprocessing": tiny.preprocessing,
        **SMALL,
        **given,
    }
    return api.explore(tiny.model, folder, **options)


@pytest.fixture(scope="module")
def explored(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> api.Exploration:
    return _explore(tiny, tmp_path_factory.mktemp("explored") / "d", min_fps=1000, sampler="grid")


def test_figures_are_those_of_model(tiny: Any, explored: api.Exploration) -> None:
    assert len(explored.candidates) == len(explored.space) == 18
    for one in explored.candidates:
        if not one.figures.cycles:
            continue
        alone = api.model(
            tiny.model, one.config, mem_latency=evaluate.LATENCY, preprocessing=tiny.preprocessing
        )
        assert one.figures.cycles == alone.result.cycles
        assert one.frames_per_second == pytest.approx(100e6 / alone.result.cycles)
        words = -(-one.memory // one.config.port_bytes)
        assert one.cells == predict(one.config) + predict_beside(one.config, words)


def test_memory_is_what_the_program_needs(tiny: Any, explored: api.Exploration, tmp_path: Path) -> None:
    one = explored.recommendation.candidate
    api.compile(tiny.quantized, one.config, tmp_path / "p")
    assert one.memory == api.read_program(tmp_path / "p").memory_map().end


def test_files(explored: api.Exploration) -> None:
    folder = explored.directory
    assert {"explore.json", "explore.csv", "explore.txt", "explore.png"} <= {
        path.name for path in folder.iterdir()
    }
    assert json.loads((folder / "explore.json").read_text()) == explored.to_json()
    rows = list(csv.DictReader(io.StringIO((folder / "explore.csv").read_text())))
    assert len(rows) == 18 and {"cells_lut", "frames_per_second", "status"} <= set(rows[0])
    assert explored.picture().png.startswith(b"\x89PNG")
    text = explored.to_text()
    assert "* recommended:" in text and all(command in text for command in explored.commands)
    assert len(explored.front) >= 2 and explored.recommendation.candidate in explored.front


def test_commands_build_what_is_recommended(
    explored: api.Exploration, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = explored.recommendation.candidate.config
    quantize, compile_, synth = (parser().parse_args(shlex.split(line)[1:]) for line in explored.commands)
    assert quantize.command == "quantize" and quantize.data_free
    assert engine_config(compile_) == config
    assert (synth.board, synth.memory, synth.clock) == (
        "ulx3s-85f",
        explored.recommendation.candidate.memory,
        "100",
    )
    alone = vars(parser().parse_args(shlex.split(explored.engine_command)[1:]))
    given = {name: alone.get(name) for name in asdict(config) if alone.get(name) is not None}
    assert board_named("ulx3s-85f").config(**given) == config


def test_an_interrupted_exploration_goes_on(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[Any] = []
    run = evaluate.InProcess.submit

    def submit(self: Any, key: str, values: Any) -> None:
        computed.append(key)
        run(self, key, values)

    monkeypatch.setattr(evaluate.InProcess, "submit", submit)
    monkeypatch.setattr("systolith.sw.explore.search.GENERATION", 4)
    first = _explore(tiny, tmp_path / "d", trials=8)
    once = len(computed)
    lines: list[str] = []
    second = _explore(tiny, tmp_path / "d", trials=16, progress=lines.append)
    assert "8 trials are in the study" in lines and 0 < once == len(set(computed[:once]))
    assert len(computed) == len(set(computed))  # nothing twice
    assert second.candidates[: len(first.candidates)] == tuple(
        one if one.front == again.front else again
        for one, again in zip(first.candidates, second.candidates, strict=False)
    )
    again = _explore(tiny, tmp_path / "d", trials=16)
    assert again.candidates == second.candidates and len(computed) == len(set(computed))


def test_an_objective_of_ones_own(tiny: Any, tmp_path: Path) -> None:
    """Frames a second and DSP, to be maximized alone: the front is the best of all tried."""
    worth = api.Objective(
        "worth", "maximize", lambda one: one.frames_per_second / one.cells.dsp if one.cells else 0.0
    )
    found = _explore(tiny, tmp_path / "d", objectives=[worth, "bram"], sampler="grid")
    assert found.to_json()["objectives"] == {"worth": "maximize", "bram": "minimize"}
    best = max(one.frames_per_second / one.cell_row["dsp"] for one in found.candidates if one.ok)
    assert max(one.scores["worth"] for one in found.front) == pytest.approx(best)
    assert "worth" in found.to_text().splitlines()[0]


@pytest.mark.parametrize("own", [optuna.samplers.RandomSampler(seed=3), "choices", "tpe"])
def test_a_search_of_ones_own(tiny: Any, tmp_path: Path, own: Any) -> None:
    rng = random.Random(8)
    if own == "choices":
        own = [{"rows": rng.choice((2, 4)), "cols": 8, "scratchpad": 1 << 14} for _ in range(5)]
    found = _explore(tiny, tmp_path / "d", sampler=own, trials=6)
    assert found.front and all(one.values["rows"] in (2, 4, 8) for one in found.candidates)
    if isinstance(own, list):
        assert {one.values["rows"] for one in found.candidates} == {choice["rows"] for choice in own}


def test_widths_of_layers(tiny: Any, tmp_path: Path) -> None:
    found = _explore(tiny, tmp_path / "d", calibration=tiny.images, calibration_count=8, wgt_bits=(8, 5), rows=4,
                     cols=4, accuracy=tiny.images, accuracy_count=20)  # fmt: skip
    whole, mixed = found.precisions
    assert (whole.name, whole.widths, mixed.name) == ("8 bits", {}, "5 bits") and len(
        set(mixed.widths.values())
    ) > 1
    assert (
        whole.accuracy is not None and whole.accuracy.top1 is not None and whole.judged == "labelled images"
    )
    assert json.loads((tmp_path / "d" / "bits" / "5-bits.json").read_text()) == dict(mixed.widths)
    one = next(one for one in found.candidates if one.precision == "5 bits" and one.ok)
    assert one.accuracy == mixed.accuracy and one.values["wgt_width"] == max(mixed.widths.values())
    options = {"count": 8, "preprocessing": tiny.preprocessing, "wgt_width": one.values["wgt_width"]}
    api.quantize(tiny.model, tiny.images, tmp_path / "q", wgt_bits=mixed.widths, **options)
    direct = api.evaluate(tmp_path / "q", tiny.images, count=20)
    assert one.accuracy is not None and one.accuracy.top1 == direct.top1_int
    assert (
        one.figures.cycles
        == api.model(tmp_path / "q", one.config, mem_latency=evaluate.LATENCY).result.cycles
    )


def test_labels_of_calibration_images_do_not_count(tiny: Any, tmp_path: Path) -> None:
    """``tiny.images`` have some. The noise decides: eight bits have less of it than four."""
    found = _explore(
        tiny, tmp_path / "d", calibration=tiny.images, calibration_count=8, wgt_bits=(8, 4), rows=4, cols=4
    )
    scores = [one.accuracy for one in found.precisions]
    assert all(one is not None and one.top1 is None for one in scores)
    assert [one.judged for one in found.precisions] == ["calibration images"] * 2
    best = max(found.front, key=lambda one: one.scores["accuracy"])
    assert best.precision == "8 bits" and "SQNR dB" in found.to_text().splitlines()[0]


def test_a_quantized_model(tiny: Any, tmp_path: Path) -> None:
    found = api.explore(
        tiny.quantized, tmp_path / "d", board="ulx3s-25f", trials=3, **{**SMALL, "rows": 4, "cols": 4}
    )
    assert found.recommendation.candidate.precision == "as quantized" and len(found.commands) == 2
    assert found.recommendation.candidate.clock_estimated and "an estimate" in found.to_text()


@pytest.mark.parametrize(
    "words, given",
    [
        ("no engine of 4 tried gives 1e.12 frames a second on ulx3s-85f: the fastest that fits, ", {"min_fps": 1e12}),
        ("the closest, 8x.*, needs (64|128) DSPs, .* % more than the 28 that a design may take", {
            "board": "ulx3s-25f", "rows": 8, "cols": "8,16"}),
        ("no engine computes this network, the first of .*: scratchpad must hold", {"scratchpad": "1,2"}),
        ("min_fps must be 0 or more", {"min_fps": -1}),
        ("clock must be 1..1000 MHz, not 0", {"clock": 0}),
        ("trials must be a positive integer, not 0", {"trials": 0}),
        ("images must be a positive integer, not 0", {"images": 0}),
        ("sampler must be nsga2, .*, not 'best'", {"sampler": "best"}),
        ("wgt_bits must be averages of 2 to 16, each once", {"wgt_bits": (1,)}),
        ("board must be one of", {"board": "x"}),
    ],
)  # fmt: skip
def test_clear_errors(tiny: Any, tmp_path: Path, words: str, given: dict[str, Any]) -> None:
    options = {"rows": "2,4", "cols": "2,4", "scratchpad": "16K", "sampler": "grid", **given}
    with pytest.raises(ValueError, match=words):
        _explore(tiny, tmp_path / "d", **options)


def test_other_directories(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name, words in (("file", "is a file"), (".", "holds other files"), ("no/such", "does not exist")):
        with pytest.raises(ValueError, match=words):
            _explore(tiny, tmp_path / name)


def test_without_optuna(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(
        ValueError, match=r"explore needs the package optuna: pip install 'systolith\[explore\]'"
    ):
        _explore(tiny, tmp_path / "d")
