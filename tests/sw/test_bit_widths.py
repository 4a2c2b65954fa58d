"""Widths for a budget as the API finds them, the front, and what is kept between runs."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from systolith.quant.options import Options
from systolith.quant.sensitivity import weight_counts
from systolith.sw import api, bit_widths
from systolith.sw.bit_widths import Kept, Point, pareto, widths_for
from systolith.sw.calibrated import Accuracy, Calibrated, Judge, load_calibrated

OPTIONS = Options(correct=("round",))


@pytest.fixture(scope="module")
def ready(tiny: Any) -> Calibrated:
    return load_calibrated(
        tiny.model, tiny.images, count=8, preprocessing=tiny.preprocessing, options=OPTIONS
    )


def point(name: str, bits: int, db: float, uniform: bool = False) -> Point:
    found = Accuracy(images=1, agreement=1.0, sqnr_db=db, kl=0.0, top1=None, top1_float=None)
    return Point(
        name=name, uniform=uniform, widths={}, bits=bits, average=1.0, calibration=found, images=None
    )


def test_pareto() -> None:
    points = [point("d", 40, 20.0), point("a", 10, 5.0), point("c", 30, 9.0), point("b", 20, 12.0),
              point("b2", 20, 11.0), point("e", 50, 20.0)]  # fmt: skip
    found = pareto(points)
    assert [item.name for item in found] == ["a", "b", "b2", "c", "d", "e"]
    assert [item.name for item in found if item.front] == ["a", "b", "d"]


def test_judge_is_evaluate(tiny: Any, ready: Calibrated) -> None:
    model, images = api.load_quantized(tiny.quantized), api.load_images(tiny.images)
    found, known = Judge(ready, images)(model.network), api.evaluate(model, images)
    assert (found.top1, found.top1_float, found.agreement) == (
        known.top1_int,
        known.top1_float,
        known.agreement,
    )
    assert found.sqnr_db == pytest.approx(known.sqnr_db, abs=1e-3) and found.images == len(images)
    assert Accuracy.from_json(found.to_json()) == found
    exact = replace(found, sqnr_db=float("inf"))
    assert exact.to_json()["sqnr_db"] is None and Accuracy.from_json(exact.to_json()) == exact


def test_cost_function(tiny: Any, ready: Calibrated, tmp_path: Path) -> None:
    counts = weight_counts(ready.graph)

    def widest(widths: Mapping[str, int]) -> float:
        return max(widths[name] * counts[name] for name in counts)

    result = api.quantize(
        tiny.model, tiny.images, tmp_path / "q", count=8, preprocessing=tiny.preprocessing,
        wgt_bits=api.Budget("cost", 2000, widest),
    )  # fmt: skip
    widths = {row.name: row.wgt_width for row in result.report.layers if row.name in counts}
    assert all((widths[name] or 0) * count <= 2000 for name, count in counts.items())
    with pytest.raises(ValueError, match="the budget must be at least a cost of 1152"):
        api.quantize(tiny.model, tiny.images, tmp_path / "q", preprocessing=tiny.preprocessing,
                     wgt_bits=api.Budget("cost", 1000, widest))  # fmt: skip


def test_one_width_everywhere_where_that_is_better(
    ready: Calibrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, lines = bit_widths.allocate, list[str]()

    def wasteful(errors: Any, counts: Any, budget: api.Budget) -> Any:
        found = real(errors, counts, budget)
        return replace(found, widths=dict.fromkeys(counts, 2))

    monkeypatch.setattr(bit_widths, "allocate", wasteful)
    found = widths_for(ready, OPTIONS, api.Budget("bits", 5.2), progress=lines.append)
    assert set(found.values()) == {5} and lines[-1] == "widths for 5 bits a weight"


def test_kept(ready: Calibrated, tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> dict[str, Any]:
        made.append(1)
        return {"value": len(made)}

    judges = {"calibration": ready.images}
    kept = Kept(tmp_path, ready, OPTIONS, judges)
    assert kept.get({"a": 1}, make) == kept.get({"a": 1}, make) == {"value": 1}
    assert kept.get({"a": 2}, make) == {"value": 2}
    again = Kept(tmp_path, ready, replace(OPTIONS, threads=1), judges)  # threads change no result
    assert again.get({"a": 1}, make) == {"value": 1}
    for other in (
        Kept(tmp_path, ready, replace(OPTIONS, act_width=7), judges),
        Kept(tmp_path, ready, OPTIONS, {"calibration": ready.images.first(3)}),
        Kept(tmp_path, replace(ready, preprocessing=api.RAW_PIXELS), OPTIONS, judges),
    ):
        before = len(made)
        assert other.get({"a": 1}, make) == {"value": before + 1}
