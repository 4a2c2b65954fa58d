"""Bitstreams of boards: rows and numbers, what a run puts together, and the RTL of each board on layers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.sim.onchip import OnChipResult
from systolith.sw import integer_reference
from systolith.sw.api_synth import Synth
from systolith.sw.benchmark import bitstreams
from systolith.sw.benchmark.bitstreams import BOARD_CLOCKS, Bitstream, described, layers_for, runs_layers
from systolith.sw.synthesis import Route, Synthesis
from systolith.sw.synthesis_boards import BOARDS
from systolith.sw.synthesis_tools import SynthesisError

CELLS = {"DCCA": (1, 56), "TRELLIS_COMB": (18129, 24288), "TRELLIS_FF": (14555, 24288), "DP16KD": (38, 56)}
MADE = Bitstream(
    board="ulx3s-25f", engine=described(EngineConfig(rows=4, cols=4, scratchpad=16 << 10)), memory=24 << 10,
    clock=50.0, reached=88.1, cells=CELLS, size=480_000, commit="c0ffee", command="systolith synth", compared=90,
    wrong=0, cycles=900,
)  # fmt: skip
FAST = "tang-primer-20k"
"""The board whose RTL is simulated in the fast tests."""


def test_rows_and_numbers() -> None:
    nano = replace(
        MADE, board="tang-primer-20k", cells={"LUT4": (9837, 20736), "MULT9X9": (8, 96), "BSRAM": (23, 46)}
    )
    first, second = bitstreams.bitstreams_table([nano, MADE]).splitlines()[2:]
    assert first == (
        "| `ulx3s-25f` | 4x4, 16 KB, 64-bit port; no depthwise columns | 24 KB "
        "| 50 MHz, 88.1 | 18,129 of 24,288 | 14,555 of 24,288 | - | 38 of 56 "
        "| 0 of 90 codes wrong | `c0ffee` | `systolith synth` |"
    )
    assert "| 9,837 of 20,736 | - | 8 of 96 | 23 of 46 |" in second
    assert bitstreams.bitstreams_from_json(bitstreams.bitstreams_to_json([MADE, nano])) == [MADE, nano]
    with pytest.raises(ValueError, match="the bitstreams are of version 7, not 1: make them again"):
        bitstreams.bitstreams_from_json('{"version": 7}')
    assert described(BOARDS["icebreaker"].config()) == "8x8 serial, 32 KB"
    assert MADE.met and not replace(MADE, wrong=1).met and not replace(MADE, reached=49.9).met


def test_layers_fit_the_board() -> None:
    for name in BOARD_CLOCKS:
        board = BOARDS[name]
        network, program = layers_for(board.config(), board.memory)
        assert program.config == board.config() and program.memory_map(1).end <= board.memory
        assert any(layer.kind == "conv" for layer in network.layers)
    with pytest.raises(ValueError, match="none of 40 small networks runs on .* with 100 bytes"):
        layers_for(BOARDS[FAST].config(), 100)


@pytest.mark.parametrize("wrong", [0, 2])
@pytest.mark.parametrize(("name", "clock", "option"), [("ulx3s-12f", 50.0, " --clock 50"), (FAST, None, "")])
def test_a_run_puts_bitstream_and_simulation_together(
    name: str, clock: float | None, option: str, wrong: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    board = BOARDS[name]
    suffix = board.target.family.suffix

    def synth_board(board: str, output: Path, **options: Any) -> Synth:
        assert options["clock"] == clock and board == name
        output.write_bytes(bytes(70))
        result = Synthesis(device=board, speed=None, freq=clock or 27.0, routes=(Route(seed=1, mhz=81.46, path=None),),
                           resources={"BSRAM": (3, 46)}, folder=tmp_path)  # fmt: skip
        return Synth(config=BOARDS[board].config(), result=result, bitstream=output)

    def run_onchip(program: Any, batches: Any, *, memory: int, resident: bool) -> list[OnChipResult]:
        assert memory == board.memory and resident
        network, _ = layers_for(board.config(), board.memory)
        outputs = {key: value[0] for key, value in integer_reference.run(network, batches[0][None]).items()}
        outputs[program.outputs[0].tensor].reshape(-1)[:wrong] ^= 1
        return [OnChipResult([outputs], {"cycles": 1234}, 10**6)]

    monkeypatch.setattr(bitstreams, "synth_board", synth_board)
    monkeypatch.setattr(bitstreams, "run_onchip", run_onchip)
    made = bitstreams.make_bitstream(board, clock, "c0ffee", output=tmp_path / "out")
    assert (made.clock, made.reached, made.size, made.cycles, made.wrong) == (
        clock or 27.0,
        81.5,
        70,
        1234,
        wrong,
    )
    assert made.cells == {"BSRAM": (3, 46)} and made.compared > 20 and made.met is (not wrong)
    assert made.command == f"systolith synth --board {name}{option} -o net.{suffix}"


def test_what_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise SynthesisError("the design does not fit")

    monkeypatch.setattr(bitstreams, "synth_board", fails)
    with pytest.raises(SynthesisError, match="the design does not fit"):
        bitstreams.make_bitstream(BOARDS[FAST], None, "c0ffee")


def test_rtl_of_a_board_runs_layers() -> None:
    """Through its serial line, with the memory that it has."""
    board = BOARDS[FAST]
    compared, wrong, cycles = runs_layers(board.config(), board.memory)
    assert wrong == 0 and compared > 20 and cycles > 500


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BOARD_CLOCKS if name != FAST])
def test_rtl_of_every_board_runs_layers(name: str) -> None:
    compared, wrong, cycles = runs_layers(BOARDS[name].config(), BOARDS[name].memory)
    assert wrong == 0 and compared > 20 and cycles > 500


def test_results_that_say_little_are_not_taken() -> None:
    """Networks whose results hold few different codes would equal a broken engine's."""
    board = BOARDS["ulx3s-25f"]
    network, _ = layers_for(board.config(), board.memory)
    codes = bitstreams.random_codes(network, 28)
    assert max(len(np.unique(code)) for code in integer_reference.run(network, codes).values()) >= 20
