"""What is drawn is what happened: the colour of the picture at a cycle, the height of its bars."""

from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from systolith.hw.config import EngineConfig
from systolith.sim.random_network import random_network
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.record import record
from systolith.sw.picture_lanes import COLORS, LANES, STALL_COLORS, draw_lanes, short
from systolith.sw.recording import STATES
from systolith.sw.timeline import Timeline, timeline

WIDTH, HEIGHT = 1600, 500


@pytest.fixture(scope="module")
def run() -> Timeline:
    config = EngineConfig(rows=4, cols=4, acc_depth=32, scratchpad=512)
    program = compile_network(random_network(641, size=12, channels=10), config)
    return timeline(program, record(program, 2))


def drawn(run: Timeline, first: int, last: int) -> tuple[np.ndarray, Any]:
    """Pixels, and where (cycle, lane, share of its height from below) is among them."""
    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.1, 0.1, 0.88, 0.85))
    draw_lanes(axes, run, first, last, labels=0)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3] / 255

    def at(cycle: float, lane: str, share: float) -> np.ndarray:
        x, y = axes.transData.transform((cycle, LANES[lane].base - LANES[lane].height * share))
        return np.asarray(pixels[HEIGHT - 1 - int(y), int(x)])

    return pixels, at


def near(pixel: np.ndarray, color: str) -> bool:
    return bool(np.abs(pixel - to_rgb(color)).max() < 0.02)


def test_states_of_the_array(run: Timeline) -> None:
    """A window of as many cycles as there are bins: every run of three cycles or more has its colour."""
    recording, layers = run.recording, {layer.index for layer in run.layers}
    first, last = 0, 399
    _, at = drawn(run, first, last)
    until = np.append(recording.since[1:], recording.cycles)
    seen = set()
    for begin, end, state in zip(recording.since, until, recording.states, strict=True):
        if end - begin < 3 or end > last:
            continue
        allowed = COLORS[: len(layers)] if STATES[state] == "pixel" else [STALL_COLORS[STATES[state]]]
        pixels = [at(cycle + 0.5, "compute", 0.1) for cycle in range(begin, end)]
        # The border between two instructions is white; it may be anywhere in a run of pixels.
        good = [any(near(pixel, color) for color in allowed) for pixel in pixels]
        assert sum(good) >= 0.6 * len(good), (begin, STATES[state])
        seen.add(STATES[state])
    assert {"pixel", "wait"} <= seen


def test_words_on_the_port(run: Timeline) -> None:
    """One bin a cycle: the lane is full where a word comes, empty where none does."""
    last = 299
    _, at = drawn(run, 0, last)
    busy = np.zeros(last + 1, bool)
    for times in run.recording.reads.values():
        busy[times[times <= last]] = True
    for cycle in range(1, last):
        if busy[cycle - 1] == busy[cycle] == busy[cycle + 1]:
            empty = bool(at(cycle + 0.5, "reads", 0.6).min() > 0.97)
            assert empty != busy[cycle], cycle


def test_height_is_the_share(run: Timeline) -> None:
    """Many cycles in one bin: the coloured area of a lane is the share of its cycles."""
    pixels, _ = drawn(run, 0, run.cycles - 1)
    figure_top, figure_height = 0.05 * HEIGHT, 0.85 * HEIGHT
    end = LANES["writes"].base + 0.1
    low = -0.3 if run.images > 1 else -0.05
    lane = LANES["compute"]
    rows = [figure_top + figure_height * (y - low) / (end - low) for y in (lane.top, lane.base)]
    area = pixels[round(rows[0]) : round(rows[1]), int(0.1 * WIDTH) : int(0.98 * WIDTH)]
    for name in ("wait", "weight"):
        share = run.recording.stalls()[name] / run.cycles
        drawn_share = float((np.abs(area - to_rgb(STALL_COLORS[name])).max(axis=2) < 0.1).mean())
        assert drawn_share == pytest.approx(share, abs=0.03), name


@pytest.mark.parametrize(
    "name, shown",
    [
        ("layer1.0.conv1_Conv", "layer1.0.conv1"), ("/block2/conv2/Conv+/pool/MaxPool", "block2/conv2+pool"),
        ("Conv", "Conv"), ("fc", "fc"), ("logits_Gemm", "logits"),
    ],
)  # fmt: skip
def test_short_names(name: str, shown: str) -> None:
    assert short(name) == shown
