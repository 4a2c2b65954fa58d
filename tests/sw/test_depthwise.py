"""Depthwise convolutions: compiled and simulated == integer reference; how many cycles they take."""

from dataclasses import replace

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import COMPUTE, decode, encode, record_words
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sim.iss import EngineError
from systolith.sim.random_network import random_codes
from systolith.sim.trace import simulate
from systolith.sw import integer_reference
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.machine import simulate as model
from systolith.sw.program import Program

Pair = tuple[int, int]


def depthwise(
    seed: int, height: int, width: int, channels: int, kernel: Pair = (3, 3), stride: Pair = (1, 1),
    pads: tuple[int, int, int, int] = (1, 1, 1, 1), dilation: Pair = (1, 1), ends: bool = False,
) -> QuantizedNetwork:  # fmt: skip
    """One layer; with ``ends`` between 1x1 convolutions."""
    rng = np.random.default_rng(seed)
    fmt = QFormat(8, 3, bool(seed % 2))
    reach = [(kernel[i] - 1) * dilation[i] + 1 for i in (0, 1)]
    rows, columns = (
        (n + pads[i] + pads[i + 2] - reach[i]) // stride[i] + 1 for i, n in enumerate((height, width))
    )

    def layer(name: str, source: str, wgt: np.ndarray, **about: object) -> Layer:
        shift = int(np.log2(wgt[0].size ** 0.5 * 128)) + rng.integers(-1, 2, channels)
        return Layer(
            name=name, kind="conv", inputs=(source,), output=name, wgt=wgt, kernel=(wgt.shape[2], wgt.shape[3]),
            bias=rng.integers(-999, 999, channels), shift=shift, lo=fmt.min, hi=fmt.max, macs=wgt.size, **about,
        )  # type: ignore[arg-type]  # fmt: skip

    taps = rng.integers(-128, 128, (channels, 1, *kernel))
    dense = rng.integers(-128, 128, (2, channels, channels, 1, 1))
    layers = [layer("taps", "in", taps, stride=stride, pads=pads, dilation=dilation, groups=channels)]
    if ends:
        layers = [
            layer("before", "in", dense[0]),
            replace(layers[0], inputs=("before",)),
            layer("out", "taps", dense[1]),
        ]
    maps = {"in": (height, width), "before": (height, width), "taps": (rows, columns), "out": (rows, columns)}
    used = ["in", *(made.output for made in layers)]
    return QuantizedNetwork(
        name=f"depthwise{seed}", input="in", outputs=(layers[-1].output,), layers=tuple(layers),
        tensors={name: Tensor(name=name, shape=(*maps[name], channels), format=fmt) for name in used},
    )  # fmt: skip


def check(network: QuantizedNetwork, config: EngineConfig) -> list[dict[str, int]]:
    """The fields of its depthwise COMPUTEs."""
    program = compile_network(network, config)
    codes = random_codes(network, 1, 2)
    reference = integer_reference.run(network, codes, keep="all")
    for i, made in enumerate(simulate(program, codes)):
        for name, value in made.items():
            assert np.array_equal(value, reference[name][i]), f"{name} of image {i}"
    return computes(program)


def computes(program: Program) -> list[dict[str, int]]:
    size = record_words(program.config) * program.config.port_bytes
    parts = [
        decode(program.records[at : at + size], program.config) for at in range(0, len(program.records), size)
    ]
    return [values for instruction, values in parts if instruction is COMPUTE and values["fir"]]


def changed(program: Program, number: int, **fields: int) -> Program:
    """With fields of COMPUTE ``number`` changed."""
    size, config = record_words(program.config) * program.config.port_bytes, program.config
    parts = [program.records[at : at + size] for at in range(0, len(program.records), size)]
    at = [i for i, part in enumerate(parts) if decode(part, config)[0] is COMPUTE][number]
    parts[at] = encode(COMPUTE, config, decode(parts[at], config)[1] | fields)
    return replace(program, records=b"".join(parts))


@pytest.mark.parametrize(("rows", "cols"), [(6, 4), (8, 8), (9, 3), (12, 5), (8, 16), (10, 10), (16, 16)])
def test_random_shapes(rows: int, cols: int) -> None:
    rng = np.random.default_rng(rows * 100 + cols)
    tried = found = 0
    while tried < 30:
        config = EngineConfig(
            rows=rows, cols=cols, scratchpad=int(rng.choice([2048, 1 << 14])), fir_depth=64,
            acc_depth=int(rng.choice([64, 1024])), banks=2,
        )  # fmt: skip
        kernel = (int(rng.integers(1, 8)), int(rng.integers(1, 8))) if tried % 2 else (3, 3)
        pads = tuple(int(rng.integers(0, min(3, kernel[i % 2]))) for i in range(4))
        height, width = (int(n) for n in rng.integers(1, 20, 2))
        if height + pads[0] + pads[2] < kernel[0] or width + pads[1] + pads[3] < kernel[1]:
            continue
        stride = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        channels = int(rng.integers(2, 4 * cols))
        network = depthwise(tried, height, width, channels, kernel, stride, pads, ends=tried % 3 == 0)  # type: ignore[arg-type]
        try:
            found += bool(check(network, config))
        except ValueError as error:
            assert "--scratchpad" in str(error), error
        tried += 1
    assert found > 15


@pytest.mark.parametrize(
    ("rows", "cols", "kernel", "passes"),
    [(8, 8, (3, 3), 2), (16, 16, (3, 3), 1), (9, 9, (5, 5), 4), (16, 16, (7, 7), 9), (6, 6, (4, 1), 2)],
)
def test_passes(rows: int, cols: int, kernel: Pair, passes: int) -> None:
    """ceil(rows / kernel rows a pass takes) * ceil(columns / 3)."""
    network = depthwise(1, 12, 12, cols, kernel, pads=(kernel[0] // 2, kernel[1] // 2) * 2)
    for values in check(network, EngineConfig(rows=rows, cols=cols)):
        assert (values["ky_last"] + 1) * (values["kx_last"] + 1) == passes


@pytest.mark.parametrize(
    "config",
    [
        EngineConfig(rows=rows, cols=cols)
        for rows, cols in ((8, 8), (16, 16), (8, 16), (16, 8), (16, 4), (9, 3))
    ],
)
@pytest.mark.parametrize("size", [6, 7, 12, 24])
def test_cycles(config: EngineConfig, size: int) -> None:
    """At most 1.05 (wanted: 1.15) * pixels of the input * ceil(channels / cols) * ceil(9 / rows) cycles."""
    for stride in (1, 2):
        network = depthwise(1, size, size, 64, stride=(stride, stride), ends=True)
        program = compile_network(network, config)
        spans = [
            span
            for span, info in zip(model(program).spans, program.computes, strict=True)
            if info.name == "taps"
        ]
        least = size * size * -(-64 // config.cols) * -(-9 // config.rows)
        # Those before the first one's start are not the layer's: LOAD of the image, weights.
        assert sum(span.cycles for span in spans[1:]) + spans[0].pixels <= 1.05 * least


def test_blocks_read_ahead_for_each_other() -> None:
    """Only the first of them has a row of slots that makes no outputs."""
    found = check(depthwise(1, 6, 6, 40), EngineConfig(rows=16, cols=16))
    assert [(v["oy_last"] + 1, v["ahead"]) for v in found] == [(7, 1), (6, 1), (6, 0)]
    # Blocks that share words: first all that lie in the lower lanes.
    found = check(depthwise(1, 6, 6, 40), EngineConfig(rows=16, cols=8))
    read = [(v["in_rot"], v["oy_last"] + 1, v["ahead"]) for v in found]
    assert read == [(0, 7, 1), (0, 6, 1), (0, 6, 0), (8, 7, 1), (8, 6, 0)]
    found = check(
        depthwise(1, 6, 6, 40), EngineConfig(rows=12, cols=8)
    )  # and those that lie across two words
    assert {(v["oy_last"] + 1, v["ahead"]) for v in found} == {(7, 0)}


def test_strides_leave_a_row_to_lead() -> None:
    """One row below the map, two that the next block needs in advance: one of them is read before its own."""
    found = check(depthwise(1, 12, 12, 64, stride=(2, 2), pads=(0, 0, 1, 1)), EngineConfig(rows=16, cols=16))
    assert [(v["y0"], v["oy_last"] + 1, v["y_step_wx"], v["ahead"]) for v in found] == [
        (0, 13, 2, 1), (1, 12, 1, 1), (1, 12, 1, 1), (1, 12, 1, 0)
    ]  # fmt: skip


@pytest.mark.parametrize("stride", [1, 2])
def test_the_last_block_in_two_strips(stride: int) -> None:
    """The second one goes on where the first one ends; a convolution behind waits for no more than the first."""
    network = depthwise(stride, 24 * stride, 24, 32, stride=(stride, stride), ends=True)
    config = EngineConfig(rows=16, cols=16)
    found = check(network, config)
    slots = [(v["y0"], v["y0"] + v["oy_last"] + 1, v["ahead"]) for v in found]
    height = 24 * stride
    assert [(start, end) for start, end, _ in slots[:1]] == [(0, height + 1 if stride == 1 else height)]
    assert slots[1][1] == slots[2][0] and slots[2][1] == slots[0][1] and slots[0][2] == 2 - stride
    program = compile_network(network, config)
    behind = [
        span.wait
        for span, info in zip(model(program).spans, program.computes, strict=True)
        if info.name == "out"
    ]
    assert len(behind) == 4 and not any(behind)


@pytest.mark.parametrize(
    ("config", "about"),
    [
        (EngineConfig(rows=5, cols=8), {}),
        (EngineConfig(fir_depth=0), {}),
        (EngineConfig(fir_depth=16), {"width": 20}),
        (EngineConfig(), {"dilation": (2, 2), "pads": (2, 2, 2, 2)}),
        (EngineConfig(), {"kernel": (1, 3), "pads": (0, 1, 0, 1)}),
    ],
    ids=["5 rows", "none", "wide", "dilated", "flat"],
)
def test_what_takes_a_tile_a_tap(config: EngineConfig, about: dict[str, object]) -> None:
    given = {"height": 7, "width": 8, "channels": 11} | about
    assert not check(depthwise(1, **given), config)  # type: ignore[arg-type]


def test_what_the_engine_would_get_wrong() -> None:
    config = EngineConfig(rows=16, cols=16)
    network = depthwise(1, 6, 6, 40)
    program, codes = compile_network(network, config), random_codes(network, 1)
    for number, fields, message in (
        (0, {"oy_last": 5, "y0": 1, "y_step_wx": 0}, "1 rows above the first are needed and were not read"),
        (0, {"pool": 1}, "fir with input blocks, a residual or a pool"),
        (0, {"wx_last": 6}, r"the last output in slot \(6, 6\), there are \(7, 6\)"),
        (0, {"ox_last": 300}, "301 slots a row, 2..255 are possible"),
        (0, {"addr_step_ox": 2, "x_step_ox": 2}, "slots that are not neighbours"),
    ):
        with pytest.raises(EngineError, match=message) as caught:
            simulate(changed(program, number, **fields), codes)
        assert caught.value.code == 6
    small = EngineConfig(rows=8, cols=16, fir_depth=0, scratchpad=1 << 14)
    program = compile_network(depthwise(1, 6, 6, 16), small)
    with pytest.raises(ValueError, match="fir must fit in 0 bits, not 1"):
        changed(program, 0, fir=1, ky_last=8, kx_last=0)
