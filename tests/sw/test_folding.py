"""Kernels folded into channels: the same integers in fewer passes."""

from collections import Counter

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sim.naive import evaluate
from systolith.sim.trace import simulate
from systolith.sw import layout
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.plan import plan
from systolith.sw.folding import _possible, fold_input, folds
from systolith.sw.operations import operations


def convolution(rng, channels, size, kernel, pads=(0, 0, 0, 0), stride=1, dilation=1, outs=None):
    """One random convolution of an image, or None where the map is too small for it."""
    (height, width), (rows, columns), (top, left, bottom, right) = size, kernel, pads
    stride = (stride, stride) if isinstance(stride, int) else stride
    down = (height + top + bottom - (rows - 1) * dilation - 1) // stride[0] + 1
    out = (down, (width + left + right - columns) // stride[1] + 1)
    if min(out) < 1:
        return None
    outs = outs or int(rng.integers(1, 20))
    layer = Layer(
        name="c", kind="conv", inputs=("x",), output="y", kernel=kernel, stride=stride,
        dilation=(dilation, 1), pads=pads, wgt=rng.integers(-128, 128, (outs, channels, rows, columns)),
        wgt_fl=np.full(outs, 5), bias=rng.integers(-999, 999, outs), shift=rng.integers(3, 9, outs),
    )  # fmt: skip
    tensors = {
        "x": Tensor(name="x", shape=(height, width, channels), format=QFormat(8, 4)),
        "y": Tensor(name="y", shape=(*out, outs), format=QFormat(8, 3)),
    }
    return QuantizedNetwork(name="n", input="x", outputs=("y",), tensors=tensors, layers=(layer,))


def test_program_equals_layer():
    """Random kernels, pads, strides, arrays and line buffers, folded and not, through the instruction-set simulator."""
    found = Counter()
    for seed in range(300):
        rng = np.random.default_rng(seed)
        channels = int(rng.integers(1, 8))
        kernel = (int(rng.integers(1, 8)), int(rng.integers(1, 8)))
        pads = tuple(int(p) for p in rng.integers(0, 4, 4))
        size = (int(rng.integers(1, 12)), int(rng.integers(1, 12)))
        dilation = int(rng.integers(1, 3)) if seed % 3 == 0 else 1
        network = convolution(rng, channels, size, kernel, pads, int(rng.choice([1, 2, 2, 3])), dilation)
        if network is None:
            continue
        config = EngineConfig(
            rows=int(rng.integers(1, 17)), cols=int(rng.integers(1, 17)), acc_depth=64,
            port_width=int(rng.choice([32, 64, 512])), scratchpad=int(rng.choice([128 << 10, 1024])),
            fold_width=int(rng.choice([0, 5, 256])),
        )  # fmt: skip
        fold, _ = next(folds(network, operations(network, config), config))
        codes = rng.integers(-128, 128, (2, *size, channels))
        try:
            program = compile_network(network, config)
        except ValueError as error:
            assert "--scratchpad" in str(error), error
            continue
        kind = "none" if fold is None else "rows" if fold.stack > 1 else "columns"
        if fold is not None and fold.merge > 1:
            found["merged"] += 1
        found.update([kind, "resident" if program.tensors["x"].resident else "streamed"])
        for image, outputs in zip(codes, simulate(program, codes), strict=True):
            want = np.asarray(evaluate(network, image)["y"])
            assert np.array_equal(outputs["y"], want.reshape(outputs["y"].shape)), f"seed {seed}, {fold}"
    kinds = ("none", "rows", "columns", "merged", "resident", "streamed")
    assert all(found[kind] >= 10 for kind in kinds), found


def test_words_in_turns_equal_layer():
    """27 elements in the words of two rows: maps of any size, all pads, many arrays, in strips and whole."""
    found = Counter()
    for seed in range(120):
        rng = np.random.default_rng(seed)
        size = (int(rng.integers(1, 16)), 2 * int(rng.integers(1, 9)))
        pads = tuple(int(p) for p in rng.integers(0, 4, 4))
        stride = (int(rng.choice([2, 2, 4])), int(rng.choice([2, 2, 4])))
        network = convolution(rng, 3, size, (3, 3), pads, stride)
        if network is None:
            continue
        config = EngineConfig(
            rows=int(rng.integers(9, 33)), cols=int(rng.integers(14, 33)), acc_depth=64,
            scratchpad=int(rng.choice([128 << 10, 2048])), fold_width=64,
        )  # fmt: skip
        ops = operations(network, config)
        turns = [way for way in _possible(ops[0], config) if way.turns]
        for fold in turns[: size[1] > 2]:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(layout, "folds", lambda *_, fold=fold: iter([(fold, 0)]))
                program = compile_network(network, config)
            found.update([fold.half, fold.above, "resident" if program.tensors["x"].resident else "streamed"])
            codes = rng.integers(-128, 128, (2, *size, 3))
            for image, outputs in zip(codes, simulate(program, codes), strict=True):
                want = np.asarray(evaluate(network, image)["y"])
                assert np.array_equal(outputs["y"], want.reshape(outputs["y"].shape)), f"seed {seed}, {fold}"
    assert all(found[kind] > 10 for kind in (0, 1, 2, "resident", "streamed")), found


def test_turns_where_they_save_cycles():
    """The first layer of MobileNets: 2 passes and one word a pixel of two; a line buffer and 14 lanes are needed."""
    for rows, fold_width, turns in (
        (16, 256, True),
        (14, 49, True),
        (16, 48, False),
        (16, 0, False),
        (12, 256, False),
    ):
        network = convolution(np.random.default_rng(0), 3, (96, 96), (3, 3), (0, 0, 1, 1), 2, outs=8)
        config = EngineConfig(rows=rows, cols=rows, fold_width=fold_width)
        fold, cycles = next(folds(network, operations(network, config), config))
        assert fold is not None and fold.merge == 2 and fold.turns == turns
        assert cycles == 48 * 48 * (2 if turns else 3)


@pytest.mark.parametrize(
    ("rows", "channels", "kernel", "passes", "columns_only"),
    [
        (16, 3, (3, 3), 2, 3),
        (8, 3, (3, 3), 4, 6),
        (32, 3, (3, 3), 1, 3),
        (8, 1, (3, 3), 2, 3),
        (16, 3, (7, 7), 12, 14),
        (16, 1, (5, 5), 2, 5),
        (16, 4, (1, 1), 1, 1),
        (16, 5, (3, 3), 3, 3),
        (16, 7, (3, 3), 9, 9),
    ],
)
def test_passes(rows, channels, kernel, passes, columns_only):
    """As few as the words allow; 1x1 kernels and more than six channels stay as they are."""
    pad = kernel[0] // 2
    network = convolution(np.random.default_rng(0), channels, (40, 40), kernel, (pad,) * 4, outs=4 * rows)
    for fold_width, least in ((256, passes), (48, passes), (0, columns_only)):
        config = EngineConfig(rows=rows, cols=rows, fold_width=fold_width)
        ops = operations(network, config)
        fold, cycles = next(folds(network, ops, config))
        op = fold_input(network, ops, fold)[0]
        blocks = -(-op.act.shape[2] // rows)
        assert least == blocks * op.kernel[0] * op.kernel[1], fold
        assert cycles == least * 40 * 40 * 4


def test_a_row_longer_than_the_line_buffer():
    """Columns alone: a row of 40 pixels, with two zeros behind it, needs 41 and 42."""
    network = convolution(np.random.default_rng(0), 3, (40, 40), (3, 3), (1, 1, 1, 1), outs=64)
    for fold_width, stack in ((256, 3), (41, 3), (40, 1), (0, 1)):
        config = EngineConfig(rows=16, cols=16, fold_width=fold_width)
        fold, _ = next(folds(network, operations(network, config), config))
        assert fold is not None and fold.stack == stack


def test_load_may_not_be_slower_than_what_it_saves():
    """Stride 2 and few outputs: every pixel of the image would take two words, of which a quarter is read.

    Rows of 41 pixels are no rows of pairs.
    """
    config = EngineConfig(rows=16, cols=16)
    for outs, words in ((16, 1), (128, 2)):
        network = convolution(np.random.default_rng(0), 3, (41, 41), (3, 3), (1, 1, 1, 1), 2, outs=outs)
        fold, _ = next(folds(network, operations(network, config), config))
        assert fold is not None and -(-fold.elements // 16) == words


def test_less_is_folded_where_there_is_no_room():
    """Each way takes fewer words than the one before; the last one is the image as it is."""
    network = convolution(np.random.default_rng(0), 3, (40, 40), (3, 3), (1, 1, 1, 1), outs=64)
    config = EngineConfig(rows=8, cols=8)
    ways = [fold for fold, _ in folds(network, operations(network, config), config)]
    words = [40 * 40 if fold is None else fold.rows * fold.width * -(-fold.elements // 8) for fold in ways]
    assert ways[0] is not None and ways[-1] is None and len(ways) > 2
    assert words[:-1] == sorted(words[:-1], reverse=True) and len(set(words[:-1])) == len(words) - 1


def test_an_image_in_strips_is_read_once():
    """Rows that the LOAD before has left in the line buffer are not loaded again."""
    network = convolution(np.random.default_rng(0), 3, (32, 32), (3, 3), (1, 1, 1, 1), outs=16)
    for rows in (16, 8):
        program = compile_network(network, EngineConfig(rows=rows, cols=16))
        loads = [record.values for record in plan(program).records["load"]]
        assert len(loads) > 3 and all(v["fold"] and v["rows_above"] == 2 for v in loads)
        assert [v["rows_held"] for v in loads] == [0] + [2] * (len(loads) - 1)
        assert sum(v["pixels"] for v in loads) == 32 * 32
