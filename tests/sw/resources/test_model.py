"""The committed runs give the committed coefficients and errors; the model against boards that were placed."""

import json
from pathlib import Path

import pytest
from systolith.hw.config import EngineConfig
from systolith.sw import bench_resources
from systolith.sw.resources.design import engine_blocks, memory_blocks, multipliers
from systolith.sw.resources.model import (
    DATA,
    FITTED,
    fitted,
    median_error,
    predict,
    predict_beside,
    runs,
    summary_text,
)
from systolith.sw.synthesis_boards import BOARDS

ROOT = Path(__file__).resolve().parents[3]


def test_coefficients_come_from_the_runs() -> None:
    document = json.loads(DATA.read_text())
    found = fitted(runs())
    for part, kinds in document["coefficients"].items():
        for kind, weights in kinds.items():
            assert found[part][kind] == pytest.approx(weights, rel=1e-6, abs=1e-6)
    assert bench_resources.summary(runs(), found) == document["summary"]


def test_errors_on_sizes_that_the_fit_has_not_seen() -> None:
    held = [run for run in runs() if run.held_out]
    seen = {
        (run.config["rows"], run.config["cols"]) for run in runs() if run.words is None and not run.held_out
    }
    assert len(held) >= 4 and not seen & {(run.config["rows"], run.config["cols"]) for run in held}
    for kind in FITTED:
        assert median_error(held, kind, fitted(runs())) <= 0.10
    assert f"on {len(held)} others" in summary_text()


def test_dsps_and_block_rams_are_exact() -> None:
    for run in runs():
        if run.words is None:
            assert (run.cells.dsp, run.cells.bram) == (multipliers(run.engine), engine_blocks(run.engine))
        else:
            assert (run.cells.dsp, run.cells.bram) == (0, memory_blocks(run.engine, run.words))


@pytest.mark.parametrize("name", ["ulx3s-12f", "orangecrab-25f"])
def test_boards_that_were_placed(name: str) -> None:
    """nextpnr's own counts, of the engine with memory and link: an independent check of the formula of cells."""
    rows = {
        row["board"]: row for row in json.loads((ROOT / "docs" / "boards.json").read_text())["bitstreams"]
    }
    used, config = {kind: n for kind, (n, _) in rows[name]["cells"].items()}, BOARDS[name].config()
    found = predict(config) + predict_beside(config, rows[name]["memory"] // config.port_bytes)
    assert (found.dsp, found.bram) == (used["MULT18X18D"], used["DP16KD"])
    assert found.lut == pytest.approx(used["TRELLIS_COMB"], rel=0.1)
    assert found.ff == pytest.approx(used["TRELLIS_FF"], rel=0.1)


def test_more_is_never_less() -> None:
    small = EngineConfig(rows=4, cols=4, scratchpad=32 << 10)
    for larger in (
        EngineConfig(rows=8, cols=4, scratchpad=64 << 10),
        EngineConfig(rows=4, cols=8, scratchpad=64 << 10),
    ):
        one, two = predict(small).to_json(), predict(larger).to_json()
        assert all(two[kind] > one[kind] for kind in one)
