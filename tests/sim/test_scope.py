"""A scope's text: windows, signs, runs that end early or begin twice. Real runs are in tests/sw/test_api_scope.py."""

import re

import pytest
from systolith.hw.config import SERIAL, EngineConfig
from systolith.sim.scope import MOST, Wire, decode_scope, require_window, scope_module, scope_plusargs, wires

CONFIG = EngineConfig(rows=3, cols=2)
SIGNALS = (Wire("bit", "bench.a"), Wire("signed", "bench.b", 4, True), Wire("wide", "bench.c", 48, True))


def test_every_pe_has_its_signals() -> None:
    found = wires(CONFIG, ("compute", "writeback"))
    names = [wire.name for wire in found]
    assert len(set(names)) == len(names)
    for row in range(3):
        for col in range(2):
            assert {f"pe {row},{col} {what}" for what in ("switch", "act", "wgt", "psum")} <= set(names)
    assert {"code written", "code 0", "code 1"} <= set(names) and "code 2" not in names
    assert "code 0" not in [wire.name for wire in wires(CONFIG, None)]
    with pytest.raises(ValueError, match="serial"):
        wires(EngineConfig(**SERIAL | {"serial": True}), None)


def test_the_module_writes_each_signal_once() -> None:
    text = scope_module(SIGNALS)
    assert len(re.findall(r"%h", text)) == len(SIGNALS) and "bind bench bench_scope" in text
    assert [f"{wire.width}'({wire.expression})" in text for wire in SIGNALS] == [True] * 3
    assert scope_plusargs((3, 9)) == ["+scope_first=3", "+scope_last=9"]


def test_values_are_signed_as_told() -> None:
    text = "5 1 7 7fffffffffff\n6 0 8 800000000000\n7 1 f ffffffffffff\n"
    found = decode_scope(text, SIGNALS, (5, 9))
    assert {name: values.tolist() for name, values in found.items()} == {
        "bit": [1, 0, 1],
        "signed": [7, -8, -1],
        "wide": [2**47 - 1, -(2**47), -1],
    }


def test_the_later_start_counts_and_halves_of_lines_do_not() -> None:
    text = "5 1 1 1\n6 1 1 1\n5 0 2 2\n6 0 3 3\n7 0"
    found = decode_scope(text, SIGNALS, (5, 9))
    assert found["signed"].tolist() == [2, 3] and found["bit"].tolist() == [0, 0]


@pytest.mark.parametrize("window", [(-1, 5), (5, 4), (0, MOST)])
def test_windows_that_are_none(window: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="first and last must be"):
        require_window(window)


def test_the_longest_window() -> None:
    require_window((7, 7 + MOST - 1))
