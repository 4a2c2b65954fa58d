"""``synth_board``: an engine with its memory on a board, as a bitstream or as a Vivado project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..hw.config import EngineConfig
from ..hw.link import BAUD
from ..hw.pll import Pll, fastest_clock
from .api_files import file_target, fresh_folder, write_whole
from .api_results import config_json
from .api_synth import Synth
from .onchip_image import contents, needed_words
from .program import Program
from .synthesis import Synthesis, place, routed_by
from .synthesis_boards import TOP, BoardData, board_named, board_pll, clock_hz, pll_kind, prepare
from .synthesis_patch import marks, memory_blocks, patched
from .synthesis_tools import find

__all__ = ["FASTEST", "VivadoProject", "synth_board"]

FASTEST = "max"
"""The clock that place and route finds."""


@dataclass(frozen=True, kw_only=True)
class VivadoProject:
    """Verilog, constraints and the script for a board whose bitstream a vendor's tool makes; not run here."""

    config: EngineConfig
    board: str
    folder: Path
    ok: bool = True

    def verdict(self) -> str:
        """Nothing was measured."""
        return ""

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        files = sorted(path.name for path in self.folder.iterdir())
        return {
            "board": self.board,
            "config": config_json(self.config),
            "project": str(self.folder),
            "files": files,
        }

    def to_text(self) -> str:
        """Where it is and how to run it."""
        return (
            f"{self.config.describe()}; {self.board}\nwritten: {self.folder}\n"
            f"bitstream: cd {self.folder} && vivado -mode batch -source {TOP}.tcl"
        )


def _words(
    board: BoardData, config: EngineConfig, program: Program | None, memory: int | None, images: int
) -> int:
    """Port words of memory. Raises ValueError where the program needs more than was asked for."""
    needed = 0 if program is None else needed_words(program, images) * config.port_bytes
    size = max(needed, board.memory) if memory is None else memory
    if size < needed:
        raise ValueError(
            f"memory must be at least {needed} bytes for {images} images of this program, not {size}"
        )
    if size < 2 * config.port_bytes:
        raise ValueError(f"memory must be at least {2 * config.port_bytes} bytes, not {size}")
    return -(-size // config.port_bytes)


def synth_board(
    board: str,
    output: str | Path | None = None,
    *,
    config: EngineConfig | None = None,
    program: Program | None = None,
    memory: int | None = None,
    images: int = 1,
    clock: float | str | None = None,
    baud: int = BAUD,
    freq: float | None = None,
    seeds: int = 1,
    router: str | None = None,
    placer: str | None = None,
    jobs: int = 1,
    progress: Callable[[str], None] = lambda line: None,
) -> Synth | VivadoProject:
    """Build ``hw.onchip`` for a board; what talks to it is ``sw.uart_port``.

    ``output``: the bitstream's file, or the folder of a Vivado project. ``config``: the program's, if there is a
    program, else by default what fits the board. ``program``: contents of the memory, with its weights. ``memory``:
    bytes, by default the board's, and at least what a batch of ``images`` needs. ``clock``: MHz that the FPGA's PLL
    makes, "max" for the fastest that place and route reaches; by default the board's oscillator. ``freq``: MHz to
    reach, by default the clock. ``router``: nextpnr's, "router1" or "router2"; ``placer``: "heap" or
    "static".

    On ECP5 a second program of the same engine, memory and clock takes seconds: its contents are put into the design
    that is routed. Raises ValueError for bad values, SynthesisError if a tool is missing or fails, or the design does
    not fit.
    """
    data = board_named(board)
    if seeds < 1 or images < 1:
        raise ValueError(f"seeds and images must be positive integers, not {seeds!r} and {images!r}")
    for what, chosen in (("router", router), ("placer", placer)):
        if data.vivado and chosen is not None:
            raise ValueError(f"{what} of {board} must be left out: Vivado places it, not {chosen!r}")
    if not data.vivado:
        routed_by(data.target, router, placer)
    if program is not None:
        if config is not None:
            program.require(config)
        config = program.config
    config = config or data.config()
    words = _words(data, config, program, memory, images)
    if data.vivado and output is None:
        raise ValueError(f"{board} becomes a Vivado project: name its folder by -o DIR")
    target = None if data.vivado or output is None else file_target(output)
    fastest = clock == FASTEST
    pll = board_pll(data, None if fastest or clock is None else _megahertz(clock))
    init = [] if program is None else contents(program)
    if data.vivado:
        assert output is not None
        if fastest:
            pll_kind(data)  # there is none

        def fill(folder: Path) -> None:
            for name, text in prepare(data, config, words=words, init=init, baud=baud).items():
                (folder / name).write_text(text)

        return VivadoProject(config=config, board=board, folder=fresh_folder(output, fill, mark=f"{TOP}.tcl"))
    family = data.target.family
    for name in family.programs:
        find(name, family.packages[name])
    patch, init = _patch(data, config, words, init)

    def run(pll: Pll | None) -> Synthesis:
        files = prepare(data, config, words=words, init=init, pll=pll, baud=baud)
        (pins,) = (text for name, text in files.items() if name != f"{TOP}.il")
        mhz = clock_hz(data) / 1e6 if pll is None else pll.mhz
        return place(
            data.target, files[f"{TOP}.il"], TOP, pins=pins, speed=data.speed, seeds=range(1, seeds + 1),
            freq=mhz if freq is None or fastest else freq, jobs=jobs, router=router,
            placer=placer, bitstream=True, patch=patch, say=progress,
        )  # fmt: skip

    pll, result = _search(data, run, progress) if fastest else (pll, run(pll))
    packed = result.bitstream
    if target is not None and packed is not None:
        packed = write_whole(target, packed.read_bytes())
    result = replace(result, device=f"{board} ({result.device})", bitstream=packed)
    return Synth(config=config, result=result, bitstream=packed, pll=pll)


def _megahertz(clock: float | str) -> float:
    if isinstance(clock, str) or not clock > 0:
        raise ValueError(f"clock must be MHz or {FASTEST!r}, not {clock!r}")
    return clock


def _patch(
    data: BoardData, config: EngineConfig, words: int, init: list[int]
) -> tuple[Callable[[str], str] | None, list[int]]:
    """What is done to the routed design, and the contents of the memory before that."""
    if data.target.family.name != "ecp5":
        return None, init
    placed, width = marks(words, config.port_width), config.port_width
    old, new = (memory_blocks(words, width, part) for part in (placed, init))
    return lambda text: patched(text, old, new), placed


def _search(
    data: BoardData, run: Callable[[Pll | None], Synthesis], say: Callable[[str], None]
) -> tuple[Pll | None, Synthesis]:
    """The fastest clock that is met: from the device's aim on each time what the last run reached.

    Every clock is another design, by the divisor of the serial link at least, so one that was reached may be missed.
    """
    kind, source, limit = pll_kind(data), clock_hz(data) / 1e6, data.target.aim
    while True:
        pll = fastest_clock(kind, source, limit)
        result = run(pll)
        say(f"{pll.mhz:g} MHz: {'met' if result.met else 'missed'}, {result.mhz:.1f} MHz")
        if result.met:
            return pll, result
        limit = min(result.mhz, 0.99 * pll.mhz)
