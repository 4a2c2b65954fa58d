"""The timeline of a page: its bars are as wide and as high as what they stand for."""

import re
from xml.etree import ElementTree

import pytest
from systolith.hw.config import EngineConfig
from systolith.sim.random_network import random_network
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.record import record
from systolith.sw.page_timeline import legend, timeline_chart
from systolith.sw.timeline import STALLS, Timeline, timeline


@pytest.fixture(scope="module")
def run() -> Timeline:
    config = EngineConfig(rows=4, cols=4, acc_depth=32, scratchpad=512)
    program = compile_network(random_network(641, size=12, channels=10), config)
    return timeline(program, record(program, 2))


def area(path: str) -> float:
    """Of the boxes ``MxyVyHxVy``."""
    boxes = re.findall(r"M(\S+) (\S+)V(\S+)H(\S+)V", path)
    return sum((float(b) - float(a)) * (float(low) - float(high)) for a, low, high, b in boxes)


def test_areas_are_cycles(run: Timeline) -> None:
    root = ElementTree.fromstring(timeline_chart(run, 0, run.cycles - 1))
    by_class: dict[str, float] = {}
    for path in root.iter("path"):
        kind = path.attrib["class"]
        by_class[kind] = by_class.get(kind, 0.0) + area(path.attrib["d"])
    cycle = (1010 - 74 - 6) / run.cycles
    counts = run.recording.stalls()
    for name in STALLS:
        assert by_class.get(f"s-{name}", 0.0) == pytest.approx(counts[name] * cycle * 96, abs=40, rel=0.03)
    for client, times in run.recording.reads.items():
        assert by_class.get(f"c-{client}", 0.0) == pytest.approx(len(times) * cycle * 26, abs=40, rel=0.03)


def test_every_layer_has_its_tooltip_and_names_cannot_break_out(run: Timeline) -> None:
    root = ElementTree.fromstring(timeline_chart(run, 0, run.cycles - 1))
    titles = [node.findtext("title") or "" for node in root.iter("rect")]
    assert len(titles) == len(run.layers)
    for layer, title in zip(run.layers, titles, strict=True):
        assert title.startswith(f"{layer.name}, image {layer.image}: {layer.cycles:,} cycles")
    assert "<b>" not in legend([("t0", "<b>")])


def test_a_window_shows_its_layers_alone(run: Timeline) -> None:
    first = run.layers[1].start
    root = ElementTree.fromstring(timeline_chart(run, first, run.layers[1].end))
    titles = [node.findtext("title") or "" for node in root.iter("rect")]
    assert titles[0].startswith(run.layers[1].name)
    marks = [node.text for node in root.iter("text") if re.fullmatch(r"[\d,]+", node.text or "")]
    assert marks and all(
        first <= int(mark.replace(",", "")) <= run.layers[1].end + 1 for mark in marks if mark
    )
