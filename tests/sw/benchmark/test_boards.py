"""Networks on boards: figures, the page's part, and what a run puts together."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.pll import PLLS, nearest_clock
from systolith.sim.onchip import OnChipResult
from systolith.sw import integer_reference
from systolith.sw.api_synth import Synth
from systolith.sw.benchmark import boards
from systolith.sw.benchmark.sources import find
from systolith.sw.synthesis import Route, Synthesis
from systolith.sw.synthesis_boards import BOARDS

CELLS = {"TRELLIS_COMB": 20000, "TRELLIS_FF": 15000, "DP16KD": 130, "MULT18X18D": 64, "TRELLIS_IO": 4}
RUN = boards.BoardRun(
    case="resnet8", network_hash="aa", commit="c0ffee", engine="8x8 array", clock=75.0, reached=80.0, cycles=200_000,
    compared=10, wrong=0, cells=CELLS,
)  # fmt: skip


def test_frames_are_clock_over_cycles() -> None:
    assert RUN.frames == 375.0 and RUN.met
    assert not replace(RUN, reached=74.9).met and not replace(RUN, wrong=1).met


def test_page_and_numbers() -> None:
    text = boards.boards_section([RUN, replace(RUN, case="gone")])
    (row,) = [line for line in text.splitlines() if line.startswith("| resnet8")]
    assert row == (
        "| resnet8 | ulx3s-85f | 8x8 array | 75 MHz, 80.0 | 200,000 | 375.0 | hls4ml: 130.8, PYNQ-Z2 at 100 MHz "
        "(MLPerf Tiny v1.0) | 20,000 LUTs, 15,000 registers, 64 DSPs, 130 block RAMs | 0 of 10 | `c0ffee` |"
    )
    assert boards.boards_section([]) == "" and "gone" not in text
    assert boards.boards_from_json(boards.boards_to_json([RUN])) == [RUN]
    with pytest.raises(ValueError, match="the boards are of version 7, not 1: measure again"):
        boards.boards_from_json('{"version": 7}')


def test_cases_share_a_placement() -> None:
    cases = boards.BOARD_CASES.values()
    assert len({(case.board, case.clock, case.memory, case.config) for case in cases}) == 1
    assert all(case.board in BOARDS and isinstance(case.config, EngineConfig) for case in cases)


@pytest.mark.parametrize("wrong", [0, 3])
def test_a_run_puts_bitstream_and_simulation_together(
    wrong: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {}

    def synth_board(board: str, output: Path | None, **options: Any) -> Synth:
        asked.update(options, board=board)
        result = Synthesis(
            device=board, speed=6, freq=options["clock"], folder=tmp_path,
            routes=(Route(seed=1, mhz=81.5, path=None),), resources={"DP16KD": (130, 208)},
        )  # fmt: skip
        pll = nearest_clock(PLLS["ecp5"], 25, options["clock"])
        return Synth(config=options["program"].config, result=result, bitstream=output, pll=pll)

    def run_onchip(program: Any, batches: Any, **_: Any) -> list[OnChipResult]:
        asked["simulated"] = program
        (codes,) = batches
        outputs = {
            name: code[0].copy()
            for name, code in integer_reference.run(asked["network"], codes[None]).items()
        }
        first = outputs[program.outputs[0].tensor].reshape(-1)
        first[:wrong] ^= 1
        return [
            OnChipResult(
                [{program.outputs[0].tensor: outputs[program.outputs[0].tensor]}], {"cycles": 150_000}, 10**6
            )
        ]

    real = boards.quantized

    def quantized(*words: Any) -> Any:
        model = real(*words)
        asked["network"] = model.network
        return model

    monkeypatch.setattr(boards, "synth_board", synth_board)
    monkeypatch.setattr(boards, "run_onchip", run_onchip)
    monkeypatch.setattr(boards, "quantized", quantized)
    source = find("demo")
    assert source is not None
    run = boards.measure_board(boards.BOARD_CASES["demo"], source, "c0ffee")
    assert (run.clock, run.reached, run.cycles, run.wrong) == (80.0, 81.5, 150_000, wrong) and run.met == (
        not wrong
    )
    assert run.compared == 10 and run.cells == {"DP16KD": 130} and run.frames == pytest.approx(80e6 / 150_000)
    assert asked["simulated"] is asked["program"] and asked["memory"] == 172 << 10
    assert np.array_equal(asked["program"].config.rows, 8)
