"""One case with an engine of Python: what is measured, and that nothing is measured twice."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.sim import build
from systolith.sw.benchmark import measure as measuring
from systolith.sw.benchmark.cases import Case
from systolith.sw.benchmark.layers import Layers
from systolith.sw.benchmark.measure import measure, revision
from systolith.sw.benchmark.sources import Source
from systolith.sw.cycle_model.machine import Timing
from systolith.sw.images import Preprocessing
from systolith.sw.program import Program

CASE = Case(name="small", network="small", config=EngineConfig(rows=4, cols=4), images=2)


@pytest.fixture
def source() -> Source:
    net = Layers("small", (3, 8, 8), 1)
    first = net.conv("first", "image", 8, 3)
    model = net.model(net.dense("dense", net.conv("second", first, 4, 3, add=None), 5))
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)
    return Source(
        onnx=model.SerializeToString(), hash="abc", calibration=images[:1], images=images[1:],
        preprocessing=Preprocessing(255.0),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTOLITH_CACHE", str(tmp_path))
    monkeypatch.setattr(build, "engine_text", lambda config: "module engine ();\nendmodule\n")
    monkeypatch.setattr(measuring, "simulate", modelled)


def modelled(program: Program, images: int, mem_latency: int) -> Timing:
    return Timing(1000 * images + mem_latency, {}, [])


def test_a_case(fake: Any, source: Source) -> None:
    row = measure(CASE, source, "1234")
    assert row.case == "small" and not row.error and (row.network_hash, row.commit) == ("abc", "1234")
    assert row.macs == 64 * 8 * 27 + 64 * 4 * 72 + 5 * 256
    assert row.cycles and row.cycles_total and row.cycles < row.cycles_total
    assert row.compared == 3 * 2 * (64 * 8 + 64 * 4 + 5) and row.mismatches == 0
    assert (row.model_cycles, row.model_cycles_total) == (1030, 2030)
    # 27 taps in 4 rows: 7 passes x 2 blocks; 2 blocks of input; 64 passes of one pixel x 2
    assert row.bound_cycles == 7 * 2 * 64 + 18 * 64 + 64 * 2 * 4


def test_by_the_model_alone(fake: Any, source: Source) -> None:
    row = measure(replace(CASE, rtl=False), source, "1234")
    assert row.equal and row.cycles is None and (row.one, row.total) == (1030, 2030) and not fake.jobs


def test_measured_once(fake: Any, source: Source) -> None:
    first = measure(CASE, source, "1234")
    runs = fake.jobs
    fake.jobs = []
    said: list[str] = []
    again = measure(replace(CASE, name="other"), source, "5678", progress=said.append)
    assert runs and not fake.jobs and "measured before" in said
    assert again == replace(first, case="other", commit="5678")


@pytest.mark.parametrize(
    "changed",
    [
        replace(CASE, mem_latency=31),
        replace(CASE, images=1),
        replace(CASE, config=EngineConfig(rows=4, cols=4, acc_depth=32)),
    ],
)
def test_other_conditions_are_measured_again(fake: Any, source: Source, changed: Case) -> None:
    measure(CASE, source, "1234")
    fake.jobs = []
    measure(changed, source, "1234")
    assert fake.jobs


def test_another_simulator_is_measured_again(
    fake: Any, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure(CASE, source, "1234")
    fake.jobs = []
    monkeypatch.setattr(build, "engine_text", lambda config: "module engine (); // changed\nendmodule\n")
    measure(CASE, source, "1234")
    assert fake.jobs


def test_wrong_integers_are_counted_and_not_kept(fake: Any, source: Source) -> None:
    def spoil(number: int, result: Any) -> Any:
        if number == 0:
            result.trace.codes[5, 0] ^= 1
        return result

    fake.spoil = spoil
    row = measure(CASE, source, "1234")
    assert row.mismatches == 1 and not row.equal and "first mismatch: rtl" in row.error
    fake.jobs = []
    measure(CASE, source, "1234")
    assert fake.jobs


def test_a_network_that_does_not_fit(fake: Any, source: Source) -> None:
    tight = replace(CASE, config=EngineConfig(rows=4, cols=4, acc_width=17))
    row = measure(tight, source, "1234")
    assert "accumulator" in row.error and row.cycles is None and not row.equal and row.macs > 0


def test_revision() -> None:
    assert revision() == "unknown" or re.fullmatch(r"[0-9a-f]{12}\+?", revision())
