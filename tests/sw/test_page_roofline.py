"""The roofline: points below the roof stay below its line, the knee is where both limits meet."""

import re
from xml.etree import ElementTree

import pytest
from systolith.sw.page_roofline import Dot, roofline


def test_points_and_roof() -> None:
    dots = [
        Dot("a", "on the level", 64.0, 64.0, 0.5),
        Dot("b", "on the slope", 2.0, 16.0, 0.1),
        Dot("c", "below <", 20.0, 8.0, 0.4),
    ]
    root = ElementTree.fromstring(roofline(dots, peak=64, bandwidth=8))
    edge = next(node.attrib["d"] for node in root.iter("path") if node.attrib["class"] == "edge")
    (x0, y0), (x1, y1), (x2, y2) = [
        tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", edge)
    ]
    assert y1 == y2 < y0 and x0 < x1 < x2
    at = {
        node.findtext("title", "").split(":")[0]: (float(node.attrib["cx"]), float(node.attrib["cy"]))
        for node in root.iter("circle")
    }
    assert at["on the level"][1] == pytest.approx(y1, abs=0.1)
    x, y = at["on the slope"]
    assert y == pytest.approx(y0 + (y1 - y0) * (x - x0) / (x1 - x0), abs=0.3)
    assert at["below <"][1] > y1 and x1 < at["below <"][0]
    areas = [float(node.attrib["r"]) for node in root.iter("circle")]
    assert areas == sorted(areas, reverse=True)
    assert {node.attrib["href"] for node in root.iter("a")} == {"#a", "#b", "#c"}
