"""What the compiler makes of a network, and what it refuses, naming the layer and the cure."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import COMPUTE, LOAD, Instruction, decode, record_words
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sim.iss import InstructionSetSimulator
from systolith.sim.naive import evaluate
from systolith.sim.random_network import random_codes, random_network
from systolith.sim.trace import simulate
from systolith.sw.compiler import compile_network
from systolith.sw.disassembler import disassemble
from systolith.sw.program import Program

CONFIG = EngineConfig(rows=4, cols=4, acc_depth=64)
INT8, UINT8 = QFormat(8, 4), QFormat(8, 4, signed=False)


def conv(
    source: str = "in", target: str = "mid", ins: int = 3, outs: int = 6, kernel: int = 3, **more: Any
) -> Layer:
    pad = kernel // 2
    wgt = np.arange(outs * ins * kernel * kernel).reshape(outs, ins, kernel, kernel) % 15 - 7
    settings: dict[str, Any] = {"pads": (pad, pad, pad, pad), "kernel": (kernel, kernel), "wgt": wgt} | more
    return Layer(
        name=f"conv_{target}", kind="conv", inputs=(source,), output=target, shift=np.array([6]), **settings
    )


def pool(source: str = "mid", target: str = "out", size: int = 2, **more: Any) -> Layer:
    settings: dict[str, Any] = {"kernel": (size, size), "stride": (size, size)} | more
    return Layer(name="pool", kind="maxpool", inputs=(source,), output=target, **settings)


def network(
    *layers: Layer, shapes: dict[str, tuple[int, int, int]], outputs: tuple[str, ...] = ("out",)
) -> QuantizedNetwork:
    return QuantizedNetwork(
        name="net", input="in", outputs=outputs, layers=layers,
        tensors={name: Tensor(name=name, shape=shape, format=INT8) for name, shape in shapes.items()},
    )  # fmt: skip


def records(program: Program, kind: Instruction) -> list[dict[str, int]]:
    size = record_words(program.config) * program.config.port_bytes
    decoded = [
        decode(program.records[at : at + size], program.config) for at in range(0, len(program.records), size)
    ]
    return [values for instruction, values in decoded if instruction is kind]


def conv_pool(**more: Any) -> QuantizedNetwork:
    return network(conv(**more), pool(), shapes={"in": (8, 8, 3), "mid": (8, 8, 6), "out": (4, 4, 6)})


# What is made ------------------------------------------------------------------------------------


def test_max_pool_is_fused_into_a_padded_convolution() -> None:
    net = conv_pool()
    fused, apart = compile_network(net, CONFIG), compile_network(net, CONFIG, fuse_pools=False)
    assert "mid" not in fused.tensors and {info.name for info in fused.computes} == {"conv_mid+pool"}
    assert fused.n_compute < apart.n_compute and fused.macs == apart.macs == 0
    assert all(not record["skip"] for record in records(fused, COMPUTE))
    codes = random_codes(net, 0)
    assert np.array_equal(simulate(fused, codes)[0]["out"], simulate(apart, codes)[0]["out"])


@pytest.mark.parametrize(
    "change",
    [
        {"kernel": (3, 3), "pads": (0, 0, 1, 1)},  # windows overlap
        {"pads": (1, 1, 0, 0)},
        {"hi": 50},
    ],
)
def test_other_pools_stay_apart(change: dict[str, Any]) -> None:
    net = network(conv(), pool(**change), shapes={"in": (8, 8, 3), "mid": (8, 8, 6), "out": (4, 4, 6)})
    assert "mid" in compile_network(net, CONFIG).tensors


def test_a_tensor_with_another_reader_is_made() -> None:
    shapes = {"in": (8, 8, 3), "mid": (8, 8, 6), "out": (4, 4, 6), "two": (8, 8, 6)}
    more = conv("mid", "two", ins=6)
    assert (
        "mid"
        in compile_network(
            network(conv(), pool(), more, outputs=("out", "two"), shapes=shapes), CONFIG
        ).tensors
    )
    del shapes["two"]
    assert (
        "mid"
        in compile_network(network(conv(), pool(), outputs=("mid", "out"), shapes=shapes), CONFIG).tensors
    )


def test_tile_in_the_array_is_kept() -> None:
    net = network(pool("in"), shapes={"in": (16, 16, 8), "out": (8, 8, 8)})
    program = compile_network(net, CONFIG)
    keeps = [record["keep"] for record in records(program, COMPUTE)]
    assert len(keeps) > 7 and keeps == [0] + [1] * (len(keeps) - 1)


def test_macs_add_up_and_blocks_cover_the_output() -> None:
    for seed in range(10):
        net = random_network(seed)
        program = compile_network(net, CONFIG)
        assert program.macs == sum(layer.macs for layer in net.layers)
        for name in {info.output for info in program.computes}:
            height, width, channels = net.tensors[name].shape
            seen = np.zeros((height * width, -(-channels // 4)), int)
            for info in program.computes:
                if info.output == name:
                    seen[info.pixel : info.pixel + info.count, info.channel // 4] += 1
            assert (seen == 1).all()


def test_array_starts_before_the_image_is_loaded() -> None:
    net = network(conv(target="out"), shapes={"in": (32, 32, 3), "out": (32, 32, 6)})
    for fold_width in (0, 256):
        program = compile_network(net, replace(CONFIG, acc_depth=1024, fold_width=fold_width))
        loads, computes = records(program, LOAD), records(program, COMPUTE)
        assert len(loads) > 1 and computes[0]["wait_load"] == 1 and computes[-1]["wait_load"] == len(loads)
        # Words of the row below the image alone come from two rows again.
        again = 2 * 32 * (loads[-1]["rows_before"] == 2)
        assert sum(load["pixels"] for load in loads) == 32 * 32 + again


def test_one_load_and_last_flags_where_one_strip_is_enough() -> None:
    program = compile_network(conv_pool(), replace(CONFIG, acc_depth=1024, rows=8, cols=8))
    assert (program.n_load, program.n_compute, program.n_store) == (1, 1, 1)
    assert [record["last"] for record in records(program, COMPUTE)] == [1]


def test_add_with_either_operand_shifted_and_with_itself() -> None:
    shapes = {"in": (3, 3, 6), "out": (3, 3, 6)}
    codes = np.arange(54).reshape(3, 3, 6) - 20
    for in_shift, res_shift in ((0, 3), (3, 0), (0, 0), (12, 0)):
        add = Layer(name="add", kind="add", inputs=("in", "in"), output="out", in_shift=in_shift,
                    res_shift=np.array([res_shift]), shift=np.array([4]))  # fmt: skip
        made = simulate(compile_network(network(add, shapes=shapes), CONFIG), codes)[0]["out"]
        total = (codes << in_shift) + (codes << res_shift)
        assert np.array_equal(made, np.clip(np.rint(total / 16), -128, 127))


def test_input_and_intermediate_tensors_can_be_outputs() -> None:
    shapes = {"in": (8, 8, 3), "mid": (8, 8, 6), "out": (4, 4, 6)}
    net = network(conv(), pool(), shapes=shapes, outputs=("out", "in", "mid"))
    program = compile_network(net, CONFIG)
    codes = random_codes(net, 0, 2)
    memory, registers = program.image(codes)
    for _ in InstructionSetSimulator(CONFIG, memory).run(registers):
        pass
    for image, result in enumerate(program.results(memory, 2)):
        expected = evaluate(net, codes[image])
        assert set(result) == set(expected) == {"in", "mid", "out"}
        assert all(np.array_equal(result[name], expected[name]) for name in result)


def test_disassembly_names_layers_and_waits() -> None:
    program = compile_network(conv_pool(), CONFIG)
    lines = list(disassemble(program))
    assert lines[0].startswith("net: ") and "4x4 array" in lines[1]
    assert len(lines) == 2 + 1 + program.n_load + program.n_compute + program.n_store
    first = next(line for line in lines if " compute 0 " in line)
    assert "conv_mid+pool -> out pixels 0.." in first and "channels 0..3" in first and "after load 1" in first
    second = next(line for line in lines if " compute 1 " in line)
    assert "channels 4..5" in second and "kb_last=6" in second and "in_rot" not in second
    assert lines[-1].endswith("last") and f"after compute {program.n_compute}" in lines[-1]
    assert " before" in next(line for line in lines if " load " in line)


def test_resnet_block_shapes_fit_the_default_engine() -> None:
    """Three tensors of 32x32x16 and the image: 128 KB hold them, and no operands collide."""
    shapes = {"in": (32, 32, 3), "a": (32, 32, 16), "b": (32, 32, 16), "out": (32, 32, 16)}
    last = replace(conv("b", "out", 16, 16), inputs=("b", "a"), res_shift=np.array([3]))
    net = network(conv("in", "a", 3, 16), conv("a", "b", 16, 16), last, shapes=shapes)
    config = EngineConfig(rows=16, cols=16)
    program = compile_network(net, config)
    banks = [program.tensors[name].base // config.bank_depth for name in ("a", "b")]
    assert banks[0] != banks[1]


# What is refused ---------------------------------------------------------------------------------


def test_refusals_name_layer_and_cure() -> None:
    shapes = {"in": (8, 8, 3), "mid": (8, 8, 6), "out": (4, 4, 6)}
    wide = QFormat(16, 4)
    base = conv_pool()
    good = base.layers[0]
    big_kernel = conv(kernel=17, wgt=np.ones((6, 3, 17, 17), np.int64))
    average = Layer(name="avg", kind="avgpool", inputs=("mid",), output="out", kernel=(2, 2), stride=(2, 2),
                    wgt=np.ones((1, 1, 1, 1), np.int64))  # fmt: skip
    pooled = {"in": (20, 20, 6), "out": (1, 1, 6)}
    add = Layer(name="add", kind="add", inputs=("in", "in"), output="out")
    for net, config, message in (
        (network(shapes=shapes), CONFIG, "network 'net' has no layers"),
        (
            replace(base, tensors=base.tensors | {"mid": Tensor(name="mid", shape=(8, 8, 6), format=wide)}),
            CONFIG,
            "tensor 'mid' has 16-bit codes, the engine 8: quantize to fewer bits or use act_width=16",
        ),
        (
            base,
            replace(CONFIG, wgt_width=4),
            "layer 'conv_mid' has 8-bit weights, the engine 4: quantize to fewer",
        ),
        (conv_pool(wgt_width=3), CONFIG, r"layer 'conv_mid' must have weight codes in -4\.\.3, not -7\.\.7"),
        (conv_pool(wgt=None), CONFIG, "'conv_mid' of kind conv needs weight codes, not None"),
        (
            conv_pool(wgt=np.ones((6, 4, 3, 3), np.int64)),
            CONFIG,
            r"'conv_mid' has weights of \(6, 4\) out and in",
        ),
        (
            network(big_kernel, pool(), shapes=shapes),
            CONFIG,
            "layer 'conv_mid' has a kernel of 17x17, at most 16x16",
        ),
        (
            conv_pool(hi=255),
            CONFIG,
            r"layer 'conv_mid' saturates to -128\.\.255, outside of its output's -128\.\.127",
        ),
        (
            conv_pool(bias=np.array([1 << 30])),
            replace(CONFIG, acc_width=20),
            "layer 'conv_mid' needs an accumulator",
        ),
        (
            network(pool("in", size=20), shapes=pooled),
            replace(CONFIG, cols=6),
            "layer 'pool' pools 400 pixels a window, .* larger acc_depth",
        ),
        (
            network(good, replace(average, bias=np.ones(6, np.int64)), shapes=shapes),
            CONFIG,
            "layer 'avg' of kind avgpool has a bias",
        ),
        (
            network(good, replace(average, wgt=np.ones((2, 1, 1, 1), np.int64)), shapes=shapes),
            CONFIG,
            "layer 'avg' of kind avgpool needs one weight code, or one for each output pixel",
        ),
        (
            network(replace(add, inputs=("in",)), shapes={"in": (2, 2, 2), "out": (2, 2, 2)}),
            CONFIG,
            "layer 'add' of kind add needs two inputs",
        ),
        (
            network(add, shapes={"in": (2, 2, 1), "out": (2, 2, 2)}),
            CONFIG,
            r"layer 'add' adds \(2, 2, 1\) and \(2, 2, 1\) to \(2, 2, 2\)",
        ),
        (
            network(
                replace(add, in_shift=1, res_shift=np.array([1])), shapes={"in": (2, 2, 2), "out": (2, 2, 2)}
            ),
            CONFIG,
            "layer 'add' shifts both operands, by 1",
        ),
        (
            network(replace(add, res_shift=np.array([-1])), shapes={"in": (2, 2, 2), "out": (2, 2, 2)}),
            CONFIG,
            r"layer 'add' must shift its residual left by 0\.\.31, not -1",
        ),
        (
            network(conv(target="out", kernel=1), shapes={"in": (2, 2048, 3), "out": (2, 2048, 6)}),
            CONFIG,
            "layer 'conv_out' reaches over 2048 columns, at most 2047 fit",
        ),
        (
            network(conv(target="out", ins=64, outs=64), shapes={"in": (64, 64, 64), "out": (64, 64, 64)}),
            replace(CONFIG, scratchpad=512),
            "layer 'conv_out' needs 584 bytes of scratchpad for the smallest strip of its map, there are 512: use",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            compile_network(net, config)
