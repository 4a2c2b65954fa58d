"""The chart of a whole network: a column a layer, an edge for each tensor a layer reads."""

import math
from xml.etree import ElementTree

from systolith.sw.page_flow import Column, flow


def column(i: int, sources: tuple[int, ...], **changes: object) -> Column:
    values: dict[str, object] = dict(
        anchor=f"layer-{i}", name=f"conv{i}", sources=sources, sqnr_db=30.0 - i, saturated=0.01 * i,
        acc_bits=20, acc_width=32, bad=False,
    )  # fmt: skip
    return Column(**{**values, **changes})  # type: ignore[arg-type]


def test_edges_links_and_warnings() -> None:
    columns = [column(0, (-1,)), column(1, (0,), saturated=0.5, bad=True), column(2, (1, 0), acc_bits=32)]
    svg = flow(columns, math.inf, 0.1)
    root = ElementTree.fromstring(svg)
    edges = [item.attrib["d"] for item in root.iter("path") if item.get("class") == "flow"]
    assert len(edges) == 1 and edges[0].count("L") == 4
    links = [item.attrib["href"] for item in root.iter("a")]
    assert sorted(links) == sorted(["#input", *[f"#layer-{i}" for i in range(3)] * 3])
    dots = [item.attrib["class"] for item in root.iter("circle")]
    assert dots == ["dot", "dot", "dot bad", "dot"]
    assert [item.attrib["class"] for item in root.iter("rect")] == [
        "bar",
        "over",
        "bar",
        "bar",
        "bar",
        "over",
    ]
    titles = [item.text for item in root.iter("title")]
    assert "input: exact" in titles and "conv1: 0.500 %" in titles and "conv2: 32 of 32 bits" in titles


def test_many_layers_and_values_without_a_number() -> None:
    columns = [column(i, (i - 1,), sqnr_db=-math.inf if i == 3 else math.inf) for i in range(60)]
    root = ElementTree.fromstring(flow(columns, math.inf, 0.1))
    assert len(list(root.iter("circle"))) == 61 and "nan" not in ElementTree.tostring(root, "unicode")
