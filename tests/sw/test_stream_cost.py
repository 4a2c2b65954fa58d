"""Costs of streams, and what they choose: layers that lose no cycle from one image to the next."""

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.machine import simulate
from systolith.sw.operations import operations
from systolith.sw.residency import plan
from systolith.sw.stream_cost import busy, cycles
from systolith.sw.streams import Modes, ways

CONFIG = EngineConfig(rows=16, cols=16)


def convolution(size: int, ins: int, outs: int, kernel: int, stride: int = 1) -> QuantizedNetwork:
    pad, made = kernel // 2, -(-size // stride)
    tensors = {
        name: Tensor(name=name, shape=shape, format=QFormat(8, 4))
        for name, shape in (("in", (size, size, ins)), ("out", (made, made, outs)))
    }
    rng = np.random.default_rng(0)
    wgt = rng.integers(-100, 100, (outs, ins, kernel, kernel))
    macs = made * made * wgt.size
    layer = Layer(
        name="conv", kind="conv", inputs=("in",), output="out", wgt=wgt, kernel=(kernel, kernel),
        stride=(stride, stride), pads=(pad,) * 4, shift=np.full(outs, 9), macs=macs,
    )  # fmt: skip
    return QuantizedNetwork(name="one", input="in", outputs=("out",), tensors=tensors, layers=(layer,))


@pytest.mark.parametrize("shape", [(32, 64, 64, 3), (28, 256, 64, 1)])
def test_nothing_is_lost_between_images(shape: tuple[int, int, int, int]) -> None:
    network = convolution(*shape)
    program = compile_network(network, CONFIG)
    each = simulate(program, 3).cycles - simulate(program, 2).cycles
    assert 0.99 <= network.layers[0].macs / (256 * each) <= 1.0


def test_cost_is_at_least_the_arrays_work() -> None:
    (op,) = operations(convolution(28, 256, 64, 1), CONFIG)
    found = ways(op, Modes(act=True, out_ring=True), CONFIG, True, CONFIG.words)
    assert {busy(way) for way in found} == {28 * 28 * 16 * 4}
    assert all(cycles(way, True) >= cycles(way) >= busy(way) for way in found)


def test_slots_and_rings_that_come_out_even_are_cheaper_again() -> None:
    (op,) = operations(convolution(28, 256, 64, 1), CONFIG)
    found = ways(op, Modes(act=True, out_ring=True), CONFIG, False, CONFIG.words)
    assert len(found) > 5
    for way in found:
        waits = cycles(way, True) > cycles(way)
        assert waits == (len(way.phases) % 2 == 1 or 4 * len(way.phases) % way.ring == 1)


@pytest.mark.parametrize("shape", [(32, 64, 64, 3, 1), (56, 64, 64, 3, 1), (56, 64, 128, 3, 2)])
def test_the_estimate_is_near_the_cycle_model(shape: tuple[int, int, int, int, int]) -> None:
    """Within 3 %: the first strip's way in and the last one's way out are not in it."""
    network = convolution(*shape)
    streams = plan(network, operations(network, CONFIG), (), CONFIG).streams
    model = simulate(compile_network(network, CONFIG), 1, 30).counters["cycles"]
    assert 0.97 * model <= sum(cycles(stream) for stream in streams) <= model
