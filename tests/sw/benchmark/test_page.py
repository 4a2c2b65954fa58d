"""The page of the results."""

from dataclasses import replace
from pathlib import Path

from systolith.hw.config import EngineConfig
from systolith.sw.bench import written
from systolith.sw.benchmark.cases import Case, Target
from systolith.sw.benchmark.page import page
from systolith.sw.benchmark.results import Measurement

ROOT = Path(__file__).resolve().parents[3]
CONFIG = EngineConfig(rows=4, cols=4)
CASES = (
    Case(name="fast", network="n", config=CONFIG, targets=(Target("one image", 90), Target("cycles", 1100))),
    Case(name="layer", network="n", config=CONFIG, images=3, steady=True),
    Case(name="modelled", network="n", config=CONFIG, images=1, rtl=False),
    Case(name="large", network="n", config=CONFIG),
    Case(name="absent", network="n", config=CONFIG),
)
ROW = Measurement(
    case="fast", network_hash="abc", commit="1234", engine="4x4 array", pes=16, mem_latency=30, images=2, macs=16_000,
    bound_cycles=1010, port_cycles=1010, cycles=1050, cycles_total=2070, compared=5000,
    counters={"cycles": 2070, "pixels": 2020},
)  # fmt: skip
ROWS = [
    ROW,
    replace(ROW, case="layer", images=3, cycles_total=3090, model_cycles=1050, model_cycles_total=3091),
    replace(
        ROW,
        case="modelled",
        images=1,
        cycles=None,
        cycles_total=None,
        model_cycles=1050,
        counters={},
        compared=0,
    ),
    replace(ROW, case="large", macs=0, cycles=None, cycles_total=None, error="does not fit", compared=0),
]


def cells(text: str, case: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith(f"| {case} ")]


def test_results() -> None:
    text = page(ROWS, CASES)
    assert cells(text, "fast")[0] == [
        "fast", "4x4", "1,050", "1,035", "95.24 % / 96.62 %", "99.01 %", "one image >= 90 %; <= 1,100 cycles",
        "yes; yes", "0 of 5,000",
    ]  # fmt: skip
    assert cells(text, "layer")[0][2:5] == ["1,050", "1,020", "95.24 % / 98.04 %"]
    assert cells(text, "modelled (model)")[0][2:5] == ["1,050", "-", "95.24 %"]
    assert cells(text, "large")[0][2:6] == ["-", "-", "- / -", "-"]


def test_the_ports_bound_where_it_is_less() -> None:
    limited = page([replace(ROW, port_cycles=1025)], CASES)
    assert cells(limited, "fast")[0][5] == "99.01 %, port 97.56 %"


def test_model_against_rtl() -> None:
    text = page(ROWS, CASES)
    assert ["layer", "1,050", "1,050", "3,090", "3,091", "+0 / +1"] in cells(text, "layer")
    assert "## Cycle model" in text and "## Cycle model" not in page(ROWS[:1], CASES)


def test_what_was_measured_and_what_was_not() -> None:
    text = page(ROWS, CASES)
    assert ["fast", "`abc`", "16,000", "4x4 array", "30", "`1234`"] in cells(text, "fast")
    assert "- large: does not fit" in text and "No figures yet: absent." in text
    assert ["fast", "2", "2,070", "2,020", "-", "-", "-", "-"] in cells(text, "fast")


def test_a_missed_target_says_no() -> None:
    assert cells(page([replace(ROW, cycles=1101)], CASES), "fast")[0][7] == "yes; no"


def test_order_is_the_cases() -> None:
    assert page(ROWS, CASES) == page(ROWS[::-1], CASES)


def test_the_page_is_that_of_its_numbers() -> None:
    output = ROOT / "docs" / "benchmarks.md"
    assert output.read_text() == written(output), (
        "change sw/benchmark, then measure anything again with -o docs/benchmarks.md"
    )
