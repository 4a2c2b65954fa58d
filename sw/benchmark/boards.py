"""Networks in a board's block RAM: frames a second of a bitstream that was placed and routed.

    frames a second = clock of the bitstream / cycles of the same RTL, simulated with the program in its memory

Both networks of a board share one engine, one memory and one clock: placed once, the program is put in afterwards.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...hw.config import EngineConfig
from ...sim.onchip import run_onchip
from .. import integer_reference
from ..api_board import synth_board
from ..api_synth import Synth
from ..compiler import compile_network
from ..synthesis_boards import BOARDS
from .measure import quantized
from .sources import Source

__all__ = ["BOARD_CASES", "BoardCase", "BoardRun", "boards_from_json", "boards_section", "boards_to_json",
           "measure_board"]  # fmt: skip

_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class BoardCase:
    """A network on a board: its engine, MHz, bytes of memory; ``beside``: what others have published."""

    name: str
    network: str
    board: str
    clock: float
    memory: int
    config: EngineConfig
    beside: str = ""


_BOARD = BOARDS["ulx3s-85f"]
_ULX3S = {"board": _BOARD.name, "clock": 80.0, "memory": _BOARD.memory, "config": _BOARD.config()}

BOARD_CASES = {
    case.name: case
    for case in (
        BoardCase(
            name="resnet8",
            network="mlperf_ic_resnet8_bn_dyn",
            beside="hls4ml: 130.8, PYNQ-Z2 at 100 MHz (MLPerf Tiny v1.0)",
            **_ULX3S,  # type: ignore[arg-type]
        ),
        BoardCase(name="demo", network="demo", **_ULX3S),  # type: ignore[arg-type]
    )
}


@dataclass(frozen=True, kw_only=True)
class BoardRun:
    """What was measured at a commit. ``clock``: MHz the bitstream runs at, ``reached``: by place and route. ``cycles``:
    of one image, ``wrong`` of ``compared`` codes differ from the integer reference. ``cells``: used of each kind."""

    case: str
    network_hash: str
    commit: str
    engine: str
    clock: float
    reached: float
    cycles: int
    compared: int
    wrong: int
    cells: Mapping[str, int]

    @property
    def met(self) -> bool:
        """Whether the bitstream may run at its clock, and what the board computes is right."""
        return self.reached >= self.clock and not self.wrong

    @property
    def frames(self) -> float:
        """Images a second, without their way over the serial link."""
        return 1e6 * self.clock / self.cycles


def measure_board(
    case: BoardCase,
    source: Source,
    commit: str,
    *,
    output: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> BoardRun:
    """Make the bitstream, or take it from the cache, and simulate its RTL through the serial line."""
    with tempfile.TemporaryDirectory(prefix="systolith-") as name:
        model = quantized(source, Path(name), say)
    program = compile_network(model.network, case.config)
    made = synth_board(
        case.board, output, program=program, memory=case.memory, clock=case.clock, progress=say
    )
    assert isinstance(made, Synth) and made.result.freq is not None
    codes = model.network.input_codes(model.preprocessing.apply(source.images[:1]))
    say(f"simulation of {case.config.describe()} behind its serial line")
    (result,) = run_onchip(program, [codes[0]], memory=case.memory)
    wanted = integer_reference.run(model.network, codes)
    pairs = [(code, wanted[tensor][0]) for tensor, code in result.outputs[0].items()]
    return BoardRun(
        case=case.name, network_hash=source.hash, commit=commit, engine=case.config.describe(),
        clock=made.result.freq, reached=made.result.best.mhz, cycles=result.counters["cycles"],
        compared=sum(code.size for code, _ in pairs), wrong=sum(int(np.sum(a != b)) for a, b in pairs),
        cells={kind: used for kind, (used, _) in made.result.resources.items()},
    )  # fmt: skip


def boards_to_json(runs: Iterable[BoardRun]) -> str:
    """A document, one line a value."""
    return json.dumps({"version": _VERSION, "runs": [asdict(run) for run in runs]}, indent=1) + "\n"


def boards_from_json(text: str) -> list[BoardRun]:
    """The inverse; raises ValueError for another version."""
    document = json.loads(text)
    if document.get("version") != _VERSION:
        raise ValueError(
            f"the boards are of version {document.get('version')!r}, not {_VERSION}: measure again"
        )
    return [BoardRun(**run) for run in document["runs"]]


_HEAD = """
## Networks on boards

Program and weights in the bitstream's block RAM, image and result over the serial link (`sw/benchmark/boards.py`,
`make boards`). Frames a second are the clock over the cycles of one image, as the same RTL takes them in simulation,
memory included; an image's way over the link, 31 ms for 3 KB at 1 Mbit/s, is not counted. Cells are those of engine,
memory and link.
"""

_CELLS = (
    ("TRELLIS_COMB", "LUTs"),
    ("TRELLIS_FF", "registers"),
    ("MULT18X18D", "DSPs"),
    ("DP16KD", "block RAMs"),
)


def boards_section(runs: Iterable[BoardRun]) -> str:
    """The page's part, empty where nothing was measured."""
    rows = [_row(BOARD_CASES[run.case], run) for run in runs if run.case in BOARD_CASES]
    header = ("work", "board", "engine", "clock, reached by place and route", "cycles, one image", "frames a second",
              "beside", "cells", "wrong", "commit")  # fmt: skip
    lines = [header, ("---",) * len(header), *rows]
    return _HEAD + "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines) if rows else ""


def _row(case: BoardCase, run: BoardRun) -> tuple[str, ...]:
    cells = ", ".join(f"{run.cells[kind]:,} {name}" for kind, name in _CELLS if kind in run.cells)
    return (
        case.name, case.board, run.engine, f"{run.clock:g} MHz, {run.reached:.1f}", f"{run.cycles:,}",
        f"{run.frames:,.1f}", case.beside or "-", cells, f"{run.wrong} of {run.compared}", f"`{run.commit}`",
    )  # fmt: skip
