"""The cocotb test that runs batches on a simulated board behind its serial line, with the host driver of any board.

It reads ``batches.json`` and ``program`` from the working directory, and writes ``results.json`` and codes.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.task import bridge, resume
from systolith.sw.container import load_program
from systolith.sw.driver import Driver, EngineError
from systolith.sw.uart_port import UartPort

RESET, SEND, RECEIVE, CYCLES = range(1, 5)
"""Commands of the bench."""


class SimulatedLine:
    """The bench as a ``sw.uart_port.Line``. Its methods block: they are for ``cocotb.task.bridge``."""

    def __init__(self, dut: Any) -> None:
        self._dut = dut
        self.command = resume(self._command)

    async def _command(self, command: int, value: int = 0) -> int:
        dut = self._dut
        dut.command.value = command
        dut.value.value = value
        dut.request.value = not dut.ack.value
        await dut.ack.value_change
        return int(dut.result.value)

    def send(self, data: bytes) -> None:
        """Send all of them."""
        Path("send.bin").write_bytes(data)
        self.command(SEND, len(data))

    def receive(self, count: int) -> bytes:
        """The next bytes; fewer if they do not come in time."""
        self.command(RECEIVE, count)
        return Path("receive.bin").read_bytes()


def run(line: SimulatedLine) -> list[dict[str, Any]]:
    """Every batch of batches.json on the same board; before them one that is stopped by a reset, if asked for."""
    program = load_program("program")
    order = json.loads(Path("batches.json").read_text())
    line.command(RESET, order["reset"])
    port = UartPort(line, port_bytes=program.config.port_bytes, size=order["size"])
    driver = Driver(port)
    driver.require(program.config)
    if not order["resident"]:
        driver.load(program)
    if order["reset_after"]:
        with suppress(EngineError):  # not done: the reset comes now
            driver.run(program, np.load("codes0.npy"), timeout=order["reset_after"])
            raise AssertionError(f"the engine is done after {order['reset_after']} cycles")
        port.reset()
    results = []
    for number in range(order["batches"]):
        batch = driver.run(program, np.load(f"codes{number}.npy"), timeout=order["timeout"])
        outputs: dict[str, Any] = {
            name: np.stack([image[name] for image in batch.outputs]) for name in batch.outputs[0]
        }
        np.savez(f"outputs{number}.npz", **outputs)
        results.append({"counters": batch.counters, "cycles": line.command(CYCLES)})
    return results


@cocotb.test()
async def batches(dut: Any) -> None:
    """All of them."""
    Path("results.json").write_text(json.dumps(await bridge(run)(SimulatedLine(dut))))
