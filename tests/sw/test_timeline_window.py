"""Windows: cycles or layers; what is no part of the run is refused by name."""

import pytest
from systolith.hw.config import EngineConfig
from systolith.sim.random_network import random_network
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.record import record
from systolith.sw.timeline import Timeline, timeline
from systolith.sw.timeline_window import window_of


@pytest.fixture(scope="module")
def run() -> Timeline:
    program = compile_network(random_network(5), EngineConfig(rows=4, cols=4, scratchpad=4096))
    return timeline(program, record(program, 2))


def test_cycles(run: Timeline) -> None:
    end = run.cycles - 1
    assert window_of(run) is None
    assert (
        window_of(run, 7) == (7, end) and window_of(run, None, 9) == (0, 9) and window_of(run, 5, 5) == (5, 5)
    )
    assert window_of(run, 0, end) == (0, end)


def test_layers(run: Timeline) -> None:
    first, second = (next(layer for layer in run.layers if layer.index == i) for i in (0, 1))
    for layer in (first, second):
        low, high = window_of(run, layers=[layer.name]) or (0, 0)
        assert low <= layer.start and high >= layer.done
        assert high - low < 1.1 * (layer.done - layer.start) + 45
    both = window_of(run, layers=[second.name, first.name])
    assert both is not None and both[0] <= first.start and both[1] >= second.done


def test_refusals(run: Timeline) -> None:
    end = run.cycles - 1
    with pytest.raises(ValueError, match=rf"first must be a cycle of the run, 0\.\.{end}, not {end + 1}"):
        window_of(run, end + 1)
    with pytest.raises(ValueError, match="first must be a cycle of the run, .* not -1"):
        window_of(run, -1)
    with pytest.raises(ValueError, match=rf"last must be a cycle from first on, 9\.\.{end}, not 8"):
        window_of(run, 9, 8)
    with pytest.raises(ValueError, match=rf"last must be a cycle from first on, 0\.\.{end}, not {end + 1}"):
        window_of(run, None, end + 1)
    with pytest.raises(
        ValueError, match=rf"layers must be names of the engine's layers \({run.layers[0].name}, .*nosuch"
    ):
        window_of(run, layers=["nosuch"])
    with pytest.raises(ValueError, match="give no first and last cycle with them"):
        window_of(run, 3, layers=[run.layers[0].name])
