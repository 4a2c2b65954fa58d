"""The model's figures add up, follow the memory, and name the bound. Equality with the RTL is tested in tests/sim."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import decode, encode, record_words
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sim.random_network import random_network
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.machine import simulate
from systolith.sw.cycle_model.report import BOUNDS, ModelResult, model_cycles
from systolith.sw.program import Program

SHAPE, WEIGHTS, ACTIVATIONS, DEPENDENCY = BOUNDS
STALLS = ("stall_wait", "stall_weight", "stall_bank", "stall_pass")


def chain(config: EngineConfig, size: int, channels: list[int], kernel: int = 3) -> Program:
    """Convolutions one after the other."""
    rng = np.random.default_rng(1)
    tensors = {
        f"t{i}": Tensor(name=f"t{i}", shape=(size, size, n), format=QFormat(8, 0))
        for i, n in enumerate(channels)
    }
    layers = tuple(
        Layer(
            name=f"conv{i}", kind="conv", inputs=(f"t{i}",), output=f"t{i + 1}", kernel=(kernel, kernel),
            pads=(kernel // 2,) * 4, wgt=rng.integers(-128, 128, (outs, ins, kernel, kernel)), wgt_width=8,
            shift=np.full(outs, 12), lo=-128, hi=127, macs=size * size * ins * outs * kernel * kernel,
        )
        for i, (ins, outs) in enumerate(pairwise(channels))
    )  # fmt: skip
    network = QuantizedNetwork(
        name="chain", input="t0", outputs=(f"t{len(layers)}",), tensors=tensors, layers=layers
    )
    return compile_network(network, config)


def bounds(result: ModelResult) -> list[str]:
    return [layer.bound for layer in result.layers]


def test_figures_add_up() -> None:
    config = EngineConfig(rows=4, cols=4, acc_depth=16, scratchpad=2048)
    program = compile_network(random_network(78, 6, size=8), config)
    for latency in (1, 30, 200):
        result = model_cycles(program, 3, latency)
        one = simulate(program, 1, latency)
        assert (
            result.cycles == one.cycles == one.counters["pixels"] + sum(one.counters[name] for name in STALLS)
        )
        assert result.counters["cycles"] == result.cycles_total
        assert result.drain + sum(layer.cycles for layer in result.layers) == result.cycles
        for layer in result.layers:
            parts = layer.stall_wait, layer.stall_weight, layer.stall_bank, layer.stall_pass
            assert (
                layer.pixels + sum(parts) == layer.cycles
                and sum(layer.waited_for.values()) == layer.stall_wait
            )
        assert sum(layer.pixels for layer in result.layers) == one.counters["pixels"]
        assert sum(layer.weight_beats for layer in result.layers) == len(program.weights) // config.port_bytes
        assert sum(layer.computes for layer in result.layers) == program.n_compute
        assert simulate(program, 1, latency) == one


def test_slower_memory_costs() -> None:
    program = compile_network(random_network(5, 3, size=6), EngineConfig(rows=4, cols=4))
    cycles = [simulate(program, 2, latency).cycles for latency in (1, 2, 30, 100, 200)]
    assert cycles == sorted(set(cycles))


def test_bound_is_the_array() -> None:
    result = model_cycles(chain(EngineConfig(), 16, [16, 16, 16]))
    assert bounds(result)[1] == SHAPE and result.layers[1].utilization > 0.99


def test_bound_is_the_weights() -> None:
    """32 rows of 32 weights come in 256 cycles through a port of 32 bits; 4 pixels use them."""
    result = model_cycles(chain(EngineConfig(rows=32, cols=32, port_width=32), 2, [64, 64, 64]))
    assert bounds(result) == [WEIGHTS, WEIGHTS]
    layer = result.layers[1]
    assert layer.stall_weight > 0.9 * layer.cycles and layer.cycles >= 0.95 * layer.weight_beats


def test_bound_is_the_image() -> None:
    """One pass a pixel, and sixteen beats."""
    config = EngineConfig(rows=64, cols=64, port_width=32, acc_depth=64)
    result = model_cycles(chain(config, 16, [64, 16], kernel=1))
    assert bounds(result) == [ACTIVATIONS] and result.layers[0].waited_for.keys() == {"load"}


def test_bound_is_the_order() -> None:
    """Maps of one pixel: each layer waits for all of the one before."""
    result = model_cycles(chain(EngineConfig(rows=4, cols=4, port_width=512), 1, [4] * 6, kernel=1))
    assert bounds(result)[1:] == [DEPENDENCY] * 4
    assert all(layer.waited_for.keys() == {"compute"} for layer in result.layers[2:])


def test_a_program_that_never_ends() -> None:
    program = compile_network(random_network(5, 3, size=6), EngineConfig(rows=4, cols=4))
    size = record_words(program.config) * program.config.port_bytes
    parts = [program.records[at : at + size] for at in range(0, len(program.records), size)]
    at, (compute, values) = next(
        (i, found)
        for i, found in enumerate(decode(p, program.config) for p in parts)
        if found[0].name == "compute"
    )
    parts[at] = encode(compute, program.config, {**values, "wait_store": 1})
    with pytest.raises(ValueError, match="never ends"):
        simulate(replace(program, records=b"".join(parts)))


def test_programs_that_the_engine_refuses() -> None:
    program = compile_network(random_network(5, 3, size=6), EngineConfig(rows=4, cols=4))
    size = record_words(program.config) * program.config.port_bytes
    for records, weights, complaint in (
        (program.records[:-1], program.weights, "whole records"),
        (program.records[size:], program.weights, "record 0 of the program"),
        (program.records + program.records[:size], program.weights, "must not be config"),
        (program.records, b"", "0 segments"),
    ):
        with pytest.raises(ValueError, match=complaint):
            simulate(replace(program, records=records, weights=weights))
