"""ComputeUnit RTL == instruction-set simulator, every output code of random networks."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from systolith.hw.compute_unit import ComputeUnit
from systolith.hw.config import EngineConfig
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sim.iss import InstructionSetSimulator
from systolith.sim.random_network import TABLES, random_codes, random_network
from systolith.sw.compiler import compile_network


def number(values, width):
    """Lane 0 in the lowest bits."""
    return sum((int(v) & ((1 << width) - 1)) << (i * width) for i, v in enumerate(values))


def short(config, seed):
    """One 1x1 convolution: each COMPUTE is a single pass and follows the one before without a gap."""
    rng = np.random.default_rng(seed)
    shape, channels = (7, 7, config.rows), 4 * config.cols
    act, out = QFormat(config.act_width, 4), QFormat(config.act_width, 3)
    layer = Layer(
        name="short", kind="conv", inputs=("x",), output="y",
        wgt=rng.integers(-128, 128, (channels, config.rows, 1, 1)), wgt_fl=rng.integers(3, 6, channels),
        bias=rng.integers(-9999, 9999, channels), shift=rng.integers(4, 9, channels),
    )  # fmt: skip
    tensors = {
        "x": Tensor(name="x", shape=shape, format=act),
        "y": Tensor(name="y", shape=(7, 7, channels), format=out),
    }
    return QuantizedNetwork(name="short", input="x", outputs=("y",), tensors=tensors, layers=(layer,))


def shortcut(config, width):
    """A 1x1 convolution of few pixels plus its own input: both are in one bank, pixels behind the first are held."""
    rng, channels = np.random.default_rng(width), 3 * config.rows
    shape, fmt = (1, width, channels), QFormat(config.act_width, 3)
    layer = Layer(
        name="shortcut", kind="conv", inputs=("x", "x"), output="y",
        wgt=rng.integers(-128, 128, (channels, channels, 1, 1)), bias=rng.integers(-9999, 9999, channels),
        shift=rng.integers(4, 9, channels), res_shift=np.full(channels, 2),
    )  # fmt: skip
    tensors = {name: Tensor(name=name, shape=shape, format=fmt) for name in "xy"}
    return QuantizedNetwork(name="shortcut", input="x", outputs=("y",), tensors=tensors, layers=(layer,))


def averaged(config, seed, size, kernel, blocks, behind=0):
    """A convolution of ``blocks`` blocks, the mean of its map, and another one that follows without waiting."""
    rng, pad = np.random.default_rng(seed), kernel // 2
    x, y, z = (QFormat(config.act_width, 3, bool(seed & bit)) for bit in (1, 2, 4))
    top, outs, ins = 1 << config.wgt_width - 1, blocks * config.cols - (config.cols > 2), config.rows + 1

    def conv(name, target, count, kernel, pad):
        return Layer(
            name=name, kind="conv", inputs=("x",), output=target, kernel=(kernel, kernel), pads=(pad, pad, pad, pad),
            wgt=rng.integers(-top, top, (count, ins, kernel, kernel)), wgt_width=config.wgt_width,
            bias=rng.integers(-999, 999, count), shift=rng.integers(config.wgt_width - 3, config.wgt_width + 1, count),
            lo=y.min, hi=y.max,
        )  # fmt: skip

    pool = Layer(
        name="mean", kind="avgpool", inputs=("y",), output="z", kernel=size, wgt_width=config.wgt_width,
        wgt=np.full((1, 1, 1, 1), rng.integers(-top, top)), shift=rng.integers(-1, 14, 1), lo=z.min, hi=z.max,
    )  # fmt: skip
    layers, outputs = [conv("conv", "y", outs, kernel, pad), pool], ["z"]
    tensors = {"x": ((*size, ins), x), "y": ((*size, outs), y), "z": ((1, 1, outs), z)}
    if behind:
        layers.append(conv("behind", "w", behind * config.cols, 1, 0))
        outputs.append("w")
        tensors["w"] = (*size, behind * config.cols), y
    made = {name: Tensor(name=name, shape=shape, format=fmt) for name, (shape, fmt) in tensors.items()}
    return QuantizedNetwork(
        name="averaged", input="x", outputs=tuple(outputs), tensors=made, layers=tuple(layers)
    )


def depthwise(
    config, seed, height, width, channels, kernel=(3, 3), stride=(1, 1), pads=(1, 1, 1, 1), beside=False
):
    """Between two 1x1 convolutions, the one before with its own input as residual: its reads come late.

    ``beside``: it reads that input, too, while residuals are still read.
    """
    rng = np.random.default_rng(seed)
    fmt = QFormat(config.act_width, 3, bool(seed % 2))
    rows = (height + pads[0] + pads[2] - kernel[0]) // stride[0] + 1
    columns = (width + pads[1] + pads[3] - kernel[1]) // stride[1] + 1
    maps = {"x": (height, width), "a": (height, width), "b": (rows, columns), "y": (rows, columns)}
    tensors = {n: Tensor(name=n, shape=(*shape, channels), format=fmt) for n, shape in maps.items()}

    def layer(name, inputs, output, wgt, **about):
        shift = int(np.log2(wgt[0].size ** 0.5 * 128)) + rng.integers(-1, 2, channels)
        return Layer(
            name=name, kind="conv", inputs=inputs, output=output, wgt=wgt, kernel=wgt.shape[2:], shift=shift,
            bias=rng.integers(-999, 999, channels), lo=fmt.min, hi=fmt.max, **about,
        )  # fmt: skip

    dense = [rng.integers(-128, 128, (channels, channels, 1, 1)) for _ in range(2)]
    taps = rng.integers(-128, 128, (channels, 1, *kernel))
    layers = (
        layer("before", ("x", "x"), "a", dense[0], res_shift=np.full(channels, 3)),
        layer("depthwise", ("x" if beside else "a",), "b", taps, stride=stride, pads=pads, groups=channels),
        layer("behind", ("b",), "y", dense[1]),
    )
    return QuantizedNetwork(
        name=f"depthwise{seed}",
        input="x",
        outputs=("a", "y") if beside else ("y",),
        tensors=tensors,
        layers=layers,
    )


def prepare(config, network, seed):
    """Scratchpad writes, records, rows of the weight stream, expected traces of one image."""
    program = compile_network(network, config)
    memory, registers = program.image(random_codes(network, seed))
    iss = InstructionSetSimulator(config, memory)
    loads, records, rows = [], [], []
    for command in iss.fetch(registers):
        if command.name == "load":
            target, words, lanes = iss.load(command, registers)
            about = {"table": int(target is not iss.scratchpad), "shared": int(command.values["tail"] == 1)}
            flat = lanes.reshape(-1, lanes.shape[-1])
            loads += [about | {"addr": int(a), "data": number(w, config.act_width)}
                      for a, w in zip(words.ravel(), flat, strict=True)]  # fmt: skip
        if command.name == "compute":
            records.append(command.values)
            segment = command.segment
            shift = segment.shift + config.max_left_shift
            blocks = [
                number([segment.bias[c]], config.acc_width)
                | int(shift[c]) << config.acc_width
                | int(segment.res_shift[c]) << (config.acc_width + config.shift_width)
                for c in range(config.cols)
            ]
            mask = (1 << config.wgt_width) - 1
            for i in range(config.param_rows):
                row = [b >> (i * config.wgt_width) & mask for b in blocks]
                rows.append((1, number(row, config.wgt_width)))
            rows += [(0, number(row, config.wgt_width)) for row in segment.tiles]
    traces = list(InstructionSetSimulator(config, memory).run(registers))
    return loads, records, rows, traces


@pytest.mark.parametrize("feed", ["full", "slow"])
@pytest.mark.parametrize(
    ("rows", "cols", "seed"), [(1, 1, 1), (4, 4, 2), (3, 5, 3), (7, 2, 4), (2, 4, 5), (8, 8, 6)]
)
def test_rtl_equals_model(rows, cols, seed, feed):
    config = EngineConfig(rows=rows, cols=cols, scratchpad=1 << 14, acc_depth=64)
    compare(config, random_network(seed, 4, size=7), seed, feed)


@pytest.mark.parametrize(("rows", "cols"), [(4, 4), (2, 3)])
def test_single_passes_back_to_back(rows, cols):
    config = EngineConfig(rows=rows, cols=cols, scratchpad=1 << 14, acc_depth=64)
    compare(config, short(config, rows), rows, "full")


@pytest.mark.parametrize(("rows", "cols", "seed"), [(4, 4, 1), (4, 4, 2), (2, 3, 3), (6, 6, 4), (6, 6, 5)])
def test_residuals_in_the_way(rows, cols, seed):
    """Two banks: residuals hold pixels back, the first ones of a pass too."""
    config = EngineConfig(rows=rows, cols=cols, scratchpad=1 << 14, acc_depth=64, banks=2)
    compare(config, random_network(seed, 4, size=8, kinds=("conv", "add")), seed, "full")


@pytest.mark.parametrize(("rows", "cols", "width"), [(5, 4, 3), (6, 4, 3), (7, 2, 4), (8, 8, 4), (6, 6, 5)])
def test_bubbles_in_short_passes(rows, cols, width):
    """The next pass does not come closer than the accumulators allow."""
    config = EngineConfig(rows=rows, cols=cols, scratchpad=1 << 14, acc_depth=64)
    compare(config, shortcut(config, width), width, "full")


@pytest.mark.parametrize(
    ("size", "kernel", "blocks", "behind"),
    [((1, 1), 1, 4, 0), ((1, 2), 1, 2, 2), ((3, 4), 3, 2, 1), ((8, 8), 1, 1, 2), ((1, 1), 1, 3, 3)],
)
@pytest.mark.parametrize(("rows", "cols"), [(4, 4), (1, 1), (3, 5), (8, 2), (2, 20)])
def test_means(rows, cols, size, kernel, blocks, behind):
    """Windows of one pixel up to all accumulators; sums of the next instruction, and its codes, right behind."""
    config = EngineConfig(rows=rows, cols=cols, scratchpad=1 << 14, acc_depth=64)
    seed = rows + cols + blocks
    network = averaged(config, seed, size, kernel, blocks, behind)
    assert "y" not in compile_network(network, config).tensors
    compare(config, network, seed, "full")


@pytest.mark.parametrize(("rows", "cols", "taps"), [(4, 4, 3), (2, 7, 1), (2, 7, 3), (5, 3, 5)])
def test_products_behind_long_instructions(rows, cols, taps):
    """Vectors are there before the tiles of the instruction before, and of other vectors, have been pushed."""
    config = EngineConfig(rows=rows, cols=cols, scratchpad=1 << 14, acc_depth=64)
    rng, fmt, shape = np.random.default_rng(taps), QFormat(8, 3), (6, 5, 3 * cols)
    shapes = dict.fromkeys(("x", "long", "y"), shape) | {"gate": (1, 1, shape[2])}
    about = {"shift": rng.integers(5, 9, shape[2]), "lo": fmt.min, "hi": fmt.max}
    wgt, mean = rng.integers(-128, 128, (shape[2], shape[2], taps, taps)), np.full((1, 1, 1, 1), 99)
    layers = (
        Layer(name="m", kind="avgpool", inputs=("x",), output="gate", kernel=shape[:2], wgt=mean, **about),
        Layer(name="c", kind="conv", inputs=("x",), output="long", kernel=(taps, taps), pads=(taps // 2,) * 4,
              wgt=wgt, **about),
        Layer(name="p", kind="product", inputs=("x", "gate"), output="y", **about),
    )  # fmt: skip
    tensors = {name: Tensor(name=name, shape=s, format=fmt) for name, s in shapes.items()}
    about = {"name": "long", "input": "x", "outputs": ("long", "y"), "tensors": tensors}
    compare(config, QuantizedNetwork(layers=layers, **about), 1, "full")


@pytest.mark.parametrize("feed", ["full", "slow"])
@pytest.mark.parametrize(("rows", "cols", "seed"), [(4, 4, 1), (3, 5, 6), (7, 2, 4), (2, 7, 5)])
def test_products(rows, cols, seed, feed):
    """Vectors become tiles, between tiles of the stream; one block of channels and several, short passes too."""
    config = EngineConfig(rows=rows, cols=cols, scratchpad=1 << 14, acc_depth=64, banks=2)
    compare(config, random_network(seed, 3, size=6, kinds=("excite", "product", "conv", "add")), seed, feed)


@pytest.mark.parametrize(("act_width", "wgt_width"), [(8, 4), (4, 8), (4, 5)])
def test_products_of_wide_codes(act_width, wgt_width):
    """Codes wider than weights are cut, narrower ones extended."""
    about = {"act_width": act_width, "wgt_width": wgt_width}
    config = EngineConfig(rows=3, cols=4, scratchpad=1 << 14, acc_depth=64, **about)
    compare(config, random_network(4, 1, size=4, kinds=("excite",), **about), 6, "full")


def test_means_of_wide_codes():
    config = EngineConfig(
        rows=3, cols=4, act_width=16, wgt_width=16, acc_width=48, scratchpad=1 << 14, acc_depth=64
    )
    compare(config, averaged(config, 6, (5, 7), 3, 2, 1), 6, "slow")


@pytest.mark.parametrize("feed", ["full", "slow"])
@pytest.mark.parametrize(
    ("rows", "cols", "seed"), [(1, 1, 12), (4, 4, 13), (3, 5, 16), (7, 2, 17), (2, 4, 19), (9, 3, 6)]
)
def test_tables(rows, cols, seed, feed):
    """Instructions with a table, with others, without, one right behind the other; means go past them."""
    config = EngineConfig(rows=rows, cols=cols, scratchpad=1 << 14, acc_depth=64, tables=64)
    network = random_network(seed, 8, size=6, kinds=TABLES)
    assert any(layer.kind == "table" for layer in network.layers)
    compare(config, network, seed, feed)


def test_without_tables():
    config = EngineConfig(rows=4, cols=3, scratchpad=1 << 14, acc_depth=64, tables=0)
    compare(config, random_network(2, 4, size=7, kinds=("conv", "mean", "add")), 2, "full")


@pytest.mark.parametrize("feed", ["full", "slow"])
@pytest.mark.parametrize(
    ("rows", "cols", "height", "width", "channels", "kernel", "stride", "pads"),
    [
        (6, 4, 6, 6, 9, (3, 3), (1, 1), (1, 1, 1, 1)),
        (6, 4, 5, 7, 6, (3, 3), (2, 1), (0, 2, 1, 0)),
        (6, 6, 7, 5, 13, (5, 4), (1, 2), (2, 1, 0, 2)),
        (9, 3, 6, 6, 7, (3, 3), (1, 1), (1, 1, 1, 1)),
        (9, 3, 7, 6, 4, (3, 3), (2, 2), (0, 0, 2, 1)),
        (9, 9, 6, 6, 20, (3, 3), (1, 1), (1, 1, 1, 1)),  # blocks read ahead for each other
        (10, 12, 4, 3, 30, (3, 3), (1, 1), (2, 1, 1, 2)),
        (9, 3, 1, 1, 5, (3, 3), (1, 1), (1, 1, 1, 1)),
        pytest.param(16, 16, 6, 6, 40, (3, 3), (1, 1), (1, 1, 1, 1), marks=pytest.mark.slow),
    ],
)
def test_depthwise(rows, cols, height, width, channels, kernel, stride, pads, feed):
    if cols > 8 and feed == "slow":
        pytest.skip("once is enough for so many PEs")
    config = EngineConfig(rows=rows, cols=cols, scratchpad=1 << 14, acc_depth=64, fir_depth=32, banks=2)
    network = depthwise(config, rows + height, height, width, channels, kernel, stride, pads)
    compare(config, network, rows, feed)


@pytest.mark.parametrize(("rows", "cols", "width"), [(6, 4, 7), (7, 3, 5), (9, 2, 4)])
def test_depthwise_behind_residuals(rows, cols, width):
    """No residual holds a slot back: the pass waits for them instead."""
    config = EngineConfig(rows=rows, cols=cols, scratchpad=1 << 14, acc_depth=64, banks=2)
    compare(config, depthwise(config, rows, 4, width, cols, beside=True), rows, "full")


def compare(config, network, seed, feed):
    """Every output of every COMPUTE, in order."""
    loads, records, weights, traces = prepare(config, network, seed)
    dut = ComputeUnit(config=config)
    rng = np.random.default_rng(seed)
    got = []
    completed = 0

    def pause():
        return feed == "slow" and rng.random() < 0.5

    async def feed_loads(ctx):
        stream = dut.load.stream
        for word in loads:
            ctx.set(stream.payload, word)
            ctx.set(stream.valid, 1)
            await ctx.tick().until(stream.ready)
        ctx.set(stream.valid, 0)
        await ctx.tick().repeat(2)
        for values in records:
            while completed < values["wait_compute"] or pause():
                await ctx.tick()
            ctx.set(dut.i.payload, values)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)

    async def feed_weights(ctx):
        stream = dut.weights.stream
        for param, data in weights:
            while pause():
                await ctx.tick()
            ctx.set(stream.payload, {"data": data, "param": param})
            ctx.set(stream.valid, 1)
            await ctx.tick().until(stream.ready)
            ctx.set(stream.valid, 0)

    async def watch(ctx):
        nonlocal completed
        cycle = 0
        while completed < len(records):
            assert cycle < 60_000, f"{completed} of {len(records)} instructions completed"
            valid, mean = ctx.get(dut.writeback.valid), ctx.get(dut.mean.valid)
            assert not (valid and mean), f"codes and a mean in cycle {cycle}"
            if valid or mean:
                got.append((cycle, ctx.get(dut.mean.codes if mean else dut.writeback.codes)))
            completed += ctx.get(dut.done)
            await ctx.tick()
            cycle += 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed_loads, background=True)
    simulator.add_testbench(feed_weights, background=True)
    simulator.add_testbench(watch)
    simulator.run()
    want = [
        (k, n, number(codes, config.act_width))
        for k, t in enumerate(traces)
        for n, codes in enumerate(t.codes)
    ]
    for (k, n, expected), (cycle, codes) in zip(want, got, strict=False):
        assert codes == expected, (
            f"COMPUTE {k}, output {n}: {expected:x} expected, {codes:x} got at cycle {cycle}"
        )
    assert len(got) == len(want)
