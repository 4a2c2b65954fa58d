"""An engine with all of its memory on the chip == the integer reference, images and results through the serial line."""

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.onchip_memory import OnChipMemory
from systolith.sim.onchip import run_onchip
from systolith.sim.random_network import random_codes, random_network
from systolith.sw import integer_reference
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.serial import serial
from systolith.sw.program import Program
from systolith.sw.synthesis_devices import DEVICES

CONFIG = EngineConfig(rows=2, cols=4, scratchpad=1024, acc_depth=16, port_width=32, fold_width=0, fir_depth=0)
RESET_AFTER = 100

SEED = 28
"""Three convolutions of 17,892 MACs whose results hold 110 different codes."""


@pytest.fixture(scope="module")
def network():
    return random_network(SEED, 3, act_width=8, wgt_width=8, channels=8, size=10)


@pytest.fixture(scope="module")
def program(network) -> Program:
    return compile_network(network, CONFIG)


def test_results_equal_the_integer_reference(network, program) -> None:
    """Program and weights are the contents of the block RAM; a reset in the middle of a run, then one
    image, two back to back, and the first again."""
    codes = random_codes(network, SEED, 3)
    batches = [codes[0], codes[1:], codes[0]]
    results = run_onchip(program, batches, reset_after=RESET_AFTER)
    wanted = integer_reference.run(network, codes)
    assert max(len(np.unique(code)) for code in wanted.values()) > 100
    for result, images in zip(results, ([0], [1, 2], [0]), strict=True):
        for got, image in zip(result.outputs, images, strict=True):
            for name, code in got.items():
                assert np.array_equal(code, wanted[name][image]), f"image {image}, {name}"
    assert results[0].counters["cycles"] > RESET_AFTER + 200 and len(codes) == 3
    assert results[0].counters == results[2].counters and results[0].counters["cycles"] > 0
    assert results[0].cycles < results[1].cycles < results[2].cycles


def test_serial_engine() -> None:
    """The engine of small FPGAs: its memory has one port and no contents, so all comes over the line."""
    config = EngineConfig(**dict(DEVICES["ice40-up5k"].engine) | {"scratchpad": 2048, "acc_depth": 64})
    network = random_network(SEED, 3, act_width=8, wgt_width=8, channels=8, size=10)
    program, codes = compile_network(network, config), random_codes(network, SEED, 3)
    results = run_onchip(program, [codes[0], codes[1:]], resident=False, reset_after=RESET_AFTER)
    wanted = integer_reference.run(network, codes)
    for result, images in zip(results, ([0], [1, 2]), strict=True):
        for got, image in zip(result.outputs, images, strict=True):
            for name, code in got.items():
                assert np.array_equal(code, wanted[name][image]), f"image {image}, {name}"
    assert results[0].counters["cycles"] > RESET_AFTER + 200
    read, write = OnChipMemory.serial_latency
    for images, result in enumerate(results, start=1):
        assert result.counters["cycles"] == serial(program, images, read, write=write).cycles


@pytest.mark.slow
def test_program_and_weights_come_over_the_line(network, program) -> None:
    """Into an empty memory."""
    codes = random_codes(network, SEED + 1)
    (result,) = run_onchip(program, [codes], resident=False)
    for name, code in integer_reference.run(network, codes).items():
        assert np.array_equal(result.outputs[0][name], code[0]), name
