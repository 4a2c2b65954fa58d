"""Compiled programs on the instruction-set simulator equal the layer equations, code for code."""

from dataclasses import replace

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import COMPUTE, CONFIG, decode, encode, record_words
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sim.iss import EngineError, InstructionSetSimulator
from systolith.sim.naive import evaluate
from systolith.sim.random_network import random_codes, random_network
from systolith.sim.trace import layer_outputs, simulate
from systolith.sw import integer_reference
from systolith.sw.compiler import compile_network
from systolith.sw.program import Program

ARRAYS = [(1, 1), (3, 5), (4, 4), (8, 8), (7, 2), (2, 7), (16, 16), (6, 4)]


def check(network: QuantizedNetwork, config: EngineConfig, fuse_pools: bool = True, images: int = 2) -> None:
    """Every tensor of every image, against both references."""
    program = compile_network(network, config, fuse_pools=fuse_pools)
    codes = random_codes(network, 1, images)
    reference = integer_reference.run(network, codes, keep="all")
    for i, made in enumerate(simulate(program, codes)):
        expected = evaluate(network, codes[i])
        assert set(made) <= set(expected) and set(network.outputs) <= set(made)
        for name, value in made.items():
            assert np.array_equal(value, expected[name]), f"{name} of image {i}"
            assert np.array_equal(value, reference[name][i]), f"{name} of image {i}"


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("acc_depth", [16, 64])
@pytest.mark.parametrize("port_width", [32, 64, 128])
@pytest.mark.parametrize(("rows", "cols"), ARRAYS)
def test_random_networks(rows: int, cols: int, port_width: int, acc_depth: int, seed: int) -> None:
    config = EngineConfig(rows=rows, cols=cols, port_width=port_width, acc_depth=acc_depth)
    check(
        random_network(seed * 1000 + rows * 100 + cols * 10 + port_width + acc_depth), config, seed % 2 == 0
    )


@pytest.mark.parametrize("kind", ["conv", "maxpool", "avgpool", "add", "border", "upsample"])
@pytest.mark.parametrize(("rows", "cols"), ARRAYS)
def test_single_layers(rows: int, cols: int, kind: str) -> None:
    config = EngineConfig(rows=rows, cols=cols, acc_depth=32)
    for seed in range(3):
        check(random_network(seed, 1, kinds=(kind,), channels=20), config)


@pytest.mark.parametrize("fuse_pools", [True, False])
@pytest.mark.parametrize(("rows", "cols"), ARRAYS)
def test_means(rows: int, cols: int, fuse_pools: bool) -> None:
    config = EngineConfig(rows=rows, cols=cols, acc_depth=128)
    for seed in range(6):
        check(random_network(seed, 4, kinds=("conv", "mean", "add"), channels=20), config, fuse_pools)


@pytest.mark.parametrize(("rows", "cols"), ARRAYS)
def test_products(rows: int, cols: int) -> None:
    config = EngineConfig(rows=rows, cols=cols, acc_depth=128)
    for seed in range(4):
        check(random_network(seed, 3, kinds=("excite", "product", "conv", "add"), channels=20), config)


@pytest.mark.parametrize("change", [{"res": 1}, {"fir": 1}, {"ky_last": 1}, {"kx_last": 1}, {"kb_last": 2}])
def test_a_product_goes_with_nothing_else(change: dict[str, int]) -> None:
    network = random_network(2, 1, kinds=("excite",))
    program = compile_network(network, EngineConfig(rows=3, cols=5))
    memory, registers = program.image(random_codes(network, 0))
    engine = InstructionSetSimulator(program.config, memory)
    command = next(c for c in engine.fetch(registers) if c.values.get("product"))
    engine.compute(command)
    with pytest.raises(
        EngineError, match="a product has 2 blocks, and no kernel, residual or fir go with it"
    ):
        engine.compute(replace(command, values=command.values | change))


def test_a_product_with_tiles_in_the_stream() -> None:
    network = random_network(2, 1, kinds=("excite",))
    program = compile_network(network, EngineConfig(rows=3, cols=5))
    size = record_words(program.config) * program.config.port_bytes
    parts = [program.records[at : at + size] for at in range(0, len(program.records), size)]
    number = next(n for n, part in enumerate(parts) if decode(part, program.config)[1].get("product"))
    parts[number] = encode(COMPUTE, program.config, decode(parts[number], program.config)[1] | {"product": 0})
    with pytest.raises(EngineError, match=f"record {number} needs 6 rows of tiles, the segment has 0"):
        simulate(replace(program, records=b"".join(parts)), random_codes(network, 0))


@pytest.mark.parametrize("seed", range(6))
def test_sixteen_bits(seed: int) -> None:
    config = EngineConfig(rows=4, cols=6, act_width=16, wgt_width=16, acc_width=48, acc_depth=64)
    check(random_network(seed, act_width=16, wgt_width=16), config)


@pytest.mark.parametrize("seed", range(6))
def test_narrow_engine(seed: int) -> None:
    config = EngineConfig(rows=4, cols=3, act_width=4, wgt_width=3, acc_width=24, acc_depth=64)
    check(random_network(seed, act_width=4, wgt_width=3), config)


def test_tight_scratchpad() -> None:
    """Tensors share words, over iterations too."""
    for seed in (1, 4, 7):
        network = random_network(seed, 6)
        for scratchpad in (1 << 13, 1 << 12, 1 << 11, 1 << 10):
            config = EngineConfig(rows=4, cols=4, acc_depth=32, scratchpad=scratchpad)
            try:
                compile_network(network, config)
            except ValueError as error:
                assert "use --scratchpad" in str(error)
                break
            check(network, config, images=3)


def one_by_one() -> tuple[Program, np.ndarray]:
    fmt = QFormat(8, 0)
    tensors = {name: Tensor(name=name, shape=(2, 2, 3), format=fmt) for name in ("in", "out")}
    conv = Layer(name="conv", kind="conv", inputs=("in",), output="out", wgt=np.ones((3, 3, 1, 1), np.int64))
    network = QuantizedNetwork(name="n", input="in", outputs=("out",), tensors=tensors, layers=(conv,))
    return compile_network(network, EngineConfig(rows=4, cols=4)), random_codes(network, 0)


def changed(program: Program, record: int, **values: int) -> Program:
    """The program with fields of one record changed."""
    size = record_words(program.config) * program.config.port_bytes
    records = [program.records[at : at + size] for at in range(0, len(program.records), size)]
    instruction, fields = decode(records[record], program.config)
    records[record] = encode(instruction, program.config, fields | values)
    return replace(program, records=b"".join(records))


def test_engine_errors() -> None:
    program, codes = one_by_one()
    size = len(program.records) // 4
    weights = bytearray(program.weights)
    weights[0] = 0
    zeros = program.records[:size] + bytes(size) + program.records[2 * size :]
    for broken, code, message in (
        (replace(program, records=zeros), 1, "record 1: opcode must be one of"),
        (
            replace(program, records=program.records[size:]),
            2,
            "the program begins with load, not with config",
        ),
        (changed(program, 0, hash=1), 2, "for another engine configuration: hash 0x00000001"),
        (changed(program, 0, n_load=2), 1, "CONFIG announces"),
        (
            replace(program, weights=bytes(weights)),
            3,
            r"COMPUTE 0 \(record 2\): a segment must begin with 0xa5",
        ),
        (
            replace(program, weights=program.weights + bytes(8)),
            3,
            "8 bytes of the weight stream are left over",
        ),
        (changed(program, 2, kb_last=1), 3, "record 2 needs 8 rows of tiles, the segment has 4"),
        (changed(program, 1, offset=1 << 20), 4, "lie outside of the memory"),
        (changed(program, 3, offset=1 << 20), 5, "lie outside of the memory"),
        (changed(program, 1, beats=1), 6, "reads 8 elements and needs 12"),
        (
            changed(program, 2, wait_store=1),
            6,
            r"compute 0 \(record 2, iteration 0\) waits for 1 store .*deadlock",
        ),
    ):
        with pytest.raises(EngineError, match=message) as caught:
            simulate(broken, codes)
        assert caught.value.code == code


def test_waits_of_the_image_before_pass_at_once() -> None:
    program, codes = one_by_one()
    simulate(changed(program, 2, wait_store=0), np.concatenate([codes, codes]))


def test_addresses_wrap_around() -> None:
    """A tensor may run over the end of the scratchpad: addresses are modulo its words."""
    program, codes = one_by_one()
    base = program.config.words - 2
    moved = changed(changed(program, 1, base=base), 2, in_base=base)
    assert np.array_equal(simulate(moved, codes)[0]["out"], simulate(program, codes)[0]["out"])


def test_accumulator_wraps_and_shifts_saturate() -> None:
    fmt = QFormat(8, 0)
    tensors = {name: Tensor(name=name, shape=(1, 1, 1), format=fmt) for name in ("in", "out")}
    for bias, shift, code, expected in (
        ((1 << 15) - 2, 8, 1, 127),
        ((1 << 15) - 2, 15, 1, 1),
        ((1 << 15) - 2, 16, 1, 0),
        (0, -100, 1, 127),
        (0, -100, -1, -128),
        (0, -100, 0, 0),
        (-3, 1, 0, -2),
        (3, 1, 0, 2),
        (1, 1, 0, 0),
    ):
        conv = Layer(name="c", kind="conv", inputs=("in",), output="out", wgt=np.ones((1, 1, 1, 1), np.int64),
                     bias=np.array([bias]), shift=np.array([shift]))  # fmt: skip
        network = QuantizedNetwork(name="n", input="in", outputs=("out",), tensors=tensors, layers=(conv,))
        config = EngineConfig(rows=1, cols=1, acc_width=20)
        made = simulate(compile_network(network, config), np.array([[[code]]]))[0]["out"]
        assert made.item() == expected, (bias, shift, code)


def test_accumulator_wraps_to_its_width() -> None:
    program, _ = one_by_one()
    size = program.config.port_bytes
    first = program.weights[size : 2 * size]
    assert first == bytes(size)  # biases of 0, four columns of 32 bits
    wrapped = replace(program, weights=program.weights[:size] + b"\xff" * 16 + program.weights[size + 16 :])
    codes = np.zeros((2, 2, 3), np.int64)
    assert (simulate(wrapped, codes)[0]["out"] == -1).all()


def test_trace_carries_addresses_and_iterations() -> None:
    network = random_network(2)
    program = compile_network(network, EngineConfig(rows=3, cols=5))
    memory, registers = program.image(random_codes(network, 0, 2))
    traces = list(InstructionSetSimulator(program.config, memory).run(registers))
    assert [(t.iteration, t.index) for t in traces] == [
        (i, n) for i in (0, 1) for n in range(program.n_compute)
    ]
    for trace in traces:
        info = program.computes[trace.index]
        tensor = program.tensors[info.output]
        first = tensor.base + info.pixel + info.channel // 5 * tensor.block_step
        assert trace.addr.tolist() == [first + n for n in range(info.count)]
        assert trace.codes.min() >= 0 and trace.codes.max() < 256
    with pytest.raises(ValueError, match=f"trace must hold {program.n_compute} COMPUTEs, not 0"):
        layer_outputs(program, [])
    with pytest.raises(ValueError, match="must write"):
        layer_outputs(program, [np.zeros((1, 1), np.int64)] * program.n_compute)


def test_record_kinds_of_a_program() -> None:
    program, _ = one_by_one()
    size = record_words(program.config) * program.config.port_bytes
    kinds = [
        decode(program.records[at : at + size], program.config)[0]
        for at in range(0, len(program.records), size)
    ]
    assert kinds[0] is CONFIG and kinds[2] is COMPUTE
