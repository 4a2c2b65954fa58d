"""The estimate of the clock: below every clock that it comes from."""

from pathlib import Path

import pytest
from systolith.hw.config import EngineConfig
from systolith.sw.resources.clock import clock_data, estimate, is_beyond

ROOT = Path(__file__).resolve().parents[3]


def test_below_every_clock_that_was_reached() -> None:
    for row in clock_data()["placements"]:
        found = estimate(EngineConfig(rows=row["rows"], cols=row["cols"]))
        assert 0.7 * row["mhz"] <= found <= (1 - clock_data()["margin"]) * row["mhz"] and found % 5 == 0


def test_larger_arrays_are_not_faster() -> None:
    found = [estimate(EngineConfig(rows=size, cols=size)) for size in (1, 2, 4, 6, 8, 12, 16)]
    assert found == sorted(found, reverse=True)
    assert is_beyond(EngineConfig(rows=16, cols=9)) and not is_beyond(EngineConfig(rows=16, cols=8))


@pytest.mark.parametrize(
    "row", clock_data()["placements"], ids=lambda row: f"{row['rows']}x{row['cols']} {row['mhz']}"
)
def test_sources_say_so(row: dict[str, object]) -> None:
    page = str(row["source"]).split(":")[0]
    assert str(row["mhz"]) in (ROOT / page).read_text()
