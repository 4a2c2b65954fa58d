"""Kernel columns folded into channels: the same integers in fewer passes."""

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sim.naive import evaluate
from systolith.sim.trace import simulate
from systolith.sw.compiler import compile_network
from systolith.sw.folding import fold_input
from systolith.sw.operations import operations


def convolution(rng, channels, size, kernel, pads=(0, 0, 0, 0), stride=1, dilation=1):
    """One random convolution of an image, or None where the map is too small for it."""
    (height, width), (rows, columns), (top, left, bottom, right) = size, kernel, pads
    down = (height + top + bottom - (rows - 1) * dilation - 1) // stride + 1
    out = (down, (width + left + right - columns) // stride + 1)
    if min(out) < 1:
        return None
    outs = int(rng.integers(1, 20))
    layer = Layer(
        name="c", kind="conv", inputs=("x",), output="y", kernel=kernel, stride=(stride, stride),
        dilation=(dilation, 1), pads=pads, wgt=rng.integers(-128, 128, (outs, channels, rows, columns)),
        wgt_fl=np.full(outs, 5), bias=rng.integers(-999, 999, outs), shift=rng.integers(3, 9, outs),
    )  # fmt: skip
    tensors = {
        "x": Tensor(name="x", shape=(height, width, channels), format=QFormat(8, 4)),
        "y": Tensor(name="y", shape=(*out, outs), format=QFormat(8, 3)),
    }
    return QuantizedNetwork(name="n", input="x", outputs=("y",), tensors=tensors, layers=(layer,))


def test_program_equals_layer():
    """Random kernels, pads, strides and arrays, folded and not, through the instruction-set simulator."""
    folded = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        channels = int(rng.integers(1, 6))
        kernel = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
        pads = tuple(int(p) for p in rng.integers(0, 4, 4))
        size = (int(rng.integers(3, 12)), int(rng.integers(3, 12)))
        network = convolution(
            rng, channels, size, kernel, pads, int(rng.integers(1, 4)), int(rng.integers(1, 3))
        )
        if network is None:
            continue
        config = EngineConfig(rows=int(rng.integers(1, 17)), cols=int(rng.integers(1, 17)), acc_depth=64)
        folded += fold_input(network, operations(network, config), config)[1] is not None
        codes = rng.integers(-128, 128, (1, *size, channels))
        want = np.asarray(evaluate(network, codes[0])["y"])
        got = simulate(compile_network(network, config), codes)[0]["y"]
        assert np.array_equal(got, want.reshape(got.shape)), f"seed {seed}"
    assert folded > 30


@pytest.mark.parametrize(
    ("rows", "channels", "kernel", "passes"),
    [
        (16, 3, (3, 3), 3),
        (8, 3, (3, 3), 6),
        (8, 1, (3, 3), 3),
        (16, 3, (7, 7), 14),
        (16, 4, (1, 1), 1),
        (16, 5, (3, 3), 9),
    ],
)
def test_passes(rows, channels, kernel, passes):
    """As few as the lanes allow; 1x1 kernels and more than four channels stay as they are."""
    pad = kernel[0] // 2
    network = convolution(np.random.default_rng(0), channels, (12, 12), kernel, (pad,) * 4)
    config = EngineConfig(rows=rows, cols=rows)
    ops, _ = fold_input(network, operations(network, config), config)
    blocks = -(-ops[0].act.shape[2] // rows)
    assert blocks * ops[0].kernel[0] * ops[0].kernel[1] == passes
