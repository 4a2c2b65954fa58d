"""Global average pools: which of them work on the output path of what makes their map."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import POOL_MAX, POOL_MEAN, POOL_NONE, POOL_SUM
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sim.naive import evaluate
from systolith.sim.random_network import random_codes
from systolith.sim.trace import simulate
from systolith.sw.compiler import compile_network
from systolith.sw.operations import operations

CONFIG = EngineConfig(rows=4, cols=4, acc_depth=64)


def conv(source: str, target: str, **more: Any) -> Layer:
    rng = np.random.default_rng(1)
    settings: dict[str, Any] = {"inputs": (source,), "pads": (1, 1, 1, 1), "shift": np.array([8])} | more
    wgt = rng.integers(-128, 128, (6, 6, 3, 3))
    return Layer(name=f"to_{target}", kind="conv", output=target, kernel=(3, 3), wgt=wgt, **settings)


def average(source: str = "map", target: str = "out", **more: Any) -> Layer:
    settings: dict[str, Any] = {"kernel": (8, 8), "shift": np.array([9]), "lo": -100, "hi": 90} | more
    return Layer(
        name="mean",
        kind="avgpool",
        inputs=(source,),
        output=target,
        wgt=np.full((1, 1, 1, 1), 64),
        **settings,
    )


def network(
    *layers: Layer, outputs: tuple[str, ...] = ("out",), **shapes: tuple[int, int]
) -> QuantizedNetwork:
    sizes = {"in": (8, 8), "map": (8, 8), "out": (1, 1)} | shapes
    tensors = {
        name: Tensor(name=name, shape=(*size, 6), format=QFormat(8, 4)) for name, size in sizes.items()
    }
    return QuantizedNetwork(name="n", input="in", outputs=outputs, tensors=tensors, layers=layers)


MAKERS = {
    "convolution": conv("in", "map"),
    "residual": conv("in", "map", inputs=("in", "in"), res_shift=np.array([3])),
    "addition": Layer(
        name="to_map", kind="add", inputs=("in", "in"), output="map", in_shift=2, res_shift=np.array([0])
    ),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_fused(maker: str) -> None:
    net = network(MAKERS[maker], average())
    (op,) = operations(net, CONFIG)
    assert (op.name, op.pool, op.output.name, op.window) == ("to_map+mean", POOL_MEAN, "out", (8, 8))
    assert op.mean is not None
    assert (op.mean.weight, op.mean.shift, op.mean.lo, op.mean.hi) == (64, 9, -100, 90)
    assert (op.lo, op.hi) == (-128, 127)
    fused, apart = compile_network(net, CONFIG), compile_network(net, CONFIG, fuse_pools=False)
    assert "map" not in fused.tensors and "map" in apart.tensors
    assert [info.count for info in fused.computes] == [1, 1] and fused.n_compute < apart.n_compute
    codes = random_codes(net, 0)
    expected = evaluate(net, codes[0])["out"]
    for program in (fused, apart):
        assert np.array_equal(simulate(program, codes)[0]["out"], expected)


@pytest.mark.parametrize(
    ("change", "output"),
    [
        ({"kernel": (8, 4), "stride": (1, 4)}, (1, 2)),
        ({"kernel": (9, 9), "pads": (1, 1, 0, 0)}, (1, 1)),
        ({"kernel": (9, 8), "pads": (0, 0, 1, 0)}, (1, 1)),
        ({"kernel": (4, 8), "dilation": (2, 1)}, (2, 1)),
        ({"kernel": (7, 8)}, (2, 1)),
        ({"shift": np.arange(6)}, (1, 1)),
    ],
)
def test_not_one_window_with_one_shift(change: dict[str, Any], output: tuple[int, int]) -> None:
    ops = operations(
        network(MAKERS["convolution"], average(**change), out=output), replace(CONFIG, acc_depth=128)
    )
    assert [op.pool for op in ops] == [POOL_NONE, POOL_SUM]


def test_a_map_that_others_read() -> None:
    two = network(MAKERS["convolution"], average(), conv("map", "two"), outputs=("out", "two"), two=(8, 8))
    shown = network(MAKERS["convolution"], average(), outputs=("map", "out"))
    for net in (two, shown):
        assert [op.pool for op in operations(net, CONFIG)][:2] == [POOL_NONE, POOL_SUM]


def test_one_pool_for_each() -> None:
    pool = Layer(name="max", kind="maxpool", inputs=("map",), output="small", kernel=(2, 2), stride=(2, 2))
    net = network(MAKERS["convolution"], pool, average("small", kernel=(4, 4)), small=(4, 4))
    assert [op.pool for op in operations(net, CONFIG)] == [POOL_MAX, POOL_SUM]


def test_a_map_of_several_instructions() -> None:
    net = network(MAKERS["convolution"], average())
    with pytest.raises(ValueError, match="'mean' pools 64 pixels a window, the engine has 32 accumulators"):
        operations(net, replace(CONFIG, acc_depth=32, cols=5))
    (_, pool) = operations(net, replace(CONFIG, acc_depth=32))  # in a single pass, which needs none
    assert pool.pool == POOL_SUM and pool.longest(replace(CONFIG, acc_depth=32)) == 1
