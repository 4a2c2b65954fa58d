"""Charts: what is drawn where, and with how few shapes."""

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from systolith.sw.page_charts import Frame, bars, curve, histogram, number, ticks


@given(st.floats(-1e9, 1e9), st.floats(1e-9, 1e9))
@example(-29.0, 1e-9)
def test_ticks_are_round_and_inside(low: float, length: float) -> None:
    high = low + length
    found = ticks(low, high)
    if not high > low:
        return
    assert len(found) <= 6
    slack = 1e-6 * length + 4 * math.ulp(abs(low) + length)
    assert all(low - slack <= tick <= high + slack for tick in found)


def test_ticks_of_a_simple_range() -> None:
    assert ticks(0.0, 10.0, 5) == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0] and ticks(3.0, 3.0) == [3.0]


@pytest.mark.parametrize("value, words", [(0.0, "0"), (0.03125, "0.0312"), (127.0, "127"), (1e-7, "1e-07")])
def test_numbers(value: float, words: str) -> None:
    assert number(value) == words


def test_frame_maps_corners_to_corners() -> None:
    frame = Frame((0.0, 2.0), (-1.0, 1.0))
    assert (frame.x(0.0), frame.x(2.0)) == (frame.left, frame.right)
    assert (frame.y(-1.0), frame.y(1.0)) == (frame.bottom, frame.top)


def paths(svg: str, kind: str) -> list[str]:
    return [
        item.attrib["d"] for item in ElementTree.fromstring(svg).iter("path") if item.get("class") == kind
    ]


def test_histogram_separates_what_the_range_cuts_off() -> None:
    svg = histogram([5, 0, 2, 1], 0.0, 4.0, (0.0, 2.5), (0.0, 5.0))
    assert paths(svg, "bar")[0].count("M") == 2 and paths(svg, "over")[0].count("M") == 1
    edges = [float(x) for x in re.findall(r"M([\d.]+) ", paths(svg, "edge")[0])]
    frame = Frame((0.0, 4.0), (0.0, 1.0))
    assert edges == [round(frame.x(0.0), 1), round(frame.x(2.5), 1)]
    assert "codes reach 0 to 2.5" in svg


def test_histogram_of_one_value() -> None:
    svg = histogram([7], 0.0, 0.0, (-1.0, 1.0), (-1.0, 1.0))
    assert paths(svg, "bar")[0].count("M") == 1 and not paths(svg, "over") and not paths(svg, "free")


def test_curve_marks_the_chosen_point_alone() -> None:
    svg = curve([(4, -20.0), (5, -24.0), (6, -math.inf)], 5, 4, "fl", "dB")
    circles = list(ElementTree.fromstring(svg).iter("circle"))
    chosen = [item for item in circles if item.attrib["class"] == "dot chosen"]
    assert len(circles) == 3 and [item.findtext("title") for item in chosen] == ["fl 5: -24 dB"]
    assert float(circles[2].attrib["cy"]) >= float(circles[1].attrib["cy"])
    assert len(paths(svg, "free")) == 1 and not paths(curve([(4, 1.0)], 4, 9, "fl", "dB"), "free")


def test_bars_count() -> None:
    svg = bars({5: 3, 7: 1}, "fl", "channels")
    assert paths(svg, "bar")[0].count("M") == 2 and "channels by fl: 3 at 5, 1 at 7" in svg
