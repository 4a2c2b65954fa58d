"""Activation functions: integer reference == instruction-set simulator == RTL, cycle model == RTL."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from engine_bench import SMALL, Expected, Run, changed, check_timing, convolution, records, run
from systolith.hw.config import EngineConfig
from systolith.hw.isa import COMPUTE, LOAD, POOL_MAX, decode
from systolith.quant.arithmetic import FloatArray
from systolith.quant.network import QuantizedNetwork, Tensor
from systolith.quant.quantizer import Options, quantize
from systolith.sim.disorder import DisorderedSimulator
from systolith.sim.iss import EngineError, InstructionSetSimulator
from systolith.sim.random_network import TABLES, random_codes, random_network
from systolith.sim.random_tables import random_table
from systolith.sim.rtl import Stalls
from systolith.sim.trace import simulate as simulate_iss
from systolith.sw import integer_reference, oracle
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.machine import simulate
from systolith.sw.onnx_reader import read
from systolith.sw.program import Program
from systolith.sw.random_model import random_model


def engine(rows: int, cols: int, **others: int) -> EngineConfig:
    size = max(rows, cols) * (2 if others.get("act_width", 8) > 8 else 1)
    sizes = {"acc_depth": 16, "scratchpad": others.pop("words", 512) * size}
    return EngineConfig(**{"rows": rows, "cols": cols} | sizes | others)


FAST = [
    engine(4, 4, tables=2),
    engine(3, 5, tables=1, port_width=32, banks=2),
    engine(2, 3, tables=4, port_width=128, act_width=16, wgt_width=16, acc_width=48, acc_depth=32),
]
SLOW = [
    engine(7, 2, tables=2, acc_depth=64, words=1024),
    engine(8, 8, tables=8, acc_depth=64),
    engine(6, 4, tables=4, act_width=5, wgt_width=5, acc_width=20, banks=8),
    engine(1, 1, tables=64, port_width=512, acc_depth=64, words=256),
    engine(9, 3, tables=2, port_width=32, acc_depth=64),
    engine(4, 4, tables=1, words=64, acc_depth=32),
]


def name(config: EngineConfig) -> str:
    return (
        f"{config.rows}x{config.cols}-{config.port_width}-a{config.act_width}-t{config.tables}-{config.banks}"
    )


def with_tables(config: EngineConfig, seed: int, base: QuantizedNetwork) -> QuantizedNetwork:
    """A table behind every layer of a chain, one a channel where the seed is odd."""
    rng = np.random.default_rng(seed)
    tensors, layers = dict(base.tensors), []
    act = base.layers[0].inputs[0]
    for layer in base.layers:
        made = base.tensors[layer.output]
        fmt = replace(made.format, width=min(made.format.width, config.table_bits))
        tensors[made.name] = made = replace(made, format=fmt)
        out = Tensor(name=f"{made.name}_out", shape=made.shape, format=fmt)
        while True:
            table = random_table(rng, f"{layer.name}_table", made, out)
            if table.table is not None and len(table.table) == (made.shape[2] if seed % 2 else 1):
                break
        inputs = (act, *layer.inputs[1:])
        shift = layer.shift + base.tensors[layer.output].format.width - fmt.width
        layers += [replace(layer, inputs=inputs, shift=shift, lo=fmt.min, hi=fmt.max), table]
        tensors[out.name] = out
        act = out.name
    return replace(
        base, name=f"{base.name}+tables{seed}", tensors=tensors, layers=tuple(layers), outputs=(act,)
    )


def directed(config: EngineConfig) -> Iterator[QuantizedNetwork]:
    """A table a channel, more blocks than slots, strips; one for all; the first thing; maps of a pixel."""
    for seed, shape in enumerate(((9, 5, 3, 2), (6, 7, 4, 5 * config.cols), (1, 1, 3, 6 * config.cols + 1))):
        yield with_tables(config, seed, convolution(seed, config, *shape))
        yield with_tables(config, seed + 1, convolution(seed, config, *shape))


def networks(config: EngineConfig, first: int, count: int) -> Iterator[QuantizedNetwork]:
    seed = first
    while count:
        network = random_network(
            seed, 6, kinds=TABLES, act_width=config.act_width, wgt_width=config.wgt_width, size=8,
            channels=12 if config.lanes > 1 else 5,
        )  # fmt: skip
        seed += 1
        if not any(layer.kind == "table" for layer in network.layers):
            continue
        try:
            compile_network(network, config)
        except ValueError as error:
            assert any(text in str(error) for text in ("--scratchpad", "--acc-width", "larger acc_depth")), (
                error
            )
            assert seed < first + 200
            continue
        count -= 1
        yield network


def check(config: EngineConfig, found: list[QuantizedNetwork]) -> None:
    runs, about = [], []
    for seed, network in enumerate(found):
        program = compile_network(network, config, fuse_pools=seed % 4 != 3)
        right = Expected(network, program, random_codes(network, seed, 3))
        stalls = Stalls(
            seed=seed + 1, read_address=90, read_data=40, write_address=60, write_data=60, response=90
        )
        for images, latency, pauses in ((1, 30, None), (3, (1, 200)[seed % 2], None), (2, 7, stalls)):
            runs.append(Run(program=program, codes=right.codes[:images], mem_latency=latency, stalls=pauses))
            about.append((right, images, f"{network.name}, {images} images, latency {latency}"))
    for job, outcome, (right, images, what) in zip(runs, run(runs), about, strict=True):
        right.check(outcome, images, what)
        if job.stalls is None:
            check_timing(job, outcome, what)


@pytest.mark.parametrize("config", FAST, ids=name)
def test_rtl_equals_the_models(config: EngineConfig) -> None:
    check(config, [*directed(config), *networks(config, 100 * config.rows + config.cols, 8)])


@pytest.mark.slow
@pytest.mark.parametrize("config", [*FAST, *SLOW], ids=name)
def test_many_networks(config: EngineConfig) -> None:
    check(config, [*directed(config), *networks(config, 10_000 + 100 * config.rows + config.cols, 30)])


@pytest.mark.parametrize("config", [*FAST, *SLOW], ids=name)
def test_any_order_gives_the_reference(config: EngineConfig) -> None:
    """Slots are loaded again behind their last reader, in whatever order units run, image after image."""
    for seed, network in enumerate([*directed(config), *networks(config, 500, 6)]):
        program = compile_network(network, config)
        codes = random_codes(network, seed, 3)
        expected = integer_reference.run(network, codes)
        for order in (InstructionSetSimulator, partial(DisorderedSimulator, seed=seed)):
            for n, made in enumerate(simulate_iss(program, codes, order)):
                for tensor in network.outputs:
                    assert np.array_equal(made[tensor], expected[tensor][n]), (
                        f"{network.name}: {tensor}, image {n}"
                    )


def trained(config: EngineConfig, first: int, count: int) -> Iterator[tuple[QuantizedNetwork, FloatArray]]:
    """Random ONNX models with activation functions, quantized, and real images."""
    seed = first
    while count:
        graph = read(random_model(seed, functions=True))
        shape = graph.shapes[graph.input]
        real = np.random.default_rng(seed).normal(size=(3, *shape)).astype(np.float32)
        seed += 1
        network = quantize(
            graph, real, Options(act_width=config.act_width, wgt_width=config.wgt_width)
        ).network
        kinds = {layer.kind for layer in network.layers}
        if "table" in kinds and "product" not in kinds:
            count -= 1
            yield network, real


@pytest.mark.parametrize("config", [engine(8, 8, words=4096, acc_depth=256)], ids=name)
def test_trained_networks(config: EngineConfig) -> None:
    """From an ONNX file: ONNX Runtime == integer reference == instruction-set simulator."""
    for network, real in trained(config, 40, 4):
        assert oracle.compare(network, real, "all").mismatches == 0, network.name
        program = compile_network(network, config)
        Expected(network, program, network.input_codes(real))


def fields(program: Program) -> list[tuple[str, dict[str, int]]]:
    return [(i.name, v) for i, v in (decode(record, program.config) for record in records(program))]


def test_networks_have_what_they_should() -> None:
    """The tests above reload slots, look up behind maxima and depthwise slots, and fuse."""
    seen: set[str] = set()
    for config, long in [*((config, 0) for config in FAST), *((config, 10_000) for config in SLOW)]:
        for network in [*directed(config), *networks(config, long + 100 * config.rows + config.cols, 8)]:
            program = compile_network(network, config)
            loads = [v for kind, v in fields(program) if kind == LOAD.name and v["table"]]
            bases = [v["base"] for v in loads]
            computes = [v for kind, v in fields(program) if kind == COMPUTE.name and v["table"]]
            seen |= {"reloaded"} if len(bases) > len(set(bases)) else set()
            seen |= {"one code"} if any(v["tail"] == 1 for v in loads) else set()
            seen |= {"one a column"} if any(v["tail"] > 1 for v in loads) else set()
            seen |= {"maximum"} if any(v["pool"] == POOL_MAX for v in computes) else set()
            seen |= {"depthwise"} if any(v["fir"] for v in computes) else set()
            seen |= {"residual"} if any(v["res"] for v in computes) else set()
            seen |= {"alone"} if any(info.name.startswith("table") for info in program.layers) else set()
            seen |= {"fused"} if any("+table" in info.name for info in program.layers) else set()
    assert seen == {
        "reloaded",
        "one code",
        "one a column",
        "maximum",
        "depthwise",
        "residual",
        "alone",
        "fused",
    }


def test_a_table_costs_nothing_but_its_latency() -> None:
    """A cycle for each entry of the first table, which the first COMPUTE waits for; the others hide."""
    base = convolution(1, SMALL, 9, 9, 12, 12, (3, 3), pads=(1, 1, 1, 1))
    none = replace(SMALL, tables=0)
    plain = simulate(compile_network(base, none)).counters
    shifted = simulate(compile_network(base, SMALL)).counters
    assert shifted["cycles"] == plain["cycles"] + SMALL.table_latency
    network = with_tables(SMALL, 0, base)
    looked_up = simulate(compile_network(network, SMALL)).counters
    assert shifted["cycles"] <= looked_up["cycles"] <= shifted["cycles"] + 256
    assert looked_up["pixels"] == plain["pixels"]


def broken() -> Iterator[tuple[Program, str]]:
    network = with_tables(SMALL, 1, convolution(1, SMALL, 4, 4, 3, 6))
    program = compile_network(network, SMALL)
    found = fields(program)
    load = next(n for n, (kind, v) in enumerate(found) if kind == LOAD.name and v["table"])
    compute = next(n for n, (kind, _) in enumerate(found) if kind == COMPUTE.name)
    last = (1 << SMALL.table_addr_width) - 1
    yield changed(program, load, base=last), f"entry {last + 255} of {last + 1}"
    yield changed(program, load, blocks=2, pixels=100), "at most 4 in 1"
    yield changed(program, load, fold=1, row_last=255), "in 1 words, at most 4"
    yield changed(program, compute, pool=3), "a table for a mean"


@pytest.mark.parametrize("number", range(4))
def test_errors(number: int) -> None:
    program, sentence = list(broken())[number]
    codes = np.zeros((1, *program.tensors[program.input].shape), np.int64)
    memory, registers = program.image(codes)
    with pytest.raises(EngineError, match=sentence) as caught:
        list(InstructionSetSimulator(program.config, memory).run(registers))
    assert caught.value.code == 6


def test_an_engine_without_tables_has_no_words_for_them() -> None:
    plain = compile_network(convolution(1, SMALL, 4, 4, 3, 6), replace(SMALL, tables=0))
    compute = next(n for n, (kind, _) in enumerate(fields(plain)) if kind == COMPUTE.name)
    for number in (1, compute):
        with pytest.raises(ValueError, match="table must fit in 0 bits, not 1"):
            changed(plain, number, table=1)
