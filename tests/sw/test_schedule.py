"""The order of instructions through external memory: what is loaded and stored while the array computes."""

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import COMPUTE, LOAD, REGIONS, STORE, Instruction, decode, record_words
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sw.compiler import compile_network
from systolith.sw.program import Program

SPILL = REGIONS.index("spill")


def records(program: Program) -> list[tuple[Instruction, dict[str, int]]]:
    size = record_words(program.config) * program.config.port_bytes
    return [
        decode(program.records[at : at + size], program.config) for at in range(0, len(program.records), size)
    ]


def layers(size: int, count: int, channels: int = 8, kernel: int = 3, stride: int = 1) -> QuantizedNetwork:
    """Convolutions, then a last one with ``kernel`` and ``stride``."""
    fmt, small = QFormat(8, 4), (size - 1) // stride + 1
    shapes = [(size, size, channels)] * (count + 1) + [(small, small, channels)]
    tensors = {f"t{i}": Tensor(name=f"t{i}", shape=shape, format=fmt) for i, shape in enumerate(shapes)}
    made = [
        Layer(
            name=f"c{i}", kind="conv", inputs=(f"t{i}",), output=f"t{i + 1}", kernel=(k, k), stride=(s, s),
            pads=(k // 2,) * 4, wgt=np.ones((channels, channels, k, k), np.int64), shift=np.array([6]),
        )
        for i, (k, s) in enumerate([(3, 1)] * count + [(kernel, stride)])
    ]  # fmt: skip
    return QuantizedNetwork(
        name="net", input="t0", outputs=(f"t{count + 1}",), tensors=tensors, layers=tuple(made)
    )


CONFIG = EngineConfig(rows=8, cols=8, acc_depth=64, scratchpad=8 * 256)


def test_the_next_rows_are_loaded_while_the_array_computes() -> None:
    """A LOAD comes ahead of the COMPUTE that needs it by one, and waits for none that is not done by then."""
    program = compile_network(layers(32, 2), CONFIG)
    loads = computes = early = late = 0
    for instruction, values in records(program):
        if instruction is LOAD:
            loads += 1
            early += values["wait_compute"] < computes
            late += values["wait_compute"] == computes > 0  # waits for the COMPUTE issued last
        if instruction is COMPUTE:
            computes += 1
            assert values["wait_load"] == loads or values["wait_load"] < 0
    assert computes > 90 and early > 90 and late <= 3


def test_a_store_follows_each_compute_and_loads_wait_for_it() -> None:
    program = compile_network(layers(32, 2), CONFIG)
    kinds = records(program)
    stores = [values for instruction, values in kinds if instruction is STORE]
    assert len(stores) == program.n_compute
    spilled = [v for i, v in kinds if i is LOAD and v["region"] == SPILL]
    assert spilled and all(v["wait_store"] > 0 for v in spilled)
    total = sum(values["pixels"] for values in stores if values["region"] == SPILL)
    assert total == 2 * 32 * 32 == program.spill_bytes // 8


def test_rows_that_nobody_reads_are_not_loaded() -> None:
    program = compile_network(layers(32, 1, kernel=1, stride=2), CONFIG)
    spilled = [v for i, v in records(program) if i is LOAD and v["region"] == SPILL]
    assert sum(values["pixels"] for values in spilled) == 16 * 32
    assert {values["offset"] // (32 * 8) % 2 for values in spilled} == {0}
    dense = compile_network(layers(32, 1, kernel=3, stride=2), CONFIG)
    assert sum(v["pixels"] for i, v in records(dense) if i is LOAD and v["region"] == SPILL) >= 32 * 32


@pytest.mark.parametrize("port", [32, 64, 128])
def test_words_that_do_not_fill_their_beats_come_with_their_padding(port: int) -> None:
    config = EngineConfig(rows=3, cols=3, acc_depth=64, scratchpad=3 * 256, port_width=port)
    program = compile_network(layers(32, 1, channels=3), config)
    beats = -(-3 * 8 // port)
    for instruction, values in records(program):
        if instruction is LOAD and values["region"] == SPILL:
            assert values["beats"] == beats * values["pixels"]
            elements = (values["blocks"] - 1) * 3 + values["tail"]
            assert elements * 8 == beats * port
