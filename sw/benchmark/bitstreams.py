"""Boards whose bitstream open tools make: placed, routed and packed, and their RTL run on a layer; a table of them.

board -> bitstream of its engine, memory and link    (as ``systolith synth --board``)
      -> the same RTL simulated through its serial line on layers == the integer reference
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...hw.config import EngineConfig
from ...quant.network import IntArray, QuantizedNetwork
from ...sim.onchip import run_onchip
from ...sim.random_network import random_codes, random_network
from .. import integer_reference
from ..api_board import synth_board
from ..api_synth import Synth
from ..compiler import compile_network
from ..program import Program
from ..synthesis_boards import BOARDS, BoardData

__all__ = ["BOARD_CLOCKS", "Bitstream", "bitstreams_from_json", "bitstreams_table", "bitstreams_to_json", "described",
           "layers_for", "make_bitstream", "runs_layers"]  # fmt: skip

_VERSION = 1
_SEED, _SEEDS, _LAYERS = 28, 40, 3
_FEWEST = 20
"""Different codes that the layers' results must have, lest anything equal them."""

BOARD_CLOCKS: Mapping[str, float | None] = {
    "ulx3s-12f": 50.0,
    "ulx3s-25f": 50.0,
    "ulx3s-45f": 50.0,
    "ulx3s-85f": 80.0,
    "orangecrab-25f": None,
    "orangecrab-85f": None,
    "colorlight-5a-75b": 50.0,
    "icebreaker": 24.0,
    "tang-nano-9k": None,
    "tang-primer-20k": None,
    "crosslink-nx-evn": None,
}
"""Boards whose bitstreams are made, and the clock in MHz of each; None: its oscillator's."""


@dataclass(frozen=True, kw_only=True)
class Bitstream:
    """What was made at a commit. ``clock``: MHz that it runs at, ``reached``: by place and route. ``cells``: (used,
    there are) of each kind. ``size``: bytes of the file. ``wrong`` of ``compared`` codes of layers that its RTL ran
    differ from the integer reference, in ``cycles``."""

    board: str
    engine: str
    memory: int
    clock: float
    reached: float
    cells: Mapping[str, tuple[int, int]]
    size: int
    commit: str
    command: str
    compared: int
    wrong: int
    cycles: int

    @property
    def met(self) -> bool:
        """Whether it may run at its clock, and what the board computes is right."""
        return self.reached >= self.clock and not self.wrong


def described(config: EngineConfig) -> str:
    """Size of the array, scratchpad and port, and what the engine does without; a serial one is always the same."""
    if config.serial:
        return f"{config.rows}x{config.cols} serial, {config.words * config.word_bytes >> 10} KB"
    lacks = [
        name
        for name, there in (
            ("line buffer", config.fold_width), ("depthwise columns", config.fir_lines), ("tables", config.tables),
            ("averages on the way out", config.means), ("products", config.products), ("folded words", config.folds),
            ("event counts", config.profile), ("look-ahead", config.lookahead),
        ) if not there
    ]  # fmt: skip
    return (
        f"{config.rows}x{config.cols}, {config.words * config.word_bytes >> 10} KB, {config.port_width}-bit port"
        + (f"; no {', '.join(lacks)}" if lacks else "")
    )


def layers_for(config: EngineConfig, memory: int) -> tuple[QuantizedNetwork, Program]:
    """A random network of convolutions, pools and sums that an engine can run, its program within ``memory`` bytes.

    Raises ValueError where none of many does.
    """
    for seed in range(_SEED, _SEED + _SEEDS):
        network = random_network(
            seed, _LAYERS, act_width=config.act_width, wgt_width=config.wgt_width, channels=8, size=10
        )
        try:
            program = compile_network(network, config)
        except ValueError:
            continue
        results = integer_reference.run(network, random_codes(network, seed))
        if program.memory_map(1).end <= memory and max(map(_codes, results.values())) >= _FEWEST:
            return network, program
    raise ValueError(f"none of {_SEEDS} small networks runs on {config.describe()} with {memory} bytes")


def _codes(values: IntArray) -> int:
    return len(np.unique(values))


def runs_layers(config: EngineConfig, memory: int) -> tuple[int, int, int]:
    """(codes compared, codes wrong, cycles) of a random network in the RTL of an engine on a board.

    Program and weights are the contents of its block RAM; the image and the results pass the serial line. To a serial
    engine, whose memory may have no contents, everything does.
    """
    network, program = layers_for(config, memory)
    codes = random_codes(network, _SEED)
    (result,) = run_onchip(program, [codes[0]], memory=memory, resident=not config.serial)
    wanted = integer_reference.run(network, codes)
    pairs = [(code, wanted[tensor][0]) for tensor, code in result.outputs[0].items()]
    wrong = sum(int(np.sum(got != want)) for got, want in pairs)
    return sum(got.size for got, _ in pairs), wrong, result.counters["cycles"]


def make_bitstream(
    board: BoardData,
    clock: float | None,
    commit: str,
    *,
    output: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Bitstream:
    """Place, route and pack, or take it from the cache, and simulate.

    Raises SynthesisError where a tool is missing or the design does not fit.
    """
    config = board.config()
    made = synth_board(board.name, output, clock=clock, progress=say)
    assert isinstance(made, Synth) and made.bitstream is not None and made.result.freq is not None
    say(f"simulation of {config.describe()} behind its serial line")
    compared, wrong, cycles = runs_layers(config, board.memory)
    option = "" if clock is None else f" --clock {clock:g}"
    return Bitstream(
        board=board.name, engine=described(config), memory=board.memory, clock=made.result.freq,
        reached=round(made.result.best.mhz, 1), cells=made.result.resources, size=made.bitstream.stat().st_size,
        commit=commit, command=f"systolith synth --board {board.name}{option} -o net.{board.target.family.suffix}",
        compared=compared, wrong=wrong, cycles=cycles,
    )  # fmt: skip


def bitstreams_to_json(made: Iterable[Bitstream]) -> str:
    """A document, one line a value."""
    return json.dumps({"version": _VERSION, "bitstreams": [asdict(one) for one in made]}, indent=1) + "\n"


def bitstreams_from_json(text: str) -> list[Bitstream]:
    """The inverse; raises ValueError for another version."""
    document = json.loads(text)
    if document.get("version") != _VERSION:
        raise ValueError(
            f"the bitstreams are of version {document.get('version')!r}, not {_VERSION}: make them again"
        )
    return [
        Bitstream(**{**one, "cells": {kind: (used, there) for kind, (used, there) in one["cells"].items()}})
        for one in document["bitstreams"]
    ]


_CELLS = (
    ("TRELLIS_COMB", "ICESTORM_LC", "LUT4", "OXIDE_COMB", "CPE_LT"),
    ("TRELLIS_FF", "DFF", "OXIDE_FF", "CPE_FF"),
    ("MULT18X18D", "ICESTORM_DSP", "MULT9X9", "MULT18X18", "MULT18_CORE"),
    ("DP16KD", "ICESTORM_RAM", "BSRAM", "OXIDE_EBR", "RAM_HALF", "RAM"),
)
"""Look-up tables, registers, multipliers, block RAMs, as each family's nextpnr calls them."""

_HEADER = ("board", "engine", "memory", "clock, reached", "LUTs", "registers", "DSPs", "block RAMs",
           "layers in simulation", "commit", "command")  # fmt: skip


def bitstreams_table(made: Iterable[Bitstream]) -> str:
    """Rows in the order of the boards."""
    order = list(BOARDS)
    rows = [_row(one) for one in sorted(made, key=lambda one: order.index(one.board))]
    return "".join(f"| {' | '.join(line)} |\n" for line in (_HEADER, ("---",) * len(_HEADER), *rows))


def _row(one: Bitstream) -> tuple[str, ...]:
    used = [
        next(
            (f"{one.cells[kind][0]:,} of {one.cells[kind][1]:,}" for kind in kinds if kind in one.cells), "-"
        )
        for kinds in _CELLS
    ]
    return (
        f"`{one.board}`", one.engine, f"{one.memory >> 10} KB", f"{one.clock:g} MHz, {one.reached:.1f}", *used,
        f"{one.wrong} of {one.compared} codes wrong", f"`{one.commit}`", f"`{one.command}`",
    )  # fmt: skip
