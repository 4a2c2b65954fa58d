"""Layouts in memory: what the host packs and unpacks."""

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.quant.formats import QFormat
from systolith.sim.random_network import random_codes, random_network
from systolith.sw.compiler import compile_network
from systolith.sw.program import OutputInfo, Program, TensorInfo


def make(config: EngineConfig, shape: tuple[int, int, int], fmt: QFormat) -> Program:
    info = TensorInfo(name="t", shape=shape, format=fmt, base=0, block_step=shape[0] * shape[1], blocks=9)
    blocks = -(-shape[2] // config.lanes)
    output = OutputInfo(tensor="t", offset=0, pixels=shape[0] * shape[1], blocks=blocks)
    return Program(
        name="p", config=config, records=b"", weights=b"", n_load=0, n_compute=0, n_store=0, input="t",
        outputs=(output,), tensors={"t": info}, computes=(),
    )  # fmt: skip


def test_input_is_dense_and_padded_to_the_stride() -> None:
    program = make(EngineConfig(rows=2, cols=2), (2, 3, 5), QFormat(8, 0))
    codes = np.arange(-30, 30).reshape(2, 2, 3, 5)
    packed = program.pack_input(codes)
    assert program.input_stride == 64 and len(packed) == 128
    assert np.frombuffer(packed, np.int8, 30, 64).tolist() == list(range(30))
    assert program.pack_input(codes[1]) == packed[64:]


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("act_width", [4, 8, 16])
def test_output_words_become_codes(act_width: int, signed: bool) -> None:
    config = EngineConfig(rows=3, cols=2, act_width=act_width, acc_width=40)
    fmt = QFormat(act_width, 0, signed)
    program = make(config, (2, 2, 5), fmt)
    codes = np.random.default_rng(0).integers(fmt.min, fmt.max, (2, 2, 5), endpoint=True)
    size = config.word_beats * config.port_bytes
    memory = np.zeros((2, 4, size), np.uint8)
    for (y, x, c), code in np.ndenumerate(codes):
        low, raw = c % 3 * config.lane_bytes, int(code) & (1 << act_width) - 1
        memory[c // 3, y * 2 + x, low : low + config.lane_bytes] = list(
            raw.to_bytes(config.lane_bytes, "little")
        )
    assert np.array_equal(program.unpack_output(memory.tobytes())["t"], codes)


def test_refuses_wrong_input() -> None:
    program = make(EngineConfig(rows=2, cols=2), (2, 3, 5), QFormat(4, 0))
    for codes, message in (
        (np.zeros((2, 3, 4), int), r"must be codes of shape \(2, 3, 5\), not \(2, 3, 4\)"),
        (np.zeros((2, 3, 5)), "must be integer codes, not float64"),
        (np.full((2, 3, 5), 8), r"must be codes in -8\.\.7, not 8\.\.8"),
    ):
        with pytest.raises(ValueError, match=message):
            program.pack_input(codes)
    with pytest.raises(ValueError, match="a result must have"):
        program.unpack_output(b"")
    with pytest.raises(ValueError, match="images must be a positive integer, not 0"):
        program.memory_map(0)
    with pytest.raises(ValueError, match="base must be a multiple of 4096, not 64"):
        program.memory_map(1, 64)


def test_regions_are_aligned_and_apart() -> None:
    network = random_network(5)
    program = compile_network(network, EngineConfig(rows=4, cols=4))
    memory, registers = program.image(random_codes(network, 0, 3), base=8192)
    places = program.memory_map(3, 8192)
    assert all(
        registers[f"{name}_addr"] % 4096 == 0 for name in ("program", "weight", "input", "output", "spill")
    )
    assert registers["program_addr"] == 8192 and places.end - 8192 == len(memory)
    assert memory[: len(program.records)] == program.records
    assert registers["weight_beats"] * program.config.port_bytes == len(program.weights)
