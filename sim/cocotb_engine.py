"""The cocotb test that runs the jobs of ``sim/rtl.py`` inside the simulator, with the host driver of any board.

It reads ``jobs.json`` from the working directory and writes ``results.json`` and, for each job, its outputs' codes.
Python is asleep while the engine runs: ``sim/bench.sv`` executes commands and answers.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.task import bridge, resume
from systolith.sim.memory_image import from_dump, to_load
from systolith.sw.container import load_program
from systolith.sw.driver import ControlPort, Driver, EngineError
from systolith.sw.program import Program

RESET, LOAD, DUMP, WRITE, READ, WAIT, TRACE, SET, STATUS = range(1, 10)
"""Commands of the bench."""

LATENCY, SEED, READ_STALLS, WRITE_STALLS, READ_ERROR, WRITE_ERROR = range(6)
"""Settings of the bench."""

_ALL = 0xFFFFFFFF


class SimulatedBoard(ControlPort):
    """The bench as a board. Its methods block, so they must be called inside ``cocotb.task.bridge``."""

    def __init__(self, dut: Any, port_bytes: int) -> None:
        self._dut = dut
        self._port_bytes = port_bytes
        self.command = resume(self._command)

    async def _command(self, command: int, operand: int = 0, value: int = 0) -> int:
        dut = self._dut
        dut.command.value = command
        dut.operand.value = operand
        dut.value.value = value
        dut.request.value = not dut.ack.value
        await dut.ack.value_change
        return int(dut.result.value)

    def read_register(self, address: int) -> int:
        return self.command(READ, address)

    def write_register(self, address: int, value: int) -> None:
        self.command(WRITE, address, value)

    def _word(self, address: int) -> int:
        if address % self._port_bytes:
            raise ValueError(f"address must be a multiple of {self._port_bytes}, not {address}")
        return address // self._port_bytes

    def write_memory(self, address: int, data: bytes) -> None:
        image = to_load(data, self._port_bytes)
        Path("load.bin").write_bytes(image)
        words = len(image) // self._port_bytes
        if (got := self.command(LOAD, self._word(address), words)) != words:
            raise RuntimeError(f"the bench memory took {got} of {words} words at {address:#x}")

    def read_memory(self, address: int, size: int) -> bytes:
        self.command(DUMP, self._word(address), -(-size // self._port_bytes))
        return from_dump(Path("dump.bin").read_bytes(), size)

    def wait(self, timeout: int) -> bool:
        return bool(self.command(WAIT, 0, timeout))

    def prepare(self, job: dict[str, Any]) -> None:
        """Set the memory's behaviour that a job asks for, then reset."""
        stalls = job["stalls"]
        self.command(SET, LATENCY, job["mem_latency"])
        self.command(SET, SEED, stalls[0])
        self.command(SET, READ_STALLS, stalls[1] | stalls[2] << 8)
        self.command(SET, WRITE_STALLS, stalls[3] | stalls[4] << 8 | stalls[5] << 16)
        for setting, name in ((READ_ERROR, "read_error"), (WRITE_ERROR, "write_error")):
            self.command(SET, setting, _ALL if job[name] is None else self._word(job[name]))
        self.command(RESET, 0, 8)


def run_job(board: SimulatedBoard, program: Program, number: int, job: dict[str, Any]) -> dict[str, Any]:
    """One job; what the engine says against it is part of the result."""
    codes = np.load(f"codes{number}.npy")
    board.prepare(job)
    driver = Driver(board)
    if job["reset_after"] is not None:
        driver.load(program)
        with suppress(EngineError):  # not done, or stopped by an error: the reset comes now
            driver.run(program, codes, timeout=job["reset_after"])
        board.prepare(job)
    board.command(TRACE, number, job["trace"])
    result: dict[str, Any] = {"error": None, "code": 0}
    try:
        driver.load(program)
        batch = driver.run(program, codes, timeout=job["timeout"], watchdog=job["watchdog"])
        outputs: dict[str, Any] = {
            name: np.stack([image[name] for image in batch.outputs]) for name in batch.outputs[0]
        }
        np.savez(f"outputs{number}.npz", **outputs)
        result["counters"] = batch.counters
    except EngineError as error:
        result |= {"error": str(error), "code": error.code, "counters": driver.counters()}
    board.command(TRACE, number, 0)
    return result | {"violation": board.command(STATUS)}


@cocotb.test()
async def jobs(dut: Any) -> None:
    """Every job of jobs.json, one after the other."""
    program = load_program("program")
    board = SimulatedBoard(dut, program.config.port_bytes)
    results = []
    for number, job in enumerate(json.loads(Path("jobs.json").read_text())):
        results.append(await bridge(run_job)(board, program, number, job))
        Path("results.json").write_text(json.dumps(results))
