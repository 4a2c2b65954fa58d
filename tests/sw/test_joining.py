"""Concat and groups: what the instruction-set simulator computes == the integer reference, wherever operands lie."""

from dataclasses import replace

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.quant.formats import QFormat
from systolith.quant.network import IntArray, Layer, QuantizedNetwork, Tensor
from systolith.sim.random_network import BRANCHES, random_codes, random_network
from systolith.sw.api_models import run_iss
from systolith.sw.compiler import compile_network
from systolith.sw.integer_reference import run
from systolith.sw.joining import join
from systolith.sw.operations import operations
from systolith.sw.tiles import Tiles

FORMAT = QFormat(8, 4)
RNG = np.random.default_rng(5)


def engine(rows: int, cols: int, words: int = 512, depth: int = 64) -> EngineConfig:
    return EngineConfig(rows=rows, cols=cols, acc_depth=depth, scratchpad=words * max(rows, cols))


def conv(name: str, source: str, inside: int, channels: int, groups: int = 1, kernel: int = 1) -> Layer:
    wgt = RNG.integers(-128, 128, (channels, inside // groups, kernel, kernel))
    return Layer(
        name=f"conv_{name}", kind="conv", inputs=(source,), output=name, wgt=wgt, groups=groups, macs=1,
        kernel=(kernel, kernel), pads=(kernel // 2,) * 4, bias=RNG.integers(-999, 999, channels), shift=np.array([6]),
    )  # fmt: skip


def concat(name: str, *sources: str) -> Layer:
    return Layer(name=f"concat_{name}", kind="concat", inputs=sources, output=name)


def network(
    *layers: Layer, outputs: tuple[str, ...] = (), size: int = 4, **channels: int
) -> QuantizedNetwork:
    tensors = {n: Tensor(name=n, shape=(size, size, c), format=FORMAT) for n, c in channels.items()}
    return QuantizedNetwork(
        name="net", input="image", outputs=outputs or (layers[-1].output,), tensors=tensors, layers=layers
    )


def check(net: QuantizedNetwork, config: EngineConfig, what: object = "") -> None:
    """Two images, every tensor and every result."""
    codes: IntArray = random_codes(net, 3, 2)
    expected = run(net, codes)
    program = compile_network(net, config)
    found, _, error = run_iss(program, codes)
    assert error is None, (what, error)
    for i, image in enumerate(found):
        assert image.results.keys() == set(net.outputs)
        for name, values in [*image.tensors.items(), *image.results.items()]:
            if name in expected:  # a copy has a name of its own
                assert np.array_equal(values, expected[name][i]), (what, name, i)


def aligned(config: EngineConfig) -> QuantizedNetwork:
    n = config.lanes
    return network(
        conv("a", "image", 3, n), conv("b", "image", 3, 2 * n, kernel=3), concat("ab", "a", "b"),
        conv("end", "ab", 3 * n, 5, kernel=3), image=3, a=n, b=2 * n, ab=3 * n, end=5,
    )  # fmt: skip


def test_aligned_operands_cost_nothing() -> None:
    config = engine(4, 4)
    net = aligned(config)
    ops, joined = join(net, operations(net, config), config)
    assert [op.name for op in ops] == ["conv_a", "conv_b", "conv_end"] and ops[2].act.shape == (4, 4, 12)
    assert joined.place("b") == ("ab", 1) and joined.root("ab") == "ab"
    check(net, config)


def test_gaps_are_channels_with_weights_of_zero() -> None:
    config = engine(4, 4)
    net = network(
        conv("a", "image", 3, 3), conv("b", "a", 3, 6), concat("ab", "a", "b"), conv("end", "ab", 9, 5, kernel=3),
        image=3, a=3, b=6, ab=9, end=5,
    )  # fmt: skip
    ops, joined = join(net, operations(net, config), config)
    assert [op.name for op in ops] == ["conv_a", "conv_b", "conv_end"] and joined.place("b") == ("ab", 1)
    assert ops[2].act.shape[2] == 12 and not ops[2].wgt[:, [3, 10, 11]].any()  # type: ignore[index]
    check(net, config)


@pytest.mark.parametrize(
    "config", [engine(4, 4), engine(3, 5), engine(8, 4), engine(4, 6), engine(1, 1)], ids=str
)
def test_operands_and_readers_of_every_kind(config: EngineConfig) -> None:
    """An output, the image, a tensor twice, a joined tensor in another; read by a pool, an addition, groups."""
    pool = Layer(
        name="pool", kind="maxpool", inputs=("ab",), output="pooled", kernel=(3, 3), pads=(1, 1, 1, 1)
    )
    add = Layer(
        name="add",
        kind="add",
        inputs=("ab", "pooled"),
        output="sum",
        res_shift=np.array([1]),
        shift=np.array([1]),
    )
    channels = {"image": 3, "a": 3, "b": 2, "ab": 8, "pooled": 8, "sum": 8, "deep": 16, "each": 16, "end": 4}
    net = network(
        conv("a", "image", 3, 3), conv("b", "a", 3, 2), concat("ab", "a", "image", "b"), pool, add,
        concat("deep", "sum", "ab"), conv("each", "deep", 16, 16, 16, 3), conv("end", "deep", 16, 4),
        outputs=("a", "ab", "each", "end"), **channels,
    )  # fmt: skip
    check(net, config)
    double = network(conv("a", "image", 3, 3), concat("aa", "a", "a"), concat("more", "aa", "a"),
                     conv("end", "more", 9, 4), image=3, a=3, aa=6, more=9, end=4)  # fmt: skip
    check(double, config)


def test_a_joined_tensor_in_external_memory() -> None:
    """Spilled whole: each operand is stored into its part, and read back as one."""
    config = engine(4, 4, words=96)
    net = aligned(config)
    large = replace(net, tensors={n: replace(t, shape=(12, 12, t.shape[2])) for n, t in net.tensors.items()})
    program = compile_network(large, config)
    assert not program.tensors["b"].resident and program.spill_bytes
    check(large, config)


def test_channels_that_do_not_add_up() -> None:
    net = network(conv("a", "image", 3, 3), concat("ab", "a", "a"), image=3, a=3, ab=7)
    with pytest.raises(ValueError, match=r"'concat_ab' joins tensors that have not 7 channels together"):
        compile_network(net, engine(4, 4))


def test_a_block_reads_the_channels_of_its_groups_only() -> None:
    """16 channels of their own on 4x4: one block of input for each of output, 9 passes each; not 4 x 4 x 9."""
    net = network(conv("a", "image", 16, 16, 16, 3), image=16, a=16)
    config = engine(4, 4)
    tiles = Tiles(operations(net, config)[0], config)
    assert [tiles.inputs(block) for block in range(4)] == [
        (0, 4),
        (4, 4),
        (8, 4),
        (12, 4),
    ] and tiles.passes == 36
    for r, row in enumerate(tiles.block(1)[:4]):
        assert np.flatnonzero(row).tolist() in ([r], [])
    three = network(conv("a", "image", 12, 18, 3), image=12, a=18)  # 4 channels in, 6 out
    tiles = Tiles(operations(three, config)[0], config)
    assert [tiles.inputs(block) for block in range(5)] == [(0, 4), (0, 8), (4, 4), (8, 4), (8, 4)]
    check(net, config)
    check(three, config)


def test_groups_that_do_not_divide_the_channels() -> None:
    layer = replace(conv("a", "image", 6, 6, 3), wgt=np.ones((6, 3, 1, 1), np.int64))
    with pytest.raises(ValueError, match=r"weights of \(6, 3\) out and in channels in 3 groups"):
        compile_network(network(layer, image=6, a=6), engine(4, 4))


@pytest.mark.parametrize(
    "config", [engine(4, 4, depth=16), engine(3, 5, depth=16), engine(5, 12, words=64, depth=32)], ids=str
)
def test_random_networks(config: EngineConfig) -> None:
    made = 0
    for seed in range(400, 420):
        net = random_network(seed, 5, kinds=BRANCHES, size=12)
        try:
            check(net, config, seed)
        except ValueError as refused:
            assert "--scratchpad" in str(refused), (seed, refused)
        else:
            made += 1
    assert made >= 15
