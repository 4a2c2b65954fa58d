"""The cocotb test of ``test_engine_axi``: the engine between a memory and a host of cocotbext-axi, with pauses."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam
from systolith.hw.registers import MAP

ADDRESS = {register.name: register.address for register in MAP}


def pauses(seed: int, share: float) -> Iterator[bool]:
    rng = random.Random(seed)
    while True:
        yield rng.random() < share


@cocotb.test()
async def batches(dut: Any) -> None:
    """Each batch of batches.pkl: (memory, registers, share of pauses) -> the memory after it."""
    Clock(dut.clk, 10, "ns").start()
    await ClockCycles(dut.clk, 5)
    dut.rst.value = 0
    host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "ctl"), dut.clk, dut.rst)
    left = []
    todo = pickle.loads(Path("batches.pkl").read_bytes())
    ram = AxiRam(
        AxiBus.from_prefix(dut, "axi"), dut.clk, dut.rst, size=max(len(memory) for memory, _, _ in todo)
    )
    for number, (memory, registers, share) in enumerate(todo):
        channels = (
            ram.write_if.aw_channel, ram.write_if.w_channel, ram.write_if.b_channel,
            ram.read_if.ar_channel, ram.read_if.r_channel,
        )  # fmt: skip
        for index, channel in enumerate(channels):
            channel.set_pause_generator(pauses(10 * number + index, share))
        ram.write(0, bytes(memory))
        for name, value in (registers | {"watchdog": 20_000, "irq_enable": 1, "control": 1}).items():
            await host.write_dword(ADDRESS[name], value)
        await with_timeout(RisingEdge(dut.irq), 5, "ms")
        status = await host.read_dword(ADDRESS["status"])
        left.append((status, bytes(ram.read(0, len(memory)))))
        await host.write_dword(ADDRESS["irq_enable"], 0)
    Path("left.pkl").write_bytes(pickle.dumps(left))
