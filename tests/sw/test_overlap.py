"""Strips that let operations follow each other: whole maps, inputs made in time, long enough."""

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import NO_WAIT, decode, record_words
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sim.random_network import random_network
from systolith.sw.compiler import compile_network
from systolith.sw.operations import operations
from systolith.sw.overlap import overlapped


@pytest.mark.parametrize("seed", range(12))
def test_strips_cover_each_map_once(seed: int) -> None:
    network = random_network(seed, 6, size=16)
    config = EngineConfig(rows=4, cols=4)
    ops = operations(network, config)
    for op, plan in zip(ops, overlapped(ops, config, network.input), strict=True):
        height, width, _ = op.output.shape
        covered = [(y, x) for s in plan for y in range(s.y0, s.y1) for x in range(s.x0, s.x1)]
        assert sorted(covered) == [(y, x) for y in range(height) for x in range(width)]


def waits_of(program) -> list[tuple[str, int, int]]:
    """(layer, COMPUTE's number, the COMPUTEs of this iteration it waits for)."""
    size = record_words(program.config) * program.config.port_bytes
    records = [program.records[i : i + size] for i in range(0, len(program.records), size)]
    values = [v for i, v in (decode(r, program.config) for r in records) if i.name == "compute"]
    return [
        (info.name, n, v["wait_compute"])
        for n, (info, v) in enumerate(zip(program.computes, values, strict=True))
    ]


def chain(size: int, count: int):
    """3x3 convolutions of 8 channels on a size x size map, one after the other."""

    tensors = {
        f"t{i}": Tensor(name=f"t{i}", shape=(size, size, 8), format=QFormat(8, 4)) for i in range(count + 1)
    }
    layers = tuple(
        Layer(name=f"c{i}", kind="conv", inputs=(f"t{i}",), output=f"t{i + 1}", kernel=(3, 3), pads=(1, 1, 1, 1),
              wgt=np.full((8, 8, 3, 3), -128), wgt_fl=np.full(8, 4), shift=np.full(8, 4))
        for i in range(count)
    )  # fmt: skip
    return QuantizedNetwork(name="chain", input="t0", outputs=(f"t{count}",), tensors=tensors, layers=layers)


def test_a_strip_never_waits_for_the_one_before_it() -> None:
    """From the second layer on, each COMPUTE waits for the last but one at most: the pipeline stays full."""
    waits = waits_of(compile_network(chain(16, 4), EngineConfig(rows=8, cols=8)))
    later = [(name, n, wait) for name, n, wait in waits if name != "c0"]
    assert len(later) == 6, "two strips each"
    assert all(wait <= n - 1 for _, n, wait in later if wait != NO_WAIT)


def test_small_maps_stay_whole() -> None:
    """A strip of a 4x4 map would be shorter than its weights take to arrive."""
    network = chain(4, 3)
    config = EngineConfig(rows=8, cols=8)
    ops = operations(network, config)
    assert [len(plan) for plan in overlapped(ops, config, network.input)] == [1, 1, 1]
