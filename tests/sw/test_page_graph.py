"""A network as a graph: every edge is drawn, lanes that cross are different, columns go on."""

import re
from xml.etree import ElementTree

import pytest
from systolith.sw.page_graph import Node, graph


def nodes(*sources: tuple[int, ...]) -> list[Node]:
    return [Node(f"a{i}", f"layer {i} <&>", "conv", source, 0.1 * i) for i, source in enumerate(sources)]


def wires(html: str) -> list[list[tuple[str, float, float, float]]]:
    """Of each column: straight lines (x, from y, to y) and curves (from y, to y)."""
    root = ElementTree.fromstring(html)
    columns = []
    for svg in root.iter("svg"):
        path = next(node.attrib["d"] for node in svg.iter("path"))
        found = []
        for part in re.findall(r"M[^M]*", path):
            n = [float(v) for v in re.findall(r"-?[\d.]+", part)]
            found.append(("line", n[0], n[1], n[2]) if "V" in part else ("curve", n[2], n[1], n[5]))
        columns.append(found)
    return columns


def test_a_chain_is_one_straight_line() -> None:
    (column,) = wires(graph(nodes((), (0,), (1,), (2,))))
    assert {kind for kind, *_ in column} == {"line"} and {x for _, x, *_ in column} == {12.0}
    assert min(low for *_, low, _ in column) == 17 and max(high for *_, high in column) == 3.5 * 34


def test_a_skip_has_a_lane_and_the_rows_between_pass_it() -> None:
    (column,) = wires(graph(nodes((), (0,), (1,), (0, 2))))
    curves = [item for item in column if item[0] == "curve"]
    passing = [item for item in column if item[0] == "line" and item[1] != 12.0]
    assert len(curves) == 2 and len({x for _, x, *_ in curves}) == 1
    assert [(low, high) for *_, low, high in passing] == [(34.0, 68.0), (68.0, 102.0)]


def test_branches_that_live_together_have_lanes_of_their_own() -> None:
    (column,) = wires(graph(nodes((), (0,), (0,), (1, 2), (0, 3))))
    lanes = {x for kind, x, *_ in column if kind == "curve"}
    assert len(lanes) == 2
    assert not any(kind == "line" and x == 12.0 and low < 68 < high for kind, x, low, high in column)


def test_a_lane_is_used_again() -> None:
    (column,) = wires(graph(nodes((), (0,), (0, 1), (2,), (2, 3))))
    assert len({x for kind, x, *_ in column if kind == "curve"}) == 1


@pytest.mark.parametrize("count", [1, 5, 16, 61])
def test_columns_hold_all_rows_and_go_on(count: int) -> None:
    html = graph(nodes((), *((i,) if i % 3 or i < 4 else (i, i - 3) for i in range(count - 1))))
    root = ElementTree.fromstring(html)
    rows = [a.attrib["href"] for svg in root.iter("svg") for a in svg.iter("a")]
    assert rows == [f"#a{i}" for i in range(count)]
    assert len(list(root.iter("svg"))) <= 3
    for column, after in zip(wires(html), wires(html)[1:], strict=False):
        bottom = max(high for *_, high in column)
        leaving = {round(x, 1) for _, x, low, high in column if high == bottom}
        entering = {round(x, 1) for _, x, low, high in after if low == 0.0}
        assert leaving == entering and leaving
