"""Runs programs on the board that ``hw.onchip`` describes, simulated, through its serial line.

program + weights -> contents of the block RAM -> Verilog -> Verilator; images go in and results come out as bits
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..hw.config import EngineConfig
from ..quant.network import IntArray
from ..sw.container import save_program
from ..sw.onchip_image import contents, needed_words
from ..sw.program import Program
from .build import build
from .rtl import simulate

__all__ = ["OnChipResult", "run_onchip"]

_BENCH = Path(__file__).parent / "bench_uart.sv"


@dataclass(frozen=True)
class OnChipResult:
    """A batch: each image's outputs as codes [H, W, C], the counters, and cycles since the reset, with the line's."""

    outputs: list[dict[str, IntArray]]
    counters: dict[str, int]
    cycles: int


def onchip_text(config: EngineConfig, words: int, init: Sequence[int], divisor: int, patience: int) -> str:
    """The board's Verilog, top module ``onchip``."""
    from ..hw.onchip import OnChip
    from ..hw.verilog import to_verilog

    board = OnChip(config, words=words, init=init, divisor=divisor, patience=patience)
    return to_verilog(board, "onchip")


def run_onchip(
    program: Program,
    batches: Sequence[npt.ArrayLike],
    *,
    resident: bool = True,
    reset_after: int = 0,
    memory: int = 0,
    divisor: int = 4,
    timeout: int = 2_000_000,
    reset: int = 8,
    sources: Mapping[str, str] | None = None,
    optimize: str = "-O1",
) -> list[OnChipResult]:
    """Run batches of codes [N, H, W, C] (or one [H, W, C]) one after the other.

    ``reset_after``: start the first batch once before, and reset the engine after at least so many of its cycles.
    ``resident``: program and weights are the memory's contents; else they come over the line. ``memory``: bytes, at
    least what the batches need. ``divisor``: cycles of a bit. ``timeout``: cycles of the engine. ``reset``: cycles of
    the first reset. ``sources``: Verilog by file name of a board in place of ``hw.onchip``, its module ``onchip`` with
    the same ports. Raises as ``run_jobs``; an error of the engine is a SimulationError.
    """
    codes = [np.asarray(batch) for batch in batches]
    images = max(1 if batch.ndim == 3 else len(batch) for batch in codes)
    words = max(needed_words(program, images), memory // program.config.port_bytes)
    init = contents(program) if resident else []
    if sources is None:
        sources = {"onchip.v": onchip_text(program.config, words, init, divisor, 1 << 16)}
    files = {**sources, _BENCH.name: _BENCH.read_text()}
    simulation = build(files, "bench_uart", parameters={"DIVISOR": divisor}, optimize=optimize)
    with tempfile.TemporaryDirectory(prefix="systolith-") as name:
        folder = Path(name)
        save_program(program, folder / "program")
        for number, batch in enumerate(codes):
            np.save(folder / f"codes{number}.npy", batch)
        order = {"batches": len(codes), "resident": resident, "timeout": timeout, "reset_after": reset_after,
                 "size": words * program.config.port_bytes, "reset": reset}  # fmt: skip
        (folder / "batches.json").write_text(json.dumps(order))
        simulate(simulation, "systolith.sim.cocotb_onchip", folder)
        results = []
        for number, said in enumerate(json.loads((folder / "results.json").read_text())):
            with np.load(folder / f"outputs{number}.npz") as stored:
                tensors = {name: stored[name] for name in stored.files}
            count = len(next(iter(tensors.values())))
            outputs = [{name: tensor[i] for name, tensor in tensors.items()} for i in range(count)]
            results.append(OnChipResult(outputs, said["counters"], said["cycles"]))
    return results
